"""
Extended values, from bytes: every limit of the wire is held while they are decoded.

As in brine, decoding goes by index over one `bytes`, and what runs past the end is found by
whoever compares the ends. Nothing is imported, and no class is built but `Record` and those
of the table of kinds (`txremote.wire.value_kinds`).

Each function returns the least depth that was left within what it decoded. So a container's
height is known when it is complete, and a number that names it later can be refused where
that height does not fit; its size is charged again at each such place. A payload of a few
bytes can therefore not name more than ``max_items`` values.
"""

from __future__ import annotations

from typing import Final

from txremote.errors import RemoteProtocolError
from txremote.wire.brine import (
    _MOST_COLLISIONS,
    Budget,
    _bytes_span,
    _count_items,
    _load_int,
    _not_utf8,
    _too_deep,
    _unpack_f8,
    load_value,
)
from txremote.wire.keys import References, key_end
from txremote.wire.record import KINDS, Shape, build_record, check_fields
from txremote.wire.value_flat import CONTAINER_COST
from txremote.wire.value_kinds import LOADERS, Loader, NotLoaded, build_other

#: What a loader raises for a payload that is none of its.
WRONG_PAYLOAD: Final = (ValueError, TypeError, ArithmeticError, LookupError)


class Reading:
    """The state of one extended value that is being read."""

    __slots__ = ("budget", "data", "done", "references", "shapes", "shortest")

    def __init__(self, data: bytes, budget: Budget, references: References) -> None:
        self.data = data
        self.budget = budget if budget.counted else budget.as_counted()
        # ints shorter than that need no more than a look at their digits
        self.shortest = min(19, budget.digits + 1)
        self.references = references
        self.shapes: list[Shape] = []
        # what is complete: the value, its size and its height
        self.done: list[tuple[object, int, int]] = []


def load_extended(
    data: bytes, pos: int, depth: int, budget: Budget, references: References
) -> tuple[object, int]:
    """
    Decode the extended value at a position, as `load_value` does.

    Returns:
        The value, with a `Record` for each value of a class; and the position behind it.
    """
    items, end, _low = load_run(data, pos, 1, depth, Reading(data, budget, references))
    return items[0], end


def load_run(
    data: bytes, pos: int, count: int, depth: int, state: Reading
) -> tuple[list[object], int, int]:
    """Decode values that stand one behind the other, the commonest of them in place."""
    low = depth
    items: list[object] = []
    append = items.append
    item: object
    for _ in range(count):
        tag = data[pos]
        if tag >= 0x20:  # INT_FIRST
            if tag <= 0xEF:  # INT_LAST
                append(tag - 0x50)  # INT_ZERO
                pos += 1
                continue
            if tag == 0xF0 and 0x50 <= data[pos + 1] <= 0xEF:  # TAG_SAME_SHAPE, INT_ZERO, INT_LAST
                number = data[pos + 1] - 0x50  # INT_ZERO
                if number >= len(state.shapes):
                    raise no_shape(number, pos)
                item, pos, deeper = load_record(data, pos + 2, state.shapes[number], depth, state)
            else:
                item, pos, deeper = load_one(pos, tag, depth, state)
            append(item)
            if deeper < low:  # noqa: PLR1730
                low = deeper
        elif tag == 0x08 and data[pos + 1] == 0x0E:  # TAG_STR of TAG_BYTES_L1; as in load_items
            start = pos + 3
            pos = start + data[pos + 2]
            try:
                append(data[start:pos].decode())
            except UnicodeDecodeError:
                raise _not_utf8(start) from None
        elif tag == 0x16:  # TAG_INT_L1
            start = pos + 2
            pos = start + data[pos + 1]
            text = data[start:pos]
            if pos - start < state.shortest and text.isdigit():
                append(int(text))
            else:
                append(_load_int(data, start, pos, state.budget))
        elif tag == 0x18:  # TAG_FLOAT
            append(_unpack_f8(data, pos + 1)[0])
            pos += 9
        else:
            item, pos, deeper = load_one(pos, tag, depth, state)
            append(item)
            if deeper < low:  # noqa: PLR1730
                low = deeper
    return items, pos, low


