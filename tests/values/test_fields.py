"""The fields of classes of all makes."""

from __future__ import annotations

import dataclasses
from collections import namedtuple
from dataclasses import InitVar, dataclass
from typing import ClassVar

import attrs
import msgspec
import pytest

from tests.values.classes import Item, Movie, Point, complaint, converted, same
from txremote.values.compiling import value_type
from txremote.values.fields import fields_of, hints_of, kind_of
from txremote.wire.record import Record


@attrs.define
class Cup:
    size: int
    _owner: str = "me"
    marks: list[str] = attrs.field(factory=list, kw_only=True)
    late: int = attrs.field(default=0, init=False)


@attrs.frozen
class Checked:
    n: int = attrs.field(validator=attrs.validators.gt(0))


class Dish(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    price: float = 1.0


class Plate(msgspec.Struct):
    dish: Dish
    n: int = 1


def test_kinds() -> None:
    assert [*map(kind_of, (Item, Cup, Dish, Point, Movie, dict, str))] == [
        *("record", "record", "record", "namedtuple", "typeddict", None, None)
    ]


def test_attrs_classes() -> None:
    raw = Record("Cup", size=1, _owner="you", marks=["x"], late=3)
    found = converted(list[Cup], [raw, {"size": 2}])
    assert isinstance(found, list)
    assert [attrs.astuple(each) for each in found] == [(1, "you", ["x"], 3), (2, "me", [], 0)]
    assert complaint(Checked, {"n": 0}).startswith("it: Checked refuses its fields: ")


def test_structs() -> None:
    raw = Record("Plate", dish=Record("Dish", name="soup", price=2))
    assert same(converted(Plate, raw), Plate(Dish(name="soup", price=2.0)))
    wrong = Record("Plate", dish=Record("Dish", name="soup", price="x"))
    assert complaint(Plate, wrong) == "it.dish.price: expected float, got str 'x'"
    own = Plate(Dish(name=3))  # type: ignore[arg-type]
    assert complaint(Plate, own) == "it.dish.name: expected str, got int 3"


def test_a_class_with_arguments_for_its_constructor_only_is_no_value() -> None:
    @dataclass
    class Made:
        a: int
        scale: InitVar[int] = 1

    assert value_type(Made) is None


def test_class_variables_are_no_fields() -> None:
    @dataclass
    class Made:
        a: int
        count: ClassVar[int] = 0

    assert [field.name for field in fields_of(Made)] == ["a"]


def test_a_class_that_only_derives_from_a_dataclass_is_no_value() -> None:
    class Plain(Item):
        pass

    assert value_type(Plain) is None


def test_hints_of_base_classes_are_read() -> None:
    @dataclass
    class Extended(Item):
        more: int = 0

    assert hints_of(Extended, ["more", "name"]) == {"name": str, "more": int}


def test_named_tuples_without_hints() -> None:
    pair = namedtuple("Pair", "a b")
    fields = fields_of(pair)
    assert [(field.name, field.required) for field in fields] == [("a", True), ("b", True)]


@pytest.mark.parametrize("make", [dataclasses.make_dataclass, attrs.make_class])
def test_classes_without_a_module_are_read(make: object) -> None:
    assert callable(make)
    cls = make("Made", ["a"])
    assert value_type(cls) is not None
