"""
Long bytes of a stream, cut out of the reads they came in: the same items as the decoder gives.
"""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from tests.examples import examples
from txremote.testing import connected_pair
from txremote.wire.boxing import VALUE_HEAD
from txremote.wire.brine import dump, dump_int
from txremote.wire.consts import HANDLE_CREDIT, HANDLE_ITEMS
from txremote.wire.decoder import MessageDecoder
from txremote.wire.framing import FrameReader, compress_frame, frame
from txremote.wire.limits import Limits
from txremote.wire.long_items import LongItems
from txremote.wire.messages import (
    DIALECT_5,
    DIALECT_5_BOUND,
    DIALECT_6,
    DIALECT_6_BOUND,
    Dialect,
    open_envelope,
    request_head,
)

LONG = bytes(range(256)) * 300
LONG_ENOUGH = Limits(max_frame=1 << 22)


def message(
    items: Any, number: Any = 3, request: int = 200, dialect: Dialect = DIALECT_6, handler: int = 0
) -> bytes:
    """Return the payload of an ITEMS."""
    head = request_head(handler or HANDLE_ITEMS)
    return dialect.request + dump_int(request) + head + VALUE_HEAD + dump((number, items))


def read(
    stream: bytes,
    cuts: list[int],
    dialect: Dialect = DIALECT_6,
    limits: Limits = LONG_ENOUGH,
) -> list[Any]:
    """Read frames that come in parts, as a side that reads streams."""
    reader = FrameReader(limits)
    reader.items = dialect.request
    ends = [*sorted(cut % len(stream) for cut in cuts), len(stream)]
    found: list[Any] = []
    begin = 0
    for end in ends:
        if end > begin:
            found += reader.feed(stream[begin:end])
            begin = end
    assert reader.at_boundary
    return found


@given(
    sizes=st.lists(st.integers(256, 120_000), min_size=1, max_size=9),
    number=st.integers(0, 1 << 40),
    request=st.integers(0, 1 << 40),
    dialect=st.sampled_from([DIALECT_5, DIALECT_6]),
    cuts=st.lists(st.integers(0, 1 << 22), max_size=8),
)
@settings(max_examples=examples(150), deadline=None)
def test_items_are_the_same_wherever_the_reads_are_cut(
    sizes: list[int], number: int, request: int, dialect: Dialect, cuts: list[int]
) -> None:
    items = tuple((bytes([size % 251]) + LONG * 2)[:size] for size in sizes)
    payload = message(items, number, request, dialect)
    stream = frame(b"before") + frame(payload) + frame(b"between") + frame(payload)
    before, first, between, second = read(stream, cuts, dialect)
    assert (before, between) == (b"before", b"between")
    for found in (first, second):
        if len(payload) > 65536:
            assert found == LongItems(number, items, len(payload))
            assert all(type(item) is bytes for item in found.items)
        else:
            assert found == payload


OTHERS = {
    "other items": message((LONG, "text")),
    "short ones": message((LONG, b"short")),
    "a number that is a text": message((LONG,), "3"),
    "no tuple": message(LONG),
    "more than one says": message((LONG,)) + b"!",
    "fewer than there should be": message((LONG, LONG))[: -len(LONG) - 5],
    "an item that ends too early": message((LONG, LONG))[:-1],
    "another request": message((LONG,), handler=HANDLE_CREDIT),
    "another dialect": message((LONG,), dialect=DIALECT_5),
    "many items": message((bytes(300),) * 300),
    "a length of 4 GiB": message((LONG,)).replace(struct.pack("!L", len(LONG)), b"\xff" * 4),
}


@pytest.mark.parametrize("payload", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("cuts", [[], [30], [33], [40_000], range(10, 60)])
def test_what_is_another_message_is_left_to_the_decoder(payload: bytes, cuts: Any) -> None:
    assert read(frame(payload), list(cuts)) == [payload]


DIALECTS = [DIALECT_5, DIALECT_6, DIALECT_5_BOUND, DIALECT_6_BOUND]
NUMBERS = st.sampled_from([0, 159, 160, -48, -49, 10**17, 10**18, 1 << 70])
#: What is done to a byte: what tells kinds and lengths apart, and others.
BYTES = st.sampled_from([0x00, 0x02, 0x0E, 0x0F, 0x10, 0x11, 0x14, 0x15, 0x16, 0x17, 0x50, 0xFF])


@given(
    dialect=st.sampled_from(DIALECTS),
    count=st.sampled_from([1, 2, 4, 5, 255, 256]),
    number=NUMBERS,
    request=NUMBERS,
    harm=st.none() | st.tuples(st.integers(0, 600), BYTES, st.integers(0, 1)),
    limits=st.builds(
        Limits,
        max_items=st.sampled_from([3, 255, 256, 257, 2_000_000]),
        max_depth=st.sampled_from([2, 3, 4, 100]),
        max_int_digits=st.sampled_from([1, 3, 17, 18, 4300]),
    ),
    cuts=st.lists(st.integers(1, 140), max_size=5),
)
@settings(max_examples=examples(600), deadline=None)
def test_whatever_is_cut_out_is_what_the_decoder_gives_within_its_limits(
    dialect: Dialect,
    count: int,
    number: int,
    request: int,
    harm: tuple[int, int, int] | None,
    limits: Limits,
    cuts: list[int],
) -> None:
    data = bytearray(
        message((LONG[: max(300, 66_000 // count)],) * count, number, request, dialect)
    )
    if harm is not None:
        place, byte, instead = harm
        data[place : place + instead] = bytes([byte])
    payload = bytes(data)
    (found,) = read(frame(payload), cuts, dialect, limits)
    if type(found) is not LongItems:
        assert found == payload
        return
    decoder = MessageDecoder(limits, connected_pair().client.tables)
    kind, _number, pos, _sender = open_envelope(payload, dialect, decoder.uncounted)
    decoded = decoder.arguments(payload, kind, pos)
    assert decoded == (HANDLE_ITEMS, (found.number, found.items))
    assert found.size == len(payload)


def test_what_is_compressed_is_left_to_the_decoder() -> None:
    payload = message((bytes(100_000),))
    assert read(compress_frame(frame(payload)), [20]) == [payload]


LOW = [Limits(max_items=1), Limits(max_depth=2), Limits(max_int_digits=2)]


@pytest.mark.parametrize("limits", LOW)
def test_low_limits_are_the_decoders(limits: Limits) -> None:
    payload = message((LONG, LONG), 300)
    reader = FrameReader(limits)
    reader.items = DIALECT_6.request
    assert list(reader.feed(frame(payload))) == [payload]


def test_a_side_that_reads_no_stream_gets_payloads() -> None:
    payload = message((LONG,))
    assert list(FrameReader().feed(frame(payload))) == [payload]
