"""
AMP, Twisted's Asynchronous Messaging Protocol.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint, connectProtocol
from twisted.internet.protocol import Factory
from twisted.protocols import amp

from benchmarks.peers import work

REACTOR = True


class Add(amp.Command):
    """The one command."""

    arguments = [(b"a", amp.Integer()), (b"b", amp.Integer())]
    response = [(b"total", amp.Integer())]


class Bench(amp.AMP):
    """The server."""

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        super().connectionMade()

    @Add.responder
    def add(self, a: int, b: int) -> dict[str, int]:
        """For "pipelined" and "sequential"."""
        return {"total": a + b}


class Client(amp.AMP):
    """The client."""

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        super().connectionMade()

    def _add(self, a: int, b: int) -> Deferred[int]:
        return self.callRemote(Add, a=a, b=b).addCallback(_total)

    async def pipelined(self, count: int) -> float:
        """See `benchmarks.rows.pipelined`."""
        return await work.pipelined(self._add, count)

    async def sequential(self, count: int) -> float:
        """See `benchmarks.rows.sequential`."""
        return await work.sequential(self._add, count)


def _total(answer: dict[str, int]) -> int:
    return answer["total"]


async def listen(reactor: Any) -> int:
    """Serve; return the port."""
    endpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
    return (await endpoint.listen(Factory.forProtocol(Bench))).getHost().port


async def connect(reactor: Any, port: int) -> Client:
    """Return a connected client."""
    return await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), Client())
