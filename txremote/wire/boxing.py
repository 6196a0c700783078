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
An id pack is ``(name, class id, instance id)``. Everything here treats it as
its *encoding*, a short `bytes` called the reference's key: both ends encode a
pack the same way, so a table by key finds an object without decoding its pack.

What a key stands for is not known here. A `References` object, which belongs
to a connection, says so; it counts what is handed out and taken in.
"""

from __future__ import annotations

from typing import Any, Protocol

from txremote.errors import NotSendable, RemoteProtocolError
from txremote.wire.brine import (
    Budget,
    Undumpable,
    _count_items,
    dump,
    dump_into,
    dump_str,
    load_value,
    tuple_head,
)
from txremote.wire.consts import IdPack
from txremote.wire.limits import DEFAULT_LIMITS

VALUE_HEAD = b"\x11\x51"
TUPLE_HEAD = b"\x11\x52"
LOCAL_REF_HEAD = b"\x11\x53"
REMOTE_REF_HEAD = b"\x11\x54"

#: What is sent nests less deep than what is read by default: the arguments of a
#: call stand within a tuple of their own.
SENDABLE_DEPTH = DEFAULT_LIMITS.max_depth - 1

EMPTY_TUPLE = VALUE_HEAD + b"\x02"


class References(Protocol):
    """What boxing asks of a connection."""

    def box_reference(self, value: Any) -> bytes:
        """Return the boxed reference to a value, and count it as handed out."""

    def unbox_local(self, key: bytes) -> Any:
        """
        Return the object of ours that a key stands for.

        Raises:
            LookupError: it stands for none.
        """

    def unbox_remote(self, key: bytes, data: bytes, pos: int) -> Any:
        """Return the reference to the peer's object, and count it as taken in."""


# --- boxing -----------------------------------------------------------------


def box_into(out: list[bytes], value: Any, references: References) -> None:
    """
    Append a boxed value to a list of chunks.

    Raises:
        NotSendable: some part of it is too deep, too long or not encodable.
            What had been counted by ``references`` before that stays counted;
            the caller discards it.
    """
    mark = len(out)
    out.append(VALUE_HEAD)
    try:
        dump_into(out, value, SENDABLE_DEPTH)
    except Undumpable:
        del out[mark:]
        box_mixed_into(out, value, references)


def box_mixed_into(out: list[bytes], value: Any, references: References) -> None:
    """Append a value that brine does not carry whole. Raises as `box_into` does."""
    if type(value) is tuple:
        out.extend(_box_tuple(value, references, SENDABLE_DEPTH)[1])
    else:
        out.append(references.box_reference(value))


def _box_tuple(
    items: tuple[Any, ...], references: References, depth: int
) -> tuple[bool, list[bytes]]:
    """
    Box a tuple, looking at each part once however deep it nests.

    Returns:
        Whether brine can carry it whole, and the chunks: plain brine then, or
        the boxed tuple.
    """
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


_INT_TAGS = frozenset((0x16, *range(0x20, 0xF0)))


def _int_end(data: bytes, pos: int) -> int:
    tag = data[pos]
    if 0x20 <= tag <= 0xEF:
        return pos + 1
    if tag == 0x16:
        return pos + 2 + data[pos + 1]
    raise RemoteProtocolError(f"an id that is no plain int at byte {pos}")


def _key_end(data: bytes, pos: int) -> int:
    """Return where the id pack at ``pos`` ends, without decoding it."""
    if data[pos] != 0x12:
        raise _no_key(data, pos)
    if data[pos + 1] != 0x08:
        raise _no_name(data, pos)
    tag = data[pos + 2]
    if tag == 0x0E:
        end = pos + 4 + data[pos + 3]
    elif 0x0A <= tag <= 0x0D:
        end = pos + tag - 6
    else:  # rpyc names are module.Class: never empty, never 256 bytes long
        raise RemoteProtocolError(f"a name of a strange length in an id pack at byte {pos + 2}")
    # both ids in place, as nearly all are: the class's has up to 255 digits, the object's is
    # a short int
    tag = data[end]
    if tag == 0x16:
        end += 2 + data[end + 1]
    else:
        end = end + 1 if 0x20 <= tag <= 0xEF else _int_end(data, end)
    tag = data[end]
    return end + 1 if 0x20 <= tag <= 0xEF else _int_end(data, end)


_OLD_RPYC = (
    "the peer is an RPyC before 4.1, or a port of one, whose references RPyC 5 and 6 do not "
    "understand: let it have rpyc 4.1 or later, or txremote"
)


def _no_name(data: bytes, pos: int) -> RemoteProtocolError:
    """
    Return the error for an id pack that does not begin with a name. Before RPyC 4.1 they
    were (id, class name, module name).
    """
    if data[pos + 1] in _INT_TAGS and data[_int_end(data, pos + 1)] == 0x08:
        return RemoteProtocolError(_OLD_RPYC)
    return RemoteProtocolError(f"an id pack without a name at byte {pos + 1}")


