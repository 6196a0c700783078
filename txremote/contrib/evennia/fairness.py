"""
The commands of clients, one in each turn of the reactor.

A command takes some milliseconds of the reactor's thread. Evennia bounds how many a player may
type in a second; a client can send a thousand in one packet, and the game would stand still for
ten seconds. So the commands of a connection begin one after the other, each in a turn of the
reactor of its own, and the connections take turns as well. For the reactor's thread.
"""

from __future__ import annotations

from collections import deque
from typing import Any
from weakref import WeakKeyDictionary

from twisted.internet.defer import Deferred

from txremote.peer.turns import Turns

#: The commands that wait, by the connection that has sent them.
_waiting: WeakKeyDictionary[Any, deque[Deferred[None]]] = WeakKeyDictionary()


def turn_of(connection: object, turns: Turns) -> Deferred[None]:
    """Return a Deferred of the turn of another command of a connection."""
    waiting = _waiting.setdefault(connection, deque())
    turn: Deferred[None] = Deferred()
    waiting.append(turn)
    if len(waiting) == 1:
        turns.add(lambda: _begin_one(waiting, turns))
    return turn


def _begin_one(waiting: deque[Deferred[None]], turns: Turns) -> bool:
    """Begin the command that has waited longest; the next one waits behind other connections'."""
    turn = waiting[0]
    try:
        if not turn.called:  # else its call was cancelled
            turn.callback(None)
    finally:
        waiting.popleft()
        if waiting:
            turns.add(lambda: _begin_one(waiting, turns))
    return False
