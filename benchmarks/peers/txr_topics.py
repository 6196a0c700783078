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
_alone, _beside = Topic(), Topic()


class Bench(Service):
    """The service."""

    exposed_ticks = _ticks
    exposed_alone = _alone
    exposed_beside = _beside


async def publish(count: int) -> float:
    """Publish so many events, one in a turn; return when that began."""
    begun = perf_counter()
    for _ in range(count):
        _ticks.publish(EVENT)
        await turn()
    return begun


async def publish_timed(count: int, every: float) -> None:
    """Publish so many events on each of both topics, some seconds apart, each the time of it."""
    for number in range(count):
        for topic in (_alone, _beside) if number % 2 else (_beside, _alone):
            topic.publish(perf_counter(), key="tick")
            await turn(every)


async def fill(count: int) -> None:
    """Publish so many events for those that want all keys of the second topic."""
    for _ in range(count):
        _beside.publish(0.0, key="filling")
        await turn()


def dropped() -> tuple[int, int]:
    """Return how many events of each of both topics were dropped so far."""
    return _alone.stats().dropped, _beside.stats().dropped


async def listen(reactor: object) -> int:
    """Serve; return the port."""
    return await port_of(Bench, reactor)
