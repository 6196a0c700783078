"""
`News`: listeners that are called once a second, to look at the monitor: the page's streams, say.

There is a timer only while there are listeners, so it does not wake the event loop while nobody
looks.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from txremote.levels import Logger

_log = Logger("txremote")

#: Seconds between two calls of the listeners.
EVERY: Final = 1.0


class News:
    """The listeners of one monitor, called between `start` and `stop`. In the reactor's thread."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._running = False
        self._listeners: dict[object, Callable[[], object]] = {}
        self._timer: IDelayedCall | None = None

    def start(self) -> None:
        """Begin to call the listeners."""
        self._running = True
        self._call_later()

    def stop(self) -> None:
        """Call them no more, until there is another start."""
        self._running = False
        self._cancel()

    def add(self, listener: Callable[[], object]) -> Callable[[], None]:
        """Add a listener; return a function that drops it. One that raises is dropped."""
        key = object()
        self._listeners[key] = listener
        self._call_later()
        return partial(self._drop, key)

    def _drop(self, key: object) -> None:
        self._listeners.pop(key, None)
        if not self._listeners:
            self._cancel()

    def _cancel(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _call_later(self) -> None:
        if self._listeners and self._timer is None and self._running:
            self._timer = self._clock.callLater(EVERY, self._call)

    def _call(self) -> None:
        self._timer = None
        for key, listener in list(self._listeners.items()):
            if key not in self._listeners:
                continue  # one before it has dropped it
            try:
                listener()
            except Exception:  # it is somebody else's
                _log.failure("a listener to the monitor failed, and is dropped")
                self._drop(key)
        self._call_later()
