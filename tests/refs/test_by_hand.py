"""Values by hand: `value` and `fetch`."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

import pytest

from txremote import NotSendable, Record, Service, exposed, fetch, len_remote, value
from txremote.refs.by_hand import fetch_here
from txremote.refs.reference import RemoteReference
from txremote.testing import Pair, connected_pair
from txremote.wire.values import AsValue


@dataclass
class Item:
    name: str


class Thing:
    pass


class Shop(Service):
    def __init__(self) -> None:
        self.seen: list[Any] = []

    @exposed
    def take(self, given: Any) -> None:
        self.seen.append(given)

    @exposed
    def item(self) -> Any:
        return value(Item("tea"))

    @exposed
    def both(self) -> Any:
        return value([Item("tea")]), [1]

    exposed_stock = {"tea": [1, 2]}  # it is read
    exposed_mixed = [1, object()]

    @exposed
    def again(self) -> Any:
        return self.exposed_stock

    @exposed
    def fails(self) -> Any:
        raise LookupError("no stock")

    @exposed
    def itself(self) -> Any:
        return self


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def pair(shop: Shop) -> Pair:
    return connected_pair(server_root=shop)


@pytest.mark.parametrize(
    "given", [1, "a", None, ..., [1], {"a": 1}, Item("tea"), datetime.date.max]
)
def test_values_are_marked(given: Any) -> None:
    """Once."""
    marked = value(given)
    assert type(marked) is AsValue and marked.value is given
    assert value(marked) is marked


def test_what_is_no_value_is_refused() -> None:
    """Else it would go by reference without a word."""
    with pytest.raises(TypeError, match=r"a Thing is no value.*register_value"):
        value(Thing())


def test_an_argument_and_a_result_are_sent_as_values(shop: Shop, pair: Pair) -> None:
    """Also as items of a tuple."""
    pair.result(pair.client.root.take(value([Item("tea")])))
    pair.result(pair.client.root.take((value({1}), 2)))
    assert shop.seen == [[Record("Item", name="tea")], ({1}, 2)]
    assert pair.result(pair.client.root.item()) == Record("Item", name="tea")
    copy, reference = pair.result(pair.client.root.both())
    assert copy == [Record("Item", name="tea")] and type(reference) is RemoteReference


def test_a_peer_without_values_is_sent_what_brine_carries(shop: Shop, pair: Pair) -> None:
    """All else is refused, and nothing is sent."""
    pair.client.features -= {"values"}
    pair.result(pair.client.root.take(value((1, frozenset("a")))))
    assert shop.seen == [(1, frozenset("a"))]
    with pytest.raises(NotSendable, match="a list cannot go as a value: the peer is an RPyC"):
        pair.result(pair.client.root.take(value([1])))


def test_a_reference_or_a_path_is_fetched(pair: Pair) -> None:
    """What is no remote object is itself."""
    root = pair.client.root
    assert pair.result(fetch(root.stock)) == {"tea": [1, 2]}
    assert pair.result(fetch(pair.result(root.stock._read()))) == {"tea": [1, 2]}
    assert pair.result(fetch(5)) == 5
    with pytest.raises(TypeError, match="no value, and has no copy"):
        pair.result(fetch(root.itself))


def test_what_a_call_gives_is_fetched_and_stays_the_calls(pair: Pair) -> None:
    root = pair.client.root
    call = root.again()
    assert pair.result(fetch(call)) == {"tea": [1, 2]}
    assert pair.result(len_remote(call)) == 1
    assert pair.result(fetch(pair.result(call))) == {"tea": [1, 2]}
    with pytest.raises(LookupError, match="no stock"):
        pair.result(fetch(root.fails()))


def test_a_peer_without_values_is_read_part_by_part(pair: Pair) -> None:
    """Containers, and no objects: the error names what cannot be copied."""
    pair.client.features -= {"values"}
    root = pair.client.root
    assert pair.result(fetch(root.stock)) == {"tea": [1, 2]}
    with pytest.raises(TypeError, match="Shop of a peer without values is no container and has"):
        pair.result(fetch(root))
    with pytest.raises(TypeError, match="object of a peer without values is no container and has"):
        pair.result(fetch(root.mixed))


def test_what_is_no_netref_is_given_back() -> None:
    """To code that may block."""
    assert fetch_here(5) == 5
