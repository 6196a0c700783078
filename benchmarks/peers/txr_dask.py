"""
txremote's pool of a Dask cluster: `run_async`. The cluster is its own.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from benchmarks.peers import jobs, pooling
from benchmarks.peers.with_dask import Cluster
from txremote import run_async
from txremote.work.spec import pool_from_string

REACTOR = True


class Client:
    """The pool."""

    def __init__(self, pool: Any, cluster: Cluster) -> None:
        self._pool = pool
        self._cluster = cluster

    async def dask(self, count: int, size: int) -> float:
        """See `benchmarks.rows.pools`."""
        return await pooling.bursts(self._increment, count, size)

    def _increment(self, number: int) -> Deferred[int]:
        return run_async(jobs.increment, number, pool=self._pool)


async def connect(reactor: Any) -> Client:
    """Start a cluster and the pool."""
    cluster = await deferToThread(Cluster)
    pool = pool_from_string(f"dask:{cluster.address}", reactor)
    await pool.start()
    while pool.statistics().workers < pooling.PROCESSES:
        await deferLater(reactor, 0.05)
    return Client(pool, cluster)
