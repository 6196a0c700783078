"""
Deferreds that wait for the next connection of a client.

`ClientService` has such a list too, but keeps a cancelled Deferred in it until a connection
comes: calls with a time-out would fill the memory while the server is down for a day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from txremote.peer.connection import Connection
from txremote.peer.variables import outside_calls

Waiter = Deferred[Connection]


class ConnectionWaiters:
    """Deferreds of the next connection. Each fires once; a cancelled one is forgotten."""

    def __init__(self) -> None:
        # -> how many more failures it waits through; None: any number
        self._left: dict[Waiter, int | None] = {}

    def __len__(self) -> int:
        return len(self._left)

    def add(self, failures: int | None) -> Waiter:
        """Return a new one, which gives up after some failed attempts; None: never."""
        waiter: Waiter = Deferred(self._forget)
        self._left[waiter] = failures
        return waiter

    def _forget(self, waiter: Waiter) -> None:
        self._left.pop(waiter, None)

    def fire(self, make_result: Callable[[], Connection | Failure]) -> None:
        """Fire all, each with a result of its own."""
        waiting, self._left = self._left, {}
        _fire(waiting, make_result)

    def attempt_failed(self, failure: Failure) -> None:
        """Count a failed attempt, and fail with it those that have waited through enough."""
        due = [waiter for waiter, left in self._left.items() if left is not None and left <= 1]
        for waiter in due:
            del self._left[waiter]
        for waiter, left in self._left.items():
            if left is not None:
                self._left[waiter] = left - 1
        _fire(due, lambda: failure)


def _fire(waiting: Iterable[Waiter], make_result: Callable[[], Connection | Failure]) -> None:
    for waiter in waiting:
        if not waiter.called:  # an earlier one's callback may have cancelled it
            outside_calls(None, waiter.callback, make_result())
