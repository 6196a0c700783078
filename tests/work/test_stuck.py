"""
Jobs in threads that wait for jobs of their own pool: one is told, and the others go on.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.threads import blockingCallFromThread

from tests.work.doubles import DEADLINE, logged, no_running_pools
from txremote import run_async
from txremote.errors import PoolFull
from txremote.work import pool_from_string
from txremote.work.stuck import INTERVAL

__all__ = ["no_running_pools"]

pytestmark = pytest.mark.usefixtures("no_running_pools")


@pytest_twisted.async_yield_fixture
async def pool() -> AsyncIterator[Any]:
    """Two threads."""
    found: Any = pool_from_string("threads:2")
    found.start()
    yield found
    await found.stop()


def by_blocking(pool: Any, *job: Any) -> Any:
    """Wait for a job as Twisted's programs do."""
    return blockingCallFromThread(reactor, run_async, *job, pool=pool)  # type: ignore[arg-type]


def by_submitting(pool: Any, function: Any, *args: Any) -> Any:
    """Wait for a job that is submitted by hand."""
    return blockingCallFromThread(reactor, pool.submit, function, args)  # type: ignore[arg-type]


def by_future(pool: Any, *job: Any) -> Any:
    """Wait for a job as programs with threads do."""
    future: Future[Any] = Future()

    def start() -> None:
        def failed(failure: Any) -> None:
            future.set_exception(failure.value)

        run_async(*job, pool=pool).addCallbacks(lambda result: future.set_result(result), failed)

    reactor.callFromThread(start)  # type: ignore[attr-defined]
    return future.result()


def square(number: int) -> int:
    """Return its square."""
    return number * number


WAYS: list[Callable[..., Any]] = [by_blocking, by_submitting, by_future]


@pytest.mark.parametrize("wait", WAYS)
@pytest_twisted.ensureDeferred
async def test_jobs_that_wait_for_jobs_of_a_full_pool_do_not_wait_for_ever(
    pool: Any, wait: Callable[..., Any]
) -> None:
    """One of those that are waited for fails with a sentence; the other runs then."""
    together = threading.Barrier(2)

    def outer(number: int) -> Any:
        together.wait(DEADLINE)
        return wait(pool, square, number)

    with logged() as lines:
        jobs = [run_async(outer, number, pool=pool) for number in (2, 3)]
        results = []
        for job in jobs:
            try:
                results.append(await job.addTimeout(DEADLINE, reactor))
            except PoolFull as error:
                results.append(str(error))
    told = [each for each in results if isinstance(each, str)]
    assert told == [line for line in lines if line.startswith("square: ")]
    assert len(told) == 1
    assert "square: all threads of threads:2 run jobs that wait for jobs" in told[0]
    assert {4, 9} & set(results)
    assert await run_async(square, 4, pool=pool) == 16


@pytest_twisted.ensureDeferred
async def test_a_pool_that_is_busy_is_left_alone(pool: Any) -> None:
    """One thread works for longer than it is looked after, and the other waits for a job."""
    begun, end = threading.Event(), threading.Event()

    def work() -> str:
        begun.set()
        assert end.wait(DEADLINE)
        return "worked"

    def outer() -> Any:
        assert begun.wait(DEADLINE)
        reactor.callFromThread(reactor.callLater, 2.5 * INTERVAL, end.set)  # type: ignore[attr-defined]
        return by_blocking(pool, square, 2)

    jobs = [run_async(work, pool=pool), run_async(outer, pool=pool)]
    assert [await job.addTimeout(DEADLINE, reactor) for job in jobs] == ["worked", 4]


@pytest_twisted.ensureDeferred
async def test_jobs_that_wait_for_another_pool_are_left_alone(pool: Any) -> None:
    """Though more jobs wait behind them."""
    other: Any = pool_from_string("threads:1")
    other.start()
    end = threading.Event()

    def slow() -> str:
        assert end.wait(DEADLINE)
        return "slow"

    jobs = [run_async(by_blocking, other, slow, pool=pool) for _ in range(2)]
    jobs.append(run_async(square, 5, pool=pool))
    reactor.callLater(1.5 * INTERVAL, end.set)  # type: ignore[attr-defined]
    assert [await job.addTimeout(DEADLINE, reactor) for job in jobs] == ["slow", "slow", 25]
    await other.stop()
