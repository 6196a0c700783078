"""A call that is to be made later, by an asyncio loop: Twisted's, with the loop's timer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from twisted.internet.base import DelayedCall


class TimedCall(DelayedCall):
    """One call to come. For the loop's thread."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, delay: float, function: Callable[[], object]
    ) -> None:
        due = loop.time() + delay
        super().__init__(due, function, (), {}, self._take_back, self._put, loop.time)
        self._loop = loop
        self._timer = loop.call_at(due, self._come)

    def _take_back(self, _self: DelayedCall) -> None:
        self._timer.cancel()

    def _put(self, _self: DelayedCall) -> None:
        self._timer.cancel()
        self._timer = self._loop.call_at(self.time, self._come)

    def _come(self) -> None:
        if self.delayed_time > 0:  # it has been put off meanwhile
            self.activate_delay()
            self._put(self)
        else:
            self.called = 1
            self.func()