def load_record(
    data: bytes, pos: int, shape: Shape, depth: int, state: Reading
) -> tuple[object, int, int]:
    """Decode the fields of a record: as `load_run`, but into a dict, which takes half the time."""
    budget = state.budget
    if depth <= 0:
        raise _too_deep(budget, pos)
    before = budget.items
    names = shape.fields
    budget.take(len(names) + CONTAINER_COST)
    depth -= 1
    low = depth
    fields: dict[str, object] = {}
    for name in names:
        tag = data[pos]
        if 0x20 <= tag <= 0xEF:  # INT_FIRST, INT_LAST
            fields[name] = tag - 0x50  # INT_ZERO
            pos += 1
        elif tag == 0x08 and data[pos + 1] == 0x0E:  # TAG_STR of TAG_BYTES_L1
            start = pos + 3
            pos = start + data[pos + 2]
            try:
                fields[name] = data[start:pos].decode()
            except UnicodeDecodeError:
                raise _not_utf8(start) from None
        elif tag == 0x16:  # TAG_INT_L1
            start = pos + 2
            pos = start + data[pos + 1]
            text = data[start:pos]
            if pos - start < state.shortest and text.isdigit():
                fields[name] = int(text)
            else:
                fields[name] = _load_int(data, start, pos, budget)
        elif tag == 0x18:  # TAG_FLOAT
            fields[name] = _unpack_f8(data, pos + 1)[0]
            pos += 9
        elif tag == 0x03 or tag == 0x04:  # TAG_TRUE, TAG_FALSE
            fields[name] = tag == 0x03  # TAG_TRUE
            pos += 1
        else:
            fields[name], pos, deeper = load_one(pos, tag, depth, state)
            if deeper < low:  # noqa: PLR1730
                low = deeper
    record = build_record(shape, fields)
    state.done.append((record, before - budget.items, depth + 1 - low))
    return record, pos, low


def no_shape(number: int, pos: int) -> RemoteProtocolError:
    """Return the error for a record of a shape that has not come."""
    return RemoteProtocolError(f"an unknown shape {number} at byte {pos}")


def load_one(pos: int, tag: int, depth: int, state: Reading) -> tuple[object, int, int]:
    """Decode one value that is none of the commonest."""
    data = state.data
    if tag == 0x03 or tag == 0x04:  # TAG_TRUE, TAG_FALSE
        return tag == 0x03, pos + 1, depth  # TAG_TRUE
    if tag == 0x00:  # TAG_NONE
        return None, pos + 1, depth
    if tag == 0xF0:  # TAG_SAME_SHAPE
        number, pos = load_number(data, pos + 1)
        if number >= len(state.shapes):
            raise no_shape(number, pos)
        return load_record(data, pos, state.shapes[number], depth, state)
    if 0x1C <= tag <= 0x1E:  # TAG_LIST, TAG_SET
        return _load_container(pos + 1, tag, depth, state)
    if tag == 0xF2:  # TAG_SHARED
        number, pos = load_number(data, pos + 1)
        if number >= len(state.done):
            raise RemoteProtocolError(f"an unknown container {number} at byte {pos}")
        item, size, height = state.done[number]
        if height > depth:
            raise _too_deep(state.budget, pos)
        state.budget.take(size)
        return item, pos, depth - height
    if 0x10 <= tag <= 0x15 or tag == 0x02:  # TAG_TUPLE_1, TAG_TUPLE_L4, TAG_EMPTY_TUPLE
        items, pos, low = _load_tuple(pos, depth, state)
        return tuple(items), pos, low
    if tag == 0x1F:  # TAG_RECORD
        shape, pos = load_shape(data, pos + 1, state)
        state.shapes.append(shape)
        return load_record(data, pos, shape, depth, state)
    if tag == 0xF1:  # TAG_OTHER
        return _load_other(pos + 1, depth, state)
    if tag == 0x07 or tag == 0x09:  # TAG_LOCAL_REF, TAG_REMOTE_REF
        end = key_end(data, pos + 1)
        key = data[pos + 1 : end]
        if tag == 0x07:  # TAG_LOCAL_REF
            return state.references.unbox_local(key), end, depth
        return state.references.unbox_remote(key), end, depth
    if tag == 0x1A or tag == 0x19:  # TAG_FROZENSET, TAG_SLICE
        if depth <= 0:
            raise _too_deep(state.budget, pos)
        items, end, low = _load_tuple(pos + 1, depth - 1, state)
        if tag == 0x1A:  # TAG_FROZENSET
            return frozenset(_distinct(items, pos, "a frozenset")), end, low
        if len(items) != 3:
            raise RemoteProtocolError(f"a slice without its three parts at byte {pos}")
        return slice(*items), end, low
    item, pos = load_value(data, pos, 1, state.budget)
    return item, pos, depth


def load_number(data: bytes, pos: int) -> tuple[int, int]:
    """Decode an int that counts something: 0 to 159 in a byte, or up to 9 digits."""
    tag = data[pos]
    if 0x50 <= tag <= 0xEF:  # INT_ZERO, INT_LAST
        return tag - 0x50, pos + 1  # INT_ZERO
    if tag == 0x16:  # TAG_INT_L1
        start = pos + 2
        end = start + data[pos + 1]
        text = data[start:end]
        if end - start < 10 and text.isdigit():
            return int(text), end
    raise RemoteProtocolError(f"a number of something that is none at byte {pos}")


def open_container(pos: int, depth: int, extra: int, state: Reading) -> tuple[int, int]:
    """Return the count and the start of the items of what is laid out as a tuple."""
    data = state.data
    if depth <= 0:
        raise _too_deep(state.budget, pos)
    tag = data[pos]
    if tag == 0x02:  # TAG_EMPTY_TUPLE
        count = 0
        pos += 1
    elif 0x10 <= tag <= 0x15:  # TAG_TUPLE_1, TAG_TUPLE_L4
        count, pos = _count_items(data, pos + 1, tag)
    else:
        raise RemoteProtocolError(f"a container without its count at byte {pos}")
    state.budget.take(count + extra)
    return count, pos


