"""
Framing: a stream of bytes to payloads, and payloads to frames.

======= ===== ==============================================================
offset  size  meaning
======= ===== ==============================================================
0       4     length of the payload, big-endian
4       1     1: the payload is zlib-compressed, 0: it is not
5       n     the payload
5 + n   1     a newline, not counted in the length
======= ===== ==============================================================

`FrameReader` does work linear in the bytes that come: whole frames are sliced out of the read
they came in, a longer one is gathered as chunks and joined once.

A frame over the limit is no reason to hang up. Its bytes are dropped as they arrive and an
`Oversize` takes its place, with enough of the payload to answer the call that it was.
Likewise a payload that inflates past its limit, of which never more than the limit is held.

RPyC compresses everything over 3,000 bytes, which costs it a factor of 20 on
what does not compress. `compress_frame` looks at a sample first.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from txremote.errors import NotSendable, RemoteProtocolError
from txremote.wire.limits import DEFAULT_LIMITS, Limits
from txremote.wire.long_items import DIGITS, LEVELS, MOST_ITEMS, LongItems, Part, long_items
from txremote.wire.pages import joined
from txremote.wire.slices import Steps, in_one_go

_HEADER = struct.Struct("!LB")
_pack_header = _HEADER.pack

#: How many bytes stand before a frame's payload.
FRAME_HEAD: Final = _HEADER.size
_unpack_header = _HEADER.unpack_from

_NEWLINE = ord("\n")

#: The peer has begun a TLS connection, or answered with an alert of TLS.
SPOKE_TLS: Final = "the peer speaks TLS, and this side does not"

# A record of TLS: an alert or a handshake, in version 3.something.
_TLS = re.compile(rb"[\x15\x16]\x03[\x00-\x04]")

# Enough of a payload to hold the thread ids, the kind and the sequence number.
HEAD_SIZE = 64

# Small pieces of a long frame are gathered up to this size before they become
# one chunk of the list, so a frame sent a byte at a time is no list of bytes.
_COALESCE = 65536

# Of a reader at a boundary: there may be very many of those. Nothing is ever put in.
_NO_CHUNKS: Final[list[Part]] = []

# Longest compressed payload that is inflated at once in any case: zlib makes no more than a
# thousand bytes of one. And how many bytes are inflated in a step.
_PACKED = 4096
_INFLATED = 4 << 20

#: Longest payload, in bytes, whose frame is a `bytes`; none that is longer is compressed.
LONG_FRAME = 1 << 20

#: A part of a message that is to be sent. A `memoryview` is of single bytes, and shows what
#: somebody may change before long, such as a numpy array.
Chunk = bytes | memoryview

_COMPRESS_FROM = 3000
_COMPRESS_UP_TO = LONG_FRAME  # it takes 10 ms a MiB, in which the process does nothing else
_SAMPLE = 2048


@dataclass(frozen=True, slots=True)
class Oversize:
    """Stands for a payload that was too long; ``head`` is its first bytes, inflated."""

    head: bytes
    error: RemoteProtocolError


class Packed:
    """Stands for a payload that is still compressed; ``steps`` inflates it, some MiB a step."""

    __slots__ = ("steps",)

    def __init__(self, steps: Steps[bytes | Oversize]) -> None:
        self.steps = steps


#: The content of a frame, as far as it is made out here.
Payload = bytes | Oversize | Packed | LongItems


class Room(Protocol):
    """Limits how long an inflated payload may be, where what others hold counts."""

    def room(self) -> tuple[int, str] | None:
        """Return how long and why; None for the connection's own limits."""


