"""
Framing: whatever the reads are, the same payloads come out, in bounded memory.
"""

from __future__ import annotations

import os
import struct
import tracemalloc
import zlib
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from tests.builds import interpreted_only
from tests.examples import examples
from tests.wire.stock import stock_frame, stock_payload
from txremote.errors import NotSendable, RemoteProtocolError
from txremote.wire.framing import (
    HEAD_SIZE,
    FrameReader,
    Oversize,
    compress_frame,
    frame,
    frame_chunks,
)
from txremote.wire.limits import Limits

MIB = 1 << 20


def packed(payload: bytes, flag: int = 1) -> bytes:
    """Return a payload as a compressed frame."""
    body = zlib.compress(payload, 1)
    return struct.pack("!LB", len(body), flag) + body + b"\n"


def read_all(reader: FrameReader, reads: Iterable[bytes]) -> list[Any]:
    """Feed some reads and return the payloads they complete."""
    return [payload for data in reads for payload in reader.feed(data)]


def pieces(data: bytes, size: int) -> list[bytes]:
    """Return data cut into pieces of a size."""
    return [data[at : at + size] for at in range(0, len(data), size)]


def peak_of(function: Any) -> int:
    """Return the most memory that Python took while a function ran."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


PAYLOADS = [b"", b"x", b"\n", b"\n\n\n", b"abcde", bytes(range(256)), b"y" * 5000]
STREAM = b"".join(map(frame, PAYLOADS)) + packed(b"z" * 9000)
EXPECTED = [*PAYLOADS, b"z" * 9000]


# --- however it comes ---------------------------------------------------------


def test_a_frame_has_exactly_these_bytes() -> None:
    """Length, flag, payload, newline; the newline is not counted."""
    assert frame(b"abc") == b"\x00\x00\x00\x03\x00abc\n"
    assert frame(b"") == b"\x00\x00\x00\x00\x00\n"
    assert frame_chunks(b"a", [b"", b"bc"]) == frame(b"abc")
    assert frame_chunks(b"", []) == frame(b"")


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_frame_in_one_read(payload: bytes) -> None:
    """The payload of one frame comes out, and the reader is between two frames."""
    reader = FrameReader()
    assert reader.at_boundary
    assert read_all(reader, [frame(payload)]) == [payload]
    assert reader.at_boundary


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7, 100, 4096])
def test_frames_in_pieces(size: int) -> None:
    """A byte at a time or in any pieces, the same payloads come out."""
    reader = FrameReader()
    assert read_all(reader, pieces(STREAM, size)) == EXPECTED
    assert reader.at_boundary


def test_a_payload_comes_out_with_its_last_byte() -> None:
    """No frame waits for the next: each is given as soon as its newline is there."""
    reader = FrameReader()
    for payload in EXPECTED[:-1]:
        whole = frame(payload)
        assert read_all(reader, [whole[:-1]]) == []
        assert not reader.at_boundary
        assert read_all(reader, [whole[-1:]]) == [payload]
        assert reader.at_boundary


def test_a_thousand_frames_in_one_read() -> None:
    """All of them come out, in order."""
    payloads = [b"%d" % n for n in range(1000)]
    assert read_all(FrameReader(), [b"".join(map(frame, payloads))]) == payloads


@pytest.mark.parametrize("second", [b"", frame(b"second"), frame(b"second")[:3]])
def test_a_frame_cut_at_every_offset(second: bytes) -> None:
    """Wherever a read ends, with a second frame behind or a part of one, nothing is lost."""
    whole = frame(b"the first") + second
    expected = [b"the first", *([b"second"] if len(second) > 3 else [])]
    for cut in range(len(whole) + 1):
        reader = FrameReader()
        assert read_all(reader, [whole[:cut], whole[cut:]]) == expected
        assert reader.at_boundary == (len(second) != 3)


def test_an_empty_read_changes_nothing() -> None:
    """Reads of no bytes between, before and within frames are harmless."""
    reader = FrameReader()
    reads = [b"", *pieces(STREAM, 3), b""]
    assert read_all(reader, [part for read in reads for part in (read, b"")]) == EXPECTED


def test_a_payload_that_looks_like_frames_is_none() -> None:
    """A frame within a frame's payload stays payload."""
    inner = frame(b"inner") * 3
    assert read_all(FrameReader(), pieces(frame(inner), 7)) == [inner]


