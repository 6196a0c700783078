"""
The standard library's ``concurrent.futures``, from a plain script.
"""

from __future__ import annotations

from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context

from benchmarks.peers import jobs, pooling


class Client:
    """An executor of the standard library's kind."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def processes(self, count: int, size: int) -> float:
        """See `benchmarks.rows.pools`."""
        submit = self._executor.submit
        return pooling.blocking_bursts(lambda n: submit(jobs.increment, n), count, size)

    def arrays(self, count: int, size: int) -> float:
        """See `benchmarks.rows.pool_arrays`."""
        submit = self._executor.submit
        return pooling.blocking_arrays(lambda a: submit(jobs.same, a).result(), count, size)


def connect() -> Client:
    """Return the pool; it starts with the first job."""
    return Client(ProcessPoolExecutor(pooling.PROCESSES, mp_context=get_context("spawn")))
