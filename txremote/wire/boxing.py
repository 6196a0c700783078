"""
Boxing: values and references to bytes and back, in one pass each way.

A boxed value is a pair ``(label, payload)``:

===== =========== ================ =============================================
byte  label       payload          meaning
===== =========== ================ =============================================
51    VALUE       the value        brine can carry it whole
52    TUPLE       boxed items      a tuple with something brine cannot carry
53    LOCAL_REF   id pack          an object of the *receiver's*
54    REMOTE_REF  id pack          an object of the *sender's*
55    EXTENDED    extended value   ours, to a peer with "values": `txremote.wire.values`
56    PROMISE     a call's number  ours, to a peer with "graphs": what that call gives
===== =========== ================ =============================================

(the pair itself is a brined 2-tuple, so tag ``11`` stands before each label).
An id pack is ``(name, class id, instance id)``, and is used as its encoding
(`txremote.wire.keys`).
"""

from __future__ import annotations

from typing import Any, Final

from txremote.errors import NotSendable, RemoteProtocolError
from txremote.wire import consts, tags
from txremote.wire.brine import (
    Budget,
    _count_items,
    _too_deep,
    dump_into,
    dump_str,
    load_value,
    tuple_head,
)
from txremote.wire.keys import LOCAL_REF_HEAD, BoxedReferences, key_end, unbox_promise
from txremote.wire.limits import DEFAULT_LIMITS
from txremote.wire.naming import class_name, with_article
from txremote.wire.undumpable import Undumpable
from txremote.wire.value_flat import dump_flat, flat_items, load_flat
from txremote.wire.value_loading import load_extended
from txremote.wire.value_shapes import is_value_class
from txremote.wire.values import EXTENDED_BUILTINS, MARKS, AsValue, ReceivedValue, dump_extended

#: What a boxed value of each label begins with: the pair's tag, and the label.
VALUE_HEAD: Final = bytes([tags.TAG_TUPLE_2, tags.INT_ZERO + consts.LABEL_VALUE])
TUPLE_HEAD: Final = bytes([tags.TAG_TUPLE_2, tags.INT_ZERO + consts.LABEL_TUPLE])

EXTENDED_HEAD: Final = bytes([tags.TAG_TUPLE_2, tags.INT_ZERO + consts.LABEL_EXTENDED])

#: What is sent nests less deep than what is read by default: the arguments of a
#: call stand within a tuple of their own.
SENDABLE_DEPTH = DEFAULT_LIMITS.max_depth - 1

#: ``()``, boxed.
EMPTY_TUPLE: Final = VALUE_HEAD + bytes([tags.TAG_EMPTY_TUPLE])

# what needs no peer with "values"
_SCALARS: Final = frozenset(map(type, (None, NotImplemented, ..., True, 0, 0.0, 0j, "", b"")))


# --- boxing -----------------------------------------------------------------


def box_into(out: list[bytes], value: object, references: BoxedReferences) -> None:
    """
    Append a boxed value to a list of chunks.

    Raises:
        NotSendable: some part of it cannot be encoded. The references that were counted
            before that stay counted.
    """
    mark = len(out)
    out.append(VALUE_HEAD)
    try:
        dump_into(out, value, SENDABLE_DEPTH)
    except Undumpable:
        del out[mark:]
        box_mixed_into(out, value, references)


def box_mixed_into(out: list[bytes], value: object, references: BoxedReferences) -> None:
    """Append a value that brine does not carry whole. Raises as `box_into` does."""
    if type(value) is tuple:
        out.extend(_box_tuple(value, references, SENDABLE_DEPTH)[1])
    elif type(value) in MARKS:
        _box_marked(out, value, references, SENDABLE_DEPTH)
    else:
        out.append(references.box_reference(value))


def box_arguments_into(
    out: list[bytes], args: tuple[object, ...], references: BoxedReferences
) -> None:
    """
    Append the arguments of a call of which at least one is marked as a value: so brine does not
    carry them whole, and one pass is enough. Raises as `box_into` does.
    """
    out.append(TUPLE_HEAD + tuple_head(len(args)))
    depth = SENDABLE_DEPTH - 1
    for item in args:
        kind = type(item)
        if type(item) is AsValue:
            box_value_into(out, item.value, references, depth)
        elif kind in MARKS:
            _box_marked(out, item, references, depth)
        elif type(item) is tuple:
            plain, chunks = _box_tuple(item, references, depth)
            if plain:
                out.append(VALUE_HEAD)
            out.extend(chunks)
        else:
            mark = len(out)
            out.append(VALUE_HEAD)
            try:
                dump_into(out, item, depth)
            except Undumpable:
                del out[mark:]
                out.append(references.box_reference(item))


