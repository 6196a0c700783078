"""A pool as a game's jobs use it."""

from __future__ import annotations

import pytest

from tests.contrib.evennia.checking import results_of_checks
from tests.contrib.evennia.game import needs_evennia

pytestmark = needs_evennia


@pytest.fixture(scope="module")
def checks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """How each of `job_checks` went."""
    return results_of_checks(tmp_path_factory)


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
