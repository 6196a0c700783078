"""Conversion and checking, and the search for the wrong value."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.values.classes import Item, Tree, compiled, complaint, converted, objection
from txremote.errors import WrongValue
from txremote.values.nodes import SLICE
from txremote.wire.limits import DEFAULT_LIMITS
from txremote.wire.record import Record


def test_the_error_names_the_path_the_type_and_what_came() -> None:
    good = Record("Item", name="tea", price=Decimal(1), tags=["hot"])
    wrong = Record("Item", name="tea", price="x", tags=["hot"])
    text = complaint(list[Item], [good, good, good, wrong])
    assert text == "it[3].price: expected Decimal, got str 'x'"


def test_the_first_of_several_wrong_values_is_named() -> None:
    assert complaint(list[int], [1, "a", 2, "b", "c"]) == "it[1]: expected int, got str 'a'"
    assert complaint(dict[str, list[int]], {"a": [1], "b": [2, None]}) == (
        "it['b'][1]: expected int, got None"
    )


def test_a_wrong_value_is_found_among_very_many() -> None:
    many: list[object] = [*range(40_000)]
    many[34_567] = "x"
    assert complaint(list[int], many).startswith("it[34567]:")


def test_a_long_column_is_converted_in_slices() -> None:
    steps = compiled(list[int]).convert_in_slices([*range(10 * SLICE)])
    assert sum(1 for _ in steps) == 10


def test_parts_that_are_shared_stay_shared() -> None:
    part = Record("Tree", label="leaf", branches=[])
    whole: Any = converted(
        list[Tree], [part, Record("Tree", label="top", branches=[part], best=part)]
    )
    assert whole[0] is whole[1].best is whole[1].branches[0]
    inner = [1, 2]
    both: Any = converted(dict[str, list[int]], {"a": inner, "b": inner})
    assert both["a"] is both["b"]
    assert both["a"] is not inner


def test_shared_parts_take_no_time_each_time_they_come() -> None:
    raw: list[object] = []
    own = Tree("leaf")
    for _ in range(60):  # 2 ** 60 leaves
        raw = [raw, raw]
        own = Tree("twice", [own, own])
    annotation: Any = object
    for _ in range(61):
        annotation = list[annotation]
    converted(annotation, raw)
    compiled(Tree).check(own)


def test_a_value_that_holds_itself_is_checked_and_ends() -> None:
    own = Tree("top")
    own.branches.append(own)
    compiled(Tree).check(own)  # the encoder refuses it


def test_what_the_wire_lets_nest_is_converted() -> None:
    raw = Record("Tree", label="leaf")
    for _ in range(DEFAULT_LIMITS.max_depth):
        raw = Record("Tree", label="on", best=raw)
    found = converted(Tree, raw)
    compiled(Tree).check(found)
    wrong: object = "leaf"
    for _ in range(DEFAULT_LIMITS.max_depth):
        wrong = Record("Tree", label="on", best=wrong)
    assert complaint(Tree, wrong).endswith("something is wrong within Tree, further inside")
    many: object = Record("Tree", label="leaf")
    for _ in range(DEFAULT_LIMITS.max_depth // 2):
        many = Record("Tree", label="on", branches=[many])
    compiled(list[Tree | None]).convert([many])


def test_what_is_nested_too_deep_is_refused() -> None:
    own = Tree("leaf")
    for _ in range(20_000):
        own = Tree("on", best=own)
    assert objection(Tree, own) == "it: it is nested too deep, or holds itself"
    while own.best is not None:  # so that deleting it nests no deeper
        own = own.best


def test_objects_of_the_declared_class_are_looked_at() -> None:
    own = Item("tea", Decimal(1), ["hot"])
    assert converted(Item, own) is own
    wrong: Any = Item("tea", Decimal(1), [3])  # type: ignore[list-item]
    assert complaint(list[Item], [own, wrong]) == "it[1].tags[0]: expected str, got int 3"
    assert objection(list[Item], [own, wrong]) == "it[1].tags[0]: expected str, got int 3"


def test_a_check_takes_nothing_that_would_have_to_be_converted() -> None:
    compiled(list[Item]).check([Item("tea", Decimal(1))])
    for wrong in ((), [Record("Item", name="tea", price=Decimal(1))], [{"name": "tea"}]):
        with pytest.raises(WrongValue):
            compiled(list[Item]).check(wrong)
