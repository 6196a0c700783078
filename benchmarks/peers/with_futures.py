"""
The standard library's ``concurrent.futures``, from a plain script.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from time import perf_counter

from benchmarks.peers import jobs, pooling
from benchmarks.peers.work import check


class Client:
    """An executor of the standard library's kind, and how to make one of so many processes."""

    def __init__(self, make: Callable[[int], Executor]) -> None:
        self._make = make
        self._executor = make(pooling.PROCESSES)

    def processes(self, count: int, size: int) -> float:
        """See `benchmarks.rows.pools`."""
        submit = self._executor.submit
        return pooling.blocking_bursts(lambda n: submit(jobs.increment, n), count, size)

    def arrays(self, count: int, size: int) -> float:
        """See `benchmarks.rows.pool_arrays`."""
        submit = self._executor.submit
        return pooling.blocking_arrays(lambda a: submit(jobs.same, a).result(), count, size)

    def cold(self) -> float:
        """See `benchmarks.rows.pools`."""
        start = perf_counter()
        with self._make(1) as executor:
            check(executor.submit(jobs.increment, 1).result(), 2)
            return perf_counter() - start


def connect() -> Client:
    """Return the pool; it starts with the first job."""
    return Client(partial(ProcessPoolExecutor, mp_context=get_context("spawn")))
