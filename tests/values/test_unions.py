"""Unions and enums."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import pytest

from tests.values.classes import (
    Color,
    Item,
    Point,
    Rights,
    compiled,
    complaint,
    converted,
    member,
    objection,
    point,
    same,
)
from txremote.values.compiling import value_type
from txremote.wire.record import Record


@pytest.mark.parametrize(
    ("annotation", "raw", "wanted"),
    [
        (int | None, None, None),
        (int | None, 3, 3),
        (int | float, 3, 3),
        (float | None, 3, 3.0),
        (list[int] | list[str], ["a"], ["a"]),
        (list[int] | tuple[int, ...], (1,), (1,)),
        (list[float] | None, [1], [1.0]),
        (Item | Point | str, point(1, 2), Point(1, 2)),
        (Item | Point | str, Record("Item", name="a", price=Decimal(1)), Item("a", Decimal(1))),
        (list[Item | dict[str, int]], [{"a": 1}], [{"a": 1}]),
        (Color | Rights, member("Rights", "READ"), Rights.READ),
        (Literal["a", None], None, None),
        (Literal[Color.RED, 3], member("Color", "RED"), Color.RED),
    ],
)
def test_the_member_that_is_meant_is_found(annotation: Any, raw: object, wanted: object) -> None:
    assert same(converted(annotation, raw), wanted)
    assert same(converted(list[annotation], [raw, raw]), [wanted, wanted])


def test_what_fits_no_member_is_refused() -> None:
    assert complaint(int | None, "a") == "it: expected int | None, got str 'a'"
    assert complaint(list[int] | None, ["a"]) == "it[0]: expected int, got str 'a'"
    assert complaint(int | bool | None, 1.5) == "it: expected int | bool | None, got float 1.5"
    assert complaint(Literal[Color.RED, 3], member("Color", "BLUE")).startswith("it: expected")
    complaint(list[int] | list[str], [1, "a"])


def test_members_that_are_no_values_pass_what_comes() -> None:
    class Plain:
        pass

    own = Plain()
    assert converted(Item | Plain, own) is own
    assert complaint(list[Item | Plain], ["a"]) == "it[0]: expected Item | Plain, got str 'a'"
    assert converted(Item | Any, "a") == "a"
    assert converted(int | Hashable, "a") == "a"
    assert converted(int | Callable[[], None], own.__repr__) == own.__repr__
    complaint(int | Callable[[], None], "a")
    assert value_type(Plain | None) is None
    assert value_type(Plain | int) is not None


def test_unions_in_unions_are_not_tried_over_and_over() -> None:
    raw: object = "wrong"
    for _ in range(60):
        raw = {"next": [raw]}
    begun = time.process_time()
    assert complaint(Knot, raw).startswith("it.next: expected list[Knot] | list[Knot | None]")
    assert time.process_time() - begun < 5


@dataclass
class Knot:
    next: list[Knot] | list[Knot | None]


def test_members_of_enums_come_by_name() -> None:
    assert converted(Color, member("Color", "BLUE")) is Color.BLUE
    assert converted(Color, Color.BLUE) is Color.BLUE
    assert converted(Color, member("Color", "CRIMSON")) is Color.RED
    for wrong in (1, "RED", member("Colour", "RED"), member("Color", "GREEN"), Record("Color")):
        complaint(Color, wrong)
    assert complaint(Color, member("Color", "__class__")).startswith("it: Color has no member")
    compiled(Color).check(Color.RED)
    assert objection(Color, 1) == "it: expected Color, got int 1"


def test_flags_come_as_the_names_of_their_members() -> None:
    assert converted(Rights, member("Rights", "READ|WRITE")) == Rights.READ | Rights.WRITE
    assert converted(Rights, member("Rights", "")) == Rights(0)
    complaint(Rights, member("Rights", "READ|EXECUTE"))


def test_an_int_enum_is_no_int() -> None:
    class Level(enum.IntEnum):
        LOW = 1

    assert converted(Level, member("Level", "LOW")) is Level.LOW
    complaint(Level, 1)
    complaint(int | str, Level.LOW)
