"""Items that one call of a peer takes in: how many, of what hashes, and for how long."""

from __future__ import annotations

import collections
import itertools
from typing import Any

import pytest
import rpyc as stock

import txremote.blocking
from tests.blocking.script_threads import scripted, serving
from tests.refs.stock_peer import StockPeer
from txremote.gate import item_costs
from txremote.gate.costs import measured
from txremote.gate.item_costs import MOST_MADE, check_made, drawn, taken


class Bag(dict[str, Any]):
    """A dict with a method of its own, exposed by the name of one of dict's."""

    def exposed_update(self, given: Any) -> str:
        return str(given["ab"])


class Held(txremote.blocking.Service):
    def __init__(self) -> None:
        self.exposed_dict: dict[str, Any] = {}
        self.exposed_ordered = collections.OrderedDict[str, Any]()
        self.exposed_counter = collections.Counter[str]()
        self.exposed_bag = Bag(cd=2)
        self.exposed_list = [1]


def ask(obj: Any, name: str, *args: Any) -> Any:
    return measured(obj, name, getattr(obj, name))(*args)


@pytest.mark.usefixtures("no_time_passes")
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


@pytest.mark.usefixtures("no_time_passes")
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


@pytest.mark.parametrize("library", [stock, txremote.blocking])
@scripted
def test_a_dict_of_the_callers_is_taken_in_by_its_keys(library: Any) -> None:
    """Where netrefs are: keys of two letters would pass for pairs."""
    with serving(Held) as server, library.connect("127.0.0.1", server.port) as conn:
        for name in ("dict", "ordered", "counter"):
            held = getattr(conn.root, name)
            held.update({"ab": 1})
            held.update(collections.OrderedDict(cd=2))
            assert {key: held[key] for key in held} == {"ab": 1, "cd": 2}
        conn.root.dict.__ior__({"ef": 3})
        conn.root.dict.update([("gh", 4)])
        assert dict(conn.root.dict.items()) == {"ab": 1, "cd": 2, "ef": 3, "gh": 4}
        with pytest.raises(
            TypeError, match=r"dict\.update wants pairs, and the builtins.list that"
        ):
            conn.root.dict.update(["ij"])
        with pytest.raises(TypeError, match=r"\+ of a list here and a builtins.list that was sent"):
            conn.root.list.__add__([2])
        assert conn.root.bag.update({"ab": "its own"}) == "its own"
        assert {**conn.root.bag} == dict(conn.root.bag) == {"cd": 2}
