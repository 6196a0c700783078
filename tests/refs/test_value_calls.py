"""How the peer says that its methods take their arguments, and what that does to a call."""

from __future__ import annotations

from typing import Any

import pytest

from txremote.refs.value_calls import DescribedArguments, described, described_methods
from txremote.wire.values import AsValue


def arguments(description: tuple[Any, ...]) -> Any:
    return described((("f", description),)).get(("f",))


def marks(args: Any) -> list[bool]:
    return [type(arg) is AsValue for arg in args]


def test_arguments_are_marked_by_place_and_by_name() -> None:
    """Those alone that the peer has annotated."""
    plan = arguments((("a", "b", "c"), ("a", "c", "d"), False, False, "()"))
    args, kwargs = plan.prepared(([1], [2], [3], [4]), {"d": [5], "e": [6]})
    assert marks(args) == [True, False, True, False]
    assert marks(kwargs.values()) == [True, False]


def test_what_travels_the_same_way_is_not_marked() -> None:
    """Numbers, texts and what is marked already."""
    plan = arguments((("a", "b", "c"), ("a", "b", "c"), False, False, "()"))
    given = AsValue([1])
    args, _kwargs = plan.prepared((1, "a", given), {})
    assert args == (1, "a", given)


def test_all_further_arguments_may_be_values() -> None:
    """By place and by name."""
    plan = arguments((("a",), (), True, True, "()"))
    args, kwargs = plan.prepared(([1], [2], [3]), {"x": [4]})
    assert marks(args) == [False, True, True]
    assert marks(kwargs.values()) == [True]


@pytest.mark.parametrize(
    "description",
    [
        *(None, 5, "text", (), ("f",), (("f",),), (("f", 5),), ((5, ()),)),
        *((("f", ((), ())),), (("f", (5, (), False, False)),), (("f", ((5,), (), True, True)),)),
        ((("f"), ((), ("a", 5), False, False, "")),),
    ],
)
def test_a_peer_may_describe_anything(description: Any) -> None:
    """Nothing is found in it then, and the arguments go as ever."""
    assert described(description) == {}


def test_more_may_be_said_later() -> None:
    """What stands behind is for versions to come."""
    assert isinstance(arguments((("a",), ("a",), False, False, "()", 1, 2)), DescribedArguments)


def test_an_answer_to_describe_has_the_same_by_both_names() -> None:
    plan = (("a",), ("a",), False, False, "(a: list[int])")
    told = (("exposed_put", None, "(a)", plan), ("plain", "", None, None), ("short",), 3)
    assert set(described_methods(told)) == {("put",), ("exposed_put",)}
    assert described_methods(None) == {}
