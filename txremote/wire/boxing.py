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
===== =========== ================ =============================================

(the pair itself is a brined 2-tuple, so tag ``11`` stands before each label).
An id pack is ``(name, class id, instance id)``. It is used as its *encoding*, called the
reference's key: both ends encode a pack the same way, so a table by key finds an object
without decoding its pack.
"""

from __future__ import annotations

import struct
from typing import Final, Protocol

from txremote.errors import NotSendable, RemoteProtocolError
from txremote.wire import consts, tags
from txremote.wire.brine import (
    Budget,
    Undumpable,
    _count_items,
    _too_deep,
    dump,
    dump_into,
    dump_str,
    load_value,
    truncated,
    tuple_head,
    uncounted_budget,
)
from txremote.wire.consts import IdPack
from txremote.wire.limits import DEFAULT_LIMITS

#: What a boxed value of each label begins with: the pair's tag, and the label.
VALUE_HEAD: Final = bytes([tags.TAG_TUPLE_2, tags.INT_ZERO + consts.LABEL_VALUE])
TUPLE_HEAD: Final = bytes([tags.TAG_TUPLE_2, tags.INT_ZERO + consts.LABEL_TUPLE])
LOCAL_REF_HEAD: Final = bytes([tags.TAG_TUPLE_2, tags.INT_ZERO + consts.LABEL_LOCAL_REF])
REMOTE_REF_HEAD: Final = bytes([tags.TAG_TUPLE_2, tags.INT_ZERO + consts.LABEL_REMOTE_REF])

#: What is sent nests less deep than what is read by default: the arguments of a
#: call stand within a tuple of their own.
SENDABLE_DEPTH = DEFAULT_LIMITS.max_depth - 1

#: ``()``, boxed.
EMPTY_TUPLE: Final = VALUE_HEAD + bytes([tags.TAG_EMPTY_TUPLE])


class References(Protocol):
    """The objects that a connection's keys stand for, counted as they come and go."""

    def box_reference(self, value: object) -> bytes:
        """Return the boxed reference to a value, and count it as handed out."""

    def unbox_local(self, key: bytes) -> object:
        """Return the object of ours that a key stands for."""

    def unbox_remote(self, key: bytes) -> object:
        """Return the reference to the peer's object, and count it; `RemoteProtocolError`."""


# --- boxing -----------------------------------------------------------------


def box_into(out: list[bytes], value: object, references: References) -> None:
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


def box_mixed_into(out: list[bytes], value: object, references: References) -> None:
    """Append a value that brine does not carry whole. Raises as `box_into` does."""
    if type(value) is tuple:
        out.extend(_box_tuple(value, references, SENDABLE_DEPTH)[1])
    else:
        out.append(references.box_reference(value))


def _box_tuple(
    items: tuple[object, ...], references: References, depth: int
) -> tuple[bool, list[bytes]]:
    """Return whether brine can carry a tuple whole, and its plain brine or the boxed tuple."""
    if depth <= 0:
        raise NotSendable("tuples nested too deep (option max_depth)")
    plain = True
    parts: list[tuple[bool, list[bytes]]] = []
    for item in items:
        if type(item) is tuple:
            part = _box_tuple(item, references, depth - 1)
        else:
            chunks: list[bytes] = []
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


def key_of_boxed(boxed: bytes) -> bytes:
    """Return the key in a boxed reference."""
    return boxed[len(REMOTE_REF_HEAD) :]


def _int_end(data: bytes, pos: int) -> int:
    tag = data[pos]
    if 0x20 <= tag <= 0xEF:  # INT_FIRST, INT_LAST
        return pos + 1
    if tag == 0x16:  # TAG_INT_L1: tag, length, text
        return pos + 2 + data[pos + 1]
    raise RemoteProtocolError(f"an id that is no plain int at byte {pos}")


def _key_end(data: bytes, pos: int) -> int:
    """
    Return where the id pack at ``pos`` ends, without decoding it.

    Each reference of a message is measured by this, so nearly all id packs are measured in
    place: a str of up to 255 bytes, and two ints.
    """
    if data[pos] != 0x12:  # TAG_TUPLE_3
        raise _no_key(data, pos)
    if data[pos + 1] != 0x08:  # TAG_STR
        raise _no_name(data, pos)
    tag = data[pos + 2]
    if tag == 0x0E:  # TAG_BYTES_L1: three tags and the length stand before the text
        end = pos + 4 + data[pos + 3]
    elif 0x0A <= tag <= 0x0D:  # TAG_BYTES_1, TAG_BYTES_4: three tags before it
        end = pos + 3 + (tag - 0x09)  # BYTES_BEFORE
    else:  # rpyc names are module.Class: never empty, never 256 bytes long
        raise RemoteProtocolError(f"a name of a strange length in an id pack at byte {pos + 2}")
    tag = data[end]
    if tag == 0x16:  # TAG_INT_L1: tag, length, text
        end += 2 + data[end + 1]
    else:
        end = end + 1 if 0x20 <= tag <= 0xEF else _int_end(data, end)  # INT_FIRST, INT_LAST
    tag = data[end]
    return end + 1 if 0x20 <= tag <= 0xEF else _int_end(data, end)  # INT_FIRST, INT_LAST


