"""
A long payload, decoded in slices, so that a reactor may do other things between them.

A few KiB of zlib's are millions of values, and decoding these takes a fifth of a second.
`decoded_in_slices` has the results and errors of `load_value` and `unbox`. It is a generator
that yields when it has done the work of `SLICE` values. A stack of its own holds the
containers that it is inside of, so that it can stop at any depth. The plain loop,
`load_items`, stays beside it: a generator costs short payloads more than they take to decode.

Work is counted in small values: a reference and a long piece of bytes are as much work as
several. A single value is never cut: a str of 64 MiB is decoded at once.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Final, TypeVar

from txremote.errors import RemoteProtocolError
from txremote.wire.brine import (
    _MOST_COLLISIONS,
    Budget,
    _count_items,
    _load_int,
    _not_utf8,
    _too_deep,
    load_items,
    load_value,
)
from txremote.wire.consts import (
    LABEL_EXTENDED,
    LABEL_LOCAL_REF,
    LABEL_PROMISE,
    LABEL_REMOTE_REF,
    LABEL_TUPLE,
    LABEL_VALUE,
)
from txremote.wire.keys import BoxedReferences, key_end, unbox_promise
from txremote.wire.value_slices import SlicedReading, extended_in_slices

T = TypeVar("T")
Steps = Generator[None, None, T]

#: How many values are decoded at a time. No Final: tests patch it, and a compiled one would stay.
SLICE = 25_000

#: Longest payload, in bytes, that is decoded in one go: each value takes a byte at least.
LONG: Final = 65_536

# After how many items at most the work that was done is counted.
_FEW = 1_000
# How much work a reference is, in values, and how many bytes of a long value are as much as one.
_REFERENCE = 20
_BYTES = 16

_TUPLE, _SLICE, _FROZENSET, _BOXED = range(4)


def in_one_go(steps: Steps[T]) -> T:
    """Return what a generator gives in the end."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            found: T = done.value
            return found


def decoded_in_slices(
    data: bytes, pos: int, depth: int, budget: Budget, references: BoxedReferences | None
) -> Steps[tuple[object, int]]:
    """Decode the value at a position: with ``references`` as `unbox` does, else as `load_value`."""
    items: list[object] = []  # of the container that is being decoded
    kind = _TUPLE if references is None else _BOXED
    left = 1  # how many items are still to come; of the outermost, the value itself
    outer: list[tuple[list[object], int, int, int]] = []  # the containers around it
    room = SLICE
    value: object
    while True:
        if room <= 0:
            yield
            room = SLICE
        if not left:
            if not outer:
                return items[0], pos
            if kind == _FROZENSET:
                value = yield from _frozen(items, pos)
            elif kind == _SLICE:
                value = slice(*items)
            else:
                value = tuple(items)
            items, left, kind, depth = outer.pop()
            items.append(value)
            continue
        if kind != _BOXED:
            before = len(items)
            pos, extra = _plain_run(data, pos, min(left, room, _FEW), depth, items, budget)
            done = len(items) - before
            left -= done
            room -= done + extra
            if not left or not _is_container(data[pos]):
                continue
        elif data[pos] != 0x11:  # TAG_TUPLE_2
            raise RemoteProtocolError(f"no boxed value at byte {pos}")
        else:
            label = data[pos + 1] - 0x50  # INT_ZERO
            pos += 2
            if label in (LABEL_LOCAL_REF, LABEL_REMOTE_REF):
                assert references is not None
                end = key_end(data, pos)
                local = label == LABEL_LOCAL_REF
                unbox_key = references.unbox_local if local else references.unbox_remote
                items.append(unbox_key(data[pos:end]))
                pos = end
                left -= 1
                room -= _REFERENCE
                continue
            if label == LABEL_VALUE:
                if not _is_container(data[pos]):
                    item, end = load_value(data, pos, depth, budget)
                    items.append(item)
                    room -= 1 + (end - pos) // _BYTES
                    pos = end
                    left -= 1
                    continue
            elif label == LABEL_EXTENDED:
                assert references is not None
                inner = references.within()
                reading = SlicedReading(data, budget, inner, room, SLICE)
                value, end = yield from extended_in_slices(pos, depth, reading)
                items.append(inner.received(value, end - pos))
                pos = end
                room = reading.room - 1
                left -= 1
                continue
            elif label == LABEL_PROMISE:
                assert references is not None
                item, pos = unbox_promise(data, pos, budget, references)
                items.append(item)
                left -= 1
                room -= 1
                continue
            elif label != LABEL_TUPLE:
                raise RemoteProtocolError(f"unknown label at byte {pos - 1}")
            elif data[pos] == 0x02:  # TAG_EMPTY_TUPLE
                items.append(())
                pos += 1
                left -= 1
                room -= 1
                continue
            elif not 0x10 <= data[pos] <= 0x15:  # TAG_TUPLE_1, TAG_TUPLE_L4
                raise RemoteProtocolError(f"label TUPLE without a tuple at byte {pos}")
        boxed = kind == _BOXED and label == LABEL_TUPLE
        outer.append((items, left - 1, kind, depth))
        kind, left, pos, depth = _opened(data, pos, depth, budget)
        items = []
        if boxed:
            kind = _BOXED
        room -= 1


