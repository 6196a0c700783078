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
_timed = Topic()


class Bench(Service):
    """The service."""

    exposed_ticks = _ticks
    exposed_timed = _timed


async def publish(count: int) -> float:
    """Publish so many events, one in a turn; return when that began."""
    begun = perf_counter()
    for _ in range(count):
        _ticks.publish(EVENT)
        await turn()
    return begun


async def publish_timed(count: int, every: float) -> None:
    """Publish so many events, some seconds apart, each the time of its publishing."""
    for _ in range(count):
        _timed.publish(perf_counter(), key="tick")
        await turn(every)


async def fill(count: int) -> None:
    """Publish so many events for those that want all keys."""
    for _ in range(count):
        _timed.publish(0.0, key="filling")
        await turn()


def timed_dropped() -> int:
    """Return how many of those events were dropped so far."""
    return _timed.stats().dropped


async def only(count: int) -> None:
    """Wait until no more than so many subscribe to those events."""
    while _timed.stats().subscribers > count:
        await turn(0.01)


async def listen(reactor: object) -> int:
    """Serve; return the port."""
    return await port_of(Bench, reactor)