class FrameReader:
    """
    Turns a stream of bytes into payloads.

    Attributes:
        held: How many bytes of a message are here that is not complete.
        room: Gives how long an inflated payload may be besides and why, where that is limited.
        skipping: How many bytes of a dropped frame are still to come.
        in_steps: Whether a payload that may inflate to many MiB is given as a `Packed`.
        items: While streams of the peer's are read, the first bytes of each request: a long message
            of items that are bytes is given as a `LongItems` then. Else None.
    """

    __slots__ = ("_chunks", "_limits", "_missing", "held", "in_steps", "items", "room", "skipping")

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self.room: Room | None = None
        self.in_steps = False
        self.items: bytes | None = None
        self._chunks: list[Part] = _NO_CHUNKS  # the start of an unfinished frame
        self.held = 0  # how many bytes that is
        self._missing = 0  # bytes until something can be made of it, 0: not known
        self.skipping = 0  # bytes of a dropped frame still to come

    @property
    def at_boundary(self) -> bool:
        """Whether the stream stands between two frames."""
        return not self.held and not self.skipping

    def allow(self, limits: Limits) -> None:
        """Read by other limits from the next bytes on."""
        self._limits = limits

    def feed(self, data: bytes) -> Iterable[Payload]:
        """
        Give the payloads that a read completes, in order.

        Raises:
            RemoteProtocolError: the stream is out of step for good.
        """
        size = len(data)
        if 5 < size <= _COALESCE and not self.held and not self.skipping:
            # one whole frame, such as a call or its answer, in one go
            length, flag = _unpack_header(data)
            whole = length + 6 == size and data[-1] == 0x0A  # _NEWLINE
            if whole and not flag and length <= self._limits.max_frame:
                return (data[5:-1],)
        return self._feed(data)

    def _feed(self, data: bytes) -> Iterator[Payload]:
        begin = 0
        if self.skipping:
            if self.skipping >= len(data):
                self.skipping -= len(data)
                return
            begin, self.skipping = self.skipping, 0
        if self.held:
            needed = self._missing - self.held
            if needed > len(data):
                self._gather(data)
                return
            if self._missing > _COALESCE:
                begin = needed
                self._chunks.append(data if needed == len(data) else memoryview(data)[:needed])
                yield self._take_long()
            else:
                data = b"".join((*self._chunks, data))
                self._chunks = _NO_CHUNKS
                self.held = 0
        if begin < len(data):
            yield from self._split(data, begin)

    def _take_long(self) -> Payload:
        """Give the one long frame that the chunks make up exactly, copied once."""
        chunks = self._chunks
        self._chunks = _NO_CHUNKS
        self.held = 0
        length, flag = _unpack_header(chunks[0])
        if chunks[-1][-1] != _NEWLINE:
            raise _no_newline(length)
        if self.items is not None and not flag:
            found = self._long_items(chunks, 5, length, self.items)
            if found is not None:
                return found
        chunks[0] = memoryview(chunks[0])[5:]
        chunks[-1] = memoryview(chunks[-1])[:-1]
        payload = b"".join(chunks)
        return self._inflate(payload) if flag else payload

    def _long_items(
        self, parts: Sequence[Part], start: int, size: int, head: bytes
    ) -> LongItems | None:
        limits = self._limits
        enough = limits.max_items >= MOST_ITEMS and limits.max_int_digits >= DIGITS
        if not enough or limits.max_depth < LEVELS:
            return None  # the decoder counts
        return long_items(parts, start, size, head)

    def _gather(self, data: bytes) -> None:
        self.held += len(data)
        last = self._chunks[-1]
        if type(last) is bytearray and len(last) < _COALESCE:
            last += data
        elif len(data) < _COALESCE:
            self._chunks.append(bytearray(data))
        else:
            self._chunks.append(data)

    def _split(self, data: bytes, pos: int) -> Iterator[Payload]:
        size = len(data)
        max_frame = self._limits.max_frame
        while size - pos >= 5:
            length, flag = _unpack_header(data, pos)
            if flag > 1:  # before its bytes are waited for: this is no RPyC
                _check_tls(data, pos)
                raise RemoteProtocolError(
                    f"a frame with compression flag {flag}: the stream is out of step, "
                    f"or the peer is no RPyC (it says {data[pos : pos + 16]!r})"
                )
            end = pos + 5 + length
            if length > max_frame:
                _check_tls(data, pos)
                wanted = pos + 5 + min(length, HEAD_SIZE)
                if size < wanted:
                    break
                yield self._oversize(data[pos + 5 : wanted], length, flag)
                if size <= end:
                    self.skipping = end + 1 - size
                    return
                pos = end + 1
                continue
            if size <= end:
                break
            if data[end] != _NEWLINE:
                raise _no_newline(length)
            if length > _COALESCE and self.items is not None and not flag:
                found = self._long_items((data,), pos + 5, length, self.items)
                if found is not None:
                    yield found
                    pos = end + 1
                    continue
            payload = data[pos + 5 : end]
            yield self._inflate(payload) if flag else payload
            pos = end + 1
        if pos < size:
            self._keep(data, pos)

    def _keep(self, data: bytes, pos: int) -> None:
        """Keep the start of a frame: what stands behind a position."""
        self.held = held = len(data) - pos
        # a view keeps all of the read, so not of a small part of one
        long = held > _COALESCE // 4 and 2 * held > len(data)
        rest = memoryview(data)[pos:] if long else data[pos:]
        self._chunks = [rest]
        self._missing = 5
        if held >= 5:
            length, _flag = _unpack_header(rest, 0)
            too_long = length > self._limits.max_frame
            self._missing = 5 + min(length, HEAD_SIZE) if too_long else 6 + length

    def _oversize(self, head: bytes, length: int, flag: int) -> Oversize:
        if flag:
            try:
                head = zlib.decompressobj().decompress(head, HEAD_SIZE)
            except zlib.error:
                head = b""
        text = f"a frame of {length} bytes, more than {self._limits.max_frame} (option max_frame)"
        return Oversize(head, RemoteProtocolError(text, "max_frame"))

    def _inflate(self, payload: bytes) -> bytes | Oversize | Packed:
        steps = self._inflated(payload)
        if self.in_steps and len(payload) > _PACKED:
            return Packed(steps)
        return in_one_go(steps)

    def _inflated(self, payload: bytes) -> Steps[bytes | Oversize]:
        limit = self._limits.max_inflated
        name, why = "max_inflated", None
        room = self.room.room() if self.room is not None else None
        if room is not None and room[0] < limit:
            limit, why = room
            name = "max_held_per_address"
        inflater = zlib.decompressobj()
        parts: list[bytes] = []
        left = limit + 1
        while left:
            asked = min(left, _INFLATED)
            try:
                parts.append(inflater.decompress(payload, asked))
            except zlib.error as problem:
                raise RemoteProtocolError(
                    f"a compressed frame that zlib cannot read: {problem}"
                ) from None
            left -= len(parts[-1])
            if inflater.eof or len(parts[-1]) < asked:
                break
            payload = inflater.unconsumed_tail
            yield
        plain = parts[0] if len(parts) == 1 else b"".join(parts)
        if len(plain) > limit:
            text = why or f"a frame that inflates to more than {limit} bytes (option {name})"
            return Oversize(plain[:HEAD_SIZE], RemoteProtocolError(text, name))
        if not inflater.eof or inflater.unused_data:
            raise RemoteProtocolError("a compressed frame that is cut short or has a tail")
        return plain


