"""Functions of the peer's that take their arguments as this side's annotation says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.peer.pairs import Outcome
from txremote import Service, exposed, value
from txremote.errors import WrongValue
from txremote.refs.reference import RemoteReference
from txremote.refs.value_calls import note_plans
from txremote.testing import Pair, connected_pair
from txremote.wire.record import Record


@dataclass
class Item:
    name: str


class Shop(Service, values=True):
    def __init__(self) -> None:
        self.on_change: Any = None

    @exposed
    def watch(self, count: int, on_change: Callable[[list[Item], int], None]) -> None:
        self.on_change = on_change

    @exposed
    def watch_names(self, on_name: Callable[[str], None]) -> None:
        self.on_name = on_name


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def pair(shop: Shop) -> Pair:
    return connected_pair(server_root=shop)


@pytest.mark.parametrize("by_name", [False, True])
def test_a_callback_takes_values_however_it_was_given(
    shop: Shop, pair: Pair, by_name: bool
) -> None:
    """By position or by name."""
    seen: list[Any] = []

    def on_change(items: Any, number: Any) -> None:
        seen.append((items, number))

    call = pair.client.root.watch
    pair.result(call(1, on_change=on_change) if by_name else call(1, on_change))
    pair.result(shop.on_change([Item("tea")], 2))
    assert seen == [([Record("Item", name="tea")], 2)]


def test_a_function_may_be_the_callback_of_several_annotations(shop: Shop, pair: Pair) -> None:
    """It is one reference: a client may have all its news come to one function."""
    seen: list[Any] = []

    def on_news(*news: Any) -> None:
        seen.append(news)

    for _again in range(2):
        pair.result(pair.client.root.watch(1, on_news))
        pair.result(pair.client.root.watch_names(on_news))
    pair.result(shop.on_change([Item("tea")], 2))
    pair.result(shop.on_name("Ann"))
    assert seen == [([Record("Item", name="tea")], 2), ("Ann",)]
    with pytest.raises(WrongValue, match="argument 1: expected"):
        pair.result(shop.on_name(5))


def test_a_callback_may_have_methods_that_take_values(shop: Shop, pair: Pair) -> None:
    """What is known of these stays known."""
    described: Any = object()
    pair.result(pair.client.root.watch(1, print))
    reference = shop.on_change
    note_plans(reference, {("method",): described})
    pair.result(pair.client.root.watch(1, print))
    assert reference._call_prefixes.plans[("method",)] is described
    assert set(reference._call_prefixes.plans) == {("method",), ()}


def test_wrong_arguments_are_not_sent(shop: Shop, pair: Pair) -> None:
    """The Deferred fails at once."""
    pair.result(pair.client.root.watch(1, lambda *_args: None))
    before = pair.server.outbound.pending
    outcome = Outcome(shop.on_change(["tea"], 2))
    with pytest.raises(WrongValue, match="expected Item, got str 'tea'"):
        raise outcome.results[0].value
    assert len(before) == 0


def test_a_peer_without_values_gets_references(shop: Shop, pair: Pair) -> None:
    """A stock RPyC; the arguments are looked at all the same."""
    pair.server.features -= {"values"}
    seen: list[Any] = []
    pair.result(pair.client.root.watch(1, lambda *args: seen.append(args)))
    pair.result(shop.on_change([Item("tea")], 2))
    assert type(seen[0][0]) is RemoteReference
    outcome = Outcome(shop.on_change(["tea"], 2))
    assert outcome.results[0].check(WrongValue)


def test_what_is_no_function_of_the_peer_s_is_left_as_it_is(shop: Shop, pair: Pair) -> None:
    """None, say, or a function of this side's own that came back."""
    pair.result(pair.client.root.watch(1, None))
    assert shop.on_change is None


class Asking(Service, values=True):
    @exposed
    async def ask(self, question: Callable[[int], list[Item]]) -> Any:
        items = await question(3)
        return len(items), type(items[0]) is Item


@pytest.mark.parametrize("by_value", [True, False])
def test_what_a_callback_returns_is_of_the_annotated_type(by_value: bool) -> None:
    """As a value, or by reference: then it is fetched."""
    pair = connected_pair(server_root=Asking)

    def question(number: int) -> Any:
        items = [Item(str(place)) for place in range(number)]
        return value(items) if by_value else items

    assert pair.result(pair.client.root.ask(question)) == (3, True)


def test_a_callback_that_returns_something_else_fails_at_its_caller() -> None:
    """With a sentence."""
    pair = connected_pair(server_root=Asking)
    with pytest.raises(WrongValue, match="what the callback returned: expected"):
        pair.result(pair.client.root.ask(lambda number: "nothing"))
