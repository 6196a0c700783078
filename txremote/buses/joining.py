"""
Which bus a topic is on: `join_by`.

A loop has one connection to each bus, however many topics are on it. It is made for the first of
them, and closed when the last has left.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from txremote.buses.bus import Bus
from txremote.buses.channel import Channel
from txremote.buses.host import socket_path
from txremote.buses.host_store import HostOpener
from txremote.buses.ports import Opener
from txremote.buses.redis_asyncio import AsyncioRedisOpener
from txremote.buses.redis_reactor import TxRedisOpener
from txremote.buses.redis_url import parse_redis_url
from txremote.refs.clock import EventLoop
from txremote.topics.ports import BusListener, Join


def join_by(
    reactor: EventLoop, *, redis: str | None = None, bus: str | None = None, retain: bool = False
) -> Join:
    """
    Return what joins topics to a bus.

    Args:
        reactor: The loop that they belong to: a reactor, or a loop of `txremote.aio`.
        redis: A Redis, by its URL: ``redis://HOST:PORT/NUMBER``, ``unix:///PATH``.
        bus: ``"host"``: the bus of this host.
        retain: Whether the bus keeps the last event of each key, for processes that come later.

    Raises:
        ValueError: there is no such bus, both are named, or none.
        ImportError: the library that speaks to a Redis is not installed.
        OSError: there is no private place for the host's bus.
    """
    if (redis is None) == (bus is None):
        raise ValueError(
            "a topic is on one bus: redis='redis://HOST', which joins machines and the processes "
            "of each, or bus='host', which joins the processes of one host"
        )
    make: Callable[[], Opener]
    if redis is not None:
        place = parse_redis_url(redis)
        # a loop of txremote.aio has tasks; a reactor, asyncio's too, goes with txredisapi
        kind: Any = AsyncioRedisOpener if hasattr(reactor, "deferred_of") else TxRedisOpener
        name, make = redis, partial(kind, reactor, place)
        make()  # raises what is wrong
    elif bus == "host":
        name = socket_path()
        make = partial(HostOpener, reactor, name)
    else:
        raise ValueError(f"no bus {bus!r}: it is 'host'")

    def join(topic: str, listener: BusListener) -> Channel:
        return _bus_of(reactor, name, make).join(topic, listener, retain)

    return join


def _bus_of(reactor: Any, name: str, make: Callable[[], Opener]) -> Bus:
    """Return a loop's connection to a bus, which the loop keeps."""
    buses: dict[str, Bus] | None = getattr(reactor, "_txremote_buses", None)
    if buses is None:
        buses = reactor._txremote_buses = {}
    found = buses.get(name)
    if found is None:
        found = buses[name] = Bus(reactor, make(), lambda: buses.pop(name, None))
    return found
