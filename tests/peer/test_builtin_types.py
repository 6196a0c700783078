"""
The fixed tables. That the gate keeps to them is shown in ``test_access.py``.
"""

from __future__ import annotations

import collections
import sys
import types
from typing import Any

import pytest

from txremote.peer.builtin_types import (
    CLOSED,
    CONTAINERS,
    COSTLY,
    MOST_MADE,
    VALUE_CLASSES,
    measured,
    never_handed_out,
)


def ask(obj: Any, name: Any, *args: Any) -> Any:
    plain = name.decode() if type(name) is bytes else name
    return measured(obj, name, getattr(obj, plain))(*args)


def test_a_container_has_its_public_methods_and_a_generator_three() -> None:
    """What leads out of an object is in no table."""
    assert {"append", "pop", "sort"} <= CONTAINERS[list]
    assert "default_factory" not in CONTAINERS[collections.defaultdict]
    assert CLOSED[types.GeneratorType] == {"send", "throw", "close"}
    assert not CLOSED[types.FrameType]
    for names in CONTAINERS.values():
        assert not any(name.startswith("_") for name in names)


class Loaded(types.ModuleType):
    """A module of a kind of its own."""


@pytest.mark.parametrize(
    ("it", "what"),
    [
        (sys, "a module"),
        (Loaded("loaded"), "a module"),
        (sys._getframe(), "a frame"),
        (ask.__code__, "a code object"),
        (types.TracebackType(None, sys._getframe(), 0, 1), "a traceback"),
    ],
)
def test_what_leads_to_everything_is_not_handed_out(it: Any, what: str) -> None:
    """It has a name for the error."""
    assert never_handed_out(type(it)) == what


@pytest.mark.parametrize("it", [[], {}, len, ask, (x for x in ()), ValueError(), object(), int])
def test_anything_else_may_be(it: Any) -> None:
    """Containers, functions, generators, objects; of classes the policy knows more."""
    assert never_handed_out(type(it)) is None


def test_classes_of_values_are_known() -> None:
    """Those that make objects of a program's own are not among them."""
    assert {int, str, list, dict, type(None)} <= VALUE_CLASSES
    assert not {type, object, property, types.FunctionType, types.ModuleType} & VALUE_CLASSES


@pytest.mark.parametrize("name", ["__mul__", b"__mul__", "__rmul__", b"__imul__"])
def test_a_repetition_is_bounded_by_what_it_makes(name: Any) -> None:
    """Not by its number alone, and under either spelling of the name."""
    assert name in COSTLY
    items = [0] * 1000
    assert len(ask(items, name, 5)) == 5000
    items = [0] * 1000
    with pytest.raises(ValueError, match=f"more than {MOST_MADE} items"):
        ask(items, name, 1001)
    assert len(ask(bytearray(10), name, 100_000)) == MOST_MADE


@pytest.mark.parametrize("name", ["ljust", b"rjust", "center", "zfill"])
def test_a_padding_is_bounded(name: Any) -> None:
    """Whatever is padded."""
    assert len(ask(bytearray(b"x"), name, 10)) == 10
    with pytest.raises(ValueError, match="more than"):
        ask(bytearray(b"x"), name, MOST_MADE + 1)


@pytest.mark.parametrize("name", ["count", b"index", "__contains__"])
def test_a_range_is_searched_for_ints_only(name: Any) -> None:
    """For anything else Python would try each number of it."""
    endless = range(1 << 62)
    assert ask(endless, name, 5) in (1, 5, True)
    with pytest.raises(TypeError, match="asked for ints"):
        ask(endless, name, 5.5)
    assert ask([5], name, 5) in (1, 0, True)


def test_other_objects_are_left_alone() -> None:
    """A class of the program's own may mean anything by ``*``."""

    class Vector:
        def __mul__(self, number: Any) -> Any:
            return number

    assert ask(Vector(), "__mul__", 1 << 40) == 1 << 40
