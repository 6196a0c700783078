"""
Brine: what brine carries, byte for byte, and that nothing else gets through.

One table drives both directions. The differential tests hold it against the
codec of the installed RPyC.
"""

from __future__ import annotations

import enum
import math
import struct
import sys
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from rpyc.core import brine as stock_brine

from tests.examples import examples
from tests.wire.values import COLLIDING, HASHABLE, VALUES, canon
from txremote.errors import NotSendable, RemoteProtocolError, TxRemoteError
from txremote.wire import brine
from txremote.wire.brine import (
    check_end,
    dump,
    dumpable,
    load,
    load_value,
    uncounted_budget,
)
from txremote.wire.limits import DEFAULT_LIMITS, Limits
from txremote.wire.undumpable import Undumpable

BRISK = settings(deadline=None, max_examples=examples(100))

# (value, its bytes), every tag at least once and every length where a head changes
CASES: list[tuple[Any, bytes]] = [
    (None, b"\x00"),
    (b"", b"\x01"),
    ((), b"\x02"),
    (True, b"\x03"),
    (False, b"\x04"),
    (NotImplemented, b"\x05"),
    (Ellipsis, b"\x06"),
    ("", b"\x08\x01"),
    ("a", b"\x08\x0aa"),
    ("ab", b"\x08\x0bab"),
    ("abc", b"\x08\x0cabc"),
    ("abcd", b"\x08\x0dabcd"),
    ("abcde", b"\x08\x0e\x05abcde"),
    ("\u00e9\u20ac\U0001f600\0", b"\x08\x0e\x0a" + "\u00e9\u20ac\U0001f600\0".encode()),
    ("x" * 255, b"\x08\x0e\xff" + b"x" * 255),
    ("x" * 256, b"\x08\x0f\x00\x00\x01\x00" + b"x" * 256),
    (b"a", b"\x0aa"),
    (b"ab", b"\x0bab"),
    (b"abc", b"\x0cabc"),
    (b"abcd", b"\x0dabcd"),
    (b"abcde", b"\x0e\x05abcde"),
    (b"x" * 255, b"\x0e\xff" + b"x" * 255),
    (b"x" * 256, b"\x0f\x00\x00\x01\x00" + b"x" * 256),
    ((1,), b"\x10\x51"),
    ((1, 2), b"\x11\x51\x52"),
    ((1, 2, 3), b"\x12\x51\x52\x53"),
    ((1, 2, 3, 4), b"\x13\x51\x52\x53\x54"),
    ((1, 2, 3, 4, 5), b"\x14\x05\x51\x52\x53\x54\x55"),
    ((None,) * 255, b"\x14\xff" + b"\x00" * 255),
    ((None,) * 256, b"\x15\x00\x00\x01\x00" + b"\x00" * 256),
    (((1, ("abcde", ())), b"x"), b"\x11\x11\x51\x11\x08\x0e\x05abcde\x02\x0ax"),
    (0, b"\x50"),
    (-48, b"\x20"),
    (159, b"\xef"),
    (-49, b"\x16\x03-49"),
    (160, b"\x16\x03160"),
    (2**64, b"\x16\x1418446744073709551616"),
    (10**254, b"\x16\xff1" + b"0" * 254),
    (10**255, b"\x17\x00\x00\x01\x001" + b"0" * 255),
    (-(10**254), b"\x17\x00\x00\x01\x00-1" + b"0" * 254),
    (1.5, b"\x18\x3f\xf8\x00\x00\x00\x00\x00\x00"),
    (-0.0, b"\x18\x80\x00\x00\x00\x00\x00\x00\x00"),
    (math.inf, b"\x18\x7f\xf0\x00\x00\x00\x00\x00\x00"),
    (math.nan, b"\x18\x7f\xf8\x00\x00\x00\x00\x00\x00"),
    (slice(1, 2, 3), b"\x19\x12\x51\x52\x53"),
    (slice(None, "ab", (7,)), b"\x19\x12\x00\x08\x0bab\x10\x57"),
    (frozenset(), b"\x1a\x02"),
    (frozenset({5}), b"\x1a\x10\x55"),
    (frozenset({frozenset({("abcde", 1.5)})}), b"\x1a\x10\x1a\x10\x11" + dump("abcde") + dump(1.5)),
    (1.5 - 2j, b"\x1b\x3f\xf8\x00\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x00"),
    (
        ("he", 7, 900, (), None, True, slice(1, 2, 3), b"x" * 5),
        b"\x14\x08\x08\x0bhe\x57\x16\x03900\x02\x00\x03\x19\x12\x51\x52\x53\x0e\x05xxxxx",
    ),
]
IDS = [f"{type(value).__name__}-{len(data)}-{n}" for n, (value, data) in enumerate(CASES)]
KNOWN_TAGS = {*range(0x07), 0x08, *range(0x0A, 0x1C), *range(0x20, 0xF0)}

