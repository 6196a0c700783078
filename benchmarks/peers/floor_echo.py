"""
The floor of "pipelined" and "sequential await": a raw Twisted echo.

Int32StringReceiver at both ends and frames as long as txremote's requests.
Nothing is encoded, nothing is looked up; the pipelined loop has no Deferreds.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint, connectProtocol
from twisted.internet.protocol import Factory
from twisted.protocols.basic import Int32StringReceiver

from benchmarks.peers.work import FRAME, WINDOW, check

REACTOR = True

_MESSAGE = b"x" * (FRAME - 4)


class Echo(Int32StringReceiver):
    """The server."""

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)

    def stringReceived(self, string: bytes) -> None:
        self.sendString(string)


class Client(Int32StringReceiver):
    """The client."""

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)

    async def pipelined(self, count: int) -> float:
        """See `benchmarks.rows.pipelined`."""
        done: Deferred[None] = Deferred()
        sent = received = length = 0

        def answered(string: bytes) -> None:
            nonlocal sent, received, length
            received += 1
            length += len(string)
            if sent < count:
                sent += 1
                self.sendString(_MESSAGE)
            elif received == count:
                done.callback(None)

        self.stringReceived = answered  # type: ignore[method-assign]
        start = perf_counter()
        for _ in range(min(WINDOW, count)):
            sent += 1
            self.sendString(_MESSAGE)
        await done
        seconds = perf_counter() - start
        check(length, count * len(_MESSAGE))
        return seconds

    async def sequential(self, count: int) -> float:
        """See `benchmarks.rows.sequential`."""
        length = 0
        start = perf_counter()
        for _ in range(count):
            answer: Deferred[bytes] = Deferred()
            self.stringReceived = answer.callback  # type: ignore[method-assign]
            self.sendString(_MESSAGE)
            length += len(await answer)
        seconds = perf_counter() - start
        check(length, count * len(_MESSAGE))
        return seconds


async def listen(reactor: Any) -> int:
    """Serve; return the port."""
    endpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
    return (await endpoint.listen(Factory.forProtocol(Echo))).getHost().port


async def connect(reactor: Any, port: int) -> Client:
    """Return a connected client."""
    return await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), Client())