@pytest.mark.parametrize("chunk", [1000, 65536, 65537, MIB])
def test_long_frames(chunk: int) -> None:
    """Frames of several MiB, one behind the other, in reads of any size."""
    payloads = [os.urandom(3 * MIB), b"short", os.urandom(2 * MIB + 1), b"", b"e" * 65536]
    reader = FrameReader()
    assert read_all(reader, pieces(b"".join(map(frame, payloads)), chunk)) == payloads
    assert reader.at_boundary


@pytest.mark.parametrize("cut", [1, 4, 5, 6, 65536, 65541])
def test_a_long_frame_whose_head_comes_alone(cut: int) -> None:
    """The first read of a long frame may end within its header or right behind it."""
    payload = os.urandom(300_000)
    whole = frame(payload)
    reads = [whole[:cut], *pieces(whole[cut:], 65536)]
    assert read_all(FrameReader(), reads) == [payload]
    reads[-1] += frame(b"second")
    assert read_all(FrameReader(), reads) == [payload, b"second"]


def test_the_caller_may_stop_between_two_payloads() -> None:
    """`feed` gives payloads one by one, so what comes first can be served first."""
    feed = FrameReader().feed(frame(b"one") + frame(b"two"))
    assert next(feed) == b"one"
    assert next(feed) == b"two"


# --- work and memory ------------------------------------------------------------


def test_a_long_frame_a_byte_at_a_time_is_no_list_of_bytes() -> None:
    """1 MiB in pieces of one byte is gathered in few chunks, so the work stays linear."""
    whole = frame(os.urandom(MIB))
    reader = FrameReader()
    most = 0
    got: list[Any] = []
    for at in range(len(whole)):
        got.extend(reader.feed(whole[at : at + 1]))
        if not at % 65536:
            most = max(most, len(reader._chunks))
    assert got == [whole[5:-1]]
    assert most <= MIB // 65536 + 2


def test_a_long_frame_is_held_about_twice() -> None:
    """While the chunks are joined there are two copies of a frame, and never more."""
    payload = bytes(8 * MIB)
    whole = frame(payload)

    def feed(tail: bytes) -> None:
        reader = FrameReader()
        got = []
        for at in range(0, len(whole), 65536):
            got.extend(reader.feed(whole[at : at + 65536] + (tail if at > 8 * MIB - 2 else b"")))
        assert got == [payload]

    assert peak_of(lambda: feed(b"")) < 2.2 * len(whole)
    assert peak_of(lambda: feed(b"\x00\x00")) < 3.2 * len(whole)


# --- frames over the limit ------------------------------------------------------


@pytest.mark.parametrize("size", [1, 3, 5, 50, 100, 10_000])
def test_an_oversize_frame_is_dropped_and_the_rest_arrives(size: int) -> None:
    """Its place is taken by an Oversize with its start; frames around it are untouched."""
    payload = bytes(range(200)) * 3
    stream = frame(b"before") + frame(payload) + frame(b"after") * 2
    reader = FrameReader(Limits(max_frame=500))
    got = read_all(reader, pieces(stream, size))
    before, oversize, *after = got
    assert (before, after) == (b"before", [b"after", b"after"])
    assert oversize.head == payload[:HEAD_SIZE]
    assert str(oversize.error) == "a frame of 600 bytes, more than 500 (option max_frame)"
    assert oversize.error.limit == "max_frame"
    assert reader.at_boundary


def test_the_limit_is_exact() -> None:
    """A payload of max_frame bytes passes, one more does not, however short its head is."""
    limits = Limits(max_frame=3)
    assert read_all(FrameReader(limits), [frame(b"abc")]) == [b"abc"]
    (oversize,) = read_all(FrameReader(limits), [frame(b"abcd")])
    assert oversize.head == b"abcd"


