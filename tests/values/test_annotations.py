"""Reading annotations, each for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from txremote.values.annotations import annotations_of, resolved

if TYPE_CHECKING:
    from decimal import Decimal


class Owner:
    class Inner:
        pass

    def method(self, a: int, b: Decimal, c: Inner, d: Self, e: list[Owner]) -> None: ...


def test_each_is_resolved_by_itself() -> None:
    found = resolved(Owner.method, annotations_of(Owner.method), Owner)
    assert found == {
        "a": int,
        "c": Owner.Inner,
        "d": Owner,
        "e": list[Owner],
        "return": type(None),
    }


def test_names_of_an_enclosing_function_that_are_used_are_known() -> None:
    class Local:
        pass

    def function(a: Local) -> Any:
        return Local()

    assert resolved(function, annotations_of(function), None)["a"] is Local
