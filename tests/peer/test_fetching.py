"""Copies of what a peer has by reference (FETCH)."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from typing import Any

import pytest

from txremote import Service, exposed, get_remote
from txremote.refs.reference import RemoteReference
from txremote.testing import Pair, connected_pair
from txremote.wire.consts import HANDLE_FETCH
from txremote.wire.record import Record
from txremote.wire.values import AsValue


@dataclass
class Item:
    name: str
    exposed_price: int = 3


@dataclass
class Open:
    exposed_name: str


class Shop(Service):
    def __init__(self) -> None:
        self.given: Any = None
        self.numbers = [1, 2, {"a": {3}}]

    @exposed
    def stock(self) -> Any:
        return self.numbers

    @exposed
    def item(self) -> Any:
        return Item("tea")

    @exposed
    def open(self) -> Any:
        return Open("tea")

    @exposed
    def itself(self) -> Any:
        return self

    @exposed
    def take(self, given: Any) -> None:
        self.given = given

    @exposed
    def total(self, numbers: list[int]) -> int:
        return sum(numbers)


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def pair(shop: Shop) -> Pair:
    return connected_pair(server_root=shop, server_config={"values": True})


def fetch(pair: Pair, reference: Any) -> Any:
    return pair.result(reference._connection.request(HANDLE_FETCH, reference))


def test_a_container_comes_in_one_request(shop: Shop, pair: Pair) -> None:
    """A copy."""
    found = fetch(pair, pair.result(pair.client.root.stock()))
    assert found == [1, 2, {"a": {3}}] and found is not shop.numbers


def test_a_record_comes_where_its_fields_may_be_read(pair: Pair) -> None:
    """From the accepting side."""
    with pytest.raises(AttributeError, match="cannot fetch an Item: its 'name' is not exposed"):
        fetch(pair, pair.result(pair.client.root.item()))
    found = fetch(pair, pair.result(pair.client.root.open()))
    assert found == Record("Open", exposed_name="tea")


def test_the_connecting_side_gives_all_fields_of_what_it_has_handed_out(
    shop: Shop, pair: Pair
) -> None:
    """A server could have had them by an annotation."""
    pair.result(pair.client.root.take(Item("tea")))
    assert type(shop.given) is RemoteReference
    assert fetch(pair, shop.given) == Record("Item", name="tea", exposed_price=3)


def test_what_is_no_value_is_not_copied(pair: Pair) -> None:
    """The error says so."""
    root = pair.result(pair.client.root.itself())
    with pytest.raises(TypeError, match="is no value, and has no copy"):
        fetch(pair, root)
    with pytest.raises(TypeError, match="by value is no reference"):
        pair.result(pair.client.request(HANDLE_FETCH, 5))


def test_an_object_of_a_third_peer_s_is_fetched_where_it_is(shop: Shop, pair: Pair) -> None:
    """Through the one in the middle, or by the one in the middle for an annotation."""
    pair.result(pair.client.root.take([1, 2, Item("tea")]))

    class Middle(Service):
        @exposed
        def stock(self) -> Any:
            return shop.given

        @exposed
        def take(self, function: Any, argument: Any) -> Any:
            return function(argument)

    other = connected_pair(server_root=Middle)
    passed = other.result(other.client.root.stock())
    fetching = other.client.request(HANDLE_FETCH, passed)
    for _ in range(3):
        other.pump()
        pair.pump()
    assert other.result(fetching) == [1, 2, Record("Item", name="tea", exposed_price=3)]

    # the middle's own reference of one peer, given to another peer's annotated method
    numbers: Any = pair.client.root.take([4, 5])
    pair.result(numbers)
    summing = connected_pair(server_root=Shop, server_config={"values": True})
    asked = summing.client.root.total(shop.given)
    for _ in range(4):
        summing.pump()
        pair.pump()
    assert summing.result(asked) == 9


def test_values_go_on_as_values_to_a_third_peer(shop: Shop, pair: Pair) -> None:
    """In a request and in its answer, also where a path of names ends there."""

    class Far(Service):
        def __init__(self) -> None:
            self.seen: list[Any] = []

        @exposed
        def echo(self, value: Any) -> Any:
            self.seen.append(value)
            return AsValue({"seen": value})

        @property
        def exposed_deep(self) -> Any:
            return self

    far = Far()
    behind = connected_pair(server_root=far)

    class Middle(Service):
        exposed_far = behind.client.root

        @exposed
        def far_one(self) -> Any:
            return behind.client.root

    front = connected_pair(server_root=Middle)

    def through(call: Any) -> Any:
        for _ in range(4):
            front.pump()
            behind.pump()
        return front.result(call)

    passed = through(front.client.root.far_one())
    assert through(passed.echo(AsValue([1, {2}]))) == {"seen": [1, {2}]}
    assert through(front.client.root.far.echo(AsValue([3]))) == {"seen": [3]}
    assert through(front.client.root.far.deep.echo(value=AsValue([4]))) == {"seen": [4]}
    assert far.seen == [[1, {2}], [3], [4]]


class Declared(Service, values=True):
    """A service whose annotations name one of two classes."""

    @exposed
    def stock(self) -> Any:
        return {"tea": Item("tea")}

    @exposed
    def other(self) -> Any:
        return [Open("tea"), Box([Item("tea")])]

    @exposed
    def cheapest(self, boxes: list[Box]) -> Item:
        return boxes[0].items[0]


@dataclass
class Box:
    items: list[Item]


def test_a_class_that_annotations_name_is_declared_a_value() -> None:
    """At any depth of an annotation of the service's; no call of that method is needed."""
    pair = connected_pair(server_root=Declared)
    found = fetch(pair, pair.result(pair.client.root.stock()))
    assert found == {"tea": Record("Item", name="tea", exposed_price=3)}
    found = fetch(pair, pair.result(pair.client.root.other()))
    assert found[1].items == [Record("Item", name="tea", exposed_price=3)]


