"""
Perspective Broker, Twisted's own remote objects.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.spread import pb

from benchmarks.peers import work

REACTOR = True


class Broker(pb.Broker):
    """PB's protocol, without Nagle's algorithm."""

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        super().connectionMade()


class Bench(pb.Root):
    """The service."""

    def remote_add(self, a: int, b: int) -> int:
        """For "pipelined" and "sequential"."""
        return a + b

    def remote_fire(self, listener: Any, count: int) -> None:
        """For "events": nobody waits for an event's answer."""
        for number in range(count):
            listener.callRemote("event", number)


class Listener(pb.Referenceable):
    """Counts events."""

    seen = 0

    def remote_event(self, _number: int) -> None:
        """Called by the server."""
        self.seen += 1


class Client:
    """The client."""

    def __init__(self, root: Any) -> None:
        self._root = root

    def _add(self, a: int, b: int) -> Deferred[int]:
        return self._root.callRemote("add", a, b)

    async def pipelined(self, count: int) -> float:
        """See `benchmarks.rows.pipelined`."""
        return await work.pipelined(self._add, count)

    async def sequential(self, count: int) -> float:
        """See `benchmarks.rows.sequential`."""
        return await work.sequential(self._add, count)

    async def events(self, count: int) -> float:
        """See `benchmarks.rows.events`."""
        listener = Listener()
        start = perf_counter()
        await self._root.callRemote("fire", listener, count)
        seconds = perf_counter() - start
        work.check(listener.seen, count)
        await self._add(0, 0)  # the server has read the answers to its events
        return seconds


async def listen(reactor: Any) -> int:
    """Serve; return the port."""
    factory = pb.PBServerFactory(Bench())
    factory.protocol = Broker
    endpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
    return (await endpoint.listen(factory)).getHost().port


async def connect(reactor: Any, port: int) -> Client:
    """Return a connected client."""
    factory = pb.PBClientFactory()
    factory.protocol = Broker
    await TCP4ClientEndpoint(reactor, "127.0.0.1", port).connect(factory)
    return Client(await factory.getRootObject())
