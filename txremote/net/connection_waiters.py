"""
Those who wait for something that comes, goes and comes again.

`ClientService` has such a list too, but keeps in it whoever has stopped waiting
until a connection comes. Calls that wait with a time-out would fill the memory of
a client whose server is down for a day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure


class ConnectionWaiters:
    """Deferreds that are waited with. Each fires once; a cancelled one is forgotten."""

    def __init__(self) -> None:
        # -> how many more failures it waits through; None: any number
        self._left: dict[Deferred[Any], int | None] = {}

    def __len__(self) -> int:
        return len(self._left)

    def add(self, failures: int | None) -> Deferred[Any]:
        """
        Return a new one.

        Args:
            failures: It fails with the so many-th failure from now on; None:
                with none of them.
        """
        waiter: Deferred[Any] = Deferred(self._forget)
        self._left[waiter] = failures
        return waiter

    def _forget(self, waiter: Deferred[Any]) -> None:
        self._left.pop(waiter, None)

    def fire(self, make_result: Callable[[], Any]) -> None:
        """End the waiting of all, each with a result of its own."""
        waiting, self._left = self._left, {}
        _fire(waiting, make_result)

    def failed(self, failure: Failure) -> None:
        """Count a failure, and end the waiting of those who wait for no more."""
        due = [waiter for waiter, left in self._left.items() if left is not None and left <= 1]
        for waiter in due:
            del self._left[waiter]
        self._left = {
            waiter: None if left is None else left - 1 for waiter, left in self._left.items()
        }
        _fire(due, lambda: failure)


def _fire(waiting: Iterable[Deferred[Any]], make_result: Callable[[], Any]) -> None:
    for waiter in waiting:
        if not waiter.called:  # an earlier one's callback may have cancelled it
            waiter.callback(make_result())


__all__ = ["ConnectionWaiters"]