def _box_marked(out: list[bytes], marked: Any, references: BoxedReferences, depth: int) -> None:
    """
    Append what is marked as a value. One that is only passed on, to a peer that knows no values,
    goes as RPyC would send it.
    """
    if type(marked) is ReceivedValue and not references.takes_values():
        box_into(out, marked.value, references)
    else:
        box_value_into(out, marked.value, references, depth)


def box_value_into(
    out: list[bytes], value: object, references: BoxedReferences, depth: int
) -> None:
    """Append a boxed value that is sent as a value. Raises as `box_into` does."""
    kind = type(value)
    if kind in _SCALARS:
        out.append(VALUE_HEAD)
        dump_into(out, value, depth)
    elif not (kind in EXTENDED_BUILTINS or is_value_class(kind)):
        out.append(references.box_reference(value))
    elif references.takes_values():
        out.append(EXTENDED_HEAD)
        items = flat_items(value)
        if items:
            dump_flat(out, value, items)
        else:
            dump_extended(out, value, references, depth, references.most_items())
    else:
        _box_without_values(out, value, depth)


def _box_without_values(out: list[bytes], value: object, depth: int) -> None:
    """Append a value for a peer that knows brine alone."""
    out.append(VALUE_HEAD)
    try:
        dump_into(out, value, depth)
    except Undumpable:
        raise NotSendable(
            f"{with_article(class_name(type(value)))} cannot go as a value: the peer is an RPyC, "
            "or has not said yet that it is a txremote with values. Send it as it is, by "
            "reference, or as a tuple"
        ) from None


def _box_tuple(
    items: tuple[object, ...], references: BoxedReferences, depth: int
) -> tuple[bool, list[bytes]]:
    """Return whether brine can carry a tuple whole, and its plain brine or the boxed tuple."""
    if depth <= 0:
        raise NotSendable("tuples nested too deep (option max_depth)")
    plain = True
    parts: list[tuple[bool, list[bytes]]] = []
    for item in items:
        if type(item) is tuple:
            part = _box_tuple(item, references, depth - 1)
        elif type(item) in MARKS:
            chunks: list[bytes] = []
            _box_marked(chunks, item, references, depth - 1)
            part = (False, chunks)
        else:
            chunks = []
            try:
                dump_into(chunks, item, depth - 1)
                part = (True, chunks)
            except Undumpable:
                part = (False, [references.box_reference(item)])
        plain = plain and part[0]
        parts.append(part)
    out = [tuple_head(len(items))] if plain else [TUPLE_HEAD + tuple_head(len(items))]
    for is_plain, chunks in parts:
        if is_plain and not plain:
            out.append(VALUE_HEAD)
        out.extend(chunks)
    return plain, out


def box_name(name: str) -> bytes:
    """Return a str as a boxed value."""
    return VALUE_HEAD + dump_str(name)


# --- unboxing ---------------------------------------------------------------


# The arguments of a CALLATTR: a boxed tuple of four, of which the first is an object of ours
# and the second a str.
_CALL_SITE: Final = TUPLE_HEAD + bytes([tags.TAG_TUPLE_4]) + LOCAL_REF_HEAD
_BOXED_STR: Final = VALUE_HEAD + bytes([tags.TAG_STR])


def call_site_end(data: bytes, pos: int) -> int:
    """
    Return where the object and the name of a CALLATTR end, without decoding.

    It is 0 where the arguments are not a tuple of four that starts with one of our objects
    and a str of 1 to 255 bytes.
    """
    key = pos + 5  # the length of _CALL_SITE
    if data[pos:key] != _CALL_SITE:
        return 0
    name = key_end(data, key)
    text = name + 3  # the length of _BOXED_STR
    if data[name:text] != _BOXED_STR:
        return 0
    tag = data[text]
    if tag == 0x0E:  # TAG_BYTES_L1: tag, length, text
        return text + 2 + data[text + 1]
    if 0x0A <= tag <= 0x0D:  # TAG_BYTES_1, TAG_BYTES_4
        return text + 1 + (tag - 0x09)  # BYTES_BEFORE
    return 0


