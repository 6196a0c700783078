"""
What contestants that are pools have in common: the ways to give them jobs, and to
look at the reactor meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

from twisted.internet.defer import Deferred

from benchmarks.peers.work import check

#: Worker processes of each pool.
PROCESSES = 2

#: Seconds from tick to tick, where lateness is looked at.
TICK = 0.002


async def burst(submit: Callable[[int], Deferred[int]], size: int) -> None:
    """
    Give a pool jobs, all at once, and wait until all are done.

    Args:
        submit: Gives it one, which adds one to its argument.
        size: How many.
    """
    done: Deferred[None] = Deferred()
    left = size
    total = 0

    def ended(result: int) -> None:
        nonlocal left, total
        left -= 1
        total += result
        if not left:
            done.callback(None)

    def failed(failure: Any) -> None:
        if not done.called:
            done.errback(failure)

    for number in range(size):
        submit(number).addCallbacks(ended, failed)
    await done
    check(total, size * (size + 1) // 2)


async def bursts(submit: Callable[[int], Deferred[int]], count: int, size: int) -> float:
    """
    Give a pool some bursts of jobs, one after the other.

    Returns:
        Seconds.
    """
    start = perf_counter()
    for _ in range(count):
        await burst(submit, size)
    return perf_counter() - start


def blocking_bursts(submit: Callable[[int], Any], count: int, size: int) -> float:
    """
    The same with a pool whose jobs are futures, from a plain script.

    Returns:
        Seconds.
    """
    start = perf_counter()
    for _ in range(count):
        futures = [submit(number) for number in range(size)]
        total = sum(future.result() for future in futures)
        check(total, size * (size + 1) // 2)
    return perf_counter() - start


def _numbers(size: int) -> Any:
    import numpy as np

    return np.arange(size // 8, dtype=np.float64)


def _check_numbers(array: Any, size: int) -> None:
    last = size // 8 - 1
    check((float(array[0]), float(array[last // 2]), float(array[-1])), (0.0, last // 2, last))


async def arrays(echo: Callable[[Any], Deferred[Any]], count: int, size: int) -> float:
    """
    Have an array echoed some times, one after the other, each time what came back.

    Args:
        echo: Gives a pool the job.
        count: How many times.
        size: How many bytes the array has.

    Returns:
        Seconds.
    """
    array = _numbers(size)
    start = perf_counter()
    for _ in range(count):
        array = await echo(array)
    seconds = perf_counter() - start
    _check_numbers(array, size)
    return seconds


def blocking_arrays(echo: Callable[[Any], Any], count: int, size: int) -> float:
    """Do the same with a function that waits for the job."""
    array = _numbers(size)
    start = perf_counter()
    for _ in range(count):
        array = echo(array)
    seconds = perf_counter() - start
    _check_numbers(array, size)
    return seconds


class Ticks:
    """
    A timer that is to fire each `TICK`, and how late it is.

    A tick that the reactor has missed altogether counts as well: it is as late as
    the next one that comes.

    Args:
        reactor: The reactor.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._late: list[float] = []
        self._due = perf_counter()
        self._next: Any = None
        self._tick()

    def _tick(self) -> None:
        now = perf_counter()
        while self._due <= now:
            self._late.append(now - self._due)
            self._due += TICK
        self._next = self._reactor.callLater(self._due - now, self._tick)

    def stop(self) -> list[float]:
        """
        End it.

        Returns:
            By how many seconds the ticks were late, the least first.
        """
        self._next.cancel()
        return sorted(self._late)


async def lateness(reactor: Any, run: Callable[[], Any]) -> tuple[float, float]:
    """
    Have something run, and look how late a timer is meanwhile.

    Args:
        reactor: The reactor.
        run: Begins it, and returns what can be awaited.

    Returns:
        The 99th percentile, and the worst, in seconds.
    """
    ticks = Ticks(reactor)
    try:
        await run()
    finally:
        late = ticks.stop()
    return late[len(late) * 99 // 100], late[-1]
