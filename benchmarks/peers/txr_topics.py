"""
txremote's topics: a service of its own, since an older txremote has none.
"""

from __future__ import annotations

from time import perf_counter

from benchmarks.peers.floor_prepared import EVENT, turn
from benchmarks.peers.txr_ends import port_of
from txremote import Service, Topic

REACTOR = True

_ticks = Topic(buffer=1000)


class Bench(Service):
    """The service."""

    exposed_ticks = _ticks


async def publish(count: int) -> float:
    """Publish so many events, one in a turn; return when that began."""
    begun = perf_counter()
    for _ in range(count):
        _ticks.publish(EVENT)
        await turn()
    return begun


async def listen(reactor: object) -> int:
    """Serve; return the port."""
    return await port_of(Bench, reactor)
