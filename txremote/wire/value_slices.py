"""
A long extended value, decoded in slices: the results and errors of `load_extended`.

A few items at a time are decoded in one go, by the plain loop, with a small allowance and no
references. Nearly all items of a long value fit: scalars, short records, short lists. Where one
does not, the attempt is undone, and the items are decoded one by one, each container in slices
of its own. An attempt that comes to nothing has to be earned by what was decoded before, so the
time stays linear in the bytes.

One function of a program, ``load`` of ``register_value``, may therefore be called twice for one
value, and then what it returned first is dropped.
"""

from __future__ import annotations

import struct
from collections.abc import Generator
from typing import Final, NoReturn, TypeVar

from txremote.errors import RemoteProtocolError
from txremote.wire.brine import _MOST_COLLISIONS, Budget, _too_deep
from txremote.wire.keys import References
from txremote.wire.record import Shape, build_record
from txremote.wire.value_flat import CONTAINER_COST
from txremote.wire.value_kinds import LOADERS
from txremote.wire.value_loading import (
    Reading,
    load_number,
    load_run,
    load_shape,
    no_shape,
    open_container,
    other,
)

T = TypeVar("T")
Steps = Generator[None, None, T]
#: Items, the position behind them, and the least depth that was left in them.
Run = tuple[list[object], int, int]

# How many items are tried in one go, and how much they may hold.
_TRIED: Final = 250
_ALLOWANCE: Final = 5_000
# What an attempt that came to nothing costs, in values that were decoded.
_FAILURE: Final = 1_000
# How many bytes of a long value, or how many references, are as much work as a value.
_BYTES: Final = 16
_REFERENCE: Final = 20

_FAILED: Final = (RemoteProtocolError, IndexError, struct.error)


class _NoReferences:
    """Stands for the references while an attempt may have to be undone."""

    def box_reference(self, value: object) -> NoReturn:
        """Not asked for."""
        raise NotImplementedError

    def unbox_local(self, key: bytes) -> NoReturn:
        """End the attempt."""
        raise RemoteProtocolError("a reference")

    def unbox_remote(self, key: bytes) -> NoReturn:
        """End the attempt."""
        raise RemoteProtocolError("a reference")

    def refuse(self, problem: Exception) -> NoReturn:
        """End the attempt."""
        raise RemoteProtocolError("a value that cannot be built")


_NO_REFERENCES: Final = _NoReferences()


class SlicedReading(Reading):
    """
    The state of an extended value that is read in slices.

    Attributes:
        room: How much work is left in the slice.
        credit: How much has been decoded, less what attempts have cost.
    """

    __slots__ = ("credit", "room", "slice_size")

    def __init__(
        self, data: bytes, budget: Budget, references: References, room: int, slice_size: int
    ) -> None:
        super().__init__(data, budget, references)
        self.room = room
        self.slice_size = slice_size
        self.credit = 10 * _FAILURE


def extended_in_slices(pos: int, depth: int, state: SlicedReading) -> Steps[tuple[object, int]]:
    """Do as `load_extended`, a slice at each step."""
    items, end, _low = yield from _run(pos, 1, depth, state)
    return items[0], end


def _run(pos: int, count: int, depth: int, state: SlicedReading) -> Steps[Run]:
    """Decode values that stand one behind the other."""
    items: list[object] = []
    low = depth
    left = count
    while left:
        if state.room <= 0:
            yield
            state.room = state.slice_size
        few = min(left, _TRIED, max(state.room, 1))
        run = _tried(pos, few, depth, state) if state.credit >= _FAILURE else None
        if run is None:
            run = yield from _one_by_one(pos, few, depth, state)
        items += run[0]
        pos = run[1]
        low = min(low, run[2])
        left -= few
    return items, pos, low


def _tried(pos: int, count: int, depth: int, state: SlicedReading) -> Run | None:
    """Decode some values in one go, or leave no trace and return None."""
    references, budget = state.references, state.budget
    marks = len(state.done), len(state.shapes)
    allowed = budget.items
    allowance = budget.items = min(allowed, _ALLOWANCE)
    state.references = _NO_REFERENCES
    try:
        run = load_run(state.data, pos, count, depth, state)
    except _FAILED:
        del state.done[marks[0] :], state.shapes[marks[1] :]
        budget.items = allowed
        state.credit -= _FAILURE
        return None
    finally:
        state.references = references
    work = count + allowance - budget.items
    budget.items += allowed - allowance
    state.credit += work
    state.room -= work + (run[1] - pos) // _BYTES
    return run


def _one_by_one(pos: int, count: int, depth: int, state: SlicedReading) -> Steps[Run]:
    items: list[object] = []
    low = depth
    for _ in range(count):
        if state.room <= 0:
            yield
            state.room = state.slice_size
        start = pos
        tag = state.data[pos]
        item: object
        if _is_long(tag):
            item, pos, deeper = yield from _container(pos, tag, depth, state)
        else:
            before = state.budget.items
            item, pos, deeper = _one(pos, depth, state)
            state.room -= (pos - start) // _BYTES + before - state.budget.items
            if tag == 0x07 or tag == 0x09:  # TAG_LOCAL_REF, TAG_REMOTE_REF
                state.room -= _REFERENCE
        state.credit += 1
        state.room -= 1
        items.append(item)
        low = min(low, deeper)
    return items, pos, low


