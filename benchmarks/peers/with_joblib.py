"""
joblib, which gives its workers large arrays as files that they map, from a plain script.
"""

from __future__ import annotations

from typing import Any

from joblib import Parallel, delayed

from benchmarks.peers import jobs, pooling


class Client:
    """Processes that stay."""

    def __init__(self, parallel: Any) -> None:
        self._parallel = parallel.__enter__()  # as long as this process runs

    def arrays(self, count: int, size: int) -> float:
        """See `benchmarks.rows.pool_arrays`."""
        same = delayed(jobs.same)
        return pooling.blocking_arrays(lambda array: self._parallel([same(array)])[0], count, size)


def connect() -> Client:
    """Return the pool; it starts with the first job."""
    return Client(Parallel(pooling.PROCESSES))
