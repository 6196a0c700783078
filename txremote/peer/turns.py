"""
Long work of connections, a slice in each turn of the reactor.

A message of a million values takes a fifth of a second to decode, and a few KiB of zlib's are
such a message. So it is decoded in slices, and one connection of a reactor is served in a turn:
a hundred that send such messages together hold it no longer than one does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

_log = Logger("txremote")

Step = Callable[[], bool]


class Turns:
    """Takes steps, one in each turn of the reactor, of each work in its turn."""

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
        self._works.popleft()
        if more:
            self._works.append(step)
        if self._works:
            self._clock.callLater(0, self._turn)


def turns_of(reactor: Any) -> Turns:
    """Return what takes steps in a reactor, which the reactor itself keeps."""
    found: Turns | None = getattr(reactor, "_txremote_turns", None)
    if found is None:
        found = reactor._txremote_turns = Turns(reactor)
    return found
