"""Items that one call of a peer takes in: how many, of what hashes, and for how long."""

from __future__ import annotations

import collections
import itertools
from typing import Any

import pytest

from tests.refs.stock_peer import StockPeer
from txremote.gate import item_costs
from txremote.gate.costs import measured
from txremote.gate.item_costs import MOST_MADE, check_made, drawn, taken


def ask(obj: Any, name: str, *args: Any) -> Any:
    return measured(obj, name, getattr(obj, name))(*args)


def test_an_iterator_is_drawn_from_no_further_than_may_be_taken() -> None:
    assert drawn(range(1000)) == tuple(range(1000))
    source = itertools.count()
    with pytest.raises(ValueError, match=f"more than {MOST_MADE} items by one call"):
        drawn(source)
    assert next(source) <= 2 * MOST_MADE + 1


def test_items_that_say_how_many_they_are_are_taken_as_they_are() -> None:
    check_made(MOST_MADE)
    items = [1, 2, 3]
    assert taken([], "extend", items) is items
    with pytest.raises(ValueError, match="more than"):
        taken([], "extend", range(MOST_MADE + 1))


@pytest.mark.parametrize("name", ["__iadd__", "__isub__", "__ior__", "__iand__"])
def test_a_counter_takes_in_no_endless_items(name: str) -> None:
    """It asks another for them by this name, of whichever class that is."""

    class Endless:
        def items(self) -> Any:
            return zip(itertools.count(), itertools.repeat(1), strict=False)

    with pytest.raises(ValueError, match="more than"):
        ask(collections.Counter(), name, Endless())


def test_a_list_may_take_in_its_own_iterator() -> None:
    """Which by itself never ends, since the list grows under it."""
    items = [1, 2]
    ask(items, "extend", iter(items))
    assert items == [1, 2, 1, 2]


@pytest.mark.parametrize("name", ["update", "fromkeys"])
@pytest.mark.parametrize("in_pairs", [True, False])
def test_items_of_one_hash_are_refused(name: str, in_pairs: bool) -> None:
    """To put a million of them into a set takes hours."""
    clashing = tuple(number * ((1 << 61) - 1) for number in range(100))
    if in_pairs and name == "update":
        with pytest.raises(ValueError, match="same hash"):
            ask({}, name, tuple((number, 0) for number in clashing))
        return
    with pytest.raises(ValueError, match="same hash"):
        ask({} if name == "fromkeys" else set(), name, clashing)
    with pytest.raises(ValueError, match="same hash"):
        ask(collections.Counter(), name, list(clashing))
    ask(set(), "update", (5,) * 100)


def test_code_of_the_programs_that_a_call_runs_for_each_item_has_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A key function and a generator, in the reactor's thread; elsewhere they hold nobody up."""
    spent = [0.0]
    monkeypatch.setattr(item_costs, "thread_time", lambda: spent[0])
    monkeypatch.setattr(item_costs, "is_loop_thread", lambda: True)

    def slow(item: int) -> int:
        spent[0] += 0.001
        return -item

    items = list(range(10_000))
    with pytest.raises(ValueError, match="program's own code"):
        measured(items, "sort", items.sort)(key=slow)
    assert items == list(range(10_000))
    with pytest.raises(ValueError, match="program's own code"):
        ask(items, "extend", map(slow, range(10_000)))
    few = [1, 2, 3]
    measured(few, "sort", few.sort)(key=slow, reverse=True)
    assert few == [1, 2, 3]
    measured(few, "sort", few.sort)(key=None, reverse=True)
    assert few == [3, 2, 1]
    monkeypatch.setattr(item_costs, "is_loop_thread", lambda: False)
    measured(items, "sort", items.sort)(key=slow)
    assert items[0] == 9_999


@pytest.mark.parametrize(
    ("obj", "name"),
    [([1], "extend"), ([1], "__add__"), ({}, "update"), ({1}, "update"), ([1], "__setitem__")],
)
def test_what_the_caller_has_by_reference_is_not_taken_in(obj: Any, name: str) -> None:
    reference = StockPeer().sent([2])
    args = (slice(0, 1), reference) if name == "__setitem__" else (reference,)
    with pytest.raises(TypeError, match=r"in a builtins\.list that was sent by reference: send"):
        ask(obj, name, *args)
