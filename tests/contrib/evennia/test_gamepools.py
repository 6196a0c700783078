"""A pool as a game's jobs use it."""

from __future__ import annotations

import pytest

from tests.contrib.evennia.game import needs_evennia

pytestmark = needs_evennia


@pytest.mark.parametrize(
    "name",
    [
        "a_thread_ends_at_its_next_word_of_progress",
        "jobs_are_told_when_the_server_stops",
    ],
)
def test_in_a_game(name: str, checks: dict[str, str]) -> None:
    """Each is a function of `job_checks`, which says what it asserts."""
    assert checks.get(name, f"it did not run: {checks}") == ""
