"""A server, a pool and a console that a monitor watches, for the tests of this room."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from tests.net.servers import DEADLINE, LOOPBACK, Desk
from txremote import ServerService, connect
from txremote.console.tasks import TaskManager
from txremote.monitor import Monitor
from txremote.tasks.stepping import Progress
from txremote.work import pool_from_string


class Commands:
    """Commands of a console."""

    asyncommands = ("forever", "says", "halfway")

    def says(self, *words: str) -> Iterator[str]:
        """Say some words, a line each."""
        yield from words

    def forever(self) -> Iterator[None]:
        """Never end."""
        while True:
            yield None

    def halfway(self) -> Iterator[Any]:
        """Come half way, and stay."""
        yield Progress(5, 10, "half\x1b way")
        while True:
            yield None


class Watched:
    """
    What there is.

    Attributes:
        monitor: It runs.
        desk: What the server shows.
    """

    def __init__(self, reactor: Any, root: Any, options: dict[str, Any], switches: Any) -> None:
        self.monitor = Monitor(reactor, **options)
        self.desk = root
        self.service = ServerService(LOOPBACK, root, config=switches, drain=0, reactor=reactor)
        self.pool = pool_from_string("threads:2", reactor)
        self.manager = TaskManager(reactor=reactor)
        self._clients: list[Any] = []
        self.monitor.watch_server(self.service, "shop")
        self.monitor.watch_pool(self.pool)
        self.monitor.watch_tasks("desk", self.manager)

    async def client(self) -> Any:
        """Connect another client."""
        conn = await connect(self.service.addresses[0], timeout=DEADLINE)
        self._clients.append(conn)
        return conn

    def submit(self, line: str) -> Any:
        """Run a command of the console."""
        return self.manager.submit(Commands, line)

    async def start(self) -> None:
        """Start all of it."""
        self.monitor.startService()
        self.service.startService()
        await self.pool.start()

    async def stop(self) -> None:
        """Stop all of it."""
        for conn in self._clients:
            await conn.close()
        await self.manager.stop()
        await self.service.stopService()
        await self.pool.stop()
        self.monitor.stopService()


@asynccontextmanager
async def watched(root: Any = None, switches: Any = None, **options: Any) -> AsyncIterator[Watched]:
    """Give a `Watched` that runs; ``options`` are the monitor's."""
    from twisted.internet import reactor

    found = Watched(reactor, Desk() if root is None else root, options, switches)
    await found.start()
    try:
        yield found
    finally:
        await found.stop()
