"""Classes with fields: built from records and dicts with exactly their fields."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NotRequired, TypedDict

import pytest

from tests.values.classes import Item, Movie, Point, complaint, converted, objection, point, same
from txremote.wire.record import Record


def test_a_dataclass_comes_from_a_record_of_its_name() -> None:
    wanted = Item("tea", Decimal(1), ["hot"])
    assert converted(Item, Record("Item", name="tea", price=Decimal(1), tags=["hot"])) == wanted
    assert converted(Item, {"name": "tea", "price": Decimal(1), "tags": ["hot"]}) == wanted


def test_fields_with_a_default_may_be_missing_in_some() -> None:
    raw = [
        Record("Item", name="a", price=Decimal(1)),
        Record("Item", price=Decimal(2), tags=["x"], name="b"),
        {"name": "c", "price": Decimal(3)},
        Item("d", Decimal(4)),
    ]
    assert converted(list[Item], raw) == [
        Item("a", Decimal(1)),
        Item("b", Decimal(2), ["x"]),
        Item("c", Decimal(3)),
        Item("d", Decimal(4)),
    ]


def test_records_of_very_many_shapes_take_no_longer() -> None:
    names = [f"f{place}" for place in range(14)]
    cls = dataclasses.make_dataclass("Many", [(name, int, 0) for name in names])
    raw = [
        {name: 1 for place, name in enumerate(names) if number >> place & 1}
        for number in range(2**14)
    ]
    begun = time.process_time()
    found: Any = converted(list[cls], raw)  # type: ignore[valid-type]
    assert time.process_time() - begun < 5
    assert found[5] == cls(f0=1, f2=1)


def test_other_fields_and_other_names_are_refused() -> None:
    assert complaint(Item, Record("Item", name="a")) == "it: field 'price' of Item is missing"
    extra = Record("Item", name="a", price=Decimal(1), colour="red")
    assert complaint(Item, extra) == "it: Item has no field 'colour'"
    assert (
        complaint(Item, {"name": "a", 3: 4, "price": Decimal(1)}) == "it: Item has no field int 3"
    )
    assert complaint(Item, Record("Thing", name="a", price=Decimal(1))) == (
        "it: expected Item, got a record Thing"
    )
    assert complaint(Point, Record("Point", x=1, y=2)) == "it: expected Point, got a record Point"


def test_a_subclass_is_refused() -> None:
    class Special(Item):
        pass

    @dataclass
    class Extended(Item):
        more: int = 0

    for cls in (Special, Extended):
        own = cls("a", Decimal(1))
        assert objection(Item, own) == f"it: expected Item, got an object of class {cls.__name__}"
        complaint(Item, own)


def test_named_tuples() -> None:
    assert same(
        converted(list[Point], [point(1, 2), point(3), (4, 5)]),
        [(1, 2)] * 0 or [Point(1, 2), Point(3), Point(4, 5)],
    )
    assert complaint(Point, (1,)) == "it: expected Point, got a tuple of 1"
    assert complaint(Point, point(1, "a")) == "it.y: expected int, got str 'a'"


def test_typed_dicts() -> None:
    assert same(converted(Movie, {"year": 1, "title": "a"}), {"year": 1, "title": "a"})
    assert complaint(Movie, {"title": "a"}) == "it: field 'year' of Movie is missing"
    assert complaint(Movie, {"title": "a", "year": "b"}) == "it['year']: expected int, got str 'b'"
    assert objection(Movie, {"title": 1, "year": 1}) == "it['title']: expected str, got int 1"

    class Partial(TypedDict, total=False):
        a: int
        b: float

    raw: list[object] = [{}, {"b": 1}, {"b": 2, "a": 1}]
    assert same(converted(list[Partial], raw), [{}, {"b": 1.0}, {"b": 2.0, "a": 1}])


def test_some_keys_of_a_typed_dict_need_not_be_there() -> None:
    found: Any = converted(list[Noted], [{"text": "a"}, {"note": 1, "text": "b"}])
    assert found == [{"text": "a"}, {"note": 1, "text": "b"}]


class Noted(TypedDict):
    text: str
    note: NotRequired[int]


@dataclass(frozen=True, slots=True)
class Kept:
    a: int
    total: float = field(init=False, default=0.0)
    b: int = field(default=1, kw_only=True)


def test_fields_that_the_constructor_does_not_take_are_set_afterwards() -> None:
    found: Any = converted(list[Kept], [{"a": 1, "b": 2, "total": 3}, {"a": 4}])
    assert [dataclasses.astuple(each) for each in found] == [(1, 3.0, 2), (4, 0.0, 1)]


@dataclass
class Positive:
    n: int

    def __post_init__(self) -> None:
        if self.n == 13:
            raise KeyError("thirteen")
        if self.n <= 0:
            raise ValueError("n must be positive")


def test_a_constructor_that_refuses_refuses_the_value() -> None:
    text = complaint(list[Positive], [{"n": 1}, {"n": 0}])
    assert text == "it[1]: Positive refuses its fields: n must be positive"
    with pytest.raises(KeyError):
        converted(Positive, {"n": 13})