def _load_tuple(pos: int, depth: int, state: Reading) -> tuple[list[object], int, int]:
    count, pos = open_container(pos, depth, 0, state)
    return load_run(state.data, pos, count, depth - 1, state)


def _load_container(pos: int, tag: int, depth: int, state: Reading) -> tuple[object, int, int]:
    before = state.budget.items
    start = pos
    count, pos = open_container(pos, depth, CONTAINER_COST, state)
    items, pos, low = load_run(state.data, pos, count, depth - 1, state)
    made = _container(tag, items, start)
    state.done.append((made, before - state.budget.items, depth - low))
    return made, pos, low


def _container(tag: int, items: list[object], pos: int) -> object:
    """Return the list, dict or set of some items."""
    if tag == 0x1C:  # TAG_LIST
        return items
    if tag == 0x1E:  # TAG_SET
        return _distinct(items, pos, "a set")
    keys = items[::2]
    if len(items) % 2:
        raise RemoteProtocolError(f"a dict with a key without its value at byte {pos}")
    _distinct(keys, pos, "a dict")
    return dict(zip(keys, items[1::2], strict=True))


def _distinct(items: list[object], pos: int, name: str) -> set[object]:
    """Return a set of items that must be hashable, different, and not collide too much."""
    try:
        if len(items) > _MOST_COLLISIONS and len(items) - len(set(map(hash, items))) > (
            _MOST_COLLISIONS
        ):
            raise RemoteProtocolError(f"{name} of colliding items at byte {pos}")
        found = set(items)
    except TypeError:
        raise RemoteProtocolError(f"{name} with an unhashable item at byte {pos}") from None
    if len(found) != len(items):
        raise RemoteProtocolError(f"{name} with equal items at byte {pos}")
    return found


def load_shape(data: bytes, pos: int, state: Reading) -> tuple[Shape, int]:
    """Decode the kind, the name and the field names of records; and the position behind them."""
    start = pos
    budget = state.budget
    kind, pos = load_number(data, pos)
    name, pos = load_value(data, pos, 1, budget)
    fields, pos = load_value(data, pos, 1, budget)
    if kind >= len(KINDS) or type(name) is not str or type(fields) is not tuple:
        raise RemoteProtocolError(f"a record without its kind, name and fields at byte {start}")
    names = tuple(field for field in fields if type(field) is str)
    if len(names) != len(fields):
        raise RemoteProtocolError(f"a record whose fields have no names at byte {start}")
    try:
        check_fields(name, names)
    except ValueError as problem:
        raise RemoteProtocolError(f"{problem}, at byte {start}") from None
    return Shape(kind, name, names), pos


def _load_other(pos: int, depth: int, state: Reading) -> tuple[object, int, int]:
    start = pos
    before = state.budget.items
    code, pos = load_number(state.data, pos)
    loader = LOADERS.get(code)
    if loader is None:
        raise RemoteProtocolError(f"an unknown kind of value {code} at byte {start}")
    count, pos = open_container(pos, depth, loader.cost, state)
    if loader.takes_views:
        items, pos, low = _load_with_views(pos, count, depth - 1, state)
    else:
        items, pos, low = load_run(state.data, pos, count, depth - 1, state)
    made = other(code, loader, items, (start, pos), state)
    if loader.is_shared:
        state.done.append((made, before - state.budget.items, depth - low))
    return made, pos, low


def other(
    code: int, loader: Loader, items: list[object], span: tuple[int, int], state: Reading
) -> object:
    """Return the value of another kind, whose payload is at a span of bytes."""
    start, end = span
    if end > len(state.data):  # cut: the end is compared later, and the value would be wrong
        return None
    try:
        return build_other(code, tuple(items))
    except NotLoaded as problem:
        state.references.refuse(problem.reason)
        return None
    except WRONG_PAYLOAD as problem:
        raise RemoteProtocolError(
            f"{str(problem) or loader.name}, at byte {start}: no {loader.name}"
        ) from None


def _load_with_views(
    pos: int, count: int, depth: int, state: Reading
) -> tuple[list[object], int, int]:
    """Decode the payload of a kind that takes bytes as views of the frame."""
    data = state.data
    found: list[object] = []
    low = depth
    for _ in range(count):
        tag = data[pos]
        if 0x0A <= tag <= 0x0F or tag == 0x01:  # TAG_BYTES_1, TAG_BYTES_L4, TAG_EMPTY_BYTES
            start, pos = _bytes_span(data, pos)
            found.append(memoryview(data)[start:pos])
        else:
            items, pos, deeper = load_run(data, pos, 1, depth, state)
            found += items
            if deeper < low:  # noqa: PLR1730
                low = deeper
    return found, pos, low
