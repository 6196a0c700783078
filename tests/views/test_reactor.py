"""
`txremote.typed`: a reference by the names and types of a class.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol, overload

import pytest
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from tests.peer.pairs import Wire, pair_with_stock_server
from txremote import (
    RemoteReference,
    Service,
    async_,
    exposed,
    get_remote,
    repr_remote,
    typed,
    value,
)
from txremote.errors import WrongValue
from txremote.refs.reference import RemotePath
from txremote.refs.typed import TypedPath, TypedReference
from txremote.testing import Pair, connected_pair


@dataclass
class Item:
    name: str
    price: Decimal


class Basket:
    def __init__(self) -> None:
        self.exposed_items: list[Item] = []

    @exposed
    def add(self, item: Item, count: int = 1) -> int:
        """Put an item in."""
        self.exposed_items += [item] * count
        return len(self.exposed_items)


class Names:
    """What the shop declares; served with and without values."""

    exposed_motto: str = "buy"
    exposed_best: list[int] = [1, 2]
    exposed_plain = 3
    exposed_basket: Basket = Basket()

    @exposed
    def cheapest(self, items: list[Item], more: Any = None) -> Item:
        return min(items, key=lambda item: item.price)

    @exposed
    def all(self, count: int) -> list[Item]:
        return [Item(f"item {n}", Decimal(n)) for n in range(count)]

    @exposed
    def sorted(self, numbers: list[int]) -> list[int]:
        return [1, 2]

    @exposed
    def pair(self) -> tuple[list[int], str]:
        return [1], "one"

    @exposed
    def maybe(self, name: str) -> Item | None:
        return Item(name, Decimal(0)) if name else None

    @exposed
    def new_basket(self) -> Basket:
        return Basket()

    @exposed
    def no_basket(self) -> Basket | None:
        return None

    @exposed
    def some(self, count: int) -> Iterator[Item]:
        for n in range(count):
            yield Item(f"item {n}", Decimal(n))

    @exposed
    def baskets(self) -> Iterable[Basket]:
        return [Basket(), Basket()]

    @exposed
    def unsaid(self, x):  # type: ignore[no-untyped-def]
        return x

    @exposed
    def wrong(self) -> int:
        return "no int"  # type: ignore[return-value]

    @exposed
    def kind(self, value: Any) -> str:
        return type(value).__name__

    @overload
    def find(self, key: int) -> Item: ...
    @overload
    def find(self, key: str) -> list[Item]: ...
    @exposed
    def find(self, key: int | str) -> Item | list[Item]:
        item = Item(str(key), Decimal(1))
        return item if isinstance(key, int) else [item]

    @exposed
    class Till:
        def __init__(self, start: Decimal) -> None:
            self.start = start

        @exposed
        def total(self) -> Decimal:
            return self.start


class ValueShop(Names, Service, values=True):
    pass


class PlainShop(Names, Service):
    pass


class Remote(Protocol):
    """What a client's author may write."""

    @property
    def best(self) -> Deferred[list[int]]: ...

    def cheapest(self, items: list[Item]) -> Deferred[Item]: ...

    def watch(self, item: Item, on_change: Callable[[Item], None]) -> Deferred[None]: ...


async def value_of(awaitable: Any) -> Any:
    return await awaitable


def read(pair: Pair, awaitable: Any) -> Any:
    return pair.result(Deferred.fromCoroutine(value_of(awaitable)))


async def listed(items: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in items]


@pytest.fixture
def pair() -> Pair:
    return connected_pair(server_root=ValueShop)


TEA, CAKE = Item("tea", Decimal("2.5")), Item("cake", Decimal("1.5"))


def test_results_have_the_declared_types(pair: Pair) -> None:
    """Also of a path, of a Protocol, and within others."""
    shop: Any = typed(pair.client.root, ValueShop)
    assert pair.result(shop.cheapest([TEA, CAKE])) == CAKE
    assert pair.result(shop.all(2)) == [Item("item 0", Decimal(0)), Item("item 1", Decimal(1))]
    assert pair.result(shop.cheapest(items=value([TEA]))) == TEA
    assert pair.result(shop.maybe("x")) == Item("x", Decimal(0))
    assert pair.result(shop.maybe("")) is None
    remote = typed(pair.client.root, Remote)
    assert pair.result(remote.cheapest([TEA, CAKE])) == CAKE
    assert read(pair, remote.best) == [1, 2]


