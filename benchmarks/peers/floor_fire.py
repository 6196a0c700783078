"""
The floor of "background" and "event": a raw Twisted server that fires frames.

A frame is as long as txremote's event and has the time in it; the client
(`floor_pingpong`) has a thread that sleeps in ``recv``.
"""

from __future__ import annotations

import struct
from time import perf_counter
from typing import Any

from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import Factory
from twisted.protocols.basic import Int32StringReceiver

from benchmarks.peers.work import EVENT_FRAME

REACTOR = True

#: What the client asks: how many, so many seconds from now.
ASK = struct.Struct("!Id")

#: What an event is, behind the length: the time and then nothing of interest.
EVENT = struct.Struct(f"!d{EVENT_FRAME - 4 - 8}x")


class Fire(Int32StringReceiver):
    """The server."""

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)

    def stringReceived(self, string: bytes) -> None:
        from twisted.internet import reactor

        count, delay = ASK.unpack(string)
        running: Any = reactor
        running.callLater(delay, self._fire, count)

    def _fire(self, count: int) -> None:
        for _ in range(count):
            self.sendString(EVENT.pack(perf_counter()))


async def listen(reactor: Any) -> int:
    """Serve; return the port."""
    endpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
    return (await endpoint.listen(Factory.forProtocol(Fire))).getHost().port
