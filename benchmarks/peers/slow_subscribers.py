"""
The subscribers of "slow subscribers": very many that read all of two topics, and a few that read
nothing of one of them.

All are in one process. Both ends have one clock, so an event is the time of its publishing.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from benchmarks.peers.crowd import AT_ONCE, PER_ADDRESS, check_file_limit
from txremote import connect as dial

REACTOR = True


class Subscribers:
    """
    The clients.

    Args:
        reactor: Where they live.
        port: The server's.
    """

    def __init__(self, reactor: Any, port: int) -> None:
        self._reactor = reactor
        self._port = port
        self._size = self._left = 0
        self._delays: tuple[list[float], list[float]] = [], []
        self._done: Deferred[None] = Deferred()
        self._kept: list[Any] = []

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
                topics = connection.root.alone, connection.root.beside
                for topic, delays in zip(topics, self._delays, strict=True):
                    events = await topic.subscribe(keys="tick")
                    reading: Deferred[None] = Deferred.fromCoroutine(self._read(events, delays))
                    self._kept.append((connection, reading))
                self._size += 1

        await gatherResults([Deferred.fromCoroutine(some()) for _ in range(AT_ONCE)])

    async def _read(self, events: Any, delays: list[float]) -> None:
        async for published in events:
            delays.append(perf_counter() - published)
            self._left -= 1
            if self._left == 0:
                self._done.callback(None)

    async def stall(self, count: int) -> None:
        """Have so many more subscribe to the second topic that read nothing from their sockets."""
        for number in range(count):
            connection = await self._dial(number)
            events = await connection.root.beside.subscribe()
            reading: Deferred[None] = Deferred.fromCoroutine(self._read_none(connection, events))
            self._kept.append((connection, reading))

    async def _read_none(self, connection: Any, events: Any) -> None:
        async for _event in events:
            connection.transport.pauseProducing()
            await Deferred()

    def expect(self, count: int) -> None:
        """Get ready for so many events of each topic."""
        for delays in self._delays:
            delays.clear()
        self._left = 2 * count * self._size
        self._done = Deferred()

    async def slowest(self) -> list[float]:
        """Return, when all have come, the seconds within which 99 % of each topic's came."""
        await self._done
        return [sorted(delays)[len(delays) * 99 // 100] for delays in self._delays]


async def connect(reactor: Any, port: int) -> Subscribers:
    """Return the subscribers, nobody of whom has come yet."""
    return Subscribers(reactor, port)
