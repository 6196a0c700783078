"""
Brine: immutable values to bytes and back.

The layout is RPyC's; `txremote.wire.tags` has it as a table. Dispatch is on the exact type
of a value: a subclass of `int` or `str` is not carried, it goes by reference.

Decoding goes by index over one `bytes`, without a stream object. A value may *run
past* the end unnoticed, since Python's slices are forgiving; its end position is then
past the end too, and `load` and `MessageDecoder` compare the two. So only the memory
that the input really has is ever taken, and a cut payload is never silently short as
in RPyC.

References are `txremote.wire.boxing`'s, and the message around a value is
`txremote.wire.messages`'s.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Any, Final

from txremote.errors import NotSendable, RemoteProtocolError
from txremote.wire.limits import DEFAULT_LIMITS, Limits
from txremote.wire.naming import class_name
from txremote.wire.tags import (
    BYTES_BEFORE,
    INT_ZERO,
    TAG_BYTES_1,
    TAG_BYTES_4,
    TAG_BYTES_L1,
    TAG_BYTES_L4,
    TAG_COMPLEX,
    TAG_ELLIPSIS,
    TAG_EMPTY_BYTES,
    TAG_EMPTY_TUPLE,
    TAG_FALSE,
    TAG_FLOAT,
    TAG_FROZENSET,
    TAG_INT_L1,
    TAG_INT_L4,
    TAG_NONE,
    TAG_NOT_IMPLEMENTED,
    TAG_SLICE,
    TAG_STR,
    TAG_TRUE,
    TAG_TUPLE_L1,
    TAG_TUPLE_L4,
    TUPLE_BEFORE,
)

_U4 = struct.Struct("!L")
_F8 = struct.Struct("!d")
_C16 = struct.Struct("!dd")
_unpack_u4 = _U4.unpack_from
_unpack_f8 = _F8.unpack_from
_unpack_c16 = _C16.unpack_from

# Every byte there is; and ready-made, what the commonest values begin with or are.
_U1: Final = [bytes([i]) for i in range(256)]
_SHORT_STR: Final = bytes([TAG_STR, TAG_BYTES_L1])
_INT_L1: Final = _U1[TAG_INT_L1]
_NONE, _TRUE, _FALSE = _U1[TAG_NONE], _U1[TAG_TRUE], _U1[TAG_FALSE]

#: Encoded ints of one byte each. rpyc 6.0.2 brine: those outside travel as decimal text.
IMMEDIATE_INTS: Final = {i: _U1[i + INT_ZERO] for i in range(-48, 160)}

# A frozenset of ints that all hash alike is built in quadratic time. A set that
# was one at the sender has no equal items, so next to no hashes coincide; and a
# frame may hold very many small sets.
_MOST_COLLISIONS = 16


class Undumpable(TypeError):
    """A value has a part that brine cannot carry, so it goes by reference."""


class Budget:
    """
    The allowance of a payload that is being decoded.

    Every value takes at least one byte, so a payload shorter than ``max_items``
    cannot exceed it and is not counted at all: the common case costs nothing.

    Attributes:
        items: Values that may still be made, where they are counted.
        counted: Whether this payload is long enough to count.
    """

    __slots__ = ("counted", "digits", "items", "limits")

    def __init__(self, limits: Limits, size: int) -> None:
        self.items = limits.max_items
        self.counted = size > limits.max_items
        self.digits = limits.max_int_digits
        self.limits = limits

    def take(self, count: int) -> None:
        """
        Charge a tuple's items, before the memory for them is taken.

        Raises:
            RemoteProtocolError: there are more than ``max_items`` allows.
        """
        self.items -= count
        if self.items < 0:
            raise RemoteProtocolError(
                f"more than {self.limits.max_items} values in one frame (option max_items)",
                "max_items",
            )


@lru_cache(maxsize=32)
def uncounted_budget(limits: Limits) -> Budget:
    """
    Return the allowance of every payload that is too short to be counted. It never
    changes, so that all connections with the same limits may share it.
    """
    return Budget(limits, 0)


# --- encoding ---------------------------------------------------------------


def _length_head(tag1: int, tag4: int, length: int) -> bytes:
    if length < 256:
        return _U1[tag1] + _U1[length]
    if length > 0xFFFFFFFF:
        raise NotSendable(f"{length} bytes or items: the wire counts up to 4294967295")
    return _U1[tag4] + _U4.pack(length)


def _bytes_head(length: int) -> bytes:
    if length < 5:
        return _U1[BYTES_BEFORE + length] if length else _U1[TAG_EMPTY_BYTES]
    return _length_head(TAG_BYTES_L1, TAG_BYTES_L4, length)


def tuple_head(count: int) -> bytes:
    """Return the tag and count that open a tuple of ``count`` items."""
    if count < 5:
        return _U1[TUPLE_BEFORE + count] if count else _U1[TAG_EMPTY_TUPLE]
    return _length_head(TAG_TUPLE_L1, TAG_TUPLE_L4, count)


def dump_int(value: int) -> bytes:
    """
    Return the encoding of an int.

    Raises:
        NotSendable: it has more decimal digits than Python will print.
    """
    if -48 <= value <= 159:
        return IMMEDIATE_INTS[value]
    try:
        text = b"%d" % value
    except ValueError:
        raise NotSendable(
            f"an int of {value.bit_length()} bits: more decimal digits than "
            "sys.get_int_max_str_digits() allows"
        ) from None
    size = len(text)
    if size < 256:
        return _INT_L1 + _U1[size] + text
    return _length_head(TAG_INT_L1, TAG_INT_L4, size) + text


def dump_str(value: str) -> bytes:
    """
    Return the encoding of a str.

    Raises:
        NotSendable: it holds lone surrogates, which UTF-8 cannot carry.
    """
    try:
        text = value.encode()
    except UnicodeEncodeError as problem:
        raise NotSendable(f"a str that UTF-8 cannot carry: {problem}") from None
    size = len(text)
    if 4 < size < 256:
        return _SHORT_STR + _U1[size] + text
    return _U1[TAG_STR] + _bytes_head(size) + text


def dump_into(out: list[bytes], value: Any, depth: int = DEFAULT_LIMITS.max_depth) -> None:
    """
    Append the encoding of a value to a list of chunks.

    Args:
        out: The chunks; on an error some may have been added.
        value: Any value.
        depth: How many levels of nesting are still allowed.

    Raises:
        Undumpable: some part of it is of a type that brine does not carry.
        NotSendable: its type is carried, but this value cannot be.
    """
    kind = type(value)
    if kind is int:
        found = IMMEDIATE_INTS.get(value)
        out.append(dump_int(value) if found is None else found)
    elif kind is str:
        out.append(dump_str(value))
    elif kind is tuple:
        if depth <= 0:
            raise NotSendable("tuples nested too deep (option max_depth)")
        out.append(tuple_head(len(value)))
        depth -= 1
        for item in value:
            # the two commonest kinds of item, without a call each
            kind = type(item)
            if kind is int:
                found = IMMEDIATE_INTS.get(item)
                out.append(dump_int(item) if found is None else found)
            elif kind is str:
                out.append(dump_str(item))
            else:
                dump_into(out, item, depth)
    elif kind is bytes:
        out.append(_bytes_head(len(value)))
        out.append(value)
    elif kind is bool:
        out.append(_TRUE if value else _FALSE)
    elif kind is float:
        out.append(_U1[TAG_FLOAT] + _F8.pack(value))
    elif value is None:
        out.append(_NONE)
    elif value is NotImplemented:
        out.append(_U1[TAG_NOT_IMPLEMENTED])
    elif value is Ellipsis:
        out.append(_U1[TAG_ELLIPSIS])
    elif kind is slice:
        out.append(_U1[TAG_SLICE])  # a level of its own, as for the decoder
        dump_into(out, (value.start, value.stop, value.step), depth - 1)
    elif kind is frozenset:
        out.append(_U1[TAG_FROZENSET])
        dump_into(out, tuple(value), depth - 1)
    elif kind is complex:
        out.append(_U1[TAG_COMPLEX] + _C16.pack(value.real, value.imag))
    else:
        raise Undumpable(f"brine carries no {class_name(kind)}")


def dump(value: object) -> bytes:
    """
    Return the encoding of a value.

    Raises:
        Undumpable: some part of it is of a type that brine does not carry.
        NotSendable: its type is carried, but this value cannot be.
    """
    out: list[bytes] = []
    dump_into(out, value)
    return b"".join(out)


def dumpable(value: object) -> bool:
    """Tell whether `dump` would carry the value."""
    try:
        dump_into([], value)
    except (Undumpable, NotSendable):
        return False
    return True


# --- decoding ---------------------------------------------------------------


def _bytes_span(data: bytes, pos: int) -> tuple[int, int]:
    """Return where the contents of the bytes value at ``pos`` start and end."""
    tag = data[pos]
    pos += 1
    if tag == TAG_BYTES_L1:
        return pos + 1, pos + 1 + data[pos]
    if TAG_BYTES_1 <= tag <= TAG_BYTES_4:
        return pos, pos + tag - BYTES_BEFORE
    if tag == TAG_BYTES_L4:
        return pos + 4, pos + 4 + int(_unpack_u4(data, pos)[0])
    if tag == TAG_EMPTY_BYTES:
        return pos, pos
    raise RemoteProtocolError(f"a str with tag {tag:#04x} at byte {pos - 1} where bytes belong")


def _load_int(data: bytes, start: int, end: int, budget: Budget) -> int:
    text = data[start:end]
    digits = end - start
    if digits < 19 and digits <= budget.digits and text.isdigit():
        return int(text)  # the common case, with nothing left to go wrong
    if text[:1] == b"-":
        digits -= 1
    if digits > budget.digits:
        raise RemoteProtocolError(
            f"an int of {digits} digits at byte {start}, more than {budget.digits} "
            "(option max_int_digits)",
            "max_int_digits",
        )
    # int() itself would take blanks, underscores and a plus sign
    if not text.isdigit() and not (text[:1] == b"-" and text[1:].isdigit()):
        raise RemoteProtocolError(f"an int that is no decimal text at byte {start}")
    try:
        return int(text)
    except ValueError:
        raise RemoteProtocolError(
            f"an int of {digits} digits at byte {start}, more than "
            "sys.get_int_max_str_digits() allows (option max_int_digits)",
            "max_int_digits",
        ) from None


def _load_frozenset(data: bytes, pos: int, depth: int, budget: Budget) -> tuple[object, int]:
    items, end = load_value(data, pos, depth, budget)
    if type(items) is not tuple:
        raise RemoteProtocolError(f"a frozenset without its tuple at byte {pos}")
    try:
        if len(items) - len({hash(item) for item in items}) > _MOST_COLLISIONS:
            raise RemoteProtocolError(f"a frozenset of colliding items at byte {pos}")
        return frozenset(items), end
    except TypeError:  # slices cannot be hashed before Python 3.12
        raise RemoteProtocolError(f"a frozenset with an unhashable item at byte {pos}") from None


def _load_slice(data: bytes, pos: int, depth: int, budget: Budget) -> tuple[object, int]:
    items, end = load_value(data, pos, depth, budget)
    if type(items) is not tuple or len(items) != 3:
        raise RemoteProtocolError(f"a slice without its three parts at byte {pos}")
    return slice(*items), end


def _too_deep(budget: Budget, pos: int) -> RemoteProtocolError:
    return RemoteProtocolError(
        f"nested deeper than {budget.limits.max_depth} at byte {pos} (option max_depth)",
        "max_depth",
    )


def load_items(
    data: bytes, pos: int, count: int, depth: int, budget: Budget
) -> tuple[tuple[object, ...], int]:
    """
    Decode ``count`` values that stand one behind the other, as a tuple's do.

    This is the loop where decoding spends its time, so the common kinds of
    item are decoded in place; all others go through `load_value`. Arguments,
    result and errors are those of `load_value`.
    """
    if depth <= 0:
        raise _too_deep(budget, pos)
    if budget.counted:
        budget.take(count)
    depth -= 1
    # ints shorter than that need no more than a look at their digits
    shortest = min(19, budget.digits + 1)
    item: object
    items: list[object] = []
    append = items.append
    for _ in range(count):
        tag = data[pos]
        if 0x20 <= tag <= 0xEF:  # INT_FIRST, INT_LAST
            append(tag - 0x50)  # INT_ZERO
            pos += 1
        elif tag == 0x08 and data[pos + 1] == 0x0E:  # TAG_STR of TAG_BYTES_L1: two tags, length
            start = pos + 3
            pos = start + data[pos + 2]
            try:
                append(data[start:pos].decode())
            except UnicodeDecodeError:
                raise _not_utf8(start) from None
        elif tag == 0x16:  # TAG_INT_L1: tag, length, text
            start = pos + 2
            pos = start + data[pos + 1]
            text = data[start:pos]
            if pos - start < shortest and text.isdigit():
                append(int(text))
            else:
                append(_load_int(data, start, pos, budget))
        elif 0x10 <= tag <= 0x13:  # TAG_TUPLE_1, TAG_TUPLE_4
            item, pos = load_items(data, pos + 1, tag - 0x0F, depth, budget)  # TUPLE_BEFORE
            append(item)
        else:
            item, pos = load_value(data, pos, depth, budget)
            append(item)
    return tuple(items), pos


def _not_utf8(start: int) -> RemoteProtocolError:
    return RemoteProtocolError(f"a str that is no UTF-8 at byte {start}")


def _count_items(data: bytes, pos: int, tag: int) -> tuple[int, int]:
    """Return a tuple's count and where its items start, given its tag before ``pos``."""
    if tag < TAG_TUPLE_L1:
        return tag - TUPLE_BEFORE, pos
    if tag == TAG_TUPLE_L1:
        return data[pos], pos + 1
    count = int(_unpack_u4(data, pos)[0])
    if count > len(data) - pos:
        raise RemoteProtocolError(
            f"truncated: a tuple of {count} items at byte {pos} of a payload of {len(data)} bytes"
        )
    return count, pos + 4