def _one(pos: int, depth: int, state: Reading) -> tuple[object, int, int]:
    """Decode one value, be it one of the commonest or not."""
    items, pos, low = load_run(state.data, pos, 1, depth, state)
    return items[0], pos, low


def _is_long(tag: int) -> bool:
    """Tell whether a value of this tag may hold others."""
    if 0x10 <= tag <= 0x1F:  # TAG_TUPLE_1, TAG_RECORD
        return not 0x16 <= tag <= 0x18 and tag != 0x1B  # TAG_INT_L1, TAG_FLOAT, TAG_COMPLEX
    return tag == 0xF0 or tag == 0xF1  # TAG_SAME_SHAPE, TAG_OTHER


def _container(
    pos: int, tag: int, depth: int, state: SlicedReading
) -> Steps[tuple[object, int, int]]:
    """Decode what holds other values."""
    start = pos
    before = state.budget.items
    if tag == 0xF1:  # TAG_OTHER
        return (yield from _other(pos + 1, depth, state))
    if tag == 0xF0 or tag == 0x1F:  # TAG_SAME_SHAPE, TAG_RECORD
        return (yield from _record(pos + 1, tag, depth, state))
    if 0x1C <= tag <= 0x1E:  # TAG_LIST, TAG_SET
        count, pos = open_container(pos + 1, depth, CONTAINER_COST, state)
        items, pos, low = yield from _run(pos, count, depth - 1, state)
        made: object = items
        if tag != 0x1C:  # TAG_LIST
            made = yield from _built(tag, items, start, state)
        state.done.append((made, before - state.budget.items, depth - low))
        return made, pos, low
    if tag == 0x19 or tag == 0x1A:  # TAG_SLICE, TAG_FROZENSET
        if depth <= 0:
            raise _too_deep(state.budget, pos)
        depth -= 1
        pos += 1
    count, pos = open_container(pos, depth, 0, state)
    items, pos, low = yield from _run(pos, count, depth - 1, state)
    if tag == 0x1A:  # TAG_FROZENSET
        found = yield from _built(tag, items, start, state)
        assert isinstance(found, set)
        return frozenset(found), pos, low
    if tag == 0x19:  # TAG_SLICE
        if len(items) != 3:
            raise RemoteProtocolError(f"a slice without its three parts at byte {start}")
        return slice(*items), pos, low
    return tuple(items), pos, low


def _built(tag: int, items: list[object], pos: int, state: SlicedReading) -> Steps[object]:
    """Make a set or a dict of its items, in slices, as `container` does at once."""
    is_dict = tag == 0x1D  # TAG_DICT
    if is_dict and len(items) % 2:
        raise RemoteProtocolError(f"a dict with a key without its value at byte {pos}")
    keys, values = (items[::2], items[1::2]) if is_dict else (items, items)
    hashes: set[int] = set()
    found: dict[object, object] = {}
    alone: set[object] = set()
    for start in range(0, len(keys), state.slice_size):
        end = min(start + state.slice_size, len(keys))
        part = keys[start:end]
        try:
            hashes.update(map(hash, part))
            if end - len(hashes) > _MOST_COLLISIONS:
                raise RemoteProtocolError(f"a set or dict of colliding items at byte {pos}")
            if is_dict:
                found.update(zip(part, values[start:end], strict=True))
            else:
                alone.update(part)
        except TypeError:
            raise RemoteProtocolError(
                f"a set or dict with an unhashable item at byte {pos}"
            ) from None
        yield
    made = found if is_dict else alone
    if len(made) != len(keys):
        raise RemoteProtocolError(f"a set or dict with equal items at byte {pos}")
    return made


def _record(pos: int, tag: int, depth: int, state: SlicedReading) -> Steps[tuple[object, int, int]]:
    shape: Shape
    if tag == 0x1F:  # TAG_RECORD
        shape, pos = load_shape(state.data, pos, state)
        state.shapes.append(shape)
    else:
        number, pos = load_number(state.data, pos)
        if number >= len(state.shapes):
            raise no_shape(number, pos)
        shape = state.shapes[number]
    if depth <= 0:
        raise _too_deep(state.budget, pos)
    before = state.budget.items
    state.budget.take(len(shape.fields) + CONTAINER_COST)
    items, pos, low = yield from _run(pos, len(shape.fields), depth - 1, state)
    record = build_record(shape, dict(zip(shape.fields, items, strict=True)))
    state.done.append((record, before - state.budget.items, depth - low))
    return record, pos, low


def _other(pos: int, depth: int, state: SlicedReading) -> Steps[tuple[object, int, int]]:
    code, behind = load_number(state.data, pos)
    loader = LOADERS.get(code)
    if loader is None or loader.takes_views:  # whose payload is short, but for its bytes
        return _one(pos - 1, depth, state)
    before = state.budget.items
    count, behind = open_container(behind, depth, loader.cost, state)
    items, behind, low = yield from _run(behind, count, depth - 1, state)
    made = other(code, loader, items, (pos, behind), state)
    if loader.is_shared:
        state.done.append((made, before - state.budget.items, depth - low))
    return made, behind, low
