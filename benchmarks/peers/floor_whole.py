"""
The floor of "bulk": a raw Twisted echo of whole frames.

Both ends gather what they read and join it once, when the frame is complete;
the server then writes it back. (Int32StringReceiver would be no floor here: it
adds each read to one growing bytes object, which is quadratic.)
"""

from __future__ import annotations

import struct
from time import perf_counter
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint, connectProtocol
from twisted.internet.protocol import Factory, Protocol

from benchmarks.peers.work import check, random_bytes

REACTOR = True

_LENGTH = struct.Struct("!L")


class Whole(Protocol):
    """Gathers frames. One is on its way at a time."""

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        self._chunks: list[bytes] = []
        self._held = 0
        self._wanted = 0

    def dataReceived(self, data: bytes) -> None:
        self._chunks.append(data)
        self._held += len(data)
        if not self._wanted:
            if self._held < 4:
                return
            self._wanted = 4 + _LENGTH.unpack_from(b"".join(self._chunks))[0]
        if self._held == self._wanted:
            frame = b"".join(self._chunks)
            self._chunks = []
            self._held = self._wanted = 0
            self.frame_received(frame)

    def frame_received(self, frame: bytes) -> None:
        """Send it back: the server."""
        self.transport.write(frame)


class Client(Whole):
    """The client."""

    def frame_received(self, frame: bytes) -> None:
        """Hand it to whoever waits."""
        self._answer.callback(frame)

    async def bulk(self, size: int) -> float:
        """See `benchmarks.rows.bulk`."""
        blob = random_bytes(size)
        self._answer: Deferred[bytes] = Deferred()
        start = perf_counter()
        self.transport.write(_LENGTH.pack(size) + blob)
        frame = await self._answer
        seconds = perf_counter() - start
        check(frame[4:], blob)
        return seconds


async def listen(reactor: Any) -> int:
    """Serve; return the port."""
    endpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
    return (await endpoint.listen(Factory.forProtocol(Whole))).getHost().port


async def connect(reactor: Any, port: int) -> Client:
    """Return a connected client."""
    return await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), Client())