def load_value(data: bytes, pos: int, depth: int, budget: Budget) -> tuple[object, int]:
    """
    Decode the value at a position.

    Args:
        data: The payload.
        pos: Where the value's tag stands.
        depth: How many levels of nesting are still allowed.
        budget: The payload's allowance, charged as it is used.

    Returns:
        The value and the position behind it, which is past the end of ``data``
        where the value was cut short: the caller compares, by `check_end`.

    Raises:
        RemoteProtocolError: the bytes are no brine, or a limit was met.
        IndexError, struct.error: the payload ended within a tag or a length.
    """
    tag = data[pos]
    pos += 1
    if tag >= 0x20:  # INT_FIRST
        if tag > 0xEF:  # INT_LAST
            raise RemoteProtocolError(f"unknown tag {tag:#04x} at byte {pos - 1}")
        return tag - 0x50, pos  # INT_ZERO
    if 0x10 <= tag <= 0x15:  # TAG_TUPLE_1, TAG_TUPLE_L4
        count, pos = _count_items(data, pos, tag)
        return load_items(data, pos, count, depth, budget)
    if tag == 0x08:  # TAG_STR
        start, end = _bytes_span(data, pos)
        try:
            return data[start:end].decode(), end
        except UnicodeDecodeError:
            raise _not_utf8(start) from None
    if tag == TAG_EMPTY_TUPLE:
        return (), pos
    if TAG_BYTES_1 <= tag <= TAG_BYTES_L4 or tag == TAG_EMPTY_BYTES:
        start, end = _bytes_span(data, pos - 1)
        return data[start:end], end
    if tag == TAG_NONE:
        return None, pos
    if tag == TAG_TRUE:
        return True, pos
    if tag == TAG_FALSE:
        return False, pos
    if tag == TAG_INT_L1:
        start = pos + 1
        end = start + data[pos]
        return _load_int(data, start, end, budget), end
    if tag == TAG_FLOAT:
        return _unpack_f8(data, pos)[0], pos + 8
    if tag == TAG_INT_L4:
        start = pos + 4
        end = start + _unpack_u4(data, pos)[0]
        return _load_int(data, start, end, budget), end
    if tag == TAG_COMPLEX:
        return complex(*_unpack_c16(data, pos)), pos + 16
    if tag in (TAG_SLICE, TAG_FROZENSET):
        if depth <= 0:
            raise _too_deep(budget, pos)
        loader = _load_slice if tag == TAG_SLICE else _load_frozenset
        return loader(data, pos, depth - 1, budget)
    if tag == TAG_NOT_IMPLEMENTED:
        return NotImplemented, pos
    if tag == TAG_ELLIPSIS:
        return Ellipsis, pos
    raise RemoteProtocolError(f"unknown tag {tag:#04x} at byte {pos - 1}")