def test_attributes_have_the_declared_types(pair: Pair) -> None:
    """They are awaited; one of which nothing is declared is a path, as ever."""
    shop: Any = typed(pair.client.root, ValueShop)
    assert read(pair, shop.best) == [1, 2]
    assert read(pair, shop.motto) == "buy"
    assert read(pair, shop.plain) == 3
    assert type(shop.best) is TypedPath
    assert type(pair.result(get_remote(shop.basket, "items"))) is RemoteReference
    assert pair.result(repr_remote(typed(pair.client.root.new_basket, Basket)))


def test_objects_of_classes_that_expose_names_have_views(pair: Pair) -> None:
    """As a result, an attribute, an item, and of a nested class."""
    shop: Any = typed(pair.client.root, ValueShop)
    for basket in (pair.result(shop.new_basket()), read(pair, shop.basket)):
        assert type(basket) is TypedReference
        before = pair.result(basket.add(TEA))
        assert pair.result(basket.add(TEA, count=2)) == before + 2
    assert pair.result(shop.basket.add(TEA)) > 1
    assert pair.result(shop.no_basket()) is None
    till = pair.result(shop.Till(Decimal(3)))
    assert pair.result(till.total()) == Decimal(3)
    first, second = pair.result(Deferred.fromCoroutine(listed(pair.result(shop.baskets()))))
    assert pair.result(first.add(TEA)) == pair.result(second.add(TEA)) == 1


def test_items_of_iterators_have_the_declared_types(pair: Pair) -> None:
    shop: Any = typed(pair.client.root, ValueShop)
    items = pair.result(Deferred.fromCoroutine(listed(pair.result(shop.some(25)))))
    assert items == [Item(f"item {n}", Decimal(n)) for n in range(25)]


def test_overloads_are_told_apart_by_their_arguments(pair: Pair) -> None:
    shop: Any = typed(pair.client.root, ValueShop)
    assert pair.result(shop.find(3)) == Item("3", Decimal(1))
    assert pair.result(shop.find("x")) == [Item("x", Decimal(1))]
    with pytest.raises(WrongValue):
        shop.find(2.5)


def test_a_wrong_argument_is_not_sent(pair: Pair) -> None:
    """It raises here and now; the sentence has the path or the signature."""
    shop: Any = typed(pair.client.root, ValueShop)
    wire = Wire(pair.client)
    with pytest.raises(WrongValue, match=r"items\[1\]: expected Item, got str 'cake'"):
        shop.cheapest([TEA, "cake"])
    with pytest.raises(TypeError, match=r"ValueShop\.cheapest\(items, more=None\): missing a"):
        shop.cheapest()
    with pytest.raises(TypeError, match="got an unexpected keyword argument 'itms'"):
        shop.cheapest([], itms=[])
    with pytest.raises(AttributeError, match="ValueShop declares no 'chepest'"):
        shop.chepest([TEA])
    pair.pump()
    assert wire.bytes == 0


def test_a_wrong_result_is_an_error_and_no_data() -> None:
    """Where the server does not check it, the view does."""
    pair = connected_pair(server_root=PlainShop)
    shop: Any = typed(pair.client.root, PlainShop)
    with pytest.raises(WrongValue, match="wrong: expected int, got str 'no int'"):
        pair.result(shop.wrong())


def test_what_nothing_is_declared_for_is_as_ever(pair: Pair) -> None:
    shop: Any = typed(pair.client.root, ValueShop)
    given = pair.result(shop.unsaid([1]))
    assert given == [1]
    assert pair.result(shop.kind(lambda: 1)) == "RemoteReference"
    assert type(pair.result(pair.client.root.new_basket())) is RemoteReference


