"""What a job in a process changes of a game."""

from __future__ import annotations

import pytest

from tests.contrib.evennia.game import needs_evennia

pytestmark = needs_evennia


@pytest.mark.parametrize(
    "name",
    [
        "what_a_job_changes_shows_in_the_server",
        "a_job_that_fails_or_is_killed_has_told_of_its_changes",
        "another_typeclass_and_new_and_deleted_objects_show",
        "a_job_leaves_no_transaction_to_the_next",
    ],
)
def test_in_a_game(name: str, checks: dict[str, str]) -> None:
    """Each is a function of `job_checks`, which says what it asserts."""
    assert checks.get(name, f"it did not run: {checks}") == ""
