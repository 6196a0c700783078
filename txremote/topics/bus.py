"""
A topic's side of a bus: what it publishes through, and what it is given.

The buses are of a room below, so they are named here and imported when a topic is on one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib import import_module
from threading import Lock
from typing import Any, Protocol, TypeAlias

from txremote.errors import RemoteProtocolError
from txremote.levels import Logger
from txremote.topics.encoding import decode_event
from txremote.topics.event import Event
from txremote.topics.places import Place, loop_here, program_loop
from txremote.topics.ports import LONGEST_EVENT, BusLink, Join
from txremote.wire.naming import sentence

_log = Logger("txremote.topic")

#: Makes what joins a topic to a bus, for a loop: a reactor, or a loop of `txremote.aio`.
MakeJoin: TypeAlias = Callable[[Any], Join]


class Topic(Protocol):
    """The topic, as its side of a bus knows it."""

    name: str
    max_event: int

    def came(self, event: Event) -> None:
        """Give an event of another process to the subscribers of this one."""

    def came_overtaken(self, event: Event) -> None:
        """Give an event of another process to the subscribers, who have a newer one of its key."""

    def came_before(self, event: Event) -> None:
        """Keep the last event of a key from before this process came, if that is kept."""

    def missed(self, count: int | None, why: str) -> None:
        """Tell the subscribers of events that did not come."""


def bus_of(
    redis: str | None, bus: str | Join | None, retain: bool, max_event: int
) -> MakeJoin | None:
    """
    Return what makes a topic join the bus that it names; None if it names none.

    Raises:
        ValueError: it names two, or none that there is, or has longer events than a bus takes.
    """
    if redis is not None and bus is not None:
        raise ValueError("a Topic is on one bus: say redis=URL, or bus='host', not both")
    if redis is None and bus is None:
        return None
    if max_event > LONGEST_EVENT:
        raise ValueError(
            f"max_event of a Topic on a bus is at most {LONGEST_EVENT} bytes, not {max_event}"
        )
    if callable(bus):
        join: Join = bus
        return lambda _loop: join
    if redis is not None:
        import_module("txremote.buses.redis_url").parse_redis_url(redis)
    elif bus != "host":
        raise ValueError(f"no bus {bus!r}: it is 'host', or redis=URL is given")

    def make(loop: Any) -> Join:
        found: Join = import_module("txremote.buses.joining").join_by(
            loop, redis=redis, bus=bus, retain=retain
        )
        return found

    return make


def _loop_of(place: Place) -> Any:
    """Return a place's loop, in its thread, in the shape of a reactor."""
    if isinstance(place.key, asyncio.AbstractEventLoop):
        return import_module("txremote.aio.loop").AsyncioLoop.current()
    return place.key


class BusSide:
    """
    A topic's link to a bus, made when it is used first, and what the bus calls (`BusListener`).

    Attributes:
        described: Whether the bus is there, for people.
        received_count: How many events have come by it.
    """

    def __init__(self, topic: Topic, make: MakeJoin) -> None:
        self._topic = topic
        self._make = make
        self._place: Place | None = None
        self._link: BusLink | None = None
        self._closed = False
        self._lock = Lock()
        self._on_the_way: dict[str | None, int] = {}  # to the loop: how many events of a key
        self.described = "not joined yet"
        self.received_count = 0

    def join(self) -> None:
        """
        Join the bus, unless that is done, in the loop that runs here or in the program's.

        Raises:
            RuntimeError: there is none.
            ImportError: what the bus needs is not installed.
        """
        if self._place is not None:
            return
        place = loop_here() or program_loop()
        if place is None:
            raise RuntimeError(
                f"the topic {self._topic.name!r} is on a bus, which needs a running reactor or "
                "asyncio loop: publish and subscribe when it runs"
            )
        self._place = place
        try:
            place.enter(self._join_now)
        except BaseException:  # the next use fails so, too
            self._place = None
            raise

    def _join_now(self) -> None:
        if not self._closed:
            assert self._place is not None
            self._link = self._make(_loop_of(self._place))(self._topic.name, self)

    def publish(self, event: Event) -> None:
        """Give it an event, from any thread."""
        self.join()
        assert self._place is not None
        key = event.key
        with self._lock:
            self._on_the_way[key] = self._on_the_way.get(key, 0) + 1
        self._place.enter(lambda: self._publish(event))

    def _publish(self, event: Event) -> None:
        with self._lock:
            left = self._on_the_way.pop(event.key) - 1
            if left:
                self._on_the_way[event.key] = left
        if self._link is not None:
            self._link.publish(event.key, event.payload)

    def close(self) -> None:
        """Leave it."""
        self._closed = True
        if self._place is not None:
            self._place.enter(self._leave)

    def _leave(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close()

    # -- as the bus calls it

    def received(self, key: str | None, payload: bytes, origin: str, number: int) -> None:
        """Take an event of another process."""
        if key in self._on_the_way:
            self.overtaken(key, payload, origin, number)
        else:
            self._give(self._topic.came, self._decoded(key, payload, origin, number))

    def overtaken(self, key: str | None, payload: bytes, origin: str, number: int) -> None:
        """Take one that is older than the last one of its key here."""
        self._give(self._topic.came_overtaken, self._decoded(key, payload, origin, number))

    def _give(self, take: Callable[[Event], None], event: Event | None) -> None:
        if event is not None:
            self.received_count += 1
            take(event)

    def retained(self, key: str | None, payload: bytes, origin: str, number: int) -> None:
        """Take the last event of a key."""
        event = self._decoded(key, payload, origin, number)
        if event is not None:
            self._topic.came_before(event)

    def _decoded(self, key: str | None, payload: bytes, origin: str, number: int) -> Event | None:
        try:
            return Event(key, decode_event(payload, self._topic.max_event), payload)
        except RemoteProtocolError as problem:
            why = f"event {number} of {origin} was none: {sentence(problem)}"
            _log.warn("the topic {name!r}: {why}", name=self._topic.name, why=why)
            self._topic.missed(1, why)
            return None

    def missed(self, count: int | None, why: str) -> None:
        """Take the news of events that did not come."""
        self._topic.missed(count, why)

    def state(self, connected: bool, why: str) -> None:
        """Note whether the bus is there."""
        self.described = "joined" if connected else f"away: {why}" if why else "away"