each_case = pytest.mark.parametrize(("value", "data"), CASES, ids=IDS)


def nested(depth: int, core: bytes = b"\x00") -> bytes:
    """Return brine of so many tuples of one item, one within the other."""
    return b"\x10" * depth + core


# --- the table ----------------------------------------------------------------


@each_case
def test_a_value_has_exactly_these_bytes(value: Any, data: bytes) -> None:
    """What is written is RPyC's layout, byte for byte."""
    assert dump(value) == data


@each_case
def test_the_bytes_give_the_value_back(value: Any, data: bytes) -> None:
    """What was written is read back with its exact types."""
    assert canon(load(data)) == canon(value)


@each_case
def test_stock_rpyc_agrees_about_the_case(value: Any, data: bytes) -> None:
    """The table itself is held against RPyC's own codec, both ways."""
    assert stock_brine.dump(value) == data
    assert canon(stock_brine.load(data)) == canon(value)


@each_case
def test_a_value_cut_anywhere_is_refused(value: Any, data: bytes) -> None:
    """Cut at any offset it is an error of one kind, never a shorter value."""
    for end in range(len(data)):
        with pytest.raises(RemoteProtocolError):
            load(data[:end])


@each_case
def test_a_byte_behind_a_value_is_refused(value: Any, data: bytes) -> None:
    """A payload is one value and nothing more."""
    with pytest.raises(RemoteProtocolError, match="1 bytes behind the value"):
        load(data + b"\x00")


@each_case
def test_a_case_is_dumpable(value: Any, data: bytes) -> None:
    """`dumpable` says yes to all that `dump` takes."""
    assert dumpable(value)


@each_case
def test_a_value_can_stand_within_a_tuple(value: Any, data: bytes) -> None:
    """The loop over a tuple's items decodes in place: each kind once as an item."""
    tail = (value, "abcde", value)
    assert dump(tail) == b"\x12" + data + b"\x08\x0e\x05abcde" + data
    assert canon(load(dump(tail))) == canon(tail)


def test_the_table_has_every_tag() -> None:
    """No tag of the module's own table is left out of the cases."""
    firsts = {data[0] for _value, data in CASES if not 0x20 <= data[0] <= 0xEF}
    assert firsts == {tag for tag in KNOWN_TAGS if tag < 0x20}


def test_the_empty_payload_is_refused() -> None:
    """No bytes are no value."""
    with pytest.raises(RemoteProtocolError, match="truncated"):
        load(b"")


def test_a_small_int_is_one_byte() -> None:
    """-48..159 travel as one byte each, and no others do."""
    for n in range(-48, 160):
        assert dump(n) == bytes([n + 0x50])
        assert load(dump(n)) == n
        assert load(dump((n,))) == (n,)
    assert len(dump(-49)) == len(dump(160)) == 5


# --- what is refused on reading -------------------------------------------------


