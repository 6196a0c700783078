"""txremote in an asyncio program: `txremote.aio`. The service is the reactor's."""

from __future__ import annotations

import asyncio
from typing import Any

from twisted.internet.defer import Deferred

from benchmarks.peers import work
from benchmarks.peers.txr import Bench
from txremote.aio import connect as dial, listen as open_port

LOOP = "asyncio"


class Client:
    """The client."""

    def __init__(self, root: Any) -> None:
        self._root = root

    async def sequential(self, count: int) -> float:
        """See `benchmarks.rows.aio`."""
        return await work.sequential(self._root.add, count)

    async def pipelined(self, count: int) -> float:
        """See `benchmarks.rows.aio`: the reactor's own work, by callbacks."""
        working = Deferred.fromCoroutine(work.pipelined(self._root.add, count))
        return await working.asFuture(asyncio.get_running_loop())

    async def tasks(self, count: int) -> float:
        """See `benchmarks.rows.aio`."""
        return await work.by_tasks(self._root.add, count)


async def listen() -> int:
    """Serve; return the port."""
    server = await open_port("127.0.0.1:0", Bench)
    assert server.port is not None
    return server.port


async def connect(port: int) -> Client:
    """Return a connected client."""
    return Client((await dial("127.0.0.1", port)).root)
