"""A call that is to be made later, by an asyncio loop, as Twisted's code knows it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from twisted.internet.error import AlreadyCalled, AlreadyCancelled
from twisted.internet.interfaces import IDelayedCall
from zope.interface import implementer


@implementer(IDelayedCall)
class TimedCall:
    """One call to come. For the loop's thread."""

    __slots__ = ("_called", "_function", "_handle", "_loop")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, delay: float, function: Callable[[], object]
    ) -> None:
        self._loop = loop
        self._function = function
        self._called = False
        self._handle = loop.call_later(delay, self._call)

    def getTime(self) -> float:
        """Return when it is due, on the loop's clock."""
        when = getattr(self._handle, "when", None)  # uvloop does not say where it is due at once
        return self._loop.time() if when is None else when()

    def active(self) -> bool:
        """Tell whether it is still to come."""
        return not (self._called or self._handle.cancelled())

    def cancel(self) -> None:
        """Take it back. Raises AlreadyCalled, or AlreadyCancelled."""
        self._check()
        self._handle.cancel()

    def reset(self, seconds: float) -> None:
        """Have it come some seconds from now. Raises as `cancel` does."""
        self._put(self._loop.time() + seconds)

    def delay(self, seconds: float) -> None:
        """Have it come some seconds later than it would. Raises as `cancel` does."""
        self._put(self.getTime() + seconds)

    def _put(self, when: float) -> None:
        self._check()
        self._handle.cancel()
        self._handle = self._loop.call_at(when, self._call)

    def _check(self) -> None:
        if self._called:
            raise AlreadyCalled
        if self._handle.cancelled():
            raise AlreadyCancelled

    def _call(self) -> None:
        self._called = True
        self._function()
