"""
Of how many parts a value is, whatever of Python's own holds it.
"""

from __future__ import annotations

import array
import collections
import dataclasses
import types
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from txremote.gate.weight import Costs, weight


@dataclasses.dataclass
class Box:
    """Holds something."""

    held: Any


@dataclasses.dataclass(slots=True)
class Slot:
    """The same in a slot, and one that is not set."""

    held: Any
    other: Any = dataclasses.field(init=False)


@pytest.mark.parametrize(
    "make",
    [
        list,
        tuple,
        collections.deque,
        collections.UserList,
        lambda held: {1: held},
        lambda held: collections.UserDict({1: held}),
        lambda held: collections.ChainMap({1: held}),
        lambda held: types.MappingProxyType({1: held}),
        lambda held: types.SimpleNamespace(held=held),
        lambda held: {1: held}.values(),
        lambda held: ValueError(held),
        Box,
        Slot,
    ],
)
def test_what_is_held_twice_counts_twice_in_whatever_holds_it(make: Callable[[Any], Any]) -> None:
    """Forty levels are 2**40 steps, and are looked at no further than is allowed."""
    held: Any = make([1])
    assert weight(held, 100) > weight(1, 100)
    for _ in range(40):
        held = make([held, held])
    for costs in Costs:
        with pytest.raises(ValueError, match="more than 1000 parts"):
            weight(held, 1000, costs)


def test_a_long_text_and_a_long_number_are_parts() -> None:
    assert weight("x" * 5_000, 100) == 6
    assert weight("x" * 3_200, 1000, Costs.SHOWN) == 101
    assert weight(array.array("b", bytes(2_000)), 100) == 3
    assert weight(1 << 30_000, 100) == 11


def test_objects_that_pythons_own_code_is_asked_for_are_more() -> None:
    """A fraction is compared in the time of fifty ints, and shown in that of ten."""
    assert weight(Fraction(1, 3), 100) == 50
    assert weight(Fraction(1, 3), 100, Costs.SHOWN) == 10
    assert weight(object(), 100) == 1


def test_classes_that_are_made_anew_are_not_remembered_for_ever() -> None:
    for number in range(2_500):
        weight(type(f"Made{number}", (), {})(), 100)
    assert len(Costs.COMPARED.known) <= 1_001
