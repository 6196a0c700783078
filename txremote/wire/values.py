"""
Extended values: brine that carries lists, dicts, sets, records and references too.

A boxed value of label 5 is an extended value. It has all tags of brine with their meaning,
and the tags that brine leaves free, of which `docs/wire.rst` has the table. A peer that has
not said "values" in HELLO is never sent one.

Parts that stand at two places are written once: a container or record gets a number when it is
complete, and is named by that number later. So what is shared stays shared, and nothing that
is read can hold itself. The decoder (`txremote.wire.value_loading`) charges a shared part at
each place where it is named with all that it holds; the encoder counts likewise, so that it
refuses what a peer would refuse.

Other objects go by reference inside a value, under the same rules as elsewhere.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterable
from typing import Any, Final, cast

from txremote.errors import NotSendable
from txremote.wire.brine import (
    _MOST_COLLISIONS,
    IMMEDIATE_INTS,
    SHORT_INTS,
    _bytes_head,
    dump,
    dump_int,
    dump_into,
    dump_str,
    tuple_head,
)
from txremote.wire.keys import LOCAL_REF_HEAD, References, key_of_boxed
from txremote.wire.limits import DEFAULT_LIMITS
from txremote.wire.naming import class_name, full_name
from txremote.wire.record import Shape
from txremote.wire.value_flat import CONTAINER_COST
from txremote.wire.value_shapes import OTHER, REFERENCE, Plan, plan_of

#: Levels of an extended value, at most: the arguments of a call stand in a tuple of their own.
SENDABLE_DEPTH: Final = DEFAULT_LIMITS.max_depth - 1

#: What is no class that `plan_of` knows, and travels as a value.
EXTENDED_BUILTINS: Final = frozenset({list, dict, set, tuple, frozenset, slice})

_pack_float: Final = struct.Struct("!Bd").pack
_SHORT_STRS: Final = [b"\x08\x0e" + bytes([i]) for i in range(256)]  # TAG_STR, TAG_BYTES_L1


class AsValue:
    """Marks what boxing sends as a value, whatever it is; `txremote.value` makes it."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value


class ReceivedValue:
    """
    A value of the peer's, as it was unboxed: sent on, it is a value again.

    Attributes:
        value: It.
        mixed: Whether references to the peer's objects are in it.
        own: The ids of objects of this side's in it, which are its receiver's to look into.
        size: How many bytes it took in its message.
    """

    __slots__ = ("mixed", "own", "size", "value")

    def __init__(self, value: object, mixed: bool, own: Collection[int], size: int = 0) -> None:
        self.value = value
        self.mixed = mixed
        self.own = own
        self.size = size


#: What boxing sends as a value, whatever it is.
MARKS: Final = frozenset({AsValue, ReceivedValue})


class _Writing:
    """The state of one extended value that is being written."""

    __slots__ = (
        "alike",
        "done",
        "heads",
        "left",
        "most",
        "numbers",
        "out",
        "records",
        "references",
    )

    def __init__(self, out: list[bytes], references: References, most: int) -> None:
        self.out = out
        self.references = references
        self.most = most
        self.left = most
        # by id: the number of what is complete, -1 for what is being written
        self.numbers: dict[int, int] = {}
        # what is complete, which keeps ids valid; its size and its height
        self.done: list[tuple[object, int, int]] = []
        # what a record of a known shape begins with, by its shape, and by what that consists of
        self.heads: dict[Shape, bytes] = {}
        self.alike: dict[tuple[int, str, tuple[str, ...]], bytes] = {}
        # by class: that head, what gives the fields, and what a record counts as
        self.records: dict[type, tuple[bytes, Callable[[object], Iterable[object]], int]] = {}


def dump_extended(
    out: list[bytes],
    value: object,
    references: References,
    depth: int = SENDABLE_DEPTH,
    most: int = DEFAULT_LIMITS.max_items,
) -> None:
    """
    Append the encoding of an extended value to a list of chunks, some of which may be views.

    Args:
        out: On an error some chunks may have been added.
        value: Any.
        references: Boxes what is no value.
        depth: How deep it may nest.
        most: How many items it may have, counted as the decoder does.

    Raises:
        NotSendable: some part of it cannot be kept.
    """
    try:
        _dump_items((value,), depth, _Writing(out, references, most))
    except UnicodeEncodeError as problem:
        raise NotSendable(f"a str that UTF-8 cannot carry: {problem}") from None
    except AttributeError as problem:
        raise NotSendable(f"a value that has not all of its fields: {problem}") from problem


