"""
A message of a stream's items that are long `bytes`, taken from the parts that it came in.

A frame that comes in several reads would be put together, its payload cut out of it, and each item
out of that: three copies of every byte. The five bytes before such an item tell its type and its
length, so here each is cut out of the reads themselves, once. The layout is that of all messages:
brine, behind ``ITEMS``. A message that is not as expected is left to the decoder, which says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Final, NamedTuple

from txremote.wire.boxing import VALUE_HEAD
from txremote.wire.brine import _bytes_head, dump_int, tuple_head
from txremote.wire.consts import HANDLE_ITEMS
from txremote.wire.messages import request_head

_unpack_head = Struct("!BL").unpack_from

_ITEMS: Final = request_head(HANDLE_ITEMS) + VALUE_HEAD + b"\x11"  # TAG_TUPLE_2

# What stands before the first item is no longer than that.
_HEAD: Final = 80

#: A decoder whose limits allow as many items, levels and digits has no other result.
MOST_ITEMS: Final = 257
LEVELS: Final = 4
DIGITS: Final = 18

#: A part of a message.
Part = bytes | bytearray | memoryview


class LongItems(NamedTuple):
    """
    A message of items that are bytes.

    Attributes:
        number: The stream's.
        items: In order.
        size: How long the message was, in bytes.
    """

    number: int
    items: tuple[bytes, ...]
    size: int


def long_items(parts: Sequence[Part], start: int, size: int, head: bytes) -> LongItems | None:
    """
    Return the items of a message, or None of one that is another.

    Args:
        parts: Where it is.
        start: Where in the first of them it begins.
        size: How long it is; the parts have as much.
        head: The first bytes of each request, in the peer's dialect.
    """
    first = _cut(parts, 0, start, min(_HEAD, size))[0]
    if len(first) < _HEAD or not first.startswith(head):
        return None
    pos = _int_at(first, len(head))[1]
    behind = pos + len(_ITEMS)
    if first[pos:behind] != _ITEMS:
        return None
    number, pos = _int_at(first, behind)
    tag = first[pos]
    if not pos:
        return None
    if 0x10 <= tag <= 0x13:  # TAG_TUPLE_1, TAG_TUPLE_4
        count, pos = tag - 0x0F, pos + 1  # TUPLE_BEFORE
    elif tag == 0x14:  # TAG_TUPLE_L1
        count, pos = first[pos + 1], pos + 2
    else:
        return None
    items = _items(parts, start + pos, size - pos, count)
    return None if items is None else LongItems(number, items, size)


def long_items_body(number: int, items: list[bytes]) -> list[bytes]:
    """Return the chunks of such a message, behind its number; the items are among them."""
    body = [_ITEMS + dump_int(number) + tuple_head(len(items))]
    for item in items:
        body.append(_bytes_head(len(item)))
        body.append(item)
    return body


def _items(parts: Sequence[Part], pos: int, left: int, count: int) -> tuple[bytes, ...] | None:
    """Return so many items that are all that is left, from a position in the first part on."""
    index = 0
    while pos > len(parts[index]):
        pos -= len(parts[index])
        index += 1
    items = []
    for _ in range(count):
        part = parts[index]
        if pos + 5 <= len(part):
            tag, length = _unpack_head(part, pos)
            pos += 5
        elif left < 5:
            return None
        else:
            head, index, pos = _cut(parts, index, pos, 5)
            tag, length = _unpack_head(head)
            part = parts[index]
        left -= 5 + length
        if tag != 0x0F or left < 0:  # TAG_BYTES_L4
            return None
        end = pos + length
        if end <= len(part):
            items.append(bytes(part[pos:end]))
            pos = end
        else:
            item, index, pos = _cut(parts, index, pos, length)
            items.append(item)
    return None if left else tuple(items)


def _cut(parts: Sequence[Part], index: int, pos: int, size: int) -> tuple[bytes, int, int]:
    """Return bytes from a position in a part on, copied once, and where the next stand."""
    pieces: list[memoryview] = []
    while True:
        piece = memoryview(parts[index])[pos : pos + size]
        pieces.append(piece)
        size -= len(piece)
        if not size:
            return b"".join(pieces), index, pos + len(piece)
        index += 1
        pos = 0


def _int_at(data: bytes, pos: int) -> tuple[int, int]:
    """Return the int at a position, and what stands behind it; twice 0 of another value."""
    tag = data[pos] if pos < len(data) else 0
    if 0x20 <= tag <= 0xEF:  # INT_FIRST, INT_LAST
        return tag - 0x50, pos + 1  # INT_ZERO
    if tag == 0x16:  # TAG_INT_L1: tag, length, text
        begin = pos + 2
        end = begin + data[pos + 1]
        text = data[begin:end]
        if 0 < len(text) <= DIGITS and text.isdigit():
            return int(text), end
    return 0, 0
