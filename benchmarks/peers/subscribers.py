"""
The subscribers of "fan-out": a thousand of a kind in one process, which count what comes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import clientFromString, connectProtocol
from twisted.internet.protocol import Protocol

from benchmarks.peers import wamp
from benchmarks.peers.crowd import AT_ONCE, PER_ADDRESS, check_file_limit
from benchmarks.peers.floor_prepared import EVENT, FRAME
from benchmarks.peers.work import check
from txremote import connect as dial

REACTOR = True

#: What Redis sends for one event on the channel "ticks".
REDIS_FRAME = b"*3\r\n$7\r\nmessage\r\n$5\r\nticks\r\n$%d\r\n%b\r\n" % (len(EVENT), EVENT.encode())


class Counting(Protocol):
    """
    A subscriber that counts frames by their bytes.

    Args:
        arrived: Told how many more have come.
        frame: What one event is.
        hello: What it sends first.
        welcome: How the answer to that ends.
    """

    def __init__(
        self, arrived: Callable[[int], None], frame: bytes, hello: bytes = b"", welcome: bytes = b""
    ) -> None:
        self._arrived = arrived
        self._frame = frame
        self._hello = hello
        self._welcome = welcome
        self._held = b""
        self._bytes = 0
        self.ready: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        self.transport.write(self._hello)
        if not self._hello:
            self.ready.callback(None)

    def dataReceived(self, data: bytes) -> None:
        if not self.ready.called:
            self._held += data
            if self._held.endswith(self._welcome):
                self.ready.callback(None)
            return
        length = len(self._frame)
        before, self._bytes = self._bytes // length, self._bytes + len(data)
        check(data[:1], (self._frame + self._frame)[(self._bytes - len(data)) % length :][:1])
        self._arrived(self._bytes // length - before)


class Subscribers:
    """
    The clients.

    Args:
        reactor: Where they live.
        port: What they dial.
        kind: The title of their contestant.
    """

    def __init__(self, reactor: Any, port: int, kind: str) -> None:
        self._reactor = reactor
        self._port = port
        self._subscribe: Callable[[str], Awaitable[None]] = {
            "floor": self._plain,
            "Redis": self._redis,
            "Crossbar": self._crossbar,
            "txremote": self._txremote,
        }[kind]
        self._size = self._left = 0
        self._done: Deferred[float] = Deferred()
        self._kept: list[Any] = []

    async def come(self, count: int) -> None:
        """Have so many subscribe."""
        check_file_limit(count)
        numbers = iter(range(count))

        async def some() -> None:
            for number in numbers:
                address = f"127.0.3.{1 + number // (PER_ADDRESS - 1)}"
                await self._subscribe(f"tcp:127.0.0.1:{self._port}:bindAddress={address}")
                self._size += 1

        await gatherResults([Deferred.fromCoroutine(some()) for _ in range(AT_ONCE)])

    async def _plain(self, where: str) -> None:
        counting = Counting(self._arrived, FRAME)
        await connectProtocol(clientFromString(self._reactor, where), counting)

    async def _redis(self, where: str) -> None:
        hello = b"*2\r\n$9\r\nSUBSCRIBE\r\n$5\r\nticks\r\n"
        counting = Counting(self._arrived, REDIS_FRAME, hello, b":1\r\n")
        await connectProtocol(clientFromString(self._reactor, where), counting)
        await counting.ready

    async def _crossbar(self, where: str) -> None:
        subscriber = wamp.Subscriber(self._arrived, EVENT)
        await connectProtocol(clientFromString(self._reactor, where), subscriber)
        await subscriber.ready

    async def _txremote(self, where: str) -> None:
        connection = await dial(where, dialect="6", timeout=60, reactor=self._reactor)
        subscription = await connection.root.ticks.subscribe()
        reading: Deferred[None] = Deferred.fromCoroutine(self._read(subscription))
        self._kept.append((connection, reading))

    async def _read(self, subscription: Any) -> None:
        async for event in subscription:
            check(event, EVENT)
            self._arrived(1)

    def _arrived(self, count: int) -> None:
        self._left -= count
        if self._left == 0:
            self._done.callback(perf_counter())

    def expect(self, count: int) -> None:
        """Get ready for so many events."""
        check(self._left, 0)
        self._left = count * self._size
        self._done = Deferred()

    def arrived(self) -> Deferred[float]:
        """Return when the last of them had come."""
        return self._done


async def connect(reactor: Any, port: int, kind: str) -> Subscribers:
    """Return the subscribers, nobody of whom has come yet."""
    return Subscribers(reactor, port, kind)