def _dump_items(items: Iterable[Any], depth: int, state: _Writing) -> int:
    """Append items one behind the other; return the least depth that was left in them."""
    append = state.out.append
    low = depth
    for item in items:
        kind = type(item)
        if kind is int:
            found = IMMEDIATE_INTS.get(item)
            if found is not None:
                append(found)
            elif -(10**18) < item < 10**18:
                text = b"%d" % item
                append(SHORT_INTS[len(text)] + text)
            else:
                append(dump_int(item))
        elif kind is str:
            text = item.encode()
            size = len(text)
            if 4 < size < 256:
                append(_SHORT_STRS[size] + text)
            else:
                append(b"\x08" + _bytes_head(size) + text)  # TAG_STR
        elif kind is float:
            append(_pack_float(0x18, item))  # TAG_FLOAT
        elif kind is bool:
            append(b"\x03" if item else b"\x04")  # TAG_TRUE, TAG_FALSE
        elif item is None:
            append(b"\x00")  # TAG_NONE
        else:
            known = state.records.get(kind)
            if known is None or depth <= 0 or id(item) in state.numbers or state.left < known[2]:
                deeper = _dump_one(item, kind, depth, state)
            else:  # as _dump_record, for the second of a class and those behind it
                append(known[0])
                before = state.left
                state.left = before - known[2]
                deeper = _dump_items(known[1](item), depth - 1, state)
                state.numbers[id(item)] = len(state.done)
                state.done.append((item, before - state.left, depth - deeper))
            if deeper < low:  # noqa: PLR1730
                low = deeper
    return low


def _take(state: _Writing, count: int, depth: int) -> None:
    """Count what is opened: its items, and its level."""
    if depth <= 0:
        raise NotSendable(
            f"values nested deeper than {SENDABLE_DEPTH}, or in themselves (option max_depth)"
        )
    state.left -= count
    if state.left < 0:
        raise NotSendable(
            f"a value of more than {state.most} items (option max_items): send it in parts"
        )


def _dump_one(item: Any, kind: type, depth: int, state: _Writing) -> int:
    """Append one value that is none of the commonest; return the least depth left in it."""
    out = state.out
    if kind is list or kind is dict or kind is set:
        return _dump_shared(item, kind, None, depth, state)
    if kind is tuple:
        return _dump_tuple(item, depth, state)
    if kind is bytes:
        out.append(_bytes_head(len(item)))
        out.append(item)
        return depth
    if kind is frozenset or kind is slice:
        # a level of its own
        out.append(b"\x1a" if kind is frozenset else b"\x19")  # TAG_FROZENSET, TAG_SLICE
        _take(state, 0, depth)
        items = _keys(item) if kind is frozenset else (item.start, item.stop, item.step)
        return _dump_tuple(items, depth - 1, state)
    if kind is complex or item is NotImplemented or item is Ellipsis:
        dump_into(out, item)
        return depth
    if kind is AsValue:
        return _dump_items((item.value,), depth, state)
    plan = plan_of(kind)
    if plan.how == REFERENCE:
        boxed = state.references.box_reference(item)
        is_local = boxed.startswith(LOCAL_REF_HEAD)
        out.append(b"\x07" if is_local else b"\x09")  # TAG_LOCAL_REF, TAG_REMOTE_REF
        out.append(key_of_boxed(boxed))
        return depth
    if plan.is_shared:
        shape = plan.shape
        if shape is not None and shape in state.heads:
            state.records[kind] = (state.heads[shape], plan.get, len(shape.fields) + CONTAINER_COST)
        return _dump_shared(item, kind, plan, depth, state)
    return _dump_other(item, plan, depth, state)


def _dump_tuple(items: tuple[object, ...], depth: int, state: _Writing) -> int:
    _take(state, len(items), depth)
    state.out.append(tuple_head(len(items)))
    return _dump_items(items, depth - 1, state)


