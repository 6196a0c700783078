"""
Long work of connections, a slice in each turn of the reactor.

A message of a million values takes a fifth of a second to decode, and a few KiB of zlib's are
such a message. So it is decoded in slices, and one slice is taken in a turn: a hundred connections
that send such messages together hold the reactor no longer than one does. Values of declared types
are converted in the same way.

Messages are done in the order in which they came. If all went on together, each would hold
a part of its message, as inflated, and a hundred compressed messages would fill the memory before
the first was read, and counted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from txremote.errors import WrongThread
from txremote.levels import Logger
from txremote.wire.slices import Steps

_log = Logger("txremote")

T = TypeVar("T")
Step = Callable[[], bool]


class Turns:
    """Takes steps, one in each turn of the reactor, one work after the other."""

    __slots__ = ("_clock", "_works")

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._works: deque[Step] = deque()

    @property
    def idle(self) -> bool:
        """Whether there is no work."""
        return not self._works

    def add(self, step: Step) -> None:
        """Take steps, from the next turn on, until one returns that there is no other."""
        self._works.append(step)
        if len(self._works) == 1:
            self._clock.callLater(0, self._turn)

    def _turn(self) -> None:
        step = self._works[0]
        more = False
        try:
            more = step()
        except Exception:  # of one connection, and the others have their turns
            _log.failure("what a connection has received could not be read")
        if not more:
            self._works.popleft()
        if self._works:
            self._clock.callLater(0, self._turn)


def turns_of(reactor: Any) -> Turns:
    """Return what takes steps in a reactor, which the reactor itself keeps."""
    found: Turns | None = getattr(reactor, "_txremote_turns", None)
    if found is None:
        found = reactor._txremote_turns = Turns(reactor)
    return found


def may_take_turns(connection: Any) -> bool:
    """Tell whether this is a reactor's thread, which long work would hold up."""
    if connection.executor.turns is None:
        return False
    try:
        connection.executor.guard.check()
    except WrongThread:
        return False
    return True


def in_turns(turns: Turns, steps: Steps[T]) -> Deferred[T]:
    """Take the steps of a generator in turns; return a Deferred of what it returns."""
    over: Deferred[T] = Deferred(lambda _over: steps.close())

    def step() -> bool:
        if over.called:  # it was cancelled
            return False
        try:
            next(steps)
        except StopIteration as end:
            over.callback(end.value)
            return False
        except Exception:
            over.errback(Failure())
            return False
        return True

    turns.add(step)
    return over
