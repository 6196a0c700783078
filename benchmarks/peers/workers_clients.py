"""
The clients of "workers": eight connections, as many of them to each worker.
"""

from __future__ import annotations

from collections import defaultdict
from time import perf_counter
from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from benchmarks.peers.work import check
from txremote import connect as dial

REACTOR = True

CLIENTS = 8

#: Processor time of a call, in seconds.
_SECONDS = 0.001

#: Connections that are made at most until each worker has its share: the system says who takes one.
_MOST = 200


class Clients:
    """All of them."""

    def __init__(self, by_process: dict[int, list[Any]]) -> None:
        self._by_process = by_process

    async def compute(self, count: int) -> float:
        """See `benchmarks.rows.workers`."""
        left = iter(range(count))

        async def call(process: int, root: Any) -> None:
            for _ in left:
                check(await root.compute(_SECONDS), process)

        start = perf_counter()
        await gatherResults(
            [
                Deferred.fromCoroutine(call(process, connection.root))
                for process, connections in self._by_process.items()
                for connection in connections
            ]
        )
        return perf_counter() - start


async def connect(reactor: Any, port: int, workers: int) -> Clients:
    """Return the clients, connected."""
    by_process: dict[int, list[Any]] = defaultdict(list)
    share = CLIENTS // workers
    for _ in range(_MOST):
        connection = await dial(f"tcp:127.0.0.1:{port}", reactor=reactor)
        mine = by_process[await connection.root.compute(0)]
        if len(mine) < share:
            mine.append(connection)
        else:
            await connection.close()
        if sum(map(len, by_process.values())) == CLIENTS:
            return Clients(by_process)
    raise AssertionError("not every worker was given clients")