def _is_container(tag: int) -> bool:
    is_tuple = 0x10 <= tag <= 0x15  # TAG_TUPLE_1, TAG_TUPLE_L4
    return is_tuple or tag == 0x19 or tag == 0x1A  # TAG_SLICE, TAG_FROZENSET


def _opened(data: bytes, pos: int, depth: int, budget: Budget) -> tuple[int, int, int, int]:
    """Return a container's kind, its count, where its items start, and the depth left in them."""
    tag = data[pos]
    pos += 1
    kind = _TUPLE
    if tag > 0x15:  # TAG_TUPLE_L4
        kind = _SLICE if tag == 0x19 else _FROZENSET  # TAG_SLICE
        if depth <= 0:
            raise _too_deep(budget, pos)
        depth -= 1
        tag = data[pos]
        if tag == 0x02 and kind == _FROZENSET:  # TAG_EMPTY_TUPLE
            return kind, 0, pos + 1, depth
        if not 0x10 <= tag <= 0x15:  # TAG_TUPLE_1, TAG_TUPLE_L4
            what = (
                "slice without its three parts" if kind == _SLICE else "frozenset without its tuple"
            )
            raise RemoteProtocolError(f"a {what} at byte {pos}")
        pos += 1
    count, pos = _count_items(data, pos, tag)
    if kind == _SLICE and count != 3:
        raise RemoteProtocolError(f"a slice without its three parts at byte {pos}")
    if depth <= 0:
        raise _too_deep(budget, pos)
    if budget.counted:
        budget.take(count)
    return kind, count, pos, depth - 1


def _plain_run(
    data: bytes, pos: int, most: int, depth: int, items: list[object], budget: Budget
) -> tuple[int, int]:
    """
    Decode up to ``most`` values that stand one behind the other, but no container that is no
    small tuple; return the position behind them, and how much work it was beyond one for each.
    """
    shortest = min(19, budget.digits + 1)
    append = items.append
    extra = 0
    item: object
    for _ in range(most):
        tag = data[pos]
        if 0x20 <= tag <= 0xEF:  # INT_FIRST, INT_LAST; here as in load_items
            append(tag - 0x50)  # INT_ZERO
            pos += 1
        elif tag == 0x08 and data[pos + 1] == 0x0E:  # TAG_STR of TAG_BYTES_L1
            begin = pos + 3
            pos = begin + data[pos + 2]
            try:
                append(data[begin:pos].decode())
            except UnicodeDecodeError:
                raise _not_utf8(begin) from None
        elif tag == 0x16:  # TAG_INT_L1
            begin = pos + 2
            pos = begin + data[pos + 1]
            text = data[begin:pos]
            if pos - begin < shortest and text.isdigit():
                append(int(text))
            else:
                append(_load_int(data, begin, pos, budget))
        else:
            begin = pos
            if not _is_container(tag):
                item, pos = load_value(data, pos, 1, budget)
            elif tag > 0x13 or depth <= 0:  # TAG_TUPLE_4
                break
            else:  # most often its items are plain values; else this comes to nothing
                allowed = budget.items
                try:
                    item, pos = load_items(data, pos + 1, tag - 0x0F, 1, budget)  # TUPLE_BEFORE
                except RemoteProtocolError:
                    budget.items = allowed
                    break
                extra += tag - 0x0F  # TUPLE_BEFORE
            append(item)
            if pos - begin > _FEW:
                extra += (pos - begin) // _BYTES
                break
    return pos, extra


def _frozen(items: list[object], pos: int) -> Steps[frozenset[object]]:
    """Make a frozenset of items, in slices."""
    found: set[object] = set()
    hashes: set[int] = set()
    try:
        for start in range(0, len(items), SLICE):
            part = items[start : start + SLICE]
            hashes.update(map(hash, part))
            if start + len(part) - len(hashes) > _MOST_COLLISIONS:
                raise RemoteProtocolError(f"a frozenset of colliding items at byte {pos}")
            found.update(part)
            yield
        return frozenset(found)
    except TypeError:  # slices cannot be hashed before Python 3.12
        raise RemoteProtocolError(f"a frozenset with an unhashable item at byte {pos}") from None
