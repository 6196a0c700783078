"""
What contestants have in common: the ways to make calls, and to wait for events.
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import cache
from statistics import median
from time import perf_counter
from typing import Any

from twisted.internet.defer import Deferred

#: Calls in flight in the row "pipelined".
WINDOW = 100

#: Length of a frame of the raw echo: what txremote's request of ``add(30000, 2)``
#: takes, header and all.
FRAME = 80

#: The same of ``add(1, 2)``, for the rows that block.
BLOCKING_FRAME = 74

#: The same of the event that a server fires, with a time in it.
EVENT_FRAME = 63

#: Seconds that an event may take to arrive.
PATIENCE = 60.0

#: Between which seconds from now an event is fired.
SOON = (0.01, 0.11)


def expected_sum(count: int) -> int:
    """Return the sum of ``add(i, 2)`` for all i below count."""
    return count * (count - 1) // 2 + 2 * count


def check(found: Any, expected: Any) -> None:
    """Raise if an answer is wrong."""
    if found != expected:
        raise AssertionError("a wrong answer")


async def pipelined(add: Callable[[int, int], Deferred[int]], count: int) -> float:
    """
    Make calls, `WINDOW` in flight: each answer sends the next.

    Returns:
        Seconds.
    """
    done: Deferred[None] = Deferred()
    sent = received = total = 0

    def send() -> None:
        nonlocal sent
        number = sent
        sent += 1
        add(number, 2).addCallbacks(answered, failed)

    def answered(result: int) -> None:
        nonlocal received, total
        received += 1
        total += result
        if sent < count:
            send()
        elif received == count:
            done.callback(None)

    def failed(failure: Any) -> None:
        if not done.called:
            done.errback(failure)

    start = perf_counter()
    for _ in range(min(WINDOW, count)):
        send()
    await done
    seconds = perf_counter() - start
    check(total, expected_sum(count))
    return seconds


async def sequential(add: Callable[[int, int], Deferred[int]], count: int) -> float:
    """
    Make calls, each awaited before the next.

    Returns:
        Seconds.
    """
    total = 0
    start = perf_counter()
    for number in range(count):
        total += await add(number, 2)
    seconds = perf_counter() - start
    check(total, expected_sum(count))
    return seconds


async def by_tasks(add: Callable[[int, int], Awaitable[int]], count: int) -> float:
    """
    Make calls from `WINDOW` tasks of asyncio, each of which awaits one after the other.

    Returns:
        Seconds.
    """
    numbers = iter(range(count))

    async def some() -> int:
        total = 0
        for number in numbers:
            total += await add(number, 2)
        return total

    start = perf_counter()
    total = sum(await asyncio.gather(*[some() for _ in range(WINDOW)]))
    seconds = perf_counter() - start
    check(total, expected_sum(count))
    return seconds


def blocking(conn: Any, count: int) -> float:
    """
    Make calls from a plain script, each in full as it is written there:
    ``conn.root.add(1, 2)``.

    Args:
        conn: The connection.
        count: How many.

    Returns:
        Seconds.
    """
    total = 0
    start = perf_counter()
    for _ in range(count):
        total += conn.root.add(1, 2)
    seconds = perf_counter() - start
    check(total, 3 * count)
    return seconds


class Arrivals:
    """
    Takes events, in whatever thread they come, while the main thread sleeps.

    An event's argument is the time at which the server has fired it:
    `perf_counter` is one clock for all processes of a machine.
    """

    def __init__(self) -> None:
        self._expected = 0
        self._fired: list[float] = []
        self._came: list[float] = []
        self._all = threading.Event()

    def event(self, fired: float) -> None:
        """Take note of an event: the callback that the server is given."""
        self._came.append(perf_counter())
        self._fired.append(fired)
        if len(self._came) == self._expected:
            self._all.set()

    def burst(self, fire_later: Callable[[int, float], object], count: int) -> float:
        """
        Have events fired, and sleep until all are here.

        Args:
            fire_later: Has the server fire so many at once, so many seconds
                from now.
            count: How many.

        Returns:
            The seconds from the first that was fired to the last that came.
        """
        self._expected = count
        self._fired.clear()
        self._came.clear()
        self._all.clear()
        # at a moment that no interval of the client's is in step with, and when
        # it has long been asleep again
        fire_later(count, random.uniform(*SOON))
        if not self._all.wait(PATIENCE):
            raise AssertionError(f"{len(self._came)} of {count} events came")
        return max(self._came) - min(self._fired)

    def one_by_one(self, fire_later: Callable[[int, float], object], count: int) -> float:
        """
        Have events fired, each after the one before has come.

        Returns:
            The median of the seconds that one takes.
        """
        return median(self.burst(fire_later, 1) for _ in range(count))


@contextmanager
def background(
    conn: Any, serving_thread: Callable[[Any], Any]
) -> Iterator[tuple[Arrivals, Callable[[int, float], object]]]:
    """
    Have a thread serve the connection.

    Args:
        conn: The connection.
        serving_thread: ``BgServingThread``.

    Returns:
        Where events arrive, and what has the server fire them.
    """
    arrivals = Arrivals()
    root = conn.root
    root.subscribe(arrivals.event)
    thread = serving_thread(conn)
    try:
        yield arrivals, root.fire_later
    finally:
        thread.stop()


@cache
def random_bytes(size: int) -> bytes:
    """Return what does not compress, the same each time."""
    return os.urandom(size)
