"""
The states of a task: plac's six, and which may follow which.
"""

from __future__ import annotations

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
)


def test_the_states_are_plac_s() -> None:
    """Six of them, in plac's order; three of them are ends."""
    assert STATES == (SUBMITTED, RUNNING, TOBEKILLED, KILLED, FINISHED, ABORTED)
    assert {KILLED, FINISHED, ABORTED} == FINAL


def test_only_what_runs_can_be_about_to_be_killed() -> None:
    """A task that has not begun is KILLED at once."""
    assert [state for state in STATES if TOBEKILLED in TRANSITIONS[state]] == [RUNNING]
