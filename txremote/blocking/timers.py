"""
Timed calls where no clock runs: made by whatever thread waits or polls by then.

A script has no reactor. What is to happen at a time, such as the expiry of an
`AsyncResult`, is a heap here. A thread that goes to wait first calls what has
become due, and then waits no longer than until the next is; where nobody waits or
polls, nothing happens, and a result that expired is noticed at the next look.

A call that was taken back stays in the heap as an empty entry until its time, or
until the next one comes and finds it in front: so they do not pile up.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from time import monotonic
from typing import Any


class Timers:
    """
    The timed calls of one connection. Any thread may use them.

    Attributes:
        heap: What is due when; empty if nothing is. Only to be looked at.
    """

    def __init__(self) -> None:
        self.heap: list[list[Any]] = []  # of [when, number, function or None]
        self._numbers = count()
        self._lock = threading.Lock()

    def call_later(self, seconds: float, function: Callable[[], None]) -> Callable[[], None]:
        """
        Have a function called some seconds from now, or as soon as a thread waits
        after that.

        Returns:
            What takes it back.
        """
        entry: list[Any] = [monotonic() + seconds, next(self._numbers), function]
        heap = self.heap
        with self._lock:
            for _ in range(2):  # those that were taken back go as new ones come
                if heap and heap[0][2] is None:
                    heappop(heap)
            heappush(heap, entry)

        def take_back() -> None:
            entry[2] = None

        return take_back

    def time_left(self, deadline: float | None) -> float | None:
        """
        Return for how many seconds a thread may wait.

        Args:
            deadline: Its own, on the monotonic clock; None if it has none.

        Returns:
            None for ever. Not above zero if something is due.
        """
        if self.heap:
            with self._lock:
                if self.heap and (deadline is None or self.heap[0][0] < deadline):
                    deadline = self.heap[0][0]
        return None if deadline is None else deadline - monotonic()

    def call_due(self) -> None:
        """Call what has become due, each once, whichever threads do this."""
        heap = self.heap
        while heap and heap[0][0] <= monotonic():
            with self._lock:
                if not heap or heap[0][0] > monotonic():
                    return
                function = heappop(heap)[2]
            if function is not None:
                function()
