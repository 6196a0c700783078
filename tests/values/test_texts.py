"""What errors show of annotations and of values."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, Optional

import pytest

from tests.values.classes import Item
from txremote.values.texts import shown, text_of
from txremote.wire.record import Record


class Silent:
    """An object that must not be asked."""

    def __repr__(self) -> str:
        raise AssertionError("asked")

    __str__ = __repr__


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"),
        (3, "int 3"),
        (True, "bool True"),
        (1.5, "float 1.5"),
        ("x", "str 'x'"),
        (b"x", "bytes b'x'"),
        ([1], "a list of 1"),
        ({}, "a dict of 0"),
        (Decimal("1.0"), "Decimal 1.0"),
        (date(2020, 1, 2), "date 2020-01-02"),
        (Record("Item", a=1), "a record Item"),
        (Silent(), "an object of class Silent"),
    ],
)
def test_what_came_is_shown_without_asking_it(value: object, text: str) -> None:
    assert shown(value) == text


def test_what_is_long_is_cut() -> None:
    assert len(shown("x" * 10**6)) < 100
    assert len(shown(Decimal("1" * 10**5))) < 100
    assert shown(10**5000) == "an int of 16610 bits"


def test_an_annotation_that_doubles_at_each_level_is_cut() -> None:
    annotation: Any = int
    for _ in range(25):  # each as long as two of the one before
        annotation = tuple[annotation, annotation]
    assert len(text_of(annotation)) < 10_000
    assert len(text_of(list[annotation | None])) < 10_000


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (int, "int"),
        (None, "None"),
        (list[Item], "list[Item]"),
        (Optional[Item], "Item | None"),  # noqa: UP045
        (dict[str, int | None], "dict[str, int | None]"),
        (tuple[int, ...], "tuple[int, ...]"),
        (Literal["a", 1], "Literal['a', 1]"),
        (Annotated[int, "x"], "int"),
        (Callable[[int], str], "Callable[[int], str]"),
        (Any, "Any"),
        ("Item", "Item"),
        ("'Item'", "Item"),
        ("Literal['a'] | 'Item'", "Literal['a'] | 'Item'"),
    ],
)
def test_annotations_read_as_they_are_written(annotation: Any, text: str) -> None:
    assert text_of(annotation) == text
