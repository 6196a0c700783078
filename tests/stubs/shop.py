"""A shop with every kind of name that a service can expose, for the tests of its stubs."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    NamedTuple,
    Protocol,
    Self,
    TypedDict,
    TypeVar,
    overload,
)

from twisted.internet.defer import Deferred, succeed
from zope.interface import Attribute, Interface, implementer

from txremote import Service, expose, exposed, threaded

if TYPE_CHECKING:
    from fractions import Fraction

T = TypeVar("T", int, str)


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


@dataclass
class Item:
    name: str
    price: Decimal
    tags: list[str] = field(default_factory=list)
    colour: Colour = Colour.RED


class Point(NamedTuple):
    x: int
    y: int


class Address(TypedDict):
    street: str


class Secret:
    """A class that is no value and exposes nothing."""


class Basket:
    def __init__(self) -> None:
        self.held: list[Item] = []

    @exposed
    def add(self, item: Item, count: int = 1) -> Self:
        """Put an item in."""
        self.held += [item] * count
        return self

    @exposed
    def items(self) -> list[Item]:
        return self.held


class Shop(Service):
    """A shop."""

    exposed_motto: str = "buy"
    exposed_pi = 3.14
    exposed_first: Basket

    @exposed
    def cheapest(self, items: list[Item], at: datetime | None = None) -> Item:
        r"""
        Return the cheapest of some items.

        It says "why", and a \ is kept.
        """
        return min(items, key=lambda item: item.price)

    @exposed
    def watch(self, item: Item, on_change: Callable[[Item], None]) -> None:
        on_change(item)

    @exposed
    def basket(self) -> Basket:
        return Basket()

    @exposed
    async def all(self, /, *names: str, limit: int = 3, **more: float) -> AsyncIterator[Item]:
        for name in names[:limit]:
            yield Item(name, Decimal(1))

    @exposed
    def some(self, *, colour: Literal["r", Colour.RED] = "r") -> Iterator[Point]:
        yield Point(1, 2)

    @exposed
    def secret(self) -> Secret:
        return Secret()

    @exposed
    def plain(self, x, y=2):  # type: ignore[no-untyped-def]
        return x, y

    @exposed
    def late(self, ratio: Fraction) -> Deferred[dict[str, Address]]:
        return succeed({})

    @exposed
    @threaded
    def blocked(self, place: Point) -> Point:
        return place

    @property
    @exposed
    def size(self) -> int:
        """How big it is."""
        return 3

    @exposed
    def same(self, value: T) -> T:
        return value

    @overload
    def find(self, key: int) -> Item: ...
    @overload
    def find(self, key: str) -> list[Item]: ...
    @exposed
    def find(self, key: int | str) -> Item | list[Item]:
        item = Item("tea", Decimal("2.50"))
        return item if isinstance(key, int) else [item]

    @exposed
    class Till:
        def __init__(self, start: Decimal = Decimal(0)) -> None:
            self.start = start

        @exposed
        def open(self) -> bool:
            return True

    @staticmethod
    @exposed
    def help() -> str:
        return "?"

    def hidden(self) -> int:
        return 1


class Lost(Service):
    @exposed
    def lost(self, way: Nowhere) -> int:  # type: ignore[name-defined]  # noqa: F821
        return 1


class IShelf(Interface):
    size = Attribute("How many things fit.")

    def put(name: str, count: int = 1) -> list[Item]:
        """Put a thing there."""


class IOpenShelf(IShelf):
    """The shelf of a service that exposes an interface."""


expose(IOpenShelf)


@implementer(IOpenShelf)
class Shelf(Service):
    size = 3

    def put(self, name: str, count: int = 1) -> list[Item]:
        return []

    @exposed
    def no_effect(self) -> None: ...


class Plain(Protocol):
    """What a client's author may write by hand."""

    motto: str

    @property
    def size(self) -> int: ...

    def cheapest(self, items: list[Item]) -> Item: ...

    def watch(self, item: Item, on_change: Callable[[Item], Any]) -> Deferred[None]: ...
