"""
What a `fort` has that travels whole, flows, or is published: values, streams, topics, and objects
whose methods are called before they have come. No contestant.

A source counts itself as open until its generator has ended, however its reader leaves: `held`
tells how many are.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import count, cycle
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall, deferLater

from benchmarks.peers import txr_graph
from txremote import Service, Topic, exposed, stream

#: Seconds between two events of each topic.
EVENT_EVERY = 0.25

#: How many keys the events have, in turn.
KEYS = 5

#: The file that is sent.
FILE = __file__

_news = Topic("news", buffer=20, retain=True)
_rush = Topic("rush", buffer=5, slow="disconnect")
_sources = {"open": 0}


@dataclass
class Order:
    """A value."""

    name: str
    price: Decimal
    since: date
    tags: list[str] = field(default_factory=list)


def some_orders(number: int) -> list[Order]:
    """Return a few, which depend on the number."""
    day = date(2026, 1, 1)
    return [
        Order(f"tea {number} {i}", Decimal(i) / 4, day + timedelta(i), ["hot", "für alle"][:i])
        for i in range(3)
    ]


class Step(txr_graph.Step):
    """An object that leads to another one, or to one that never comes."""

    @exposed
    def late(self) -> Deferred[Step]:
        """Return one that never comes."""
        return Deferred()


class Goods(Service, values=True):
    """One instance for each connection."""

    exposed_news = _news
    exposed_rush = _rush

    def __init__(self) -> None:
        self._held: list[Any] = []

    # -- values

    @exposed
    def order(self, orders: list[Order], later: timedelta) -> dict[str, Order]:
        """Put orders off, and return them by name."""
        return {each.name: replace(each, since=each.since + later) for each in orders}

    @exposed
    def change(self, order: Order, on_change: Callable[[Order], Any]) -> Any:
        """Return what the caller says to a dearer order."""
        return on_change(replace(order, price=order.price + 1))

    # -- streams

    @exposed
    def numbers(self, count: int) -> Iterator[int]:
        """So many, and no more than a server would give to anybody."""
        yield from range(min(count, 10_000))

    @exposed
    def orders(self, number: int) -> Iterator[Order]:
        """Values."""
        yield from some_orders(number)

    @exposed
    def endless(self) -> Iterator[int]:
        """A source that is closed or goes on."""
        with Opened():
            yield from count()

    @exposed
    async def ticking(self) -> AsyncIterator[int]:
        """The same, a little at a time."""
        with Opened():
            for number in count():
                yield number
                await _pause(0.02)

    @exposed
    def file(self) -> Any:
        """A source that has a descriptor."""
        return stream(open(FILE, "rb"))  # which closes it

    @exposed
    async def total(self, numbers: Any) -> int:
        """Read all of a stream of the caller's."""
        return sum([number async for number in numbers])

    @exposed
    async def first_of(self, numbers: Any) -> Any:
        """Read one item, and leave."""
        return await anext(aiter(numbers))

    @exposed
    async def read_slowly(self, numbers: Any) -> None:
        """Read for as long as there is something."""
        async for _number in numbers:
            await _pause(0.05)

    @exposed
    async def hold(self, numbers: Any) -> None:
        """Begin to read, and never go on."""
        items = aiter(numbers)
        await anext(items)
        self._held.append(items)
        del self._held[:-100]

    # -- graphs

    @exposed
    def step(self) -> Step:
        """Return an object that leads on."""
        return Step(1)


class Opened:
    """A source, while it is open."""

    def __enter__(self) -> None:
        _sources["open"] += 1

    def __exit__(self, *_error: object) -> None:
        _sources["open"] -= 1


def _pause(seconds: float) -> Deferred[None]:
    from twisted.internet import reactor

    clock: Any = reactor
    return deferLater(clock, seconds)


def publish(clock: IReactorTime) -> None:
    """Publish on both topics from now on."""
    numbers = zip(count(), cycle(some_orders(0)), strict=False)

    def event() -> None:
        number, order = next(numbers)
        news = {"number": number, "day": order.since, "price": order.price, "tags": order.tags}
        for topic in (_news, _rush):
            topic.publish(news, key=str(number % KEYS))

    publishing = LoopingCall(event)
    publishing.clock = clock
    publishing.start(EVENT_EVERY)


def held() -> dict[str, int]:
    """Count the ``sources`` that are open, and the ``subscribers`` of both topics."""
    subscribers = sum(topic.stats().subscribers for topic in (_news, _rush))
    return {"sources": _sources["open"], "subscribers": subscribers}
