"""``obj.msg()`` in a process."""

from __future__ import annotations

from tests.contrib.evennia.game import needs_evennia

pytestmark = needs_evennia


def test_what_a_job_says_is_said_by_the_server(checks: dict[str, str]) -> None:
    """The function of `job_checks` says what it asserts."""
    assert checks["what_a_job_says_is_said_by_the_server"] == ""
