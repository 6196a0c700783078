"""
Bytes to extended values: the limits, and what is refused.
"""

from __future__ import annotations

import itertools
import re
import struct
import sys
import tracemalloc
import uuid
import zoneinfo
from array import array
from collections import Counter, OrderedDict, defaultdict, deque
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import PurePosixPath

import pytest

from tests.wire.extended import References, decoded, encoded
from tests.wire.values import COLLIDING
from txremote.errors import RemoteProtocolError
from txremote.wire.brine import dump
from txremote.wire.limits import Limits
from txremote.wire.record import Record

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


REFUSED = (RemoteProtocolError, IndexError, struct.error)
SHARED = [1]
#: Something of nearly every kind.
VALUE = [
    *({"a": [1, 2.5, {"b": b"bytes"}], "c": {(1, "x" * 300), 10**20}}, b"x" * 300),
    *(SHARED, SHARED, Record("A", a=1, b=[]), Record("A", a=2, b=()), 1j, slice(1, 2)),
    *(deque([1], 2), bytearray(b"a"), range(3), array("d", [1.5]), OrderedDict(a=1)),
    *(defaultdict(int, a=1), Counter("aa"), timedelta(1, 2, 3), timezone(timedelta(1) / 24, "X")),
    *(datetime(2026, 1, 2, 3, 4, 5, 6, zoneinfo.ZoneInfo("Europe/Berlin")), Decimal("1.5")),
    *(Fraction(1, 3), uuid.UUID(int=7), PurePosixPath("a/b"), ip_network("10.0.0.0/8")),
    *(re.compile("a|b"), frozenset({1, "a"}), object(), 10**300, -5000, "\u00e9", ...),
]
BYTES = encoded(VALUE)


def test_a_value_that_is_cut_anywhere_is_refused() -> None:
    for end in range(len(BYTES)):
        with pytest.raises(REFUSED):
            decoded(BYTES[:end])


def test_any_byte_of_a_value_may_be_any_other() -> None:
    """Each is refused, or another value: nothing else is raised."""
    for at, right in enumerate(BYTES):
        for wrong in {0, 2, 0x10, 0x1C, 0x51, 0xF1, 0xF2, 0xFF, right ^ 1}:
            try:
                decoded(BYTES[:at] + bytes([wrong]) + BYTES[at + 1 :])
            except REFUSED:
                pass


PARTS = [
    *(b"", b"\x00", b"\x02", b"\x03", b"\x50", b"\x51", b"\x10\x50", b"\x11\x50\x51", b"\xef"),
    *(b"\x08\x0a\xff", b"\x08\x0aa", b"\x0aa", b"\x0e\xff", b"\x0f\xff\xff\xff\xff", b"\x14\xff"),
    *(b"\x15\xff\xff\xff\xff", b"\x16\x01-", b"\x16\x02-1", b"\x16\x0a9999999999", b"\x17"),
    *(
        b"\x18",
        b"\x1c\x02",
        b"\x1d\x02",
        b"\x1e\x02",
        b"\x1f\x50\x08\x0aA\x02",
        b"\xf0\x50",
        b"\xf2\x50",
    ),
    *(b"\xf1\x50\x11\x02\x00", b"\x07" + b"\x12\x08\x0aa\x50\x50", b"\x09\x12\x08\x0aa\x50\x50"),
]


@pytest.mark.parametrize("tag", range(256))
def test_every_tag_with_every_payload_is_a_value_or_refused(tag: int) -> None:
    for one, other in itertools.product(PARTS, PARTS):
        for data in (one, one + other, other + one + other):
            try:
                decoded(bytes([tag]) + data, Keys())
            except REFUSED:
                pass


class Keys(References):
    def unbox_local(self, key: bytes) -> object:
        return key


BOMBS = {
    "lists": b"\x1c\x02",
    "dicts": b"\x1d\x11\x50\x50",
    "sets": b"\x1e\x10\x50",
    "frozensets": b"\x1a\x10\x50",
    "records": b"\xf0\x50",
    "new records": b"\x1f\x50\x08\x0aA\x02",
    "deques": b"\xf1\x50\x11\x02\x00",
    "bytearrays": b"\xf1\x51\x10\x01",
    "arrays": b"\xf1\x53\x12\x08\x0aB\x51\x01",
    "ordered dicts": encoded(OrderedDict({1: 1})),
    "counters": encoded(Counter({1: 1})),
    "addresses": encoded(ip_address("::1")),
    "networks": encoded(ip_network("::/0")),
    "interfaces": encoded(ip_interface("::1/0")),
    "paths": encoded(PurePosixPath("a")),
    "UUIDs": encoded(uuid.UUID(int=1)),
    "Decimals": encoded(Decimal(1)),
    "dates": encoded(datetime(2026, 1, 1)),
    "ranges": encoded(range(1)),
}


@pytest.mark.parametrize("name", BOMBS)
def test_what_a_payload_takes_is_bounded_by_its_count(name: str) -> None:
    """As many as there may be of each take at most some 150 bytes for an item."""
    limits = Limits(max_items=5_000)
    low, high = 1, limits.max_items
    head = b"\x1c\x11\x1f\x50\x08\x0aA\x02\x1c\x15"
    while low < high:  # how many there may be
        middle = (low + high + 1) // 2
        try:
            decoded(head + struct.pack("!L", middle) + BOMBS[name] * middle, limits=limits)
            low = middle
        except RemoteProtocolError as problem:
            assert problem.limit == "max_items"
            high = middle - 1
    data = head + struct.pack("!L", low) + BOMBS[name] * low
    tracemalloc.start()
    try:
        value = decoded(data, limits=limits)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(value[1]) == low
    assert peak < 150 * limits.max_items + len(data), peak / limits.max_items


@pytest.mark.parametrize("opening", ["1c10", "1d1150", "1010", "f15010", "1f5008 0a41 10080a61"])
def test_no_nesting_is_deeper_than_it_may_be(opening: str) -> None:
    data = bytes.fromhex(opening) * 200
    with pytest.raises(RemoteProtocolError) as caught:
        decoded(data)
    assert caught.value.limit == "max_depth"


@pytest.mark.parametrize("tag", [0x1C, 0x1D, 0x1E])
def test_a_count_takes_no_memory_before_its_items_are_there(tag: int) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(REFUSED):
            decoded(bytes([tag]) + b"\x15\x00\x1e\x00\x00" + b"\x50" * 100)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_nothing_is_imported_and_no_class_is_looked_for() -> None:
    before = set(sys.modules)
    for name in ("Popen", "Record", "str", "Counter", "TestCase"):
        found = decoded(encoded([Record(name, args="ls"), Record(name, cls="antigravity")]))
        assert {type(each) for each in found} == {Record}
    assert set(sys.modules) == before


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
