"""
Syntax that needs a value, on what is none: each error says in a sentence how to have one.
"""

from __future__ import annotations

import copy
import math
import pickle
import re
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from txremote import Service, exposed
from txremote.refs.asyncresult import AsyncResult
from txremote.refs.operators import OPERATORS, refuses_operators
from txremote.testing import Pair, connected_pair


class Shop(Service):
    exposed_price = 3

    @exposed
    def prices(self) -> Any:
        return {"tea": 3, "oil": 5}


def entered(x: Any) -> None:
    with x:
        pass


def unpacked(x: Any) -> Any:
    first, second = x
    return first, second


def assigned(x: Any) -> None:
    x["tea"] = 1


def deleted(x: Any) -> None:
    del x["tea"]


COMPUTING: dict[str, Callable[[Any], Any]] = {
    "x + 1": lambda x: x + 1,
    "1 + x": lambda x: 1 + x,
    "'a' + x": lambda x: "a" + x,
    "[1] + x": lambda x: [1] + x,  # noqa: RUF005
    "x + x": lambda x: x + x,
    "x - 1": lambda x: x - 1,
    "3 * x": lambda x: 3 * x,
    "x / 2": lambda x: x / 2,
    "x % 2": lambda x: x % 2,
    "x ** 2": lambda x: x**2,
    "divmod(x, 2)": lambda x: divmod(x, 2),
    "x | {}": lambda x: x | {},
    "{} | x": lambda x: {} | x,
    "x & 1": lambda x: x & 1,
    "x < 3": lambda x: x < 3,
    "3 >= x": lambda x: x >= 3,
    "sorted([x, x])": lambda x: sorted([x, x]),
    "max(x, 3)": lambda x: max(x, 3),
    "-x": lambda x: -x,
    "~x": lambda x: ~x,
    "abs(x)": abs,
    "round(x)": round,
    "int(x)": int,
    "float(x)": float,
    "complex(x)": complex,
    "math.floor(x)": math.floor,
    "range(x)": range,
    "[1][x]": lambda x: [1][x],
    "f'{x:.2f}'": lambda x: f"{x:.2f}",
}
LOOKING_INTO: dict[str, Callable[[Any], Any]] = {
    "sum(x)": sum,
    "list(x)": list,
    "set(x)": set,
    "a, b = x": unpacked,
    "[*x]": lambda x: [*x],
    "enumerate(x)": enumerate,
    "max(x)": max,
    "reversed(x)": reversed,
    "'tea' in x": lambda x: "tea" in x,
}
CHANGING: dict[str, Callable[[Any], Any]] = {
    "x['tea'] = 1": assigned,
    "del x['tea']": deleted,
    "with x": entered,
}


@pytest.fixture
def pair() -> Pair:
    return connected_pair(server_root=Shop)


def refusal(use: Callable[[Any], Any], value: Any) -> str:
    with pytest.raises(TypeError) as caught:
        use(value)
    return str(caught.value)


def names_a_way(sentence: str) -> bool:
    return all(way in sentence for way in ("await fetch(ref)", "value(x)", "annotation"))


@pytest.mark.parametrize("name", [*COMPUTING, *LOOKING_INTO])
def test_a_reference_is_no_value_and_the_error_says_how_to_have_one(pair: Pair, name: str) -> None:
    use = {**COMPUTING, **LOOKING_INTO}[name]
    sentence = refusal(use, pair.result(pair.client.root.prices()))
    assert names_a_way(sentence), sentence


@pytest.mark.parametrize("use", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_reference_is_not_copied_as_it_is(pair: Pair, use: Callable[[Any], Any]) -> None:
    assert names_a_way(refusal(use, pair.result(pair.client.root.prices())))


@pytest.mark.parametrize("name", [*COMPUTING])
def test_a_path_is_awaited_before_it_is_computed_with(pair: Pair, name: str) -> None:
    assert "await it first" in refusal(COMPUTING[name], pair.client.root.price)


@pytest.mark.parametrize("name", [*LOOKING_INTO])
def test_a_path_is_looked_into_as_a_reference_is(pair: Pair, name: str) -> None:
    assert names_a_way(refusal(LOOKING_INTO[name], pair.client.root.prices))


@pytest.mark.parametrize("name", [*COMPUTING, *LOOKING_INTO, *CHANGING])
def test_an_answer_is_awaited_first(pair: Pair, name: str) -> None:
    use = {**COMPUTING, **LOOKING_INTO, **CHANGING}[name]
    prices = pair.result(pair.client.root.prices())
    sentence = refusal(use, prices["tea"])
    assert "an answer that is still to come: await the call first" in sentence
    assert "await fetch(ref)" in sentence
    assert "await the call first" in refusal(lambda x: x + prices["oil"], prices["tea"])


def test_what_an_answer_lacks_is_told_by_a_name_that_says_what_it_is(pair: Pair) -> None:
    answer: Any = pair.client.root.prices()
    with pytest.raises(AttributeError, match="'UnansweredCall' object has no attribute '_items'"):
        answer._items
    with pytest.raises(AttributeError, match="'UnansweredCall' object has no attribute 'result'"):
        answer.result
    with pytest.raises(TypeError, match="'UnansweredCall' object is not callable"):
        answer()
    with pytest.raises(TypeError, match=r"object of type 'UnansweredCall' has no len\(\)"):
        len(answer)
    assert re.fullmatch("<UnansweredCall at 0x[0-9a-f]+, to be awaited>", repr(answer))
    pair.result(answer)
    assert "awaited" not in repr(answer)


@pytest.mark.parametrize("name", [*COMPUTING, *LOOKING_INTO, *CHANGING])
def test_an_async_result_is_not_its_value(name: str) -> None:
    use = {**COMPUTING, **LOOKING_INTO, **CHANGING}[name]
    assert "read its value, which waits" in refusal(use, AsyncResult(Deferred()))


def test_len_of_a_reference_names_what_can_be_awaited(pair: Pair) -> None:
    for each in (pair.result(pair.client.root.prices()), pair.client.root.prices):
        sentence = refusal(len, each)
        assert "await len_remote(ref)" in sentence
        assert names_a_way(sentence)


def test_a_reference_is_entered_with_async_with(pair: Pair) -> None:
    prices = pair.result(pair.client.root.prices())
    assert "'async with', not 'with'" in refusal(entered, prices)


def test_all_can_be_kept_compared_for_sameness_and_shown(pair: Pair) -> None:
    prices = pair.result(pair.client.root.prices())
    for each in (prices, pair.client.root.price, prices["tea"], AsyncResult(Deferred())):
        assert {each: 1}[each] == 1
        assert each == each
        assert each != 3
        assert each in [3, each]
        assert bool(each)
        assert f"{each}" == str(each)


def test_what_a_class_defines_stays() -> None:
    @refuses_operators("it is none", but=("__neg__",))
    class Thing:
        def __add__(self, other: object) -> str:
            return "added"

    made: Any = Thing()
    assert made + 1 == "added"
    assert not hasattr(Thing, "__neg__")
    assert bool(made)
    assert refusal(lambda x: x - 1, made) == "- needs a value, it is none"
    assert {"__add__", "__radd__", "__iter__"} <= OPERATORS.keys()
