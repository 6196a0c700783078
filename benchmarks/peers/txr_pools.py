"""
txremote's pools: `run_async`. And the floors: `deferToThread` for the pool of
threads, in the same process, and for that of processes two that nobody talks to.
"""

from __future__ import annotations

import os
import sys
from time import perf_counter
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread
from twisted.internet.utils import getProcessValue

from benchmarks.peers import jobs, pooling
from benchmarks.peers.work import check
from txremote import run_async
from txremote.work import pool_from_string

REACTOR = True


class Client:
    """
    Both pools; that of threads is the reactor's own.

    Args:
        reactor: The reactor.
        processes: A pool of processes.
    """

    def __init__(self, reactor: Any, processes: Any) -> None:
        self._reactor = reactor
        self._processes = processes

    # -- run_async(), and deferToThread()

    def _in_thread(self, number: int) -> Deferred[int]:
        return run_async(jobs.increment, number, use_thread=True)

    async def threads(self, count: int, size: int) -> float:
        """See `benchmarks.rows.pools`."""
        return await pooling.bursts(self._in_thread, count, size)

    async def plain_threads(self, count: int, size: int) -> float:
        """See `benchmarks.rows.pools`."""
        return await pooling.bursts(lambda n: deferToThread(jobs.increment, n), count, size)

    async def processes(self, count: int, size: int) -> float:
        """See `benchmarks.rows.pools`."""
        return await pooling.bursts(self._in_process, count, size)

    def _in_process(self, number: int) -> Deferred[int]:
        return run_async(jobs.increment, number, pool=self._processes)

    async def arrays(self, count: int, size: int) -> float:
        """See `benchmarks.rows.pool_arrays`."""
        pool = self._processes
        return await pooling.arrays(lambda a: run_async(jobs.same, a, pool=pool), count, size)

    async def cold(self) -> float:
        """See `benchmarks.rows.pools`."""
        start = perf_counter()
        pool = pool_from_string("processes:1", self._reactor)
        pool.start().addErrback(lambda _failure: None)  # of which the job tells
        check(await pool.submit(jobs.increment, (1,)), 2)
        seconds = perf_counter() - start
        await pool.stop()
        return seconds

    # -- how late the reactor is

    async def latency(self, count: int) -> tuple[float, float]:
        """See `benchmarks.rows.latency`."""
        pool = self._processes
        return await pooling.lateness(
            self._reactor,
            lambda: pooling.burst(lambda n: run_async(jobs.burn, n, pool=pool), count),
        )

    async def plain_latency(self, count: int) -> tuple[float, float]:
        """See `benchmarks.rows.latency`."""
        each = count // pooling.PROCESSES
        return await pooling.lateness(
            self._reactor,
            lambda: gatherResults([self._burn(each) for _ in range(pooling.PROCESSES)]),
        )

    def _burn(self, count: int) -> Deferred[None]:
        words = ["-m", jobs.__name__, str(count)]
        ended = getProcessValue(sys.executable, words, os.environ, reactor=self._reactor)
        return ended.addCallback(check, 0)

    async def thread_latency(self, count: int) -> tuple[float, float]:
        """See `benchmarks.rows.latency`."""
        return await pooling.lateness(
            self._reactor,
            lambda: pooling.burst(lambda n: run_async(jobs.doze, n, use_thread=True), count),
        )

    async def plain_thread_latency(self, count: int) -> tuple[float, float]:
        """See `benchmarks.rows.latency`."""
        return await pooling.lateness(
            self._reactor,
            lambda: pooling.burst(lambda n: deferToThread(jobs.doze, n), count),
        )


async def connect(reactor: Any) -> Client:
    """Start the pools."""
    processes = pool_from_string(f"processes:{pooling.PROCESSES}", reactor)
    await processes.start()
    return Client(reactor, processes)