@pytest.mark.parametrize("tag", sorted(set(range(256)) - KNOWN_TAGS))
def test_an_unknown_tag_is_refused(tag: int) -> None:
    """A tag of no kind is refused with its number and its place."""
    with pytest.raises(RemoteProtocolError, match=f"unknown tag {tag:#04x} at byte 0"):
        load(bytes([tag]) + b"\x50" * 20)
    with pytest.raises(RemoteProtocolError, match=f"unknown tag {tag:#04x} at byte 2"):
        load(b"\x11\x50" + bytes([tag]))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" 1",
        b"1 ",
        b"1_000",
        b"+1",
        b"-",
        b"--1",
        b"0x10",
        b"1.0",
        b"1e3",
        b"\n12",
        b"\xd9\xa1\xd9\xa2",  # Arabic-Indic digits, which int() reads as text
        b"\xb2",
    ],
)
def test_an_int_is_decimal_digits_and_no_more(text: bytes) -> None:
    """Blanks, underscores, a plus sign and the like, which int() would take, are refused."""
    one = b"\x16" + bytes([len(text)]) + text
    four = b"\x17" + struct.pack("!L", len(text)) + text
    for data in (one, four, b"\x10" + one, b"\x10" + four):
        with pytest.raises(RemoteProtocolError, match="no decimal text"):
            load(data)