@pytest.mark.parametrize("make", [connected_pair, pair_with_stock_server])
def test_without_values_at_the_server_containers_are_fetched(make: Any) -> None:
    pair = make(server_root=PlainShop)
    shop: Any = typed(pair.client.root, PlainShop)
    assert read(pair, shop.best) == [1, 2]
    assert pair.result(shop.sorted([2, 1])) == [1, 2]
    assert pair.result(shop.pair()) == ([1], "one")


def test_without_values_at_the_server_objects_are_fetched() -> None:
    """Where the server lets their fields be read."""
    pair = connected_pair(server_root=PlainShop, config={"allow_public_attrs": True})
    shop: Any = typed(pair.client.root, PlainShop)
    assert pair.result(shop.all(2)) == [Item("item 0", Decimal(0)), Item("item 1", Decimal(1))]
    assert pair.result(shop.maybe("x")) == Item("x", Decimal(0))
    items = pair.result(Deferred.fromCoroutine(listed(pair.result(shop.some(3)))))
    assert items == [Item(f"item {n}", Decimal(n)) for n in range(3)]


def test_as_an_argument_it_is_the_reference(pair: Pair) -> None:
    """A view, and a view of a view, also within a value; a path has to be awaited first."""
    shop: Any = typed(pair.client.root, ValueShop)
    basket = pair.result(shop.new_basket())
    assert pair.result(shop.kind(basket)) == "Basket"
    assert pair.result(shop.kind(typed(basket, Basket))) == "Basket"
    with pytest.raises(ValueError, match="await it first"):
        pair.result(shop.kind(shop.best))


def test_on_the_accepting_side_the_root_is_fetched_when_it_is_used() -> None:
    """A path whose root is not known yet takes values, too."""
    pair = connected_pair(client_root=ValueShop)
    shop: Any = typed(pair.server.root, ValueShop)
    assert pair.result(shop.cheapest([TEA, CAKE])) == CAKE


def test_it_can_be_used_with_async(pair: Pair) -> None:
    shop: Any = typed(pair.client.root, ValueShop)
    assert pair.result(async_(shop.cheapest)([TEA]).deferred) == TEA


class IBasket(Interface):
    items = Attribute("What is in it.")

    def add(item: Item, count: int = 1) -> int:
        """Put an item in."""

    def nothing() -> Item:
        """Is not there."""


def test_an_interface_s_annotations_count(pair: Pair) -> None:
    """They are read from its source; adapting does the same."""
    reference = pair.result(pair.client.root.new_basket())
    for basket in (typed(reference, IBasket), IBasket(reference)):
        assert IBasket.providedBy(basket)
        assert pair.result(basket.add(TEA)) > 0  # type: ignore[arg-type]
        with pytest.raises(WrongValue, match="item: expected Item, got int 3"):
            basket.add(3)  # type: ignore[arg-type]
        assert type(basket.items) is RemotePath


def test_what_is_no_reference_is_refused_with_what_to_do() -> None:
    with pytest.raises(TypeError, match=r"not a int; for a netref there is txremote\.blocking"):
        typed(3, ValueShop)  # type: ignore[arg-type]


def test_its_methods_tell_how_they_are_called(pair: Pair) -> None:
    import inspect

    shop: Any = typed(pair.client.root, ValueShop)
    assert list(inspect.signature(shop.cheapest).parameters) == ["items", "more"]
    basket = pair.result(shop.new_basket())
    assert basket.add.__doc__ == "Put an item in."
    assert set(dir(basket)) == {"add"}


def test_a_lost_connection_fails_its_calls(pair: Pair) -> None:
    shop: Any = typed(pair.client.root, ValueShop)
    pair.lose()
    with pytest.raises(EOFError):
        pair.result(shop.cheapest([TEA]))


def test_a_long_result_is_converted_in_turns() -> None:
    """A slice at a time: other work of the reactor goes on between."""
    pair = connected_pair(server_root=ValueShop)
    shop: Any = typed(pair.client.root, ValueShop)
    assert len(pair.result(shop.all(20_000))) == 20_000
