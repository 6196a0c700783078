"""
Extended values, to bytes: what is kept, what is shared, what is refused.
"""

from __future__ import annotations

import datetime
import itertools
import struct
from collections import Counter, OrderedDict, defaultdict, deque
from decimal import Decimal
from fractions import Fraction
from ipaddress import IPv4Address
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings, strategies as st

from tests.examples import examples
from tests.wire.extended import References, decoded, encoded, sent
from tests.wire.extended_values import EXTENDED, canon
from txremote.errors import NotSendable
from txremote.wire.boxing import box_into, unbox
from txremote.wire.brine import Budget, dump, uncounted_budget
from txremote.wire.limits import DEFAULT_LIMITS, Limits
from txremote.wire.record import Record
from txremote.wire.values import AsValue


class Thing:
    """An object that goes by reference."""


def boxed(value: Any, references: References) -> bytes:
    out: list[bytes] = []
    box_into(out, value, references)
    return b"".join(out)


def unboxed(data: bytes, references: References, limits: Limits = DEFAULT_LIMITS) -> Any:
    value, end = unbox(data, 0, 100, Budget(limits, len(data)), references)
    assert end == len(data)
    return value


CONTAINERS = [
    [],
    [1, "two", None, True, 2.5, b"six", 10**30, "x" * 300],
    {},
    {"a": 1, "b": [2, {"c": {3}}], 4: None, (5, 6): "t"},
    set(),
    {1, "a", (2, 3), frozenset({4})},
    (1, [2], frozenset({3}), slice(1, None, 2), 1j, ..., NotImplemented),
    [[[]], ({},)],
]


@pytest.mark.parametrize("value", CONTAINERS, ids=lambda value: type(value).__name__)
def test_containers_arrive_as_they_are(value: Any) -> None:
    assert sent(value) == value
    assert type(sent(value)) is type(value)


@pytest.mark.parametrize("value", [(1, "a", b"b"), None, 5, frozenset({1, 2}), ((),)])
def test_what_brine_carries_has_the_bytes_of_brine(value: Any) -> None:
    assert encoded(value) == dump(value)


def test_the_order_of_a_dict_is_kept() -> None:
    assert list(sent({"z": 1, "a": 2, "m": 3})) == ["z", "a", "m"]


def test_a_shared_part_stays_shared() -> None:
    part = [1]
    found = sent([part, part, {"again": part}])
    assert found == [[1], [1], {"again": [1]}]
    assert found[0] is found[1] is found[2]["again"]


@pytest.mark.parametrize("kind", [list, dict])
def test_what_holds_itself_is_refused(kind: Any) -> None:
    value = kind()
    if kind is list:
        value.append((value,))
    else:
        value["me"] = [value]
    with pytest.raises(NotSendable, match=f"a {kind.__name__} that holds itself"):
        encoded(value)


def test_what_is_no_value_goes_by_reference() -> None:
    references = References()
    thing = Thing()
    found = sent({"thing": thing, "f": [print]}, references)
    assert found["thing"] is thing
    assert references.sent == [thing, print]


def test_a_value_is_boxed_where_it_is_marked() -> None:
    references = References()
    thing = Thing()
    data = boxed((AsValue([1, thing]), [2], AsValue(3)), references)
    assert references.sent == [thing, [2]]
    assert unboxed(data, references) == ([1, thing], [2], 3)
    data = boxed(AsValue({"a": 1}), references)
    assert data.startswith(b"\x11\x55\x1d")
    assert unboxed(data, references) == {"a": 1}


def test_a_marked_value_that_brine_carries_is_boxed_as_ever() -> None:
    for value in (None, True, 5, "a", b"b", 1.5, 2j, ..., NotImplemented):
        assert boxed(AsValue(value), References()) == boxed(value, References())


def test_a_marked_object_that_is_no_value_goes_by_reference() -> None:
    assert boxed(AsValue(print), References()) == boxed(print, References())


def test_a_mark_within_a_value_says_nothing_new() -> None:
    assert encoded([AsValue([1])]) == encoded([[1]])


@pytest.mark.parametrize("value", ["\ud800", [10**5000], {"a": "\udfff"}])
def test_what_no_text_carries_is_refused(value: Any) -> None:
    with pytest.raises(NotSendable):
        encoded(value)


