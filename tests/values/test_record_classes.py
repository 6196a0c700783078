"""The classes in the annotations of a function that are records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple, TypedDict

import msgspec

from txremote.values.planning import call_plan
from txremote.values.record_classes import record_classes


@dataclass
class Item:
    name: str


@dataclass
class Box:
    items: dict[str, list[Item]]
    other: Box | None = None


class Point(NamedTuple):
    item: Item


class Options(TypedDict):
    point: Point


class Money(msgspec.Struct):
    amount: int


def classes(function: Any) -> set[type]:
    plan = call_plan(function)
    assert plan is not None
    return record_classes(plan)


def test_classes_are_found_at_any_depth() -> None:
    """In each kind of annotation, and in those that hold themselves."""

    def boxes(box: Box) -> None: ...
    def union(value: tuple[Point, ...] | set[int] | None) -> None: ...
    def result() -> Annotated[list[Money], msgspec.Meta(max_length=3)]: ...  # type: ignore[empty-body]
    def items() -> Iterator[Item]: ...  # type: ignore[empty-body]
    def rest(*args: Money, **kwargs: Item) -> None: ...
    def callback(call: Callable[[Item], Money]) -> None: ...
    def options(given: Options) -> None: ...

    assert classes(boxes) == {Box, Item}
    assert classes(union) == {Point, Item}
    assert classes(result) == {Money}
    assert classes(items) == {Item}
    assert classes(rest) == {Money, Item}
    assert classes(callback) == {Item, Money}
    assert {Point, Item} <= classes(options)


def test_other_values_have_none() -> None:
    """Numbers, texts and containers of them."""

    def function(numbers: list[int], names: dict[str, str]) -> None: ...

    assert classes(function) == set()
