"""Constraints of msgspec and of annotated-types."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

import annotated_types as at
import pytest
from msgspec import Meta

from tests.values.classes import complaint, converted, same


@pytest.mark.parametrize(
    ("annotation", "right", "wrong"),
    [
        (Annotated[int, Meta(ge=0)], 0, -1),
        (Annotated[int, at.Ge(0)], 0, -1),
        (Annotated[int, at.Gt(0), at.Lt(10)], 5, 10),
        (Annotated[int, at.Interval(ge=0, le=3)], 3, 4),
        (Annotated[int, at.Le(2**70)], 2**70, 2**70 + 1),
        (Annotated[int, at.MultipleOf(3)], 9, 10),
        (Annotated[int | None, at.Ge(0)], None, -1),
        (Annotated[float, Meta(gt=0)], 2, 0),
        (Annotated[Decimal, at.Ge(Decimal(1))], Decimal(1), Decimal("0.5")),
        (Annotated[str, Meta(min_length=1, max_length=2)], "ab", "abc"),
        (Annotated[str, Meta(pattern="^[a-z]+$")], "ab", "a1"),
        (Annotated[str, at.Len(1, 2)], "ab", ""),
        (Annotated[str, at.Predicate(str.isdigit)], "12", "a"),
        (Annotated[list[int], Meta(max_length=2)], [1, 2], [1, 2, 3]),
        (Annotated[list[int], at.MinLen(1)], [1], []),
        (Annotated[tuple[int, ...], Meta(max_length=1)], (1,), (1, 2)),
        (Annotated[dict[str, int], Meta(min_length=1)], {"a": 1}, {}),
        (Annotated[set[int], at.MaxLen(1)], {1}, {1, 2}),
        (
            Annotated[datetime, Meta(tz=True)],
            datetime(2020, 1, 1, tzinfo=UTC),
            datetime(2020, 1, 1),
        ),
        (
            Annotated[datetime, at.Timezone(None)],
            datetime(2020, 1, 1),
            datetime(2020, 1, 1, tzinfo=UTC),
        ),
    ],
)
def test_constraints_hold(annotation: Any, right: object, wrong: object) -> None:
    found = converted(annotation, right)
    assert found == right
    assert same(converted(list[annotation], [right]), [found])
    assert complaint(annotation, wrong).startswith("it: expected ")
    assert complaint(list[annotation], [right, wrong]).startswith("it[1]: expected ")


def test_the_sentence_says_what_is_wanted() -> None:
    assert complaint(Annotated[int, Meta(ge=0)], -1) == "it: expected int >= 0, got int -1"
    assert complaint(Annotated[dict[str, int], Meta(min_length=1)], {}) == (
        "it: expected dict[str, int] of length >= 1, got a dict of 0"
    )
    assert complaint(Annotated[Decimal, at.Ge(1)], Decimal(0)) == (
        "it: expected Decimal >= 1, got Decimal 0"
    )


def test_an_item_of_a_constrained_list_is_found() -> None:
    assert complaint(Annotated[list[int], Meta(max_length=2)], [1, "a"]).startswith("it[1]:")


def test_what_is_no_constraint_is_passed_over() -> None:
    assert converted(Annotated[int, "a note"], 3) == 3
    assert converted(Annotated[int, Meta(title="a")], 3) == 3


def test_a_value_is_not_changed_by_being_checked() -> None:
    found: Any = converted(Annotated[list[Any], Meta(min_length=1)], [[1]])
    assert found == [[1]]
    assert converted(Annotated[bytes, Meta(max_length=9)], b"password") == b"password"