def test_an_oversize_frame_is_told_as_soon_as_its_head_is_there() -> None:
    """The caller can be answered before the rest of a long frame has come, if it ever does."""
    reader = FrameReader(Limits(max_frame=500))
    whole = frame(b"x" * 1000)
    assert read_all(reader, [whole[: 5 + HEAD_SIZE - 1]]) == []
    (oversize,) = read_all(reader, [whole[5 + HEAD_SIZE - 1 : 200]])
    assert oversize.head == b"x" * HEAD_SIZE
    assert not reader.at_boundary
    assert read_all(reader, [whole[200:], frame(b"after")]) == [b"after"]


def test_an_oversize_frame_cut_at_every_offset() -> None:
    """Wherever a read ends in or behind it, the stream stays in step."""
    stream = frame(b"x" * 90) + frame(b"after")
    for cut in range(len(stream) + 1):
        reader = FrameReader(Limits(max_frame=80))
        oversize, after = read_all(reader, [stream[:cut], stream[cut:]])
        assert isinstance(oversize, Oversize)
        assert after == b"after"


def test_the_head_of_a_compressed_oversize_frame_is_inflated() -> None:
    """So whose call it was can be told, compressed or not."""
    payload = b"\x01\x11\x57" + os.urandom(3000)
    reader = FrameReader(Limits(max_frame=500))
    oversize, after = read_all(reader, [packed(payload) + frame(b"after")])
    assert oversize.head
    assert payload.startswith(oversize.head)
    assert after == b"after"


def test_the_head_of_a_broken_oversize_frame_is_empty() -> None:
    """Where zlib cannot read the start there is nothing to tell."""
    data = struct.pack("!LB", 1000, 1) + b"\xff" * 1000 + b"\n"
    (oversize,) = read_all(FrameReader(Limits(max_frame=500)), [data])
    assert oversize.head == b""


def test_a_length_of_4_gib_holds_no_memory() -> None:
    """A frame that claims 4 GiB is dropped as it comes, byte for byte."""
    piece = bytes(MIB)

    def feed() -> None:
        reader = FrameReader()
        (oversize,) = read_all(reader, [b"\xff\xff\xff\xff\x00" + b"x" * 100])
        assert oversize.error.limit == "max_frame"
        for _ in range(200):
            assert read_all(reader, [piece]) == []
        assert not reader.at_boundary

    assert peak_of(feed) < 300_000


# --- compressed frames ----------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 3000, 3001, 63_990, 64_000, 300_000])
@pytest.mark.parametrize("fill", ["zeros", "random"])
def test_what_stock_rpyc_writes_is_read(size: int, fill: str) -> None:
    """RPyC's own channel, which compresses everything over 3,000 bytes, is understood."""
    payload = bytes(size) if fill == "zeros" else os.urandom(size)
    whole = stock_frame(payload)
    assert (whole[4] == 1) == (size > 3000)
    for chunk in (7, 100_000):
        reader = FrameReader()
        assert read_all(reader, pieces(whole + frame(b"next"), chunk)) == [payload, b"next"]


@pytest.mark.parametrize("size", [0, 100, 5000, 300_000])
def test_stock_rpyc_reads_what_we_write(size: int) -> None:
    """Compressed or not, RPyC's own channel gives the payload back."""
    for payload in (bytes(size), os.urandom(size)):
        assert stock_payload(frame(payload)) == payload
        assert stock_payload(compress_frame(frame(payload))) == payload


def test_a_zlib_bomb_is_found_while_inflating() -> None:
    """64 MiB of zeros in 64 KiB: no more than the limit is ever held."""
    whole = packed(bytes(64 * MIB))
    assert len(whole) < 400_000
    got: list[Any] = []

    def feed() -> None:
        got.extend(read_all(FrameReader(Limits(max_inflated=MIB)), [whole + frame(b"after")]))

    assert peak_of(feed) < 3 * MIB
    oversize, after = got
    assert oversize.head == bytes(HEAD_SIZE)
    assert oversize.error.limit == "max_inflated"
    assert "max_inflated" in str(oversize.error)
    assert after == b"after"


