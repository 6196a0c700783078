"""
A long payload, decoded in slices, so that a reactor may do other things between them.

A few KiB of zlib's are millions of values, and these take the fifth of a second. Here
they are decoded as `load_value` and `unbox` do, with the same result and the same errors,
by a generator that yields when it has done the work of `SLICE` values. What is nested
stands on a stack of our own, so that it can stop within a tuple at any depth; `load_items`
is for what is short, and for the small tuples in here.

Work is counted in small values: a reference and a long piece of bytes are as much work as
several. A single value is never cut: a str of 64 MiB is decoded at once.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final, TypeVar

from txremote.errors import RemoteProtocolError
from txremote.wire.boxing import References, _key_end
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

T = TypeVar("T")
Steps = Generator[None, None, T]

#: How many values are decoded at a time.
SLICE: Final = 25_000

#: Longest payload, in bytes, that is decoded in one go: each value takes a byte at least.
LONG: Final = 65_536

# After how many items at most it is looked at what they were made of.
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


def value_in_slices(data: bytes, pos: int, depth: int, budget: Budget) -> Steps[tuple[Any, int]]:
    """Decode the value at a position; arguments, result and errors are `load_value`'s."""
    return _decoded(data, pos, depth, budget, None)


def unboxed_in_slices(
    data: bytes, pos: int, depth: int, budget: Budget, references: References
) -> Steps[tuple[Any, int]]:
    """Decode the boxed value at a position; arguments, result and errors are `unbox`'s."""
    return _decoded(data, pos, depth, budget, references)


def _decoded(
    data: bytes, pos: int, depth: int, budget: Budget, references: References | None
) -> Steps[tuple[Any, int]]:
    items: list[Any] = []  # of what is being decoded
    kind = _TUPLE if references is None else _BOXED
    left = 1  # how many are still to come: of the outermost, the value itself
    outer: list[tuple[list[Any], int, int, int]] = []
    room = SLICE
    while True:
        if room <= 0:
            yield
            room = SLICE
        if not left:
            if not outer:
                return items[0], pos
            value: Any
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
        elif data[pos] != 0x11:
            raise RemoteProtocolError(f"no boxed value at byte {pos}")
        else:
            label = data[pos + 1]
            pos += 2
            if label == 0x53 or label == 0x54:
                assert references is not None
                end = _key_end(data, pos)
                key = data[pos:end]
                if label == 0x53:
                    items.append(references.unbox_local(key))
                else:
                    items.append(references.unbox_remote(key, data, pos))
                pos = end
                left -= 1
                room -= _REFERENCE
                continue
            if label == 0x51:
                if not _is_container(data[pos]):
                    item, end = load_value(data, pos, depth, budget)
                    items.append(item)
                    room -= 1 + (end - pos) // _BYTES
                    pos = end
                    left -= 1
                    continue
            elif label != 0x52:
                raise RemoteProtocolError(f"unknown label at byte {pos - 1}")
            elif data[pos] == 0x02:
                items.append(())
                pos += 1
                left -= 1
                room -= 1
                continue
            elif not 0x10 <= data[pos] <= 0x15:
                raise RemoteProtocolError(f"label TUPLE without a tuple at byte {pos}")
        boxed = kind == _BOXED and label == 0x52
        outer.append((items, left - 1, kind, depth))
        kind, left, pos, depth = _opened(data, pos, depth, budget)
        items = []
        if boxed:
            kind = _BOXED
        room -= 1


def _is_container(tag: int) -> bool:
    return 0x10 <= tag <= 0x15 or tag == 0x19 or tag == 0x1A


def _opened(data: bytes, pos: int, depth: int, budget: Budget) -> tuple[int, int, int, int]:
    """
    Return the kind of what begins at ``pos``, how many items it has, where they start,
    and how many levels of nesting are allowed in them.
    """
    tag = data[pos]
    pos += 1
    kind = _TUPLE
    if tag > 0x15:
        kind = _SLICE if tag == 0x19 else _FROZENSET
        if depth <= 0:
            raise _too_deep(budget, pos)
        depth -= 1
        tag = data[pos]
        if tag == 0x02 and kind == _FROZENSET:
            return kind, 0, pos + 1, depth
        if not 0x10 <= tag <= 0x15:
            what = (
                "a slice without its three parts"
                if kind == _SLICE
                else "a frozenset without its tuple"
            )
            raise RemoteProtocolError(f"{what} at byte {pos}")
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
    data: bytes, pos: int, most: int, depth: int, items: list[Any], budget: Budget
) -> tuple[int, int]:
    """
    Decode values that stand one behind the other, up to the first that has others in it,
    but for small tuples, or to the end of what may be done.

    Returns:
        The position behind them, and how much work it was beyond one for each.
    """
    shortest = min(19, budget.digits + 1)
    append = items.append
    extra = 0
    for _ in range(most):
        tag = data[pos]
        if 0x20 <= tag <= 0xEF:
            append(tag - 0x50)
            pos += 1
        elif tag == 0x08 and data[pos + 1] == 0x0E:
            begin = pos + 3
            pos = begin + data[pos + 2]
            try:
                append(data[begin:pos].decode())
            except UnicodeDecodeError:
                raise _not_utf8(begin) from None
        elif tag == 0x16:
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
            elif tag > 0x13 or depth <= 0:
                break
            else:  # most often its items are plain values; else this comes to nothing
                allowed = budget.items
                try:
                    item, pos = load_items(data, pos + 1, tag - 0x0F, 1, budget)
                except RemoteProtocolError:
                    budget.items = allowed
                    break
                extra += tag - 0x0F
            append(item)
            if pos - begin > _FEW:
                extra += (pos - begin) // _BYTES
                break
    return pos, extra


def _frozen(items: list[Any], pos: int) -> Steps[frozenset[Any]]:
    """Make a frozenset of items, in slices."""
    found: set[Any] = set()
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
