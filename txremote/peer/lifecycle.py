"""
The states of a connection, and which may follow which.

Two callers change it by `Connection.enter`: the connection itself and its `Closing`.

=============  =====================================================================
CONNECTING     made, and without a transport
HANDSHAKING    TLS's handshake is under way: the service has not been told of it yet
OPEN           calls go both ways
DRAINING       calls that have begun may end, new ones of the peer's are refused; it
               closes when all are answered
CLOSING        this side or the peer has said good-bye: what is unsent goes out, and
               nothing is read or asked any more
ABORTING       given up: the transport is dropping what is unsent
CLOSED         the transport has ended
=============  =====================================================================

A peer or a network that goes away ends a connection in any state. The states are ordered:
from `CLOSING` on nothing can be asked.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class State(IntEnum):
    """Where a connection is in its life."""

    CONNECTING = 0
    HANDSHAKING = 1
    OPEN = 2
    DRAINING = 3
    CLOSING = 4
    ABORTING = 5
    CLOSED = 6


# hot functions read these: a member of an enum is looked up twice
CONNECTING: Final = State.CONNECTING
HANDSHAKING: Final = State.HANDSHAKING
OPEN: Final = State.OPEN
DRAINING: Final = State.DRAINING
CLOSING: Final = State.CLOSING
ABORTING: Final = State.ABORTING
CLOSED: Final = State.CLOSED

#: Why a connection has ended that the peer has closed in order, in words.
GOODBYE: Final = "the peer closed the connection"

#: From each state, those that may come next.
TRANSITIONS: Final[dict[State, frozenset[State]]] = {
    CONNECTING: frozenset({HANDSHAKING, OPEN, CLOSED}),
    HANDSHAKING: frozenset({OPEN, DRAINING, CLOSING, ABORTING, CLOSED}),
    OPEN: frozenset({DRAINING, CLOSING, ABORTING, CLOSED}),
    DRAINING: frozenset({CLOSING, ABORTING, CLOSED}),
    CLOSING: frozenset({ABORTING, CLOSED}),
    ABORTING: frozenset({CLOSED}),
    CLOSED: frozenset(),
}


def following(state: State, wanted: State) -> State:
    """Return the wanted state, or raise RuntimeError if it may not follow: a bug in here."""
    if wanted not in TRANSITIONS[state]:
        raise RuntimeError(f"a connection that is {state.name} cannot be {wanted.name}")
    return wanted
