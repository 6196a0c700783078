"""
What is decoded in slices is what is decoded at once, and no slice is long.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings, strategies as st

from tests.builds import interpreted_only
from tests.examples import examples
from tests.wire.values import COLLIDING, VALUES, canon
from txremote.errors import RemoteProtocolError
from txremote.wire import slices
from txremote.wire.boxing import TUPLE_HEAD, VALUE_HEAD, unbox
from txremote.wire.brine import Budget, dump, load_value, tuple_head
from txremote.wire.keys import PROMISE_HEAD, REMOTE_REF_HEAD
from txremote.wire.limits import DEFAULT_LIMITS, Limits
from txremote.wire.slices import SLICE, decoded_in_slices, in_one_go

DEPTH = DEFAULT_LIMITS.max_depth
REFUSED = (RemoteProtocolError, LookupError, struct.error)


class Tables:
    """References are their keys."""

    def box_reference(self, value: Any) -> bytes:
        raise NotImplementedError

    def unbox_local(self, key: bytes) -> Any:
        return ("local", key)

    def unbox_remote(self, key: bytes) -> Any:
        return ("remote", key)

    def unbox_promise(self, number: int) -> Any:
        return ("promise", number)


def outcome(decode: Callable[[], tuple[Any, int]], size: int) -> Any:
    """What a decoder makes of a payload, in a form that can be compared."""
    try:
        value, end = decode()
    except REFUSED:
        return "refused"
    return canon(value) if end == size else ("an end elsewhere", end)


def agree(data: bytes, boxed: bool = False, limits: Limits = DEFAULT_LIMITS) -> Any:
    """Check that both ways agree, with slices of any length, and return the outcome."""
    size = len(data)

    def steps() -> Any:
        budget = Budget(limits, size)
        return decoded_in_slices(data, 0, DEPTH, budget, Tables() if boxed else None)

    if boxed:
        at_once = outcome(lambda: unbox(data, 0, DEPTH, Budget(limits, size), Tables()), size)
    else:
        at_once = outcome(lambda: load_value(data, 0, DEPTH, Budget(limits, size)), size)
    for few in (1, 3, SLICE):
        with mock.patch.object(slices, "SLICE", few):
            assert outcome(lambda: in_one_go(steps()), size) == at_once
    return at_once


def box(value: Any) -> bytes:
    """A value as RPyC boxes it, bytes in it taken for references."""
    if type(value) is bytes:
        return REMOTE_REF_HEAD + dump((value.decode("latin-1") or "x", 1, 2))
    if type(value) is tuple:
        return TUPLE_HEAD + tuple_head(len(value)) + b"".join(map(box, value))
    return VALUE_HEAD + dump(value)


CASES = settings(deadline=None, max_examples=examples(100))


@CASES
@given(VALUES)
def test_any_value(value: Any) -> None:
    assert agree(dump(value)) == canon(value)
    assert agree(VALUE_HEAD + dump(value), boxed=True) == canon(value)
    agree(box(value), boxed=True)


@CASES
@given(VALUES, st.data())
def test_any_value_with_some_bytes_changed_or_cut(value: Any, draw: st.DataObject) -> None:
    for data, boxed in ((dump(value), False), (box(value), True)):
        changed = bytearray(data)
        at = draw.draw(st.integers(0, len(data) - 1))
        changed[at] = draw.draw(st.one_of(st.integers(0, 0x1C), st.integers(0, 255)))
        agree(bytes(changed), boxed)
        agree(bytes(changed[:at]), boxed)


@CASES
@given(st.lists(st.one_of(st.integers(0, 0x1C), st.integers(0, 255)), max_size=40).map(bytes))
def test_random_bytes(data: bytes) -> None:
    agree(data)
    agree(data, boxed=True)


def test_results_of_calls() -> None:
    assert agree(PROMISE_HEAD + dump(7), boxed=True) == canon(("promise", 7))
    assert agree(PROMISE_HEAD + dump("7"), boxed=True) == "refused"


def test_limits_hold() -> None:
    few = Limits(max_items=10)
    assert agree(dump((0,) * 11), limits=few) == "refused"
    assert agree(dump(((0,) * 5, (0,) * 5)), limits=few) == "refused"
    assert agree(dump(frozenset(COLLIDING[:100]))) == "refused"
    assert agree(dump("a" * 20)) == canon("a" * 20)
    nested: Any = 1
    for _ in range(DEPTH):
        nested = (nested,)
    assert agree(dump(nested)) != "refused"
    assert agree(b"\x10" + dump(nested)) == "refused"


#: Ten times fewer than `SLICE`, for the length of a slice does not matter here.
FEW = SLICE // 10
MANY = 40 * FEW
SHAPES: dict[str, Callable[[], bytes]] = {
    "ints": lambda: tuple_head(MANY) + b"\x50" * MANY,
    "long ints": lambda: tuple_head(MANY) + b"\x16\x02\x34\x34" * MANY,
    "strs": lambda: tuple_head(MANY) + b"\x08\x0e\x01a" * MANY,
    "empty strs": lambda: tuple_head(MANY) + b"\x08\x01" * MANY,
    "pairs": lambda: tuple_head(MANY // 4) + (b"\x11" + b"\x50\x50") * (MANY // 4),
    "a tuple of tuples": lambda: (
        tuple_head(100) + (tuple_head(MANY // 100) + b"\x50" * (MANY // 100)) * 100
    ),
    "empty tuples": lambda: tuple_head(MANY) + b"\x02" * MANY,
    "huge ints": lambda: tuple_head(1_000) + dump(10**4000) * 1_000,
    "slices": lambda: tuple_head(MANY // 4) + b"\x19\x12\x50\x50\x50" * (MANY // 4),
    "a frozenset": lambda: dump(frozenset(range(MANY // 2))),
}


@interpreted_only
@pytest.mark.parametrize("name", SHAPES)
def test_no_slice_has_more_work_than_it_may(name: str) -> None:
    """The greatest count of values between two steps, however they are nested."""
    data = SHAPES[name]()
    counted = Counted(data)
    steps = decoded_in_slices(counted, 0, DEPTH, Budget(DEFAULT_LIMITS, len(data)), None)
    stretches = []
    with mock.patch.object(slices, "SLICE", FEW):
        for _ in steps:
            stretches.append(counted.looks)
            counted.looks = 0
    assert len(stretches) >= 9
    # each value is looked at a few times
    assert max(stretches) <= 6 * FEW


def test_references_are_more_work_than_values() -> None:
    count = 10_000
    data = TUPLE_HEAD + tuple_head(count) + (REMOTE_REF_HEAD + dump(("a.b", 1, 2))) * count
    steps = decoded_in_slices(data, 0, DEPTH, Budget(DEFAULT_LIMITS, len(data)), Tables())
    assert sum(1 for _ in steps) >= 7


class Counted(bytes):
    """Bytes that count how often one is looked at."""

    looks = 0

    def __getitem__(self, key: Any) -> Any:
        self.looks += 1
        return super().__getitem__(key)
