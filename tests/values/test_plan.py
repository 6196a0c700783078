"""The plan of one function at work."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.values.classes import Item
from txremote.errors import WrongValue
from txremote.values.plan import CallPlan, fetched
from txremote.values.planning import call_plan
from txremote.wire.record import Record


class Reference:
    """Stands for a reference of either facet."""


def is_reference(value: object) -> bool:
    return type(value) is Reference


def put(
    item: Item, both: tuple[list[int], Item], free: object, *rest: int, **more: int | Reference
) -> Item:
    return item


def plan() -> CallPlan:
    found = call_plan(put)
    assert found is not None
    return found


RAW = Record("Item", name="tea", price=Decimal(1))
TEA = Item("tea", Decimal(1))


def test_arguments_are_converted_by_position_and_by_name() -> None:
    assert plan().convert((RAW, ([1], RAW), RAW, 3), {"k": 4}) == (
        (TEA, ([1], TEA), RAW, 3),
        {"k": 4},
    )
    assert plan().convert((), {"item": RAW, "free": RAW}) == ((), {"item": TEA, "free": RAW})


def test_arguments_that_do_not_fit_the_function_are_left_to_it() -> None:
    assert plan().convert((), {}) == ((), {})
    found = call_plan(lambda: None)
    assert found is None


@pytest.mark.parametrize(
    ("args", "kwargs", "text"),
    [
        (("tea",), {}, "item: expected Item, got str 'tea'"),
        ((RAW, ([1], RAW), 0, 1, "2"), {}, "rest[1]: expected int, got str '2'"),
        ((), {"item": 3}, "item: expected Item, got int 3"),
        ((), {"free": 3, "other": 5, "item": 3}, "item: expected Item, got int 3"),
    ],
)
def test_the_path_begins_with_the_parameter(
    args: tuple[object, ...], kwargs: dict[str, object], text: str
) -> None:
    with pytest.raises(WrongValue) as caught:
        plan().convert(args, kwargs)
    assert str(caught.value) == text


def test_references_where_values_are_declared_are_found_and_replaced() -> None:
    one, two, three, four = (Reference() for _ in range(4))
    args: tuple[object, ...] = (one, (two, RAW), three)
    kwargs = {"k": four}
    places = plan().unfetched(args, kwargs, is_reference)
    assert [(place.value, place.path) for place in places] == [(one, "item"), (two, "both[0]")]
    done = fetched(args, kwargs, [(places[0], RAW), (places[1], [5])])
    assert done == ((RAW, ([5], RAW), three), kwargs)
    assert plan().convert(*done)[0][:2] == (TEA, ([5], TEA))


def test_results_are_checked() -> None:
    plan().check_result(TEA)
    with pytest.raises(WrongValue, match=r"^result\.price: expected Decimal, got int 1$"):
        plan().check_result(Item("tea", 1))  # type: ignore[arg-type]


def test_arguments_of_a_callback_are_checked() -> None:
    plan().check((TEA,), {})
    with pytest.raises(WrongValue, match=r"^item: expected Item"):
        plan().check((RAW,), {})
