"""
The end of an asyncio loop, which pools and processes do not outlive: `Ending`.

asyncio has no event for it. But `asyncio.run`, and all that runs a loop as it does, first cancels
the tasks, and then closes the asynchronous generators that have begun. The keeper is one: when it
is closed it calls the *triggers*, in the phases of a reactor's shutdown, and waits for their
Deferreds, `PATIENCE` seconds at most. So coroutines may use pools in their ``finally`` still.

A loop that is just closed calls the triggers from its ``close``, and waits for nothing; what is
left then is closed too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from functools import partial
from typing import TypeAlias

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure

from txremote.levels import Logger
from txremote.refs import forks

_log = Logger("txremote")

PHASES = ("before", "during", "after")

#: Seconds that all triggers of one phase may take; a pool's own grace is much shorter.
PATIENCE = 15.0

Trigger: TypeAlias = "tuple[str, Callable[[], object]]"


class Ending:
    """
    Calls triggers when a loop ends. For the loop's thread.

    Args:
        loop: It runs.
        drop: Called before the loop is closed, when the triggers have been.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, drop: Callable[[], None]) -> None:
        self._loop = loop
        self._drop = drop
        self._triggers: list[Trigger] = []
        self._keeper: AsyncGenerator[None, None] | None = None
        self._home = forks.here

    def begin(self) -> None:
        """Look out for the end, from now on."""
        if self._keeper is not None:
            return
        self._keeper = self._keep()
        try:
            self._keeper.__anext__().send(None)  # to its yield: the loop knows it now
        except StopIteration:
            pass
        close = self._loop.close
        self._loop.close = partial(self._close, close)  # type: ignore[method-assign]

    def add(
        self,
        phase: str,
        function: Callable[..., object],
        args: Sequence[object],
        kwargs: Mapping[str, object],
    ) -> Trigger:
        """Add a trigger. ValueError: there is no such phase."""
        if phase not in PHASES:
            raise ValueError(f"{phase!r} is no phase: there are {', '.join(PHASES)}")
        self.begin()
        trigger = phase, partial(function, *args, **kwargs)
        self._triggers.append(trigger)
        return trigger

    def remove(self, trigger: object) -> None:
        """Take a trigger back. ValueError: it is none that waits."""
        self._triggers.remove(trigger)  # type: ignore[arg-type]

    async def _keep(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            for phase in PHASES:
                await self._wait_for(self._fire(phase))

    def _fire(self, phase: str) -> list[Deferred[object]]:
        """Call the triggers of a phase, once; return their Deferreds."""
        due = [trigger for trigger in self._triggers if trigger[0] == phase]
        self._triggers = [trigger for trigger in self._triggers if trigger[0] != phase]
        deferreds = [maybeDeferred(function) for _phase, function in due]
        for deferred in deferreds:
            deferred.addErrback(_failed)
        return deferreds

    async def _wait_for(self, deferreds: Sequence[Deferred[object]]) -> None:
        futures = [deferred.asFuture(self._loop) for deferred in deferreds]
        if futures:
            _done, late = await asyncio.wait(futures, timeout=PATIENCE)
            if late:
                _log.warn(
                    "{count} did not end within {seconds:g} s, and the event loop ends without "
                    "waiting for them",
                    count=len(late),
                    seconds=PATIENCE,
                )

    def _close(self, close: Callable[[], None]) -> None:
        """Stand in the place of the loop's ``close``."""
        if not self._loop.is_running() and self._home is forks.here:
            for phase in PHASES:
                self._fire(phase)
            self._drop()
        close()


def _failed(failure: Failure) -> None:
    _log.failure("a part of the program did not end well with its event loop", failure)
