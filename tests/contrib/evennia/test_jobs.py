"""The `run_async` of a game."""

from __future__ import annotations

import pytest

from tests.contrib.evennia.game import needs_evennia

pytestmark = needs_evennia


@pytest.mark.parametrize(
    "name",
    [
        "a_job_runs_in_a_thread_unless_a_process_is_asked_for",
        "any_thread_may_begin_a_job",
        "without_a_pool_the_error_says_what_to_write",
        "a_job_cannot_begin_jobs_in_its_process",
        "jobs_are_listed_with_their_progress",
        "an_awaiting_commands_jobs_are_its_callers",
        "a_listed_job_can_be_killed",
        "a_failed_job_says_why",
        "an_error_that_nobody_handles_is_logged_at_once",
        "the_log_says_where_a_commands_job_failed",
    ],
)
def test_in_a_game(name: str, checks: dict[str, str]) -> None:
    """Each is a function of `job_checks`, which says what it asserts."""
    assert checks.get(name, f"it did not run: {checks}") == ""
