"""
A long extended value is decoded in slices to what it is in one go, and no slice is long.
"""

from __future__ import annotations

import struct
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings, strategies as st

from tests.examples import examples
from tests.wire.extended import References, encoded
from tests.wire.extended_values import EXTENDED, canon
from tests.wire.values import COLLIDING
from txremote.errors import RemoteProtocolError
from txremote.wire import slices
from txremote.wire.boxing import EXTENDED_HEAD, TUPLE_HEAD, unbox
from txremote.wire.brine import Budget, check_end, dump, tuple_head
from txremote.wire.limits import DEFAULT_LIMITS, Limits
from txremote.wire.record import Record
from txremote.wire.slices import SLICE, decoded_in_slices, in_one_go

REFUSED = (RemoteProtocolError, LookupError, struct.error)


class Taken(References):
    """References are their keys, and counted."""

    def unbox_local(self, key: bytes) -> Any:
        self.taken += 1
        return b"ours" + key

    def unbox_remote(self, key: bytes) -> Any:
        self.taken += 1
        return key


def outcome(data: bytes, limits: Limits, few: int = 0) -> Any:
    """What comes out, how many references were taken, and what is left of the allowance."""
    budget, references = Budget(limits, limits.max_items + 1), Taken()
    depth = limits.max_depth
    try:
        if few:
            with mock.patch.object(slices, "SLICE", few):
                value, end = in_one_go(decoded_in_slices(data, 0, depth, budget, references))
        else:
            value, end = unbox(data, 0, depth, budget, references)
        check_end(data, end)
    except REFUSED:
        return "refused"
    return canon(value), identities(value), references.taken, budget.items


def identities(value: Any) -> list[int]:
    """Number the lists of a value, in the order that they are met, by which is which."""
    met: dict[int, int] = {}

    def walk(part: Any) -> None:
        if type(part) in (list, tuple):
            if type(part) is list:
                order.append(met.setdefault(id(part), len(met)))
            for item in part:
                walk(item)

    order: list[int] = []
    walk(value)
    return order


def agree(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Any:
    """Check that both ways agree, with slices of any length, and return the outcome."""
    data = EXTENDED_HEAD + data
    at_once = outcome(data, limits)
    for few in (1, 3, SLICE):
        assert outcome(data, limits, few) == at_once
    return at_once


CASES = settings(deadline=None, max_examples=examples(60))


@CASES
@given(EXTENDED)
def test_any_value(value: Any) -> None:
    assert agree(encoded(value))[0] == canon(value)


@CASES
@given(EXTENDED, st.data())
def test_any_value_with_some_bytes_changed_or_cut(value: Any, draw: st.DataObject) -> None:
    data = encoded([value, {"a": 1}, [object()]])
    changed = bytearray(data)
    at = draw.draw(st.integers(0, len(data) - 1))
    changed[at] = draw.draw(st.one_of(st.integers(0, 0x1F), st.integers(0, 255)))
    agree(bytes(changed))
    agree(bytes(changed[:at]))


_BYTES = st.one_of(st.integers(0, 0x1F), st.integers(0xF0, 0xF2), st.integers(0, 255))


@CASES
@given(st.lists(_BYTES, max_size=40).map(bytes))
def test_random_bytes(data: bytes) -> None:
    agree(data)


LONG = {
    "many short records": [Record("A", a=i, b="x" * 10) for i in range(1_000)],
    "a long list in each item": [[list(range(6_000)), i] for i in range(4)],
    "a long dict of references": {i: object() for i in range(600)},
    "a long set": set(range(20_000)),
    "a long frozenset": frozenset(range(20_000)),
    "a record with a long field": Record("A", a=list(range(9_000)), b={"c": 1}),
    "what is shared": [[list(range(6_000))] * 3, [7]] * 5,
    "deep": [[[[[[list(range(6_000))]]]]], (1, [2])],
}


@pytest.mark.parametrize("name", LONG)
def test_a_long_value(name: str) -> None:
    assert agree(encoded(LONG[name])) != "refused"


def test_limits_hold_in_slices() -> None:
    part = list(range(6_000))
    assert agree(encoded([part, part]), Limits(max_items=13_000)) != "refused"
    assert agree(encoded([part, part]), Limits(max_items=12_000)) == "refused"
    assert agree(b"\x1c\x10" * 101 + b"\x50") == "refused"
    assert agree(b"\x1e" + dump(COLLIDING[:6_000])) == "refused"
    many = b"".join(b"\x1c\x10\xf2" + dump(n) for n in range(119))
    assert agree(b"\x14\x78\x1c\x02" + many) == "refused"


@pytest.mark.parametrize("name", ["ints", "records", "references", "a set", "a dict"])
def test_a_long_value_is_decoded_in_many_steps(name: str) -> None:
    few = SLICE // 10  # the length of a slice does not matter here
    count = 20 * few
    data = {
        "ints": lambda: b"\x1c" + tuple_head(count) + b"\x50" * count,
        "records": lambda: encoded([Record("A", a=i, b=None) for i in range(count // 6)]),
        "references": lambda: encoded([object()] * (count // 20)),
        "a set": lambda: encoded(set(range(count // 2))),
        "a dict": lambda: encoded(dict.fromkeys(range(count // 4))),
    }[name]()
    data = TUPLE_HEAD + tuple_head(1) + EXTENDED_HEAD + data
    budget = Budget(DEFAULT_LIMITS, DEFAULT_LIMITS.max_items + 1)
    with mock.patch.object(slices, "SLICE", few):
        steps = decoded_in_slices(data, 0, 100, budget, Taken())
        assert sum(1 for _ in steps) >= 15
