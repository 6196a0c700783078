"""
txremote with declared values: a service of its own, since an older txremote has none.
"""

from __future__ import annotations

from time import perf_counter

from twisted.internet.defer import gatherResults

from benchmarks.peers.entries import (
    PLAYER,
    PLAYER_TUPLE,
    Entry,
    entries,
    health_of_tuple,
    worth,
)
from benchmarks.peers.txr_ends import port_of, root_at
from benchmarks.peers.work import check
from txremote import RemoteReference, Service, exposed

REACTOR = True


class Bench(Service, values=True):
    """The service."""

    @exposed
    def receive(self, given: list[Entry]) -> float:
        """For "records"."""
        return worth(given)

    @exposed
    def health(self, player: dict[str, int]) -> int:
        """For "dict argument"."""
        return player["health"]

    @exposed
    def health_of_tuple(self, player):  # type: ignore[no-untyped-def]  # not annotated: not converted
        """For "dict argument", the other half."""
        return health_of_tuple(player)


class Client:
    """The client."""

    def __init__(self, root: RemoteReference) -> None:
        self._root = root

    async def records(self, count: int, size: int) -> float:
        """See `benchmarks.rows.values`."""
        given = entries(size)
        expected = worth(given)
        start = perf_counter()
        for _ in range(count):
            found = await self._root.receive(given)
        seconds = perf_counter() - start
        check(found, expected)
        return seconds

    async def calls(self, kind: str, count: int, window: int) -> float:
        """See `benchmarks.rows.values`."""
        method, player = self._root.health, PLAYER
        if kind == "tuple":
            method, player = self._root.health_of_tuple, PLAYER_TUPLE
        start = perf_counter()
        for _ in range(count // window):
            if window == 1:
                check(await method(player), 80)
            else:
                check(await gatherResults([method(player) for _ in range(window)]), [80] * window)
        return perf_counter() - start


async def listen(reactor: object) -> int:
    """Serve; return the port."""
    return await port_of(Bench, reactor)


async def connect(reactor: object, port: int) -> Client:
    """Return a connected client."""
    return Client(await root_at(port, reactor))
