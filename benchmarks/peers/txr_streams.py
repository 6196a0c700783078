"""
txremote's streams: a service of its own, since an older txremote has none.
"""

from __future__ import annotations

from itertools import repeat
from time import perf_counter
from typing import Any

from benchmarks.peers.txr_ends import port_of, root_at
from benchmarks.peers.work import check, random_bytes
from benchmarks.rows.streams import CHUNK
from txremote import RemoteReference, Service, exposed, stream

REACTOR = True


class Bench(Service):
    """The service."""

    def __init__(self) -> None:
        self._chunk = random_bytes(CHUNK)

    @exposed
    def numbers(self, count: int) -> Any:
        """For "stream items"."""
        return stream(range(count))

    @exposed
    def asked_for(self, count: int) -> Any:  # an Iterator would be a stream
        """For "stream items", as an iterator that is no stream."""
        return iter(range(count))

    @exposed
    def chunks(self, count: int) -> Any:
        """For "stream bytes"."""
        return stream(repeat(self._chunk, count))


class Client:
    """The client."""

    numbers = "numbers"

    def __init__(self, root: RemoteReference) -> None:
        self._root = root

    async def stream_items(self, count: int) -> float:
        """See `benchmarks.rows.streams`."""
        total = 0
        start = perf_counter()
        async for number in await self._root.callRemote(self.numbers, count):
            total += number
        seconds = perf_counter() - start
        check(total, count * (count - 1) // 2)
        return seconds

    async def stream_bytes(self, count: int) -> float:
        """See `benchmarks.rows.streams`."""
        total = 0
        start = perf_counter()
        async for chunk in await self._root.chunks(count):
            total += len(chunk)
        seconds = perf_counter() - start
        check(total, count * CHUNK)
        return seconds


async def listen(reactor: object) -> int:
    """Serve; return the port."""
    return await port_of(Bench, reactor)


async def connect(reactor: object, port: int) -> Client:
    """Return a connected client."""
    return Client(await root_at(port, reactor))