@pytest.mark.parametrize("text", [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\x80", b"abc\x80defg"])
def test_a_str_that_is_no_utf8_is_refused(text: bytes) -> None:
    """Bad UTF-8, encoded surrogates and overlong forms are refused, with their place."""
    for data in (b"\x08" + dump(text), b"\x08\x0e" + bytes([len(text)]) + text):
        for whole in (data, b"\x10" + data):
            with pytest.raises(RemoteProtocolError, match="no UTF-8 at byte"):
                load(whole)


@pytest.mark.parametrize("tag", sorted(set(range(256)) - {0x01, *range(0x0A, 0x10)}))
def test_a_str_holds_a_bytes_value_only(tag: int) -> None:
    """RPyC decodes any value there; here only bytes may stand behind a str's tag."""
    with pytest.raises(RemoteProtocolError, match="where bytes belong"):
        load(b"\x08" + bytes([tag]) + b"\x51" * 20)


@pytest.mark.parametrize(
    "inside", [b"\x00", b"\x51", b"\x02", b"\x10\x51", b"\x11\x51\x52", b"\x13\x51\x52\x53\x54"]
)
def test_a_slice_is_three_parts(inside: bytes) -> None:
    """A slice of no tuple, or of more or fewer than three parts, is refused."""
    with pytest.raises(RemoteProtocolError, match="slice without its three parts"):
        load(b"\x19" + inside)


@pytest.mark.parametrize("inside", [b"\x00", b"\x51", b"\x0aa", b"\x1a\x02", b"\x08\x0aa"])
def test_a_frozenset_is_a_tuple(inside: bytes) -> None:
    """A frozenset of anything but a tuple is refused, also where Python could iterate it."""
    with pytest.raises(RemoteProtocolError, match="frozenset without its tuple"):
        load(b"\x1a" + inside)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="slices can be hashed there")
def test_a_frozenset_with_a_slice_is_refused_where_it_cannot_be() -> None:
    """A slice within a frozenset, or deeper within it, is the peer's error, not ours."""
    for inside in (b"\x19\x12\x51\x52\x53", b"\x10\x19\x12\x51\x52\x53"):
        with pytest.raises(RemoteProtocolError, match="unhashable"):
            load(b"\x1a\x10" + inside)


def test_a_frozenset_of_colliding_ints_is_refused_before_it_costs_anything() -> None:
    """20,000 ints that hash alike would take many seconds: they are refused at once."""
    assert len({hash(i) for i in COLLIDING}) == 1
    data = b"\x1a" + dump(COLLIDING)
    started = time.monotonic()
    with pytest.raises(RemoteProtocolError, match="colliding"):
        load(data)
    assert time.monotonic() - started < 2


def test_a_frozenset_with_a_few_collisions_passes() -> None:
    """-1 and -2 hash alike, as do a few ints anywhere: that is no attack."""
    value = frozenset({-1, -2, *COLLIDING[:15], "abc"})
    assert load(dump(value)) == value


# --- limits: each is exact, and its error names it ------------------------------


@pytest.mark.parametrize("most", [1, 2, 100, 250])
def test_tuples_nest_up_to_max_depth(most: int) -> None:
    """So many levels are read, one more is refused by name of the option."""
    limits = Limits(max_depth=most)
    value = load(nested(most), limits)
    for _ in range(most):
        (value,) = value
    assert value is None
    with pytest.raises(RemoteProtocolError, match=r"max_depth") as caught:
        load(nested(most + 1), limits)
    assert caught.value.limit == "max_depth"


@pytest.mark.parametrize(
    "head",
    [b"\x10", b"\x14\x01", b"\x15\x00\x00\x00\x01", b"\x19", b"\x1a", b"\x1a\x10", b"\x19\x12"],
)
def test_100_000_levels_of_anything_are_refused(head: bytes) -> None:
    """Nesting for ever costs nothing but the error: no RecursionError."""
    with pytest.raises(RemoteProtocolError, match="max_depth") as caught:
        load(head * 100_000)
    assert caught.value.limit == "max_depth"


@pytest.mark.parametrize("wrap", [lambda v: (v,), lambda v: frozenset({v}), lambda v: slice(v)])
def test_what_may_be_written_may_be_read(wrap: Any) -> None:
    """Both ends count levels alike: the deepest value that is sent can be received."""
    value: Any = 1
    for _ in range(300):
        deeper = wrap(value)
        if not dumpable(deeper):
            break
        value = deeper
    assert not dumpable(wrap(value))
    assert canon(load(dump(value))) == canon(value)


@pytest.mark.parametrize("most", [1, 10, 18, 19, 20, 300])
@pytest.mark.parametrize("sign", [b"", b"-"])
def test_ints_have_up_to_max_int_digits(most: int, sign: bytes) -> None:
    """So many digits are read, a sign not counted; one more is refused by name."""
    limits = Limits(max_int_digits=most)

    def encoded(digits: int) -> bytes:
        text = sign + b"1" * digits
        return b"\x17" + struct.pack("!L", len(text)) + text

    assert load(encoded(most), limits) == int(sign + b"1" * most)
    for data in (encoded(most + 1), b"\x10" + encoded(most + 1)):
        with pytest.raises(RemoteProtocolError, match="max_int_digits") as caught:
            load(data, limits)
        assert caught.value.limit == "max_int_digits"


def test_the_longest_int_that_python_prints_travels() -> None:
    """Up to the default limit ints of both signs go there and back."""
    most = int("9" * Limits().max_int_digits)
    assert load(dump(most)) == most
    assert load(dump(-most)) == -most


def test_an_int_over_pythons_own_limit_is_refused() -> None:
    """Lowering sys.set_int_max_str_digits() after the limits were made raises nothing odd."""
    limits = Limits(max_int_digits=2000)
    data = b"\x17" + struct.pack("!L", 1500) + b"1" * 1500
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(1000)
    try:
        with pytest.raises(RemoteProtocolError, match=r"sys\.get_int_max_str_digits") as caught:
            load(data, limits)
    finally:
        sys.set_int_max_str_digits(before)
    assert caught.value.limit == "max_int_digits"


def test_values_are_counted_over_all_tuples() -> None:
    """max_items counts the items of every tuple of a payload, and is exact."""
    limits = Limits(max_items=10)
    assert load(dump((None,) * 10), limits) == (None,) * 10
    assert load(dump(((None,) * 4, (None,) * 4)), limits)
    for value in ((None,) * 11, ((None,) * 5, (None,) * 4), (frozenset(range(8)), slice(1, 2, 3))):
        with pytest.raises(RemoteProtocolError, match=r"option max_items") as caught:
            load(dump(value), limits)
        assert caught.value.limit == "max_items"


def test_long_bytes_are_no_items() -> None:
    """One long str or bytes value counts as what it is: one."""
    limits = Limits(max_items=2)
    assert load(dump((b"x" * 100, "y" * 100)), limits) == (b"x" * 100, "y" * 100)


@pytest.mark.parametrize("head", [b"\x15", b"\x0f", b"\x08\x0f", b"\x17", b"\x1a\x15", b"\x10\x15"])
def test_a_length_of_4_gib_takes_no_memory(head: bytes) -> None:
    """A length is believed only as far as the bytes are there."""
    data = head + b"\xff\xff\xff\xff" + b"\x50" * 1000
    tracemalloc.start()
    try:
        with pytest.raises(RemoteProtocolError):
            load(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 200_000


def test_a_count_is_compared_with_what_is_there_before_it_is_believed() -> None:
    """A tuple of more items than bytes follow is refused before its first item is made."""
    data = b"\x15" + struct.pack("!L", 2000) + b"\x50" * 1000
    with pytest.raises(RemoteProtocolError, match="a tuple of 2000 items at byte 1"):
        load(data)


def test_many_tuples_within_tuples_are_refused_by_what_they_claim() -> None:
    """Tuples cannot multiply: each item takes a byte that was sent."""
    data = b"\x15" + struct.pack("!L", 50_000) + b"\x15\x00\x00\xff\xff" * 50_000
    with pytest.raises(RemoteProtocolError):
        load(data)


# --- what is refused on writing -------------------------------------------------


class Colour(enum.IntEnum):
    """An int to Python, and not to brine."""

    RED = 1


class Text(str):
    """A str with more to it."""


class Pair(tuple):
    """A tuple with more to it, as a namedtuple is."""


class Unhashable(type):
    """A metaclass whose classes are equal by name, and so cannot be hashed."""

    def __eq__(cls, other: object) -> bool:
        return isinstance(other, type) and cls.__name__ == other.__name__


class Odd(metaclass=Unhashable):
    """An object of a class that cannot be hashed."""


@pytest.mark.parametrize(
    "value",
    [
        [],
        {},
        set(),
        bytearray(b"x"),
        memoryview(b"x"),
        object(),
        Odd(),
        len,
        int,
        range(3),
        Colour.RED,
        Text("x"),
        Pair((1, 2)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_mutable_or_a_subclass_goes_by_reference(value: Any) -> None:
    """Dispatch is on the exact type: all else is Undumpable, wherever it stands."""
    for whole in (value, (1, value), ((value,),), slice(None, value)):
        with pytest.raises(Undumpable, match=f"no {type(value).__name__}"):
            dump(whole)
        assert not dumpable(whole)


def test_a_frozenset_with_an_object_in_it_goes_by_reference() -> None:
    """Only frozensets of values go by value."""
    with pytest.raises(Undumpable):
        dump(frozenset({object()}))


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "x" * 300 + "\udc80"])
def test_a_str_with_lone_surrogates_cannot_be_sent(text: str) -> None:
    """UTF-8 has no room for them, and a str never goes by reference."""
    for value in (text, (text,), slice(text), frozenset({text})):
        with pytest.raises(NotSendable, match="UTF-8") as caught:
            dump(value)
        assert isinstance(caught.value, ValueError)
        assert not dumpable(value)


@pytest.mark.parametrize("value", [10**5000, -(10**5000)], ids=["positive", "negative"])
def test_an_int_that_python_will_not_print_cannot_be_sent(value: int) -> None:
    """The error says what is too long, and in whose opinion."""
    for whole in (value, (value,)):
        with pytest.raises(NotSendable, match=r"sys\.get_int_max_str_digits"):
            dump(whole)
        assert not dumpable(whole)


def test_a_tuple_nested_too_deep_cannot_be_sent() -> None:
    """No RecursionError, but one that names the option."""
    value: Any = ()
    for _ in range(100_000):
        value = (value,)
    with pytest.raises(NotSendable, match="max_depth"):
        dump(value)
    assert not dumpable(value)
    while value:  # taken apart by hand, else its end would recurse
        (value,) = value


def test_lengths_end_where_32_bits_do() -> None:
    """What no length field can say is refused before anything is made of it."""
    assert brine.tuple_head(0xFFFFFFFF) == b"\x15\xff\xff\xff\xff"
    with pytest.raises(NotSendable, match="4294967295"):
        brine.tuple_head(0x100000000)


def test_the_errors_are_of_our_own_tree() -> None:
    """A caller can trap all that the codec raises about bytes and values by one name."""
    assert issubclass(RemoteProtocolError, TxRemoteError)
    assert issubclass(NotSendable, TxRemoteError)


# --- pieces that the other modules use -----------------------------------------


def test_dump_into_appends_and_honours_a_depth() -> None:
    """It adds to what is there, and a level that was spent before counts."""
    out = [b"before"]
    brine.dump_into(out, (1, (2,)), 2)
    assert b"".join(out) == b"before\x11\x51\x10\x52"
    with pytest.raises(NotSendable, match="max_depth"):
        brine.dump_into([], (1, (2,)), 1)


def test_load_value_tells_where_it_ends() -> None:
    """The position behind the value lets the caller go on from there, or find it cut."""
    data = b"\x51\x0e\x03abc\x02"
    budget = brine.Budget(Limits(), len(data))
    assert brine.load_value(data, 0, 5, budget) == (1, 1)
    assert brine.load_value(data, 1, 5, budget) == (b"abc", 6)
    assert brine.load_value(data, 6, 5, budget) == ((), 7)
    _value, end = brine.load_value(data[:4], 1, 5, budget)
    assert end == 6 > 4


# --- by hypothesis ----------------------------------------------------------------


@BRISK
@given(VALUES)
def test_any_value_comes_back_as_it_was(value: Any) -> None:
    """There and back, with exact types, signs of zero and bits of nan."""
    assert dumpable(value)
    assert canon(load(dump(value))) == canon(value)


@BRISK
@given(VALUES)
def test_stock_rpyc_and_we_understand_each_other(value: Any) -> None:
    """Our bytes are RPyC's bytes, and each makes the same value of the other's."""
    ours, theirs = dump(value), stock_brine.dump(value)
    assert ours == theirs
    assert canon(stock_brine.load(ours)) == canon(value)
    assert canon(load(theirs)) == canon(value)


@BRISK
@given(st.one_of(VALUES, st.lists(VALUES, max_size=2).map(lambda items: (1, items))))
def test_we_send_by_value_what_stock_rpyc_does(value: Any) -> None:
    """Both agree about what goes by value and what by reference."""
    assert dumpable(value) == stock_brine.dumpable(value)


@BRISK
@given(VALUES, st.data())
def test_any_value_cut_anywhere_is_refused(value: Any, draw: st.DataObject) -> None:
    """A prefix of a value is never a value."""
    data = dump(value)
    end = draw.draw(st.integers(0, len(data) - 1))
    with pytest.raises(RemoteProtocolError):
        load(data[:end])


@settings(deadline=None, max_examples=examples(200))
@given(st.lists(st.one_of(st.integers(0, 0x1C), st.integers(0, 255)), max_size=40).map(bytes))
def test_random_bytes_raise_one_error_or_none(data: bytes) -> None:
    """Whatever comes is a value or a RemoteProtocolError, and a value can be sent on."""
    try:
        value = load(data)
    except RemoteProtocolError:
        return
    assert canon(load(dump(value))) == canon(value)


@settings(deadline=None, max_examples=examples(150))
@given(st.one_of(VALUES, HASHABLE), st.data())
def test_damaged_bytes_raise_one_error_or_none(value: Any, draw: st.DataObject) -> None:
    """One byte changed, one left out, one put in: the same holds, with small limits too."""
    data = bytearray(dump(value))
    at = draw.draw(st.integers(0, len(data) - 1))
    damage = draw.draw(st.sampled_from(["change", "drop", "insert"]))
    if damage == "drop":
        del data[at]
    elif damage == "insert":
        data.insert(at, draw.draw(st.integers(0, 255)))
    else:
        data[at] = draw.draw(st.integers(0, 255))
    small = Limits(max_depth=3, max_int_digits=5, max_items=20)
    for limits in (Limits(), small):
        try:
            load(bytes(data), limits)
        except RemoteProtocolError as error:
            assert str(error)
            assert error.limit is None or f"option {error.limit}" in str(error)


def test_check_end_says_on_which_side() -> None:
    """Exactly at the end is right; before and behind have their own words."""
    check_end(b"abc", 3)
    with pytest.raises(RemoteProtocolError, match="truncated"):
        check_end(b"abc", 4)
    with pytest.raises(RemoteProtocolError, match="2 bytes behind the message, from byte 1"):
        check_end(b"abc", 1)


def test_the_allowance_of_short_payloads_is_shared() -> None:
    """It counts nothing, so all connections with the same limits have the same."""
    assert uncounted_budget(Limits()) is uncounted_budget(DEFAULT_LIMITS)
    few = uncounted_budget(Limits(max_items=1, max_int_digits=7))
    assert load_value(dump(((1, 2), (3,))), 0, 9, few)[0] == ((1, 2), (3,))
    assert few.items == 1
    assert few.digits == 7
