"""
Classes: whose values travel, by their fields, and whose are refused.
"""

from __future__ import annotations

import collections
import dataclasses
import enum
import typing
from typing import Any

import attrs
import msgspec
import pytest

from tests.wire.extended import encoded, sent
from txremote.errors import NotSendable
from txremote.wire.record import KIND_ENUM, KIND_NAMEDTUPLE, Record, make_record
from txremote.wire.value_shapes import is_value_class


@dataclasses.dataclass
class Item:
    name: str
    price: float
    tags: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True)
class Point:
    x: int


@attrs.define
class Attrs:
    a: int
    b: Any


class Struct(msgspec.Struct):
    a: int


class Pair(typing.NamedTuple):
    left: int
    right: Any


class Sum(collections.namedtuple("Sum", "a b")):
    """A namedtuple with methods."""


class Color(enum.Enum):
    RED = 1
    CRIMSON = 1  # noqa: PIE796


class Level(enum.IntEnum):
    LOW = 0


class Mode(enum.Flag):
    R = 1
    W = 2


@dataclasses.dataclass
class Empty:
    pass


class Undecorated(Item):
    pass


@dataclasses.dataclass(eq=False)
class Identity:
    a: int


class StructIdentity(msgspec.Struct, eq=False):
    a: int


class Text(str):
    pass


VALUES = [
    (Item("tea", 3.5, ["a"]), Record("Item", name="tea", price=3.5, tags=["a"])),
    (Point(1), Record("Point", x=1)),
    (Attrs(1, [2]), Record("Attrs", a=1, b=[2])),
    (Struct(1), Record("Struct", a=1)),
    (Pair(1, [2]), make_record(KIND_NAMEDTUPLE, "Pair", {"left": 1, "right": [2]})),
    (Sum(1, 2), make_record(KIND_NAMEDTUPLE, "Sum", {"a": 1, "b": 2})),
    (Color.CRIMSON, make_record(KIND_ENUM, "Color", {"name": "RED"})),
    (Level.LOW, make_record(KIND_ENUM, "Level", {"name": "LOW"})),
    (Mode.R | Mode.W, make_record(KIND_ENUM, "Mode", {"name": "R|W"})),
    (Mode(0), make_record(KIND_ENUM, "Mode", {"name": ""})),
    (Empty(), Record("Empty")),
]


@pytest.mark.parametrize(("value", "record"), VALUES, ids=[str(value) for value, _ in VALUES])
def test_a_value_of_a_class_arrives_as_a_record(value: Any, record: Record) -> None:
    assert sent(value) == record
    assert sent([value, value, [value]]) == [record, record, [record]]
    assert sent(record) == record


def test_a_class_is_described_once() -> None:
    one = encoded([Point(1)])
    assert len(encoded([Point(1), Point(2), Point(3)])) == len(one) + 6
    assert encoded([Point(1), Point(2)]).count(b"Point") == 1


def test_records_may_be_keys() -> None:
    assert sent({Point(1): 2, Color.RED: 3}) == {
        Record("Point", x=1): 2,
        make_record(KIND_ENUM, "Color", {"name": "RED"}): 3,
    }


REFUSED = [
    (Undecorated("a", 1.0), "subclass of Item and no dataclass"),
    (Text("a"), "subclass of str"),
    (collections.UserDict, None),
    ({Identity(1)}, "no __eq__"),
    ({StructIdentity(1)}, "no __eq__"),
    ({Identity(1): 1}, "no __eq__"),
    (Struct(msgspec.UNSET), "UNSET"),
    (type("Dict", (dict,), {})(), "subclass of dict.*register_value"),
    (True, None),
]


@pytest.mark.parametrize(("value", "sentence"), REFUSED, ids=[str(value) for value, _ in REFUSED])
def test_what_would_become_something_else_is_refused(value: Any, sentence: str | None) -> None:
    if sentence is None:
        encoded([value])
    else:
        with pytest.raises(NotSendable, match=sentence):
            encoded([value])


def test_a_record_without_one_of_its_fields_is_refused() -> None:
    item = Item("a", 1.0)
    del item.name
    with pytest.raises(NotSendable, match="not all of its fields"):
        encoded(item)


def test_what_is_a_value_is_told_by_class() -> None:
    assert all(is_value_class(kind) for kind in (Item, Pair, Color, Text, collections.deque))
    assert not any(is_value_class(kind) for kind in (object, type, type(print), Exception))


def test_records_of_like_shapes_are_described_once() -> None:
    data = encoded([Record("Point", x=1), Record("Point", x=2), Point(3), Record("Point", y=1)])
    assert data.count(b"Point") == 2
    assert sent([Record("Point", x=1), Point(1)]) == [Record("Point", x=1)] * 2