def test_the_inflated_limit_is_exact() -> None:
    """A payload that inflates to max_inflated bytes passes, one more does not."""
    limits = Limits(max_inflated=1000)
    assert read_all(FrameReader(limits), [packed(b"x" * 1000)]) == [b"x" * 1000]
    (oversize,) = read_all(FrameReader(limits), [packed(b"x" * 1001)])
    assert oversize.error.limit == "max_inflated"


def _compressed(body: bytes) -> bytes:
    return struct.pack("!LB", len(body), 1) + body + b"\n"


def test_a_compressed_frame_that_is_cut_short_is_refused() -> None:
    """Every cut of the compressed bytes is an error, never a shorter payload."""
    body = zlib.compress(b"some text that is long enough" * 3, 1)
    for end in range(len(body)):
        with pytest.raises(RemoteProtocolError, match=r"cut short|zlib cannot read"):
            read_all(FrameReader(), [_compressed(body[:end])])


@pytest.mark.parametrize(
    "body", [b"garbage", b"\x78\x9c" + b"\xff" * 20, zlib.compress(b"x" * 100)[2:]]
)
def test_garbage_in_a_compressed_frame_is_refused(body: bytes) -> None:
    """What zlib cannot read ends the connection with one kind of error."""
    with pytest.raises(RemoteProtocolError, match="zlib cannot read"):
        read_all(FrameReader(), [_compressed(body)])


def test_a_wrong_checksum_is_refused() -> None:
    """A compressed payload that was damaged on its way is not used."""
    body = bytearray(zlib.compress(b"x" * 100, 1))
    body[-1] ^= 1
    with pytest.raises(RemoteProtocolError, match="zlib cannot read"):
        read_all(FrameReader(), [_compressed(bytes(body))])


def test_a_tail_behind_the_compressed_bytes_is_refused() -> None:
    """Nothing can be hidden behind the end of a zlib stream."""
    with pytest.raises(RemoteProtocolError, match="tail"):
        read_all(FrameReader(), [_compressed(zlib.compress(b"x" * 100) + b"more")])


# --- streams that are out of step -----------------------------------------------


@pytest.mark.parametrize("last", [b"\x00", b"\r", b"x"])
@pytest.mark.parametrize("size", [0, 10, 200_000])
@pytest.mark.parametrize("chunk", [1 << 30, 65536, 4097])
def test_a_frame_without_its_newline_is_refused(last: bytes, size: int, chunk: int) -> None:
    """Short or long, in one read or many: the stream is out of step for good."""
    data = frame(b"x" * size)[:-1] + last
    with pytest.raises(RemoteProtocolError, match="without its newline") as caught:
        read_all(FrameReader(), pieces(data, chunk))
    assert caught.value.limit is None


@pytest.mark.parametrize("flag", [2, 0x2F, 255])
@pytest.mark.parametrize("size", [0, 10, 200_000])
@pytest.mark.parametrize("chunk", [1 << 30, 65536, 4097])
def test_a_frame_with_an_unknown_flag_is_refused(flag: int, size: int, chunk: int) -> None:
    """A compression flag that is neither 0 nor 1 says that this is no RPyC."""
    data = struct.pack("!LB", size, flag) + b"x" * size + b"\n"
    with pytest.raises(RemoteProtocolError, match=f"compression flag {flag}"):
        read_all(FrameReader(), pieces(data, chunk))


@pytest.mark.parametrize("text", [b"GET / HTTP/1.1\r\n", b"hello", b"\x00\x10\x00\x00\x02"])
def test_what_is_no_rpyc_is_refused_by_its_first_five_bytes(text: bytes) -> None:
    """A browser or a terminal is not left to wait for a GiB that it seems to announce."""
    with pytest.raises(RemoteProtocolError, match=r"compression flag \d+: the stream is out of"):
        read_all(FrameReader(), pieces(text, 1))


def test_what_came_before_the_error_is_given() -> None:
    """Good frames in the same read as a bad one are served first."""
    feed = FrameReader().feed(frame(b"good") + frame(b"bad")[:-1] + b"x")
    assert next(feed) == b"good"
    with pytest.raises(RemoteProtocolError):
        next(feed)