_OLD_RPYC = (
    "the peer is an RPyC before 4.1, or a port of one, whose references RPyC 5 and 6 do not "
    "understand: let it have rpyc 4.1 or later, or txremote"
)


def _no_name(data: bytes, pos: int) -> RemoteProtocolError:
    # before RPyC 4.1 it was (id, class name, module name)
    tag = data[pos + 1]
    is_int = tag == tags.TAG_INT_L1 or tags.INT_FIRST <= tag <= tags.INT_LAST
    if is_int and data[_int_end(data, pos + 1)] == tags.TAG_STR:
        return RemoteProtocolError(_OLD_RPYC)
    return RemoteProtocolError(f"an id pack without a name at byte {pos + 1}")


def _no_key(data: bytes, pos: int) -> RemoteProtocolError:
    """
    Return the error for what is no id pack. RPyC's forks write a fourth item: rpyc-ng
    the kind of object (1 a module, 2 a class, 3 an instance), rpyc-async whether it is a
    coroutine function (0 or 1).
    """
    if data[pos] == tags.TAG_TUPLE_4:
        first_three = bytes([tags.TAG_TUPLE_3]) + data[pos + 1 : pos + 600]
        fourth = data[pos + _key_end(first_three, 0)] - tags.INT_ZERO
        is_async = fourth == 0 or (fourth == 1 and b"builtins." in data[pos : pos + 14])
        if is_async or fourth in (1, 2, 3):
            return RemoteProtocolError(
                f"the peer is {'rpyc-async' if is_async else 'rpyc-ng'}, a fork of RPyC whose "
                f"references RPyC itself does not understand (at byte {pos}): let both ends "
                "have txremote or rpyc"
            )
    return RemoteProtocolError(f"an id pack that is no 3-tuple at byte {pos}")


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
    name = _key_end(data, key)
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
    return site[start : _key_end(site, start)]


def unbox(
    data: bytes, pos: int, depth: int, budget: Budget, references: References
) -> tuple[object, int]:
    """Decode the boxed value at a position, as `load_value` does."""
    if data[pos] != 0x11:  # TAG_TUPLE_2
        raise RemoteProtocolError(f"no boxed value at byte {pos}")
    label = data[pos + 1]
    pos += 2
    if label == 0x51:  # INT_ZERO + LABEL_VALUE
        return load_value(data, pos, depth, budget)
    if label == 0x52:  # INT_ZERO + LABEL_TUPLE
        return _unbox_tuple(data, pos, depth, budget, references)
    if label == 0x53 or label == 0x54:  # INT_ZERO + LABEL_LOCAL_REF, INT_ZERO + LABEL_REMOTE_REF
        end = _key_end(data, pos)
        key = data[pos:end]
        if label == 0x53:  # INT_ZERO + LABEL_LOCAL_REF
            return references.unbox_local(key), end
        return references.unbox_remote(key), end
    raise RemoteProtocolError(f"unknown label at byte {pos - 1}")


def _unbox_tuple(
    data: bytes, pos: int, depth: int, budget: Budget, references: References
) -> tuple[tuple[object, ...], int]:
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
    for _ in range(count):
        item, pos = unbox(data, pos, depth - 1, budget, references)
        items.append(item)
    return tuple(items), pos


def load_key(key: bytes) -> IdPack:
    """Decode a key. Raises as `check_pack` does."""
    try:
        return check_pack(load_value(key, 0, 2, uncounted_budget(DEFAULT_LIMITS))[0])
    except (IndexError, struct.error):
        raise truncated(key) from None


def check_pack(pack: object) -> IdPack:
    """Return the value if it is an id pack, else raise `RemoteProtocolError`."""
    if type(pack) is str:  # an RPyC before 4.1 asks about what it takes for the id
        raise RemoteProtocolError(_OLD_RPYC)
    if (
        type(pack) is tuple
        and len(pack) == 3
        and type(pack[0]) is str
        and type(pack[1]) is int
        and type(pack[2]) is int
    ):
        return pack
    raise RemoteProtocolError("an id pack is (name, class id, instance id)")


def key_of(pack: IdPack) -> bytes:
    """Return the key of an id pack: its encoding."""
    return dump(pack)
