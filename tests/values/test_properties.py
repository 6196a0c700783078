"""
Properties of conversion, for annotations and values of any shape, through the codec.

What is sent arrives as it was, of the same types; a value that is wrong somewhere is found there.
"""

from __future__ import annotations

import datetime
import decimal
import fractions
import ipaddress
import pathlib
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Optional

import attrs
import msgspec
import pytest
from hypothesis import given, strategies as st

from tests.values.classes import Color, Point, Rights, compiled, same
from tests.wire.extended import decoded, encoded
from txremote.errors import WrongValue
from txremote.values.nodes import SLICE
from txremote.wire.record import Record, record_fields


class Odd:
    """What no annotation takes."""


ODD = Odd()


@dataclass
class Kind:
    """
    An annotation with its values.

    Attributes:
        annotation: The annotation.
        values: Makes values of it.
        is_key: Whether they may be keys and items of sets.
        spoil: Puts `ODD` somewhere into a raw value; returns it and the path.
    """

    annotation: Any
    values: st.SearchStrategy[Any]
    is_key: bool
    spoil: Callable[[st.DataObject, Any], tuple[Any, str]] = lambda data, raw: (ODD, "")


@dataclass
class Pair:
    """A dataclass whose fields' types are set by `pairs`."""

    left: Any
    right: Any


@attrs.define
class Cup:
    """An attrs class."""

    size: int
    marks: list[str]


class Dish(msgspec.Struct):
    """A Struct."""

    name: str
    price: float


LEAVES = [
    Kind(int, st.integers(), True),
    Kind(str, st.text(st.characters(exclude_categories=["Cs"])), True),
    Kind(bytes, st.binary(), True),
    Kind(bool, st.booleans(), True),
    Kind(float, st.floats(), False),
    Kind(complex, st.complex_numbers(), False),
    Kind(type(None), st.none(), True),
    Kind(bytearray, st.binary().map(bytearray), False),
    Kind(range, st.builds(range, st.integers(-9, 9), st.integers(-9, 9)), True),
    Kind(datetime.date, st.dates(), True),
    Kind(datetime.datetime, st.datetimes(timezones=st.just(datetime.UTC)), True),
    Kind(datetime.time, st.times(), True),
    Kind(datetime.timedelta, st.timedeltas(), True),
    Kind(decimal.Decimal, st.decimals(allow_nan=False), False),
    Kind(fractions.Fraction, st.fractions(), True),
    Kind(uuid.UUID, st.uuids(), True),
    Kind(ipaddress.IPv4Address, st.ip_addresses(v=4), True),
    Kind(pathlib.Path, st.sampled_from([pathlib.Path("a"), pathlib.Path("/b/c")]), True),
    Kind(Color, st.sampled_from(Color), True),
    Kind(Rights, st.sampled_from([*Rights, Rights(3), Rights(0)]), True),
    Kind(Point, st.builds(Point, st.integers(), st.integers()), True),
    Kind(Cup, st.builds(Cup, st.integers(), st.lists(st.text("ab"))), False),
    Kind(Dish, st.builds(Dish, st.text("ab"), st.floats()), False),
]


def lists(item: Kind) -> Kind:
    def spoil(data: st.DataObject, raw: Any) -> tuple[Any, str]:
        if not raw:
            return ODD, ""
        place = data.draw(st.integers(0, len(raw) - 1))
        wrong, path = item.spoil(data, raw[place])
        return [*raw[:place], wrong, *raw[place + 1 :]], f"[{place}]{path}"

    return Kind(list[item.annotation], st.lists(item.values, max_size=4), False, spoil)


def deques(item: Kind) -> Kind:
    return Kind(deque[item.annotation], st.lists(item.values, max_size=3).map(deque), False)


def long_tuples(item: Kind) -> Kind:
    values = st.lists(item.values, max_size=3).map(tuple)
    return Kind(tuple[item.annotation, ...], values, item.is_key)


def optionals(item: Kind) -> Kind:
    def spoil(data: st.DataObject, raw: Any) -> tuple[Any, str]:
        return (ODD, "") if raw is None else item.spoil(data, raw)

    annotation = Optional[item.annotation]  # noqa: UP045  # it may be None itself
    return Kind(annotation, st.none() | item.values, item.is_key, spoil)


def sets(item: Kind) -> Kind:
    kind = item if item.is_key else LEAVES[0]
    return Kind(set[kind.annotation], st.sets(kind.values, max_size=3), False)


