"""Classes that the tests of values declare, and what stands for their objects on the wire."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple, TypedDict

import pytest

from txremote.errors import WrongValue
from txremote.values.compiling import value_type
from txremote.values.nodes import ValueType
from txremote.wire.record import KIND_ENUM, KIND_NAMEDTUPLE, Record, make_record


@dataclass
class Item:
    """A dataclass with a default."""

    name: str
    price: Decimal
    tags: list[str] = field(default_factory=list)


@dataclass
class Tree:
    """A dataclass that holds objects of its own class."""

    label: str
    branches: list[Tree] = field(default_factory=list)
    best: Tree | None = None


class Point(NamedTuple):
    """A named tuple with a default."""

    x: int
    y: int = 0


class Movie(TypedDict):
    """A dict with known keys."""

    title: str
    year: int


class Color(enum.Enum):
    """An enum with an alias."""

    RED = 1
    BLUE = 2
    CRIMSON = RED


class Rights(enum.Flag):
    """Flags."""

    READ = 1
    WRITE = 2


def point(*values: object) -> Record:
    """Return a `Point` as it arrives."""
    return make_record(KIND_NAMEDTUPLE, "Point", dict(zip("xy", values, strict=False)))


def member(cls: str, name: str) -> Record:
    """Return a member of an enum as it arrives."""
    return make_record(KIND_ENUM, cls, {"name": name})


def compiled(annotation: object) -> ValueType:
    """Return the value type of an annotation that has one."""
    found = value_type(annotation)
    assert found is not None
    return found


def converted(annotation: object, raw: object) -> object:
    """Convert a raw value, with the path "it"."""
    return compiled(annotation).convert(raw, "it")


def complaint(annotation: object, raw: object) -> str:
    """Return the sentence of a conversion that fails."""
    with pytest.raises(WrongValue) as caught:
        converted(annotation, raw)
    return str(caught.value)


def objection(annotation: object, value: object) -> str:
    """Return the sentence of a check that fails."""
    with pytest.raises(WrongValue) as caught:
        compiled(annotation).check(value, "it")
    return str(caught.value)


def same(found: object, wanted: object) -> bool:
    """Tell whether two values are equal and of the same types, all the way down."""
    if type(found) is not type(wanted):
        return False
    if isinstance(wanted, dict):
        assert isinstance(found, dict)
        return same([*found.items()], [*wanted.items()])
    if isinstance(wanted, Sequence) and not isinstance(wanted, (str, bytes, bytearray, range)):
        assert isinstance(found, Sequence)
        return len(found) == len(wanted) and all(map(same, found, wanted))
    return repr(found) == repr(wanted)
