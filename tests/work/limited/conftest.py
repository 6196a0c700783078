"""What the tests of limited sources share: with and without a sandbox."""

from __future__ import annotations

import pytest


@pytest.fixture
def boxes() -> None:
    """Skip a test where there is no sandbox."""
    # not above: it imports the reactor, which an option chooses after this file is read
    from tests.work.limited.surroundings import why_no_sandbox

    if why_no_sandbox():
        pytest.skip(f"no bubblewrap that works: {why_no_sandbox()}")


@pytest.fixture(params=["none", "required"])
def sandbox(request: pytest.FixtureRequest) -> str:
    """Both ways in which a source may run."""
    if request.param == "required":
        request.getfixturevalue("boxes")
    return str(request.param)