def call_site_key(site: bytes) -> bytes:
    """Return the key of the object in the bytes that `call_site_end` has found."""
    start = len(_CALL_SITE)
    return site[start : key_end(site, start)]


def unbox(
    data: bytes, pos: int, depth: int, budget: Budget, references: BoxedReferences
) -> tuple[object, int]:
    """Decode the boxed value at a position, as `load_value` does."""
    if data[pos] != 0x11:  # TAG_TUPLE_2
        raise RemoteProtocolError(f"no boxed value at byte {pos}")
    label = data[pos + 1]
    pos += 2
    if label == 0x51:  # INT_ZERO + LABEL_VALUE
        return load_value(data, pos, depth, budget)
    if label == 0x52:  # INT_ZERO + LABEL_TUPLE
        if not budget.counted and EXTENDED_HEAD in data:  # which may name things again and again
            budget = budget.as_counted()
        return unbox_tuple(data, pos, depth, budget, references)
    if label == 0x53 or label == 0x54:  # INT_ZERO + LABEL_LOCAL_REF, INT_ZERO + LABEL_REMOTE_REF
        end = key_end(data, pos)
        key = data[pos:end]
        if label == 0x53:  # INT_ZERO + LABEL_LOCAL_REF
            return references.unbox_local(key), end
        return references.unbox_remote(key), end
    if label == 0x55:  # INT_ZERO + LABEL_EXTENDED
        flat = load_flat(data, pos, depth, budget)
        if flat is not None:
            return references.received(flat[0], flat[1] - pos), flat[1]
        inner = references.within()
        value, end = load_extended(data, pos, depth, budget, inner)
        return inner.received(value, end - pos), end
    if label == 0x56:  # INT_ZERO + LABEL_PROMISE
        return unbox_promise(data, pos, budget, references)
    raise RemoteProtocolError(f"unknown label at byte {pos - 1}")


def unbox_tuple(
    data: bytes, pos: int, depth: int, budget: Budget, references: BoxedReferences
) -> tuple[tuple[object, ...], int]:
    """Decode the tuple of boxed values behind label TUPLE, as `unbox` does."""
    tag = data[pos]
    if tag == 0x02:  # TAG_EMPTY_TUPLE
        return (), pos + 1
    if not 0x10 <= tag <= 0x15:  # TAG_TUPLE_1, TAG_TUPLE_L4
        raise RemoteProtocolError(f"label TUPLE without a tuple at byte {pos}")
    count, pos = _count_items(data, pos + 1, tag)
    if budget.counted:
        budget.take(count)
    if depth <= 0:
        raise _too_deep(budget, pos)
    items = []
    item: object
    for _ in range(count):
        # as unbox, but with this budget for all
        label = data[pos + 1] if data[pos] == 0x11 else 0  # TAG_TUPLE_2
        if label == 0x51:  # INT_ZERO + LABEL_VALUE
            item, pos = load_value(data, pos + 2, depth - 1, budget)
        elif label == 0x52:  # INT_ZERO + LABEL_TUPLE
            item, pos = unbox_tuple(data, pos + 2, depth - 1, budget, references)
        elif 0x53 <= label <= 0x54:  # INT_ZERO + LABEL_LOCAL_REF, INT_ZERO + LABEL_REMOTE_REF
            end = key_end(data, pos + 2)
            key = data[pos + 2 : end]
            pos = end
            if label == 0x53:  # INT_ZERO + LABEL_LOCAL_REF
                item = references.unbox_local(key)
            else:
                item = references.unbox_remote(key)
        elif label == 0x55 and (  # INT_ZERO + LABEL_EXTENDED
            flat := load_flat(data, pos + 2, depth - 1, budget)
        ):
            item, end = flat
            item = references.received(item, end - pos)
            pos = end
        else:
            item, pos = unbox(data, pos, depth - 1, budget, references)
        items.append(item)
    return tuple(items), pos