def dicts(items: tuple[Kind, Kind]) -> Kind:
    key, item = items
    key = key if key.is_key else LEAVES[1]

    def spoil(data: st.DataObject, raw: Any) -> tuple[Any, str]:
        return {**raw, ODD: 1}, " key an object of class Odd"

    values = st.dictionaries(key.values, item.values, max_size=3)
    return Kind(dict[key.annotation, item.annotation], values, False, spoil)


def tuples(items: tuple[Kind, Kind]) -> Kind:
    def spoil(data: st.DataObject, raw: Any) -> tuple[Any, str]:
        place = data.draw(st.integers(0, 1))
        wrong, path = items[place].spoil(data, raw[place])
        whole = [*raw]
        whole[place] = wrong
        return tuple(whole), f"[{place}]{path}"

    annotation = tuple[items[0].annotation, items[1].annotation]  # type: ignore[name-defined]
    values = st.tuples(items[0].values, items[1].values)
    return Kind(annotation, values, items[0].is_key and items[1].is_key, spoil)


def pairs(items: tuple[Kind, Kind]) -> Kind:
    left, right = items
    cls: Any = dataclass(
        type(
            "Pair",
            (),
            {"__annotations__": {"left": left.annotation, "right": right.annotation}},
        )
    )

    def spoil(data: st.DataObject, raw: Any) -> tuple[Any, str]:
        if not isinstance(raw, Record):
            return ODD, ""
        name, kind = data.draw(st.sampled_from([("left", left), ("right", right)]))
        fields = record_fields(raw)
        wrong, path = kind.spoil(data, fields[name])
        return Record("Pair", **{**fields, name: wrong}), f".{name}{path}"

    return Kind(cls, st.builds(cls, left.values, right.values), False, spoil)


KINDS = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.one_of(
        *(inner.map(make) for make in (lists, long_tuples, deques, sets, optionals)),
        *(st.tuples(inner, inner).map(make) for make in (dicts, tuples, pairs)),
    ),
    max_leaves=6,
)


def plain(value: Any) -> Any:
    """Return objects with fields as their fields, so that what is equal can be compared."""
    if isinstance(value, (list, tuple, deque)) and not hasattr(value, "_fields"):
        return (type(value).__name__, [plain(each) for each in value])
    if isinstance(value, dict):
        return [(plain(key), plain(item)) for key, item in value.items()]
    if isinstance(value, (set, frozenset)):
        return (type(value).__name__, sorted(repr(plain(each)) for each in value))
    if type(value).__name__ == "Pair":
        return ("Pair", type(value), plain(value.left), plain(value.right))
    return (type(value), repr(value))


@given(st.data())
def test_what_is_sent_is_what_arrives(data: st.DataObject) -> None:
    kind = data.draw(KINDS)
    value = data.draw(kind.values)
    value_type = compiled(kind.annotation)
    value_type.check(value)
    found = value_type.convert(decoded(encoded(value)))
    assert plain(found) == plain(value)
    value_type.check(found)


@given(st.data())
def test_what_is_wrong_is_found_where_it_is(data: st.DataObject) -> None:
    kind = data.draw(KINDS)
    raw = decoded(encoded(data.draw(kind.values)))
    wrong, path = kind.spoil(data, raw)
    with pytest.raises(WrongValue) as caught:
        compiled(kind.annotation).convert(wrong, "it")
    assert str(caught.value).startswith(f"it{path}: ")
    assert str(caught.value).endswith("got an object of class Odd")


@given(st.lists(st.integers() | st.floats(allow_nan=False) | st.text(), min_size=1))
def test_a_column_is_right_where_each_of_its_values_is(column: list[object]) -> None:
    each = [same_or_error(float, part) for part in column]
    whole = same_or_error(list[float], column)
    if any(isinstance(part, str) for part in each):
        assert isinstance(whole, str)
        place = next(place for place, part in enumerate(each) if isinstance(part, str))
        assert whole.startswith(f"it[{place}]")
    else:
        assert same(whole, each)


def same_or_error(annotation: Any, raw: object) -> object:
    """Return what a value is converted to, or the sentence."""
    try:
        return compiled(annotation).convert(raw, "it")
    except WrongValue as problem:
        return str(problem)


@given(st.integers(0, 2 * SLICE), st.integers(SLICE, 3 * SLICE))
def test_one_wrong_value_among_many_is_found(place: int, size: int) -> None:
    column: list[object] = [1] * max(size, place + 1)
    column[place] = "x"
    assert same_or_error(list[int], column) == f"it[{place}]: expected int, got str 'x'"
