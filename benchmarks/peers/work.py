"""
What the reactor's contestants have in common: the two ways to make calls.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from time import perf_counter
from typing import Any

from twisted.internet.defer import Deferred

#: Calls in flight in the row "pipelined".
WINDOW = 100

#: Length of a frame of the raw echo: what txremote's request of ``add(30000, 2)``
#: takes, header and all.
FRAME = 69


def expected_sum(count: int) -> int:
    """
    Return the sum of ``add(i, 2)`` for all i below count.
    """
    return count * (count - 1) // 2 + 2 * count


def check(found: Any, expected: Any) -> None:
    """
    Raise if an answer is wrong.
    """
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


@cache
def random_bytes(size: int) -> bytes:
    """
    Return what does not compress, the same each time.
    """
    return os.urandom(size)
