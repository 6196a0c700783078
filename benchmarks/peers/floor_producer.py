"""
The floor of "stream bytes": a push producer of Twisted's that writes chunks as long as the
transport wants more, and a protocol that counts them.
"""

from __future__ import annotations

import struct
from time import perf_counter
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint, connectProtocol
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Factory, Protocol
from zope.interface import implementer

from benchmarks.peers.work import check, random_bytes
from benchmarks.rows.streams import CHUNK

REACTOR = True

_COUNT = struct.Struct("!L")


@implementer(IPushProducer)
class Server(Protocol):
    """Is told how many chunks, and sends them. One flow at a time."""

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        self._chunk = random_bytes(CHUNK)

    def dataReceived(self, data: bytes) -> None:
        (self._left,) = _COUNT.unpack(data)
        self.transport.registerProducer(self, True)
        self.resumeProducing()

    def resumeProducing(self) -> None:
        self._paused = False
        while self._left and not self._paused:
            self._left -= 1
            self.transport.write(self._chunk)
        if not self._left:
            self.transport.unregisterProducer()

    def pauseProducing(self) -> None:
        self._paused = True

    def stopProducing(self) -> None:
        self._left = 0


class Client(Protocol):
    """The client."""

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)

    def dataReceived(self, data: bytes) -> None:
        self._total += len(data)
        if self._total >= self._wanted:
            self._done.callback(None)

    async def stream_bytes(self, count: int) -> float:
        """See `benchmarks.rows.streams`."""
        self._total, self._wanted = 0, count * CHUNK
        self._done: Deferred[None] = Deferred()
        start = perf_counter()
        self.transport.write(_COUNT.pack(count))
        await self._done
        seconds = perf_counter() - start
        check(self._total, self._wanted)
        return seconds


async def listen(reactor: Any) -> int:
    """Serve; return the port."""
    endpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
    return (await endpoint.listen(Factory.forProtocol(Server))).getHost().port


async def connect(reactor: Any, port: int) -> Client:
    """Return a connected client."""
    return await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), Client())