def test_with_the_switch_annotations_that_were_read_declare() -> None:
    """Those of an object that is reached, beside the service's."""

    class Back(Service):
        @exposed
        def take(self, item: Item) -> None:
            """Take an item."""

    class Front(Service):
        exposed_back = Back()

        @exposed
        def item(self) -> Any:
            return Item("tea")

    pair = connected_pair(server_root=Front, server_config={"values": True})
    item = pair.result(pair.client.root.item())
    with pytest.raises(AttributeError, match="name Item in an annotation"):
        fetch(pair, item)
    pair.result(pair.client.root.back.take(Item("milk")))
    assert fetch(pair, item).name == "tea"


def test_values_that_go_on_to_a_peer_without_values_go_as_rpyc_sends_them() -> None:
    """Both ways: containers by reference, and a record, whose fields can be read."""

    class Far(Service):
        def __init__(self) -> None:
            self.seen: list[Any] = []

        @exposed
        def echo(self, given: Any) -> Any:
            self.seen.append(given)
            return AsValue([Item("tea")])

    far = Far()
    behind = connected_pair(server_root=far)

    class Middle(Service):
        @exposed
        def far(self) -> Any:
            return behind.client.root

    front = connected_pair(server_root=Middle)
    front.server.features -= {"values"}

    def through(call: Any) -> Any:
        for _ in range(4):
            front.pump()
            behind.pump()
        return front.result(call)

    passed = through(front.client.root.far())
    items = through(passed.echo([1]))
    assert type(items) is RemoteReference
    record = through(items[0])
    assert through(record.name._read()) == "tea"
    with pytest.raises(AttributeError):
        through(get_remote(record, "asdict"))

    front.server.features |= {"values"}
    behind.client.features -= {"values"}
    through(passed.echo(AsValue([1])))
    assert [type(each) for each in far.seen] == [RemoteReference, RemoteReference]


def test_references_in_a_value_that_nobody_takes_are_given_back(shop: Shop, pair: Pair) -> None:
    """A result that comes after its call was cancelled, and arguments of a refused call."""

    class Client(Service):
        @exposed
        def ask(self) -> Any:
            return AsValue({"call": lambda: None})

        @exposed
        def both(self, first: Any) -> Any:
            return first

    ask = connected_pair(server_root=Client)
    call = ask.client.root.ask()
    call.addErrback(lambda _failure: None)
    ask._carry(ask.client, ask.server, None)
    call.cancel()
    ask.pump()
    ask.advance(1)
    gc.collect()
    ask.advance(1)
    assert len(ask.client._tables.imports) == 1  # the root
    with pytest.raises(TypeError):
        ask.result(ask.client.root.both(AsValue([len]), 2, 3))
    gc.collect()
    ask.advance(1)
    assert len(ask.server._tables.imports) == 0
