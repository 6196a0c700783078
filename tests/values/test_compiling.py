"""What annotations say."""

from __future__ import annotations

import re
import sys
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, NewType, Protocol, TypeAlias, TypeVar, Union

import pytest
from zope.interface import Interface

from tests.values.classes import Item, Tree, complaint, converted
from tests.wire.extended import sent
from txremote.errors import WrongValue
from txremote.values.compiling import register_package, value_type
from txremote.values.leaves import InstanceType
from txremote.values.planning import call_plan
from txremote.values.registry import register_value

T = TypeVar("T")
N = TypeVar("N", int, str)
B = TypeVar("B", bound=int)
UserId = NewType("UserId", int)


class Plain:
    pass


class Duck(Protocol):
    def quack(self) -> None: ...


class IShop(Interface):  # type: ignore[misc]
    pass


@dataclass
class Box(Generic[T]):
    item: T
    more: list[T]


@pytest.mark.parametrize(
    "annotation",
    [
        Any,
        object,
        Plain,
        Duck,
        IShop,
        T,
        Callable[[int], int],
        Iterator[int],
        type,
        type[int],
        "int",
        3,
    ],
)
def test_what_stands_for_a_reference(annotation: Any) -> None:
    assert value_type(annotation) is None


def test_new_types_and_type_variables() -> None:
    assert converted(list[UserId], [1]) == [1]
    complaint(UserId, "x")
    complaint(N, 1.5)
    assert converted(N, "a") == "a"
    complaint(B, "a")


def test_generic_dataclasses() -> None:
    assert converted(Box[float], {"item": 1, "more": [2]}) == Box(1.0, [2.0])
    assert (
        complaint(Box[int], {"item": 1, "more": ["a"]}) == "it.more[0]: expected int, got str 'a'"
    )
    assert complaint(Box[Box[int]], {"item": {"item": "x", "more": []}, "more": []}).startswith(
        "it.item.item: expected int"
    )
    own = Box("anything", [])
    assert converted(Box, own) is own


def test_a_class_may_hold_objects_of_its_own() -> None:
    raw = {"label": "a", "branches": [{"label": "b", "branches": []}], "best": {"label": "c"}}
    assert converted(Tree, raw) == Tree("a", [Tree("b")], Tree("c"))


def test_classes_of_the_standard_library_with_arguments() -> None:
    assert converted(re.Pattern[str], re.compile("a")) == re.compile("a")
    assert converted(array, array("i", [1])) == array("i", [1])


def test_a_package_may_bring_value_types_of_its_own() -> None:
    name = __name__.partition(".")[0]
    register_package(
        name,
        lambda cls: InstanceType("Plain", lambda x: type(x) is Plain) if cls is Plain else None,
    )
    try:
        own = Plain()
        assert converted(list[Plain], [own]) == [own]
        assert complaint(Plain, 3) == "it: expected Plain, got int 3"
    finally:
        register_package(name, lambda cls: None)


def test_a_class_with_a_dump_and_a_load_is_a_value_from_then_on() -> None:
    class Money:
        pass

    def pay(amount: Money) -> None:
        pass

    pay.__annotations__["amount"] = Money  # which a str cannot name from within a function
    assert value_type(Money) is None
    assert call_plan(pay) is None
    register_value(Money, lambda money: 1, lambda raw: Money(), f"{__name__}.Money")
    own = Money()
    assert converted(list[Money], [own]) == [own]
    assert complaint(Money, 3) == "it: expected Money, got int 3"
    assert call_plan(pay) is not None


def test_an_annotation_that_doubles_at_each_level_is_compiled() -> None:
    annotation: Any = int
    for _ in range(60):
        annotation = tuple[annotation, annotation]
    raw: Any = 3
    for _ in range(60):
        raw = (raw, raw)
    assert value_type(annotation) is not None
    assert type(converted(annotation, raw)) is tuple


def test_a_class_is_compiled_once() -> None:
    first, second = value_type(Item), value_type(Item)
    assert first is second


Json: TypeAlias = "dict[str, Json] | list[Json] | int | str | None"
Boxes = Union[list["Boxes"], dict[str, "Boxes"], Item]  # noqa: UP007  # a str has no |
One = Union[list["Other"], int]  # noqa: UP007
Other = Union[dict[str, "One"], str]  # noqa: UP007


@dataclass
class Shelf:
    boxes: Boxes
    note: Json = None


def keep(boxes: Boxes, note: Json, one: One, shelf: Shelf | None = None) -> None: ...


def test_an_alias_that_names_itself_is_checked_at_any_depth() -> None:
    """In a function's annotation and in that of a field."""
    plan = call_plan(keep)
    assert plan is not None
    boxes = [[{"a": [Item("tea", Decimal(1))]}]]
    note = {"a": [[{"b": [1, "x", None]}]]}
    one = [{"a": [{"b": 3}, "x"]}]
    args, _kwargs = plan.convert((sent(boxes), note, one, sent(Shelf(boxes, note))), {})
    assert args == (boxes, note, one, Shelf(boxes, note))
    for wrong, path in [
        (([[["tea"]]], None, 1), r"boxes\[0\]\[0\]\[0\]: expected Boxes, got str 'tea'"),
        ((boxes, {"a": [[1.5]]}, 1), r"note\['a'\]\[0\]\[0\]: expected .*, got float 1\.5"),
        (
            (boxes, None, [{"a": [{"b": 1.5}]}]),
            r"one\[0\]\['a'\]\[0\]\['b'\]: expected One, got float",
        ),
        ((boxes, None, 1, {"boxes": [[5]]}), r"shelf\.boxes\[0\]\[0\]: expected Boxes"),
    ]:
        with pytest.raises(WrongValue, match=path):
            plan.convert(wrong, {})


NEW_SYNTAX = """
from __future__ import annotations
from dataclasses import dataclass
from decimal import Decimal

type Tree = int | list[Tree]
type Named[T] = dict[str, T]
type Plain = object
type Endless[T] = list[Endless[list[T]]]

@dataclass
class Box[T]:
    item: T

def put(tree: Tree, named: Named[float], box: Box[int], plain: Plain) -> None: ...

def endless(a: Endless[int], n: int) -> None: ...

def first[T: int](items: list[T]) -> T: ...
"""


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the type statement came with Python 3.12")
def test_type_aliases_and_type_parameters() -> None:
    names: dict[str, Any] = {"__name__": __name__}
    exec(NEW_SYNTAX, names)
    plan = call_plan(names["put"])
    assert plan is not None
    assert [*plan.types] == ["tree", "named", "box"]
    args = ([1, [2, []]], {"a": 1}, {"item": 3}, 0)
    assert plan.convert(args, {})[0] == ([1, [2, []]], {"a": 1.0}, names["Box"](3), 0)
    with pytest.raises(WrongValue, match=r"^tree\[1\]\[0\]: expected Tree|^tree"):
        plan.convert(([1, ["x"]],), {})
    endless = call_plan(names["endless"])
    assert endless is not None
    assert [*endless.types] == ["n"]
    first = call_plan(names["first"])
    assert first is not None
    assert first.result is not None
    assert first.convert(([1],), {}) == (([1],), {})
