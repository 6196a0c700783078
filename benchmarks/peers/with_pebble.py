"""
pebble, from a plain script.
"""

from __future__ import annotations

from multiprocessing import get_context

from pebble import ProcessPool

from benchmarks.peers import jobs, pooling


class Client:
    """The pool."""

    def __init__(self, pool: ProcessPool) -> None:
        self._pool = pool

    def processes(self, count: int, size: int) -> float:
        """See `benchmarks.rows.pools`."""
        schedule = self._pool.schedule
        return pooling.blocking_bursts(lambda n: schedule(jobs.increment, args=(n,)), count, size)


def connect() -> Client:
    """Return the pool; it starts with the first job."""
    return Client(ProcessPool(pooling.PROCESSES, context=get_context("spawn")))
