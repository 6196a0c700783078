"""
`txremote.blocking.typed`: a netref by the names and types of a class.
"""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.blocking.script_threads import client, linked, scripted, serving
from tests.views.test_reactor import CAKE, TEA, Basket, IBasket, Item, PlainShop, ValueShop
from txremote import Service, exposed, threaded
from txremote.errors import WrongValue
from txremote.refs.netref import is_base_netref
from txremote.refs.typed import TypedNetref
from txremote.refs.value_calls import ValueCalls
from txremote.views.scripts import typed


class Thing:
    exposed_size: int = 3

    def exposed_grow(self) -> int:
        return 4


@scripted
def test_results_and_attributes_have_the_declared_types() -> None:
    with linked(ValueShop) as conn:
        shop = typed(conn.root, ValueShop)
        assert shop.cheapest([TEA, CAKE]) == CAKE
        assert shop.all(2) == [Item("item 0", Decimal(0)), Item("item 1", Decimal(1))]
        assert shop.maybe("") is None
        assert shop.find("x") == [Item("x", Decimal(1))]
        either: Any = shop
        assert either.best == [1, 2]
        assert either.motto == "buy"
        assert either.unsaid(3) == 3


@scripted
def test_objects_of_classes_that_expose_names_have_views() -> None:
    with linked(ValueShop) as conn:
        shop: Any = typed(conn.root, ValueShop)
        for basket in (shop.new_basket(), shop.basket):
            assert type(basket) is TypedNetref
            before = basket.add(TEA)
            assert basket.add(TEA, count=2) == before + 2
        assert shop.Till(Decimal(3)).total() == Decimal(3)
        assert [basket.add(TEA) for basket in shop.baskets()] == [1, 1]
        assert typed(shop.new_basket(), Basket).add(TEA) == 1
        assert typed(shop.new_basket(), IBasket).add(TEA) == 1


@scripted
def test_items_of_iterators_have_the_declared_types() -> None:
    with linked(ValueShop) as conn:
        items = typed(conn.root, ValueShop).some(25)
        assert isinstance(items, Iterator)
        assert list(items) == [Item(f"item {n}", Decimal(n)) for n in range(25)]


@scripted
def test_without_values_at_the_server_containers_are_fetched() -> None:
    with linked(PlainShop) as conn:
        shop = typed(conn.root, PlainShop)
        assert shop.sorted([2, 1]) == [1, 2]
        assert shop.pair() == ([1], "one")
        with pytest.raises(WrongValue, match="wrong: expected int, got str 'no int'"):
            shop.wrong()


@scripted
def test_a_call_that_does_not_fit_raises_before_it_is_sent() -> None:
    with linked(ValueShop) as conn:
        shop: Any = typed(conn.root, ValueShop)
        with pytest.raises(WrongValue, match=r"items\[0\]: expected Item, got str 'cake'"):
            shop.cheapest(["cake"])
        with pytest.raises(TypeError, match=r"ValueShop\.cheapest\(items, more=None\): missing"):
            shop.cheapest()
        with pytest.raises(AttributeError, match="ValueShop declares no 'chepest'"):
            shop.chepest([TEA])


@scripted
def test_as_an_argument_it_is_the_netref() -> None:
    """Also within a value."""
    with linked(ValueShop) as conn:
        shop: Any = typed(conn.root, ValueShop)
        basket = shop.new_basket()
        assert shop.kind(basket) == "Basket"
        assert conn.root.kind(basket) == "Basket"
        assert is_base_netref(conn.root.new_basket())


@scripted
def test_attributes_can_be_set_where_the_peer_lets_them() -> None:
    thing = Thing()

    class Place(Thing):
        def on_connect(self, conn: Any) -> None: ...
        def on_disconnect(self, conn: Any) -> None: ...
        def exposed_thing(self) -> Thing:
            return thing

    with linked(Place(), remote_config={"allow_setattr": True}) as conn:
        view: Any = typed(conn.root, Place).thing()
        assert view.size == 3
        view.size = 5
        assert view.size == 5
        with pytest.raises(AttributeError, match="cannot set 'grow': it is a method of Thing"):
            view.grow = 3
        with pytest.raises(AttributeError, match="Thing declares no 'sise'"):
            view.sise = 3


@scripted
def test_it_shows_what_is_declared() -> None:
    with linked(ValueShop) as conn:
        shop: Any = typed(conn.root, ValueShop)
        assert list(inspect.signature(shop.cheapest).parameters) == ["items", "more"]
        basket = shop.new_basket()
        assert dir(basket) == ["add"]
        assert basket.add.__doc__ == "Put an item in."
        assert repr(basket).startswith("<Basket of <RemoteReference to a ")
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(basket)


def test_what_is_no_netref_is_refused_with_what_to_do() -> None:
    with pytest.raises(TypeError, match=r"not a int; in a reactor there is txremote\.typed"):
        typed(3, ValueShop)


@scripted
def test_a_netref_s_class_says_which_arguments_are_values() -> None:
    """Without a view: what is described with the class leaves as a value at once."""
    with linked(ValueShop, remote_config={"values": True}) as conn:
        basket = conn.root.new_basket()
        calls = basket.____ref__._call_prefixes
        assert type(calls) is ValueCalls
        assert set(calls.plans) == {("add",)}
        assert basket.add(TEA) == 1


class Guest:
    """What a client hands to a server."""

    @exposed
    def favourites(self) -> list[Item]:
        return [TEA]


class Host(Service):
    @exposed
    @threaded
    def visit(self, guest: Any) -> str:
        found = typed(guest, Guest).favourites()
        return ", ".join(item.name for item in found)


@pytest.mark.parametrize("client_values", [True, False])
@scripted
def test_it_works_in_a_thread_of_a_server(client_values: bool) -> None:
    """With the netref that a threaded method gets, of a client with values or without."""
    open_fields = {"values": client_values, "allow_public_attrs": True}
    with serving(Host) as server:
        conn = client(server, config=open_fields)
        try:
            assert conn.root.visit(Guest()) == "tea"
        finally:
            conn.close()
