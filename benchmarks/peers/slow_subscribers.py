"""
The subscribers of "slow subscribers": very many that read all, and a few that read nothing.

All are in one process. Both ends have one clock, so an event is the time of its publishing.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from benchmarks.peers.crowd import AT_ONCE, PER_ADDRESS, check_file_limit
from txremote import connect as dial
from txremote.errors import ConnectionLost

REACTOR = True


class Subscribers:
    """
    The clients.

    Args:
        reactor: Where they live.
        port: What they dial.
    """

    def __init__(self, reactor: Any, port: int) -> None:
        self._reactor = reactor
        self._port = port
        self._size = self._left = 0
        self._delays: list[float] = []
        self._done: Deferred[None] = Deferred()
        self._kept: list[Any] = []
        self._slow: list[Any] = []

    async def _dial(self, number: int) -> Any:
        address = f"127.0.5.{1 + number // (PER_ADDRESS - 1)}"
        where = f"tcp:127.0.0.1:{self._port}:bindAddress={address}"
        return await dial(where, dialect="6", timeout=60, reactor=self._reactor)

    async def come(self, count: int) -> None:
        """Have so many subscribe that read all."""
        check_file_limit(count)
        numbers = iter(range(count))

        async def some() -> None:
            for number in numbers:
                connection = await self._dial(number)
                events = await connection.root.timed.subscribe(keys="tick")
                reading: Deferred[None] = Deferred.fromCoroutine(self._read(events))
                self._kept.append((connection, reading))
                self._size += 1

        await gatherResults([Deferred.fromCoroutine(some()) for _ in range(AT_ONCE)])

    async def _read(self, events: Any) -> None:
        async for published in events:
            self._delays.append(perf_counter() - published)
            self._left -= 1
            if self._left == 0:
                self._done.callback(None)

    async def stall(self, count: int) -> None:
        """Have so many more subscribe that read nothing from their sockets."""
        for number in range(count):
            connection = await self._dial(number)
            reading = Deferred.fromCoroutine(self._read_none(connection))
            self._slow.append((connection, reading))

    async def _read_none(self, connection: Any) -> None:
        try:
            async for _event in await connection.root.timed.subscribe():
                connection.transport.pauseProducing()
                await Deferred()
        except ConnectionLost:
            pass

    def leave(self) -> None:
        """Have those go that read nothing."""
        for connection, reading in self._slow:
            reading.addErrback(lambda _cancelled: None)
            reading.cancel()
            connection.transport.abortConnection()
        self._slow.clear()

    def expect(self, count: int) -> None:
        """Get ready for so many events."""
        self._delays.clear()
        self._left = count * self._size
        self._done = Deferred()

    async def slowest(self) -> float:
        """Return the seconds within which 99 % of all deliveries came, when all have come."""
        await self._done
        return sorted(self._delays)[len(self._delays) * 99 // 100]


async def connect(reactor: Any, port: int) -> Subscribers:
    """Return the subscribers, nobody of whom has come yet."""
    return Subscribers(reactor, port)
