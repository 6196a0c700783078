"""
Services whose annotations declare values, for stock clients: one for a reactor, one with threads.
"""

from __future__ import annotations

import datetime
import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

import txremote
import txremote.blocking
from txremote import exposed, threaded


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Point(NamedTuple):
    x: int
    y: int


@dataclass
class Item:
    name: str
    price: Decimal
    tags: list[str] = field(default_factory=list)


class Offered:
    """What both services offer."""

    @exposed
    def total(self, numbers: list[int]) -> int:
        """Add up what a client has as a list."""
        return sum(numbers)

    @exposed
    def spent(self, prices: dict[str, Decimal]) -> str:
        """Add up a dict's values."""
        return str(sum(prices.values()))

    @exposed
    def shared(self, left: set[str], right: frozenset[str]) -> tuple[str, ...]:
        """Return what is in both."""
        return tuple(sorted(left & right))

    @exposed
    def richest(self, players: list[dict[str, int | str | tuple[int, int]]]) -> str:
        """Return the name of the player with the most gold."""
        return str(max(players, key=lambda player: player["gold"])["name"])

    @exposed
    def cheapest(self, items: list[Item], at: datetime.datetime | None = None) -> str:
        """Return the name of the cheapest item, and when."""
        assert all(type(item) is Item for item in items)
        name = min(items, key=lambda item: item.price).name
        return f"{name} {at.year if at else ''} {sum(len(item.tags) for item in items)}"

    @exposed
    def kinds(self, colour: Colour, point: Point, days: list[datetime.date]) -> str:
        """Return what came."""
        return f"{colour.name} {point.x + point.y} {max(days).isoformat()}"

    @exposed
    def report(self, numbers: list[int], to: Callable[[list[int]], None]) -> int:
        """Tell a callback twice as much."""
        to([2 * number for number in numbers])
        return len(numbers)

    @exposed
    def doubled(self, numbers: list[int]) -> Iterator[int]:
        """Give twice as much, one by one."""
        for number in numbers:
            yield 2 * number

    @exposed
    def echoed(self, numbers: list[int]) -> list[int]:
        """Return the copy."""
        return numbers

    @exposed
    def kind_of(self, anything) -> str:
        """Return the class of what came."""
        return type(anything).__name__


class ValuedShop(Offered, txremote.Service, values=True):
    """For a reactor."""

    @exposed
    async def total_later(self, numbers: list[int]) -> int:
        return sum(numbers)

    @exposed
    @threaded
    def total_threaded(self, numbers: list[int]) -> int:
        return sum(numbers)


class ThreadedShop(Offered, txremote.blocking.Service, values=True):
    """With threads, which see netrefs."""


class PlainShop(Offered, txremote.Service):
    """Whose annotations are notes for readers."""