def test_a_value_is_bounded_when_it_is_sent() -> None:
    deep: Any = 1
    for _ in range(DEFAULT_LIMITS.max_depth):
        deep = [deep]
    with pytest.raises(NotSendable, match="max_depth"):
        encoded(deep)
    wide: Any = [1] * 100
    for _ in range(4):
        wide = [wide] * 100
    with pytest.raises(NotSendable, match="max_items"):
        encoded(wide)
    wide = (1,) * 100
    for _ in range(4):
        wide = (wide,) * 100
    with pytest.raises(NotSendable, match="max_items"):
        encoded(wide)


def test_a_message_cannot_name_more_than_it_may_have_by_many_values() -> None:
    limits = Limits(max_items=3_000)
    one = AsValue([[1] * 90] * 20)
    references = References()
    data = boxed((one,), references)
    assert len(data) < limits.max_items
    assert unboxed(data, references, limits) == (one.value,)
    with pytest.raises(Exception, match="max_items"):
        unboxed(boxed((one, (one,)), references), references, limits)
    assert uncounted_budget(limits).items == limits.max_items


def test_values_are_equal_after_many_ways() -> None:
    value = {"a": [1, {2, 3}], "b": ({"c": None},)}
    assert decoded(encoded(decoded(encoded(value)))) == value


@settings(deadline=None, max_examples=examples(150))
@given(EXTENDED)
def test_a_value_of_every_type_in_each_other_arrives_as_it_is(value: Any) -> None:
    """Type and content, by the last bit: NaN's payload, -0.0, folds and zones as well."""
    assert canon(sent(value)) == canon(value)


@settings(deadline=None, max_examples=examples(100))
@given(st.integers(0, 2**64 - 1))
def test_every_float_keeps_its_bits(bits: int) -> None:
    [value] = struct.unpack("!d", bits.to_bytes(8, "big"))
    assert struct.pack("!d", sent([value])[0]) == bits.to_bytes(8, "big")


SUBCLASSES = [
    *(int, str, bytes, float, complex, tuple, list, dict, set, frozenset, deque, bytearray),
    *(OrderedDict, Counter, datetime.date, datetime.datetime, datetime.timedelta, datetime.time),
    *(Decimal, Fraction, PurePosixPath, IPv4Address, UUID),
]
ARGUMENTS: dict[type, tuple[Any, ...]] = {
    datetime.date: (2026, 1, 1),
    datetime.datetime: (2026, 1, 1),
    IPv4Address: ("10.0.0.1",),
    UUID: ("0" * 32,),
}


@pytest.mark.parametrize("base", SUBCLASSES, ids=lambda base: base.__name__)
def test_an_object_of_a_subclass_is_refused_wherever_it_stands(base: type) -> None:
    value = type("Sub", (base,), {})(*ARGUMENTS.get(base, ()))
    for place in (value, [value], {"a": value}, (value,), Record("A", a=value)):
        with pytest.raises(NotSendable, match=r"subclass of .* register_value"):
            encoded(place)


REFUSED = {
    "a surrogate": "\ud800",
    "an int of many digits": 10**5000,
    "a Decimal of many digits": Decimal("1" * 5000),
    "a zone of its own": datetime.datetime(
        2026, 1, 1, tzinfo=type("Zone", (datetime.tzinfo,), {})()
    ),
    "a subclass": type("Sub", (str,), {})("a"),
    "a factory of its own": defaultdict(lambda: 1),
}


@settings(deadline=None, max_examples=examples(60))
@given(st.sampled_from(sorted(REFUSED)), EXTENDED)
def test_what_cannot_be_kept_is_refused_beside_anything(name: str, beside: Any) -> None:
    for value in ([beside, REFUSED[name]], {"a": beside, "b": (REFUSED[name],)}):
        with pytest.raises(NotSendable):
            encoded(value)


def test_keys_that_collide_are_refused_by_the_sender_too() -> None:
    keys = list(itertools.product((-1, -2), repeat=5))  # which hash alike
    assert sent(set(keys[:16])) == set(keys[:16])
    for value in (set(keys), frozenset(keys), dict.fromkeys(keys)):
        with pytest.raises(NotSendable, match="equal hashes"):
            encoded(value)


def test_a_container_that_changes_while_it_is_sent_is_sent_as_it_was_or_refused() -> None:
    value: list[Any] = []

    class Node:
        pass

    class Changing(References):
        def box_reference(self, other: Any) -> bytes:
            value.append(5)
            return super().box_reference(other)

    value += [Node(), Node()]
    references = Changing()
    assert len(decoded(encoded(value, references), references)) == 2
