"""The states of a task, which are plac's, and what may follow each of them."""

from __future__ import annotations

from typing import Final

SUBMITTED: Final = "SUBMITTED"
RUNNING: Final = "RUNNING"
TOBEKILLED: Final = "TOBEKILLED"
KILLED: Final = "KILLED"
FINISHED: Final = "FINISHED"
ABORTED: Final = "ABORTED"

#: From each state, those that may come next. A task that is to be killed may
#: still end by itself, well or badly, before it notices.
TRANSITIONS: Final[dict[str, frozenset[str]]] = {
    SUBMITTED: frozenset({RUNNING, KILLED, ABORTED}),
    RUNNING: frozenset({TOBEKILLED, KILLED, FINISHED, ABORTED}),
    TOBEKILLED: frozenset({KILLED, FINISHED, ABORTED}),
    KILLED: frozenset(),
    FINISHED: frozenset(),
    ABORTED: frozenset(),
}

#: plac's six states, in its order.
STATES: Final = tuple(TRANSITIONS)

#: Those that a task does not leave.
FINAL: Final = frozenset(state for state, following in TRANSITIONS.items() if not following)


def state_from_text(text: str) -> str:
    """Return the state that a word or its beginning means, ``fin`` say. ValueError: none, many."""
    found = [state for state in STATES if state.startswith(text.upper())]
    if len(found) != 1:
        raise ValueError(f"no status {text!r}: there is {', '.join(STATES)}")
    return found[0]