def _no_newline(length: int) -> RemoteProtocolError:
    return RemoteProtocolError(
        f"a frame of {length} bytes without its newline: the stream is out of step"
    )


def frame(payload: bytes) -> bytes:
    """Return a payload as one uncompressed frame. Raises as `frame_chunks` does."""
    return bytes(frame_chunks(payload, []))


def frame_head(size: int) -> bytes:
    """
    Return what stands before an uncompressed payload of so many bytes.

    Raises:
        NotSendable: it is longer than 32 bits can say.
    """
    if size > 0xFFFFFFFF:
        raise _too_long(size)
    return _pack_header(size, 0)


def frame_chunks(head: bytes, chunks: Sequence[Chunk]) -> Chunk:
    """
    Return the payload of a head and some chunks as one uncompressed frame, copied once: a
    `bytes`, or a read-only `memoryview` of more than `LONG_FRAME` bytes.

    The memory that a `memoryview` among the chunks shows is read here and not later.

    Raises:
        NotSendable: it is longer than 32 bits can say.
    """
    size = len(head)
    for chunk in chunks:
        size += len(chunk)
    if size > LONG_FRAME:
        return joined((frame_head(size), head, *chunks, b"\n"), size + 6)
    return b"".join((_pack_header(size, 0), head, *chunks, b"\n"))


def _check_tls(data: bytes, pos: int) -> None:
    """Raise RemoteProtocolError if what is no frame is TLS."""
    if _TLS.match(data, pos):
        raise RemoteProtocolError(SPOKE_TLS)


def _too_long(size: int) -> NotSendable:
    return NotSendable(f"a message of {size} bytes: a frame's length is 32 bits")


def compress_frame(whole: bytes) -> bytes:
    """Return the same frame compressed, where a sample says that it pays."""
    size = len(whole) - 6
    if not may_compress(size) or not sample_compresses(whole):
        return whole
    packed = zlib.compress(whole[5:-1], 1)
    if len(packed) > 0.8 * size:
        return whole
    return _pack_header(len(packed), 1) + packed + b"\n"


def may_compress(size: int) -> bool:
    """Tell whether payloads of so many bytes are compressed where that pays."""
    return _COMPRESS_FROM < size <= _COMPRESS_UP_TO


def sample_compresses(data: bytes) -> bool:
    """Tell whether the middle of some bytes is worth compressing."""
    middle = max(0, (len(data) - _SAMPLE) // 2)
    sample = data[middle : middle + _SAMPLE]
    return len(zlib.compress(sample, 1)) <= 0.7 * len(sample)
