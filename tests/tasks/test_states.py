"""
The states of a task: plac's six, and which may follow which.
"""

from __future__ import annotations

import pytest

from txremote.tasks.states import (
    ABORTED,
    FINAL,
    FINISHED,
    KILLED,
    RUNNING,
    STATES,
    SUBMITTED,
    TOBEKILLED,
    TRANSITIONS,
    state_from_text,
)


def test_the_states_are_plac_s() -> None:
    """Six of them, in plac's order; three of them are ends."""
    assert STATES == (SUBMITTED, RUNNING, TOBEKILLED, KILLED, FINISHED, ABORTED)
    assert {KILLED, FINISHED, ABORTED} == FINAL


def test_only_what_runs_can_be_about_to_be_killed() -> None:
    """A task that has not begun is KILLED at once."""
    assert [state for state in STATES if TOBEKILLED in TRANSITIONS[state]] == [RUNNING]


@pytest.mark.parametrize(
    ("word", "state"), [("fin", FINISHED), ("T", TOBEKILLED), (KILLED, KILLED)]
)
def test_the_beginning_of_a_state_is_enough(word: str, state: str) -> None:
    """In either case, where it is of one state only."""
    assert state_from_text(word) == state
    for other in ("", "LOST", "FINISHEDX"):
        with pytest.raises(ValueError, match="there is SUBMITTED, RUNNING"):
            state_from_text(other)
