"""Items of one type, packed: what comes back is what was given, and nothing else is taken."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, strategies as st

from txremote.errors import RemoteProtocolError
from txremote.wire.columns import LEAST, MOST_COLUMNS, packed, unpacked

ATOMS = [
    st.integers(),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.floats(),
    st.text(),
    st.booleans(),
    st.none(),
    st.binary(),
]


def same(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if type(one) is tuple:
        return len(one) == len(other) and all(map(same, one, other))
    if type(one) is float and math.isnan(one):
        return math.isnan(other)
    return bool(one == other) and repr(one) == repr(other)


@given(st.one_of([st.lists(kind, min_size=LEAST, max_size=40) for kind in ATOMS]))
def test_what_is_packed_comes_back_with_its_types(items: list[Any]) -> None:
    columns = packed(items)
    if columns is not None:
        assert same(unpacked(len(items), columns, 10_000), tuple(items))
    elif type(items[0]) is bool or items[0] is None or type(items[0]) is float:
        raise AssertionError("these are always packed")


@given(st.lists(st.tuples(*ATOMS[1:6]), min_size=LEAST, max_size=20))
def test_rows_come_back(items: list[Any]) -> None:
    columns = packed(items)
    if columns is not None:
        assert same(unpacked(len(items), columns, 10_000), tuple(items))


@pytest.mark.parametrize(
    "items",
    [
        [1] * (LEAST - 1),
        [1, "a"] * LEAST,
        [1, True] * LEAST,
        [1 << 63] * LEAST,
        ["a\0b"] * LEAST,
        ["\udc80"] * LEAST,
        [b"bytes"] * LEAST,
        [(1,), (1, 2)] * LEAST,
        [()] * LEAST,
        [(1, [])] * LEAST,
        [(0,) * (MOST_COLUMNS + 1)] * LEAST,
        [[]] * LEAST,
    ],
)
def test_what_does_not_fit_is_left_to_brine(items: list[Any]) -> None:
    assert packed(items) is None


@pytest.mark.parametrize(
    ("count", "columns"),
    [
        (2, ()),
        (2, 5),
        (2, ("b",)),
        (2, ("b", b"1")),
        (2, ("b", b"123")),
        (2, ("h", b"12")),
        (2, ("z", b"12")),
        (2, ("u", b"12345678")),
        (2, ("d", bytearray(16))),
        (2, (b"b", b"12")),
        (2, ("s", b"a")),
        (2, ("s", b"a\0b\0c")),
        (2, ("s", b"\xff\0b")),
        (2, ("t", b"\0\2")),
        (2, ("n", b"12")),
        (2, (("b", b"12"), ("b", b"1"))),
        (2, (("b", b"12"), 5)),
        (2, (("b", b"12"),) * (MOST_COLUMNS + 1)),
    ],
)
def test_what_is_not_as_it_says_is_refused(count: int, columns: object) -> None:
    with pytest.raises(RemoteProtocolError, match="not as they are said to be"):
        unpacked(count, columns, 10_000)


@pytest.mark.parametrize("columns", [("n", b""), (("n", b""), ("n", b""))])
def test_items_without_data_are_bounded_as_all_values_are(columns: object) -> None:
    with pytest.raises(RemoteProtocolError, match="option max_items") as refused:
        unpacked(60_000 if len(columns) == 1 else 120_000, columns, 100_000)  # type: ignore[arg-type]
    assert refused.value.limit == "max_items"