# --- writing --------------------------------------------------------------------


class Huge(bytes):
    """Bytes that say they are longer than a frame can be."""

    def __len__(self) -> int:
        return 0x100000000


@interpreted_only
def test_a_message_over_4_gib_cannot_be_sent() -> None:
    """What 32 bits cannot say is refused, before any of it is copied."""
    with pytest.raises(NotSendable, match="4294967296 bytes"):
        frame(Huge())
    with pytest.raises(NotSendable, match="4294967301 bytes"):
        frame_chunks(b"head!", [Huge()])


@pytest.mark.parametrize("size", [3001, 10_000, MIB])
def test_what_compresses_well_is_compressed(size: int) -> None:
    """Text and zeros over 3,000 bytes go out smaller, and are read as they were."""
    payload = (b"a line of text, more or less; " * (size // 30 + 1))[:size]
    small = compress_frame(frame(payload))
    assert len(small) < size / 2
    assert small[4] == 1
    assert read_all(FrameReader(), [small]) == [payload]


@pytest.mark.parametrize(
    "payload",
    [
        b"x" * 3000,
        os.urandom(10_000),
        bytes(MIB + 1),
        # the sample in the middle promises what the rest does not keep
        os.urandom(50_000) + bytes(2048) + os.urandom(50_000),
    ],
    ids=["short", "random", "very long", "a sample that lies"],
)
def test_what_does_not_pay_is_left_alone(payload: bytes) -> None:
    """Short, random or very long payloads go out as they are: the very same frame."""
    whole = frame(payload)
    assert compress_frame(whole) is whole


# --- by hypothesis --------------------------------------------------------------

_FRAMES = st.lists(
    st.tuples(
        st.one_of(
            st.binary(max_size=20),
            st.integers(0, 300).map(lambda n: b"\n" * n),
            st.sampled_from([65530, 65531, 65536, 70_000]).map(lambda n: b"q" * n),
        ),
        st.booleans(),
    ),
    max_size=6,
)


@settings(deadline=None, max_examples=examples(150))
@given(_FRAMES, st.data())
def test_any_split_of_any_frames_gives_the_same_payloads(
    frames: list[tuple[bytes, bool]], draw: st.DataObject
) -> None:
    """Reads may end anywhere: payloads, their order and their number do not depend on it."""
    stream = b"".join(packed(p) if squeeze else frame(p) for p, squeeze in frames)
    cuts = draw.draw(st.lists(st.integers(0, len(stream)), max_size=12).map(sorted))
    reads = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    reader = FrameReader()
    assert read_all(reader, reads) == [payload for payload, _squeeze in frames]
    assert reader.at_boundary


@settings(deadline=None, max_examples=examples(150))
@given(_FRAMES, st.data())
def test_any_split_with_frames_over_the_limit(
    frames: list[tuple[bytes, bool]], draw: st.DataObject
) -> None:
    """The same with a small limit: each frame gives its payload or one Oversize, in order."""
    stream = b"".join(frame(p) for p, _squeeze in frames)
    cuts = draw.draw(st.lists(st.integers(0, len(stream)), max_size=12).map(sorted))
    reads = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    reader = FrameReader(Limits(max_frame=15))
    got = read_all(reader, reads)
    assert [p.head if isinstance(p, Oversize) else p for p in got] == [
        payload[:HEAD_SIZE] if len(payload) > 15 else payload for payload, _squeeze in frames
    ]
    assert reader.at_boundary


@settings(deadline=None, max_examples=examples(200))
@given(st.lists(st.binary(max_size=30), max_size=6))
def test_random_reads_raise_one_error_or_none(reads: list[bytes]) -> None:
    """Whatever is read gives payloads or a RemoteProtocolError."""
    try:
        got = read_all(FrameReader(Limits(max_frame=100, max_inflated=100)), reads)
    except RemoteProtocolError:
        return
    assert all(isinstance(payload, (bytes, Oversize)) for payload in got)