def _no_key(data: bytes, pos: int) -> RemoteProtocolError:
    """
    Return the error for what is no id pack. RPyC's forks write a fourth item: rpyc-ng
    the kind of object (1 a module, 2 a class, 3 an instance), rpyc-async whether it is a
    coroutine function (0 or 1).
    """
    if data[pos] == 0x13:
        end = pos + _key_end(b"\x12" + data[pos + 1 : pos + 600], 0)
        kind = data[end : end + 1]
        is_async = kind == b"\x50" or (kind == b"\x51" and b"builtins." in data[pos : pos + 14])
        if is_async or kind in (b"\x51", b"\x52", b"\x53"):
            return RemoteProtocolError(
                f"the peer is {'rpyc-async' if is_async else 'rpyc-ng'}, a fork of RPyC whose "
                f"references RPyC itself does not understand (at byte {pos}): let both ends "
                "have txremote or rpyc"
            )
    return RemoteProtocolError(f"an id pack that is no 3-tuple at byte {pos}")


def call_site_end(data: bytes, pos: int) -> int:
    """
    Return where the object and the name of a CALLATTR end, without decoding.

    A program calls the same methods of the same objects again and again, and
    these bytes are the same each time: they can be looked up.

    Args:
        data: The payload.
        pos: Where the boxed arguments start.

    Returns:
        0 where they are not a tuple of four that starts with one of our objects
        and a short str.
    """
    if data[pos : pos + 5] != _CALL_SITE:
        return 0
    name = _key_end(data, pos + 5)
    if data[name : name + 3] != _SHORT_STR:
        return 0
    tag = data[name + 3]
    if tag == 0x0E:
        return name + 5 + data[name + 4]
    return name + tag - 5 if 0x0A <= tag <= 0x0D else 0


_CALL_SITE = TUPLE_HEAD + b"\x13" + LOCAL_REF_HEAD
_SHORT_STR = VALUE_HEAD + b"\x08"


def unbox(
    data: bytes, pos: int, depth: int, budget: Budget, references: References
) -> tuple[Any, int]:
    """
    Decode the boxed value at a position, in the order in which it was sent.

    Args:
        data: The payload.
        pos: Where the pair's tag stands.
        depth: How many levels of nesting are still allowed.
        budget: The payload's allowance, charged as it is used.
        references: Whose tables give a key its meaning.

    Returns:
        The value and the position behind it (see `brine.load_value`).

    Raises:
        RemoteProtocolError: the bytes are no boxed value, or a limit was met.
        LookupError: a key stands for no object of ours (IndexError included:
            the payload ended within a tag).
    """
    if data[pos] != 0x11:
        raise RemoteProtocolError(f"no boxed value at byte {pos}")
    label = data[pos + 1]
    pos += 2
    if label == 0x51:
        return load_value(data, pos, depth, budget)
    if label == 0x52:
        return _unbox_tuple(data, pos, depth, budget, references)
    if label == 0x53 or label == 0x54:
        end = _key_end(data, pos)
        key = data[pos:end]
        if label == 0x53:
            return references.unbox_local(key), end
        return references.unbox_remote(key, data, pos), end
    raise RemoteProtocolError(f"unknown label at byte {pos - 1}")


def _unbox_tuple(
    data: bytes, pos: int, depth: int, budget: Budget, references: References
) -> tuple[Any, int]:
    tag = data[pos]
    if tag == 0x02:
        return (), pos + 1
    if not 0x10 <= tag <= 0x15:
        raise RemoteProtocolError(f"label TUPLE without a tuple at byte {pos}")
    count, pos = _count_items(data, pos + 1, tag)
    if budget.counted:
        budget.take(count)
    if depth <= 0:
        raise RemoteProtocolError(
            f"nested deeper than {budget.limits.max_depth} at byte {pos} (option max_depth)",
            "max_depth",
        )
    items = []
    for _ in range(count):
        item, pos = unbox(data, pos, depth - 1, budget, references)
        items.append(item)
    return tuple(items), pos


def load_key(data: bytes, pos: int, budget: Budget) -> IdPack:
    """
    Decode the id pack whose key stands at ``pos``.

    Raises:
        RemoteProtocolError: it is not ``(str, int, int)``.
    """
    pack, _end = load_value(data, pos, 2, budget)
    return check_pack(pack)


def check_pack(pack: Any) -> IdPack:
    """
    Return the value if it is an id pack.

    Raises:
        RemoteProtocolError: it is not ``(str, int, int)``.
    """
    if type(pack) is str:  # which such a peer takes for the id, and asks about
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
