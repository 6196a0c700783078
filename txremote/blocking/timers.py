"""
Timed calls without a reactor, made by the threads that wait or poll.

A thread that goes to wait first makes the calls that are due, such as the expiry of an
`AsyncResult`, and then waits no longer than until the next one. Where no thread waits or
polls nothing is called, and an expired result is noticed the next time that it is asked
about. A cancelled call stays in the heap until its time, or until a new one finds it in front.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from time import monotonic


class _TimedCall:
    """A function and when it is due. Of calls due at the same time the older comes first."""

    __slots__ = ("due", "function", "number")

    def __init__(self, due: float, number: int, function: Callable[[], None]) -> None:
        self.due = due
        self.number = number
        self.function: Callable[[], None] | None = function  # None once it is cancelled

    def __lt__(self, other: _TimedCall) -> bool:
        return (self.due, self.number) < (other.due, other.number)

    def cancel(self) -> None:
        """Cancel it."""
        self.function = None


class Timers:
    """The timed calls of one connection. Any thread may use them."""

    def __init__(self) -> None:
        self.heap: list[_TimedCall] = []
        self._numbers = count()
        self._lock = threading.Lock()

    def call_later(self, seconds: float, function: Callable[[], None]) -> Callable[[], None]:
        """Have a function called some seconds from now. Returns a function that cancels that."""
        call = _TimedCall(monotonic() + seconds, next(self._numbers), function)
        heap = self.heap
        with self._lock:
            for _ in range(2):  # cancelled ones go as new ones come
                if heap and heap[0].function is None:
                    heappop(heap)
            heappush(heap, call)
        return call.cancel

    def time_left(self, deadline: float | None) -> float | None:
        """Return the seconds until a deadline or the next call; None for ever."""
        if self.heap:
            with self._lock:
                if self.heap and (deadline is None or self.heap[0].due < deadline):
                    deadline = self.heap[0].due
        return None if deadline is None else deadline - monotonic()

    def call_due(self) -> None:
        """Make the calls that are due: each once, whichever threads do this."""
        heap = self.heap
        while heap and heap[0].due <= monotonic():
            with self._lock:
                if not heap or heap[0].due > monotonic():
                    return
                function = heappop(heap).function
            if function is not None:
                function()
