"""Values that hold no others: nothing is changed on the way."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from ipaddress import IPv4Address
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any, Literal
from uuid import UUID

import pytest

from tests.values.classes import complaint, converted, same


class Level(IntEnum):
    LOW = 1


class Text(str):
    __slots__ = ()


class Real(float):
    pass


RIGHT: list[tuple[Any, object]] = [
    (int, 10**500),
    (str, "\ud800"),
    (bytes, b"\0"),
    (bytearray, bytearray(b"x")),
    (bool, True),
    (float, -0.0),
    (complex, 1j),
    (range, range(3)),
    (date, date(2020, 1, 2)),
    (datetime, datetime(2020, 1, 2, tzinfo=UTC)),
    (time, time(1, 2)),
    (timedelta, timedelta(1)),
    (Decimal, Decimal("1.10")),
    (Fraction, Fraction(1, 3)),
    (UUID, UUID(int=1)),
    (IPv4Address, IPv4Address("127.0.0.1")),
    (Path, Path("a")),
    (PurePath, PurePosixPath("a")),
    (Literal[1, "a"], 1),
]


@pytest.mark.parametrize(("annotation", "raw"), RIGHT)
def test_a_value_of_the_declared_type_is_handed_through(annotation: Any, raw: object) -> None:
    assert same(converted(annotation, raw), raw)


@pytest.mark.parametrize(
    ("annotation", "raw"),
    [
        (int, True),
        (int, 1.0),
        (int, "1"),
        (int, Level.LOW),  # msgspec makes 1 of it
        (bool, 1),
        (str, Text("x")),  # msgspec hands it through
        (str, b"x"),
        (float, Real(1)),
        (float, "1.0"),
        (float, True),
        (float, 2**60 + 1),  # msgspec rounds it
        (float, 10**400),
        (complex, "1j"),
        (bytes, "password"),  # msgspec decodes it as base64
        (bytes, bytearray(b"x")),
        (bytearray, b"x"),
        (date, datetime(2020, 1, 2)),
        (date, "2020-01-02"),
        (datetime, date(2020, 1, 2)),
        (Decimal, 1.1),
        (Decimal, "1.1"),
        (UUID, "00000000-0000-0000-0000-000000000001"),
        (timedelta, 3),
        (PurePosixPath, Path("a")),
        (Path, PureWindowsPath("a")),
        (PurePath, "a"),
        (Literal[1], True),
        (Literal[1], 2),
        (Literal["a"], ["a"]),
        (type(None), 0),
    ],
)
def test_what_would_have_to_be_changed_is_refused(annotation: Any, raw: object) -> None:
    assert complaint(annotation, raw).startswith("it: expected ")
    assert complaint(list[annotation], [raw]).startswith("it[0]: expected ")


def test_an_int_is_a_float_where_it_is_exact() -> None:
    assert complaint(float | None, 2**60 + 1) == (
        "it: expected float, which does not hold int 1152921504606846977 exactly"
    )
    assert complaint(float, 10**400) == (
        "it: expected float, which does not hold an int of 1329 bits exactly"
    )
    assert same(converted(list[float], [1, 2.5, -(2**60)]), [1.0, 2.5, -(2.0**60)])
    assert same(converted(complex, 3), 3 + 0j)
    assert math.isnan(converted(float, math.nan))  # type: ignore[arg-type]


def test_a_pure_path_of_this_system_is_a_path_where_that_is_declared() -> None:
    pure = type(PurePath())("a/b")
    for annotation in (Path, type(Path())):
        assert same(converted(annotation, pure), Path("a/b"))
        assert same(converted(list[annotation], [pure, Path("c")]), [Path("a/b"), Path("c")])
    assert same(converted(str | Path, pure), Path("a/b"))
    assert same(converted(Path | None, pure), Path("a/b"))


def test_a_path_is_a_pure_one_where_no_more_is_declared() -> None:
    pure = type(PurePath())("a/b")
    assert same(converted(PurePath, Path("a/b")), pure)
    assert same(converted(dict[str, PurePath], {"x": Path("a/b")}), {"x": pure})