#: What decoding raises, beside `RemoteProtocolError`, for a payload that ends within a tag or
#: a length, and for one that nests deeper than what is left of the stack.
DECODING_FAILED: Final = (IndexError, struct.error, RecursionError)


def protocol_error(problem: Exception, data: bytes = b"") -> RemoteProtocolError:
    """Return the error for a payload whose decoding raised one of `DECODING_FAILED`."""
    if isinstance(problem, RecursionError):
        return RemoteProtocolError(
            "nested deeper than what calls within calls have left of this side's stack "
            "(option max_depth)",
            "max_depth",
        )
    return truncated(data)


def truncated(data: bytes) -> RemoteProtocolError:
    """Return the error for a payload that ended within a value."""
    return RemoteProtocolError(f"truncated: the payload ends within a value at byte {len(data)}")


def check_end(data: bytes, end: int, of: str = "message") -> None:
    """
    Check that what was decoded ends where its payload does.

    Raises:
        RemoteProtocolError: it ends before or behind.
    """
    if end > len(data):
        raise truncated(data)
    if end < len(data):
        raise RemoteProtocolError(f"{len(data) - end} bytes behind the {of}, from byte {end}")


def load(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Any:
    """
    Decode a whole payload that holds one value, within limits.

    Raises:
        RemoteProtocolError: they are not exactly one brined value, or a limit
            was met. Nothing else is ever raised.
    """
    try:
        value, end = load_value(data, 0, limits.max_depth, Budget(limits, len(data)))
    except (IndexError, struct.error):
        raise truncated(data) from None
    check_end(data, end, "value")
    return value
