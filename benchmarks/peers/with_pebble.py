"""
pebble, from a plain script.
"""

from __future__ import annotations

from multiprocessing import get_context
from time import perf_counter

from pebble import ProcessPool

from benchmarks.peers import jobs, pooling
from benchmarks.peers.work import check


class Client:
    """The pool."""

    def __init__(self, pool: ProcessPool) -> None:
        self._pool = pool

    def processes(self, count: int, size: int) -> float:
        """See `benchmarks.rows.pools`."""
        schedule = self._pool.schedule
        return pooling.blocking_bursts(lambda n: schedule(jobs.increment, args=(n,)), count, size)

    def cold(self) -> float:
        """See `benchmarks.rows.pools`."""
        start = perf_counter()
        pool = ProcessPool(1, context=get_context("spawn"))
        check(pool.schedule(jobs.increment, args=(1,)).result(), 2)
        seconds = perf_counter() - start
        pool.close()
        pool.join()
        return seconds


def connect() -> Client:
    """Return the pool; it starts with the first job."""
    return Client(ProcessPool(pooling.PROCESSES, context=get_context("spawn")))
