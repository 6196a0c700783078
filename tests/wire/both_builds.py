"""
The questions to both builds, and answers as texts that are equal only where both do the same; not
a test file.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any
from unittest import mock

from tests.wire.extended import References
from tests.wire.extended_values import canon
from txremote.wire import slices
from txremote.wire.boxing import box_into, box_value_into
from txremote.wire.brine import Budget, dump, load
from txremote.wire.decoder import MessageDecoder
from txremote.wire.framing import FrameReader, Oversize, Packed, compress_frame, frame
from txremote.wire.keys import key_end, load_key
from txremote.wire.limits import Limits
from txremote.wire.messages import DIALECT_5, DIALECT_6_BOUND, Dialect, open_envelope, sniff
from txremote.wire.slices import in_one_go


class _Tables(References):
    """References are their keys."""

    def held(self, key: bytes) -> Any:
        return None

    def unbox_local(self, key: bytes) -> Any:
        return b"ours" + key

    def unbox_remote(self, key: bytes) -> Any:
        return key

    def unbox_promise(self, number: int) -> Any:
        return number


def told(ask: Callable[..., object], *arguments: Any) -> str:
    """Return what a function gives or raises, in full."""
    try:
        return repr(canon(ask(*arguments)))
    except Exception as problem:
        # the words of Python's own errors within a message are another matter than the message
        own = isinstance(problem, (IndexError, struct.error))
        said = "" if own else f"{problem} {getattr(problem, 'limit', None)}"
        return f"{type(problem).__name__}: {said}"


def _boxed(value: Any) -> bytes:
    out: list[bytes] = []
    box_into(out, value, _Tables())
    return b"".join(out)


def _boxed_value(value: Any) -> bytes:
    out: list[bytes] = []
    box_value_into(out, value, _Tables(), 99)
    return b"".join(out)


def encodings(value: Any) -> list[str]:
    """Tell of all that makes bytes of a value."""
    mixed = [value, (value, 1)]
    return [
        *(told(dump, value), told(_boxed, value), told(_boxed_value, value)),
        told(_boxed_value, mixed),
    ]


def _in_slices(decoder: MessageDecoder, data: bytes, kind: int) -> object:
    with mock.patch.object(slices, "SLICE", 3):
        return in_one_go(decoder.arguments_in_slices(data, kind, 0))


def _opened(data: bytes, dialect: Dialect | None, limits: Limits) -> object:
    return open_envelope(data, dialect or sniff(data), Budget(limits, len(data)))


def decodings(data: bytes, most: int, depth: int, digits: int) -> list[str]:
    """Tell of all that makes something of bytes, within limits of items, depth and digits."""
    limits = Limits(max_items=most, max_depth=depth, max_int_digits=digits)
    answers = [told(load, data, limits), told(load_key, data), told(key_end, data, 0)]
    answers += [
        told(_opened, data, dialect, limits) for dialect in (None, DIALECT_5, DIALECT_6_BOUND)
    ]
    for kind in (1, 2, 3):
        decoder = MessageDecoder(limits, _Tables())
        answers += [told(decoder.arguments, data, kind, 0) for _ in range(2)]
        answers.append(told(_in_slices, decoder, data, kind))
    return answers


def _read(reader: FrameReader, part: bytes) -> object:
    got: list[object] = []
    for each in reader.feed(part):
        if isinstance(each, Oversize):
            got.append((each.head, str(each.error)))
        elif isinstance(each, Packed):
            got.append(in_one_go(each.steps) and "packed")
        else:
            got.append(each)
    return got, reader.held, reader.skipping


def framings(payload: bytes, cuts: list[int], most: int) -> list[str]:
    """Tell of a payload's frame, and of three that come in parts."""
    answers = [told(frame, payload), told(compress_frame, frame(payload))]
    stream = frame(payload) + compress_frame(frame(payload * 100)) + payload
    reader = FrameReader(Limits(max_frame=most, max_inflated=most))
    start = 0
    for cut in [*sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]:
        answers.append(told(_read, reader, stream[start:cut]))
        start = cut
    return answers


def code() -> str:
    """Tell which build this is."""
    return type(dump).__name__
