"""What the tests of limited sources share: with and without a sandbox."""

from __future__ import annotations

import subprocess
from functools import lru_cache

import pytest

from txremote.errors import NoSandbox
from txremote.work.limited.sandbox import boxed, interpreter, restricted_python


@lru_cache(maxsize=1)
def why_no_sandbox() -> str:
    """Return why bubblewrap makes no sandbox on this machine; nothing if it does."""
    try:
        command = boxed((interpreter(), "-I", "-S", "-c", "pass"), restricted_python())
    except NoSandbox as problem:
        return str(problem)
    words = list(command.arguments)
    at = words.index("--info-fd")
    del words[at : at + 2]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    return done.stderr if done.returncode else ""


@pytest.fixture
def boxes() -> None:
    """Skip a test where there is no sandbox."""
    if why_no_sandbox():
        pytest.skip(f"no bubblewrap that works: {why_no_sandbox()}")


@pytest.fixture(params=["none", "required"])
def sandbox(request: pytest.FixtureRequest) -> str:
    """Both ways in which a source may run."""
    if request.param == "required":
        request.getfixturevalue("boxes")
    return str(request.param)
