"""``obj.msg()`` in a process."""

from __future__ import annotations

import pytest

from tests.contrib.evennia.checking import results_of_checks
from tests.contrib.evennia.game import needs_evennia

pytestmark = needs_evennia


@pytest.fixture(scope="module")
def checks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """How each of `job_checks` went."""
    return results_of_checks(tmp_path_factory)


def test_what_a_job_says_is_said_by_the_server(checks: dict[str, str]) -> None:
    """The function of `job_checks` says what it asserts."""
    assert checks["what_a_job_says_is_said_by_the_server"] == ""
