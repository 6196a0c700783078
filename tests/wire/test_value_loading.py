"""
Bytes to extended values: the limits, and what is refused.
"""

from __future__ import annotations

import struct

import pytest

from tests.wire.extended import decoded, encoded
from tests.wire.values import COLLIDING
from txremote.errors import RemoteProtocolError
from txremote.wire.brine import dump
from txremote.wire.limits import Limits

WRONG = {
    "a shape that is not known": b"\xf0\x50",
    "a container that is not complete": b"\x1c\x10\xf2\x50",
    "a kind that is not known": b"\xf1\xef\x02",
    "a list without a count": b"\x1c\x50",
    "a dict with half a pair": b"\x1d\x10\x50",
    "an unhashable key": b"\x1d\x11\x1c\x02\x50",
    "an unhashable item": b"\x1e\x10\x1c\x02",
    "an item twice": b"\x1e\x11\x51\x51",
    "a key twice": b"\x1d\x13\x51\x50\x51\x50",
    "a record of an unknown kind": b"\x1f\x54" + dump("A") + b"\x02",
    "a record without a name": b"\x1f\x50\x50\x02",
    "a record of a strange name": b"\x1f\x50" + dump("a.b") + b"\x02",
    "a record of a strange field": b"\x1f\x50" + dump("A") + dump(("__class__",)) + b"\x50",
    "a record of a field twice": b"\x1f\x50" + dump("A") + dump(("a", "a")) + b"\x50\x50",
    "a record of an int for a field": b"\x1f\x50" + dump("A") + dump((1,)) + b"\x50",
    "a date of text": b"\xf1\x58" + dump(("a", 1, 1)),
    "a date that is none": b"\xf1\x58" + dump((2026, 13, 1)),
    "a date of a bool": b"\xf1\x58" + dump((2026, True, 1)),
    "colliding keys": b"\x1e" + dump(COLLIDING[:40]),
}


@pytest.mark.parametrize("data", WRONG.values(), ids=WRONG)
def test_a_wrong_payload_is_refused(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="byte"):
        decoded(data)


VALUE = encoded({"a": [1, 2.5, {"b": b"bytes"}], "c": {(1, "x" * 300), 10**20}})


@pytest.mark.parametrize("end", range(len(VALUE)))
def test_a_value_that_is_cut_is_refused(end: int) -> None:
    with pytest.raises((RemoteProtocolError, IndexError, struct.error)):
        decoded(VALUE[:end])


def test_a_shared_part_is_charged_wherever_it_is_named() -> None:
    part = [1] * 50
    data = encoded([part, *[part] * 9])
    assert decoded(data, limits=Limits(max_items=600))[9] == part
    with pytest.raises(RemoteProtocolError, match="max_items"):
        decoded(data, limits=Limits(max_items=500))


def test_a_shared_part_may_not_nest_deeper_by_being_named() -> None:
    data = b"\x14\x78\x1c\x02" + b"".join(b"\x1c\x10\xf2" + dump(n) for n in range(119))
    with pytest.raises(RemoteProtocolError, match="max_depth"):
        decoded(data)
    assert len(decoded(data, limits=Limits(max_depth=121))) == 120


def test_depth_and_count_are_bounded() -> None:
    with pytest.raises(RemoteProtocolError, match="max_depth"):
        decoded(b"\x1c\x10" * 101 + b"\x50")
    with pytest.raises(RemoteProtocolError, match="max_items"):
        decoded(encoded([0] * 50), limits=Limits(max_items=40))
    with pytest.raises(RemoteProtocolError, match="truncated"):
        decoded(b"\x1c\x15\x7f\xff\xff\xff")
