"""
The floor of "fan-out": a loop that writes one bytes object to each transport.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol

REACTOR = True

#: What is published: a price.
EVENT = "EURUSD 1.08423 2026-11-30T04:59:59.123"

#: As many bytes as txremote's message with it, header and all.
FRAME = EVENT.encode().ljust(63, b".")

_protocols: list[Protocol] = []


class Listener(Protocol):
    """A subscriber's connection."""

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        _protocols.append(self)


async def turn(delay: float = 0.0) -> None:
    """Wait for the reactor's next turn, or for so many seconds."""
    from twisted.internet import reactor

    running: Any = reactor
    next_turn: Deferred[None] = Deferred()
    running.callLater(delay, next_turn.callback, None)
    await next_turn


async def publish(count: int) -> float:
    """Write so many events, one in a turn; return when that began."""
    begun = perf_counter()
    for _ in range(count):
        for protocol in _protocols:
            protocol.transport.write(FRAME)
        await turn()
    return begun


async def listen(reactor: Any) -> int:
    """Serve; return the port."""
    endpoint = TCP4ServerEndpoint(reactor, 0, backlog=1000, interface="127.0.0.1")
    return (await endpoint.listen(Factory.forProtocol(Listener))).getHost().port