def _dump_shared(item: Any, kind: type, plan: Plan | None, depth: int, state: _Writing) -> int:
    """Append what is written once: whole, or as the number that it has got."""
    numbers = state.numbers
    key = id(item)
    number = numbers.get(key)
    if number is not None:
        if number < 0:
            raise NotSendable(
                f"a {class_name(kind)} that holds itself: no value does, so send it by reference"
            )
        _it, size, height = state.done[number]
        _take(state, size, depth - height + 1)
        state.out.append(b"\xf2" + dump_int(number))  # TAG_SHARED
        return depth - height
    numbers[key] = -1
    before = state.left
    if plan is None:
        low = _dump_container(item, kind, depth, state)
    elif plan.how == OTHER:
        low = _dump_other(item, plan, depth, state)
    else:
        low = _dump_record(item, plan, depth, state)
    done = state.done
    numbers[key] = len(done)
    done.append((item, before - state.left, depth - low))
    return low


def _dump_container(item: Any, kind: type, depth: int, state: _Writing) -> int:
    # a copy, for what is asked about an item may change the container
    if kind is list:
        tag, items = b"\x1c", item[:]  # TAG_LIST
    elif kind is dict:
        tag = b"\x1d"  # TAG_DICT
        items = [part for pair in zip(_keys(item), item.values(), strict=True) for part in pair]
    else:
        tag, items = b"\x1e", _keys(item)  # TAG_SET
    _take(state, len(items) + CONTAINER_COST, depth)
    state.out.append(tag + tuple_head(len(items)))
    return _dump_items(items, depth - 1, state)


# equal ones of these are equal at the other end too
_SIMPLE: Final = frozenset(
    {str, int, bytes, float, complex, bool, tuple, frozenset, slice}
    | {type(None), type(...), type(NotImplemented)}
)


def _keys(items: Iterable[object]) -> tuple[object, ...]:
    """Return the items of a set, or the keys of a dict; refuse what is told apart by identity."""
    keys = tuple(items)
    for kind in set(map(type, keys)) - _SIMPLE:
        if not plan_of(kind).has_equality:
            raise NotSendable(
                f"a {full_name(kind)} in a set or as a key of a dict: it has no __eq__, so two of "
                "one content would arrive as one"
            )
    if len(keys) > _MOST_COLLISIONS and len(keys) - len(set(map(hash, keys))) > _MOST_COLLISIONS:
        raise NotSendable(
            f"a set or dict with more than {_MOST_COLLISIONS} keys of equal hashes, which no peer "
            "takes: send a list"
        )
    return keys


def _dump_record(item: Any, plan: Plan, depth: int, state: _Writing) -> int:
    shape = plan.shape or item.__record__
    head = state.heads.get(shape) or _known_head(shape, state)
    if not head:
        head = b"\x1f" + dump_int(shape.kind)  # TAG_RECORD
        head += dump_str(shape.name) + dump(shape.fields)
    _take(state, len(shape.fields) + CONTAINER_COST, depth)
    state.out.append(head)
    return _dump_items(plan.get(item), depth - 1, state)


def _known_head(shape: Shape, state: _Writing) -> bytes:
    """Return what begins a record whose shape is like a known one, or nothing for the first."""
    key = (shape.kind, shape.name, shape.fields)
    known = state.alike.get(key, b"")
    if not known:
        state.alike[key] = b"\xf0" + dump_int(len(state.alike))  # TAG_SAME_SHAPE
    state.heads[shape] = state.alike[key]
    return known


def _dump_other(item: Any, plan: Plan, depth: int, state: _Writing) -> int:
    payload = tuple(plan.get(item))
    out = state.out
    _take(state, len(payload) + plan.cost, depth)
    out.append(b"\xf1" + dump_int(plan.code) + tuple_head(len(payload)))  # TAG_OTHER
    low = depth - 1
    for part in payload:
        if type(part) is memoryview:
            out.append(_bytes_head(part.nbytes))
            # whoever joins or writes the chunks takes a view as it takes bytes
            cast("list[object]", out).append(part)
        else:
            low = min(low, _dump_items((part,), depth - 1, state))
    return low
