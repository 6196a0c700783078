"""
foolscap, Perspective Broker's successor. Its connections are always TLS.
"""

from __future__ import annotations

from typing import Any

from foolscap.api import Referenceable, Tub
from twisted.internet.defer import Deferred

from benchmarks.peers import work

REACTOR = True


class Bench(Referenceable):
    """The service."""

    def remote_add(self, a: int, b: int) -> int:
        """For "pipelined" and "sequential"."""
        return a + b


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


async def listen(_reactor: Any) -> str:
    """Serve; return the FURL."""
    tub = Tub()
    tub.startService()  # before it listens, else its port is not known
    listener = tub.listenOn("tcp:0:interface=127.0.0.1")
    tub.setLocation(f"tcp:127.0.0.1:{listener.getPortnum()}")
    return tub.registerReference(Bench())


async def connect(_reactor: Any, furl: str) -> Client:
    """Return a connected client."""
    tub = Tub()
    tub.startService()
    return Client(await tub.getReference(furl))
