"""
A line that is long: it stands between a client and a server, and each byte takes a while.
"""

from __future__ import annotations

from typing import Any

from benchmarks.peers.proxying import listen_between

REACTOR = True

_seconds = 0.0


class _Late:
    """Passes bytes on, after some time and in order."""

    transport: Any
    peer: Any

    def dataReceived(self, data: bytes) -> None:
        """Called by the transport."""
        from twisted.internet import reactor

        running: Any = reactor
        running.callLater(_seconds, self._pass_on, data)

    def _pass_on(self, data: bytes) -> None:
        if self.peer is not None:
            self.peer.transport.setTcpNoDelay(True)
            self.peer.transport.write(data)


async def listen(reactor: Any, port: int, seconds: float) -> int:
    """Lead to a port, so many seconds one way; return our own."""
    global _seconds  # noqa: PLW0603
    _seconds = seconds
    return await listen_between(reactor, port, _Late)
