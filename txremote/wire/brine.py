"""
Brine: immutable values to bytes and back.

The layout is RPyC's (`txremote.wire.tags`). Dispatch is on the exact type
of a value: a subclass of `int` or `str` is not carried, it goes by reference.

Decoding goes by index over one `bytes`. A value may *run past* the end unnoticed, since
Python's slices are forgiving; its end position is then past the end too, and `check_end`
compares the two. So only the memory that the input really has is ever taken, and a cut
payload is never silently short as in RPyC.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Any, Final

from txremote.errors import NotSendable, RemoteProtocolError
from txremote.wire import tags
from txremote.wire.limits import DEFAULT_LIMITS, Limits
from txremote.wire.naming import class_name
from txremote.wire.undumpable import Undumpable

_U4 = struct.Struct("!L")
_F8 = struct.Struct("!d")
_C16 = struct.Struct("!dd")
_unpack_u4 = _U4.unpack_from
_unpack_f8 = _F8.unpack_from
_unpack_c16 = _C16.unpack_from

# Every byte there is; and ready-made, what the commonest values begin with or are.
_U1: Final = [bytes([i]) for i in range(256)]
_SHORT_STR: Final = bytes([tags.TAG_STR, tags.TAG_BYTES_L1])
#: What an int begins with whose text has so many digits.
SHORT_INTS: Final = [bytes([tags.TAG_INT_L1, i]) for i in range(21)]

#: Encoded ints of one byte each. rpyc 6.0.2 brine: those outside travel as decimal text.
IMMEDIATE_INTS: Final = {i: _U1[i + tags.INT_ZERO] for i in range(-48, 160)}

# A frozenset of ints that all hash alike is built in quadratic time. A set that
# was one at the sender has no equal items, so next to no hashes coincide; and a
# frame may hold very many small sets.
_MOST_COLLISIONS = 16


class Budget:
    """
    The allowance of a payload that is being decoded.

    Every value takes at least one byte, so a payload shorter than ``max_items``
    cannot exceed it and is not counted at all: the common case costs nothing.
    """

    __slots__ = ("counted", "digits", "items", "limits")

    def __init__(self, limits: Limits, size: int) -> None:
        self.items = limits.max_items
        self.counted = size > limits.max_items
        self.digits = limits.max_int_digits
        self.limits = limits

    def as_counted(self) -> Budget:
        """Return a fresh allowance that is counted, for what a few bytes can name again."""
        return Budget(self.limits, self.limits.max_items + 1)

    def take(self, count: int) -> None:
        """
        Charge a tuple's items, before the memory for them is taken.

        Raises:
            RemoteProtocolError: there are more than ``max_items`` allows.
        """
        self.items -= count
        if self.items < 0:
            text = f"more than {self.limits.max_items} values in one frame (option max_items)"
            raise RemoteProtocolError(text, "max_items")


@lru_cache(maxsize=32)
def uncounted_budget(limits: Limits) -> Budget:
    """Return the allowance of all payloads too short to be counted, which never changes."""
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
        return _U1[0x09 + length] if length else b"\x01"  # BYTES_BEFORE, TAG_EMPTY_BYTES
    return _length_head(0x0E, 0x0F, length)  # TAG_BYTES_L1, TAG_BYTES_L4


def tuple_head(count: int) -> bytes:
    """Return the tag and count that open a tuple of ``count`` items."""
    if count < 5:
        return _U1[0x0F + count] if count else b"\x02"  # TUPLE_BEFORE, TAG_EMPTY_TUPLE
    return _length_head(0x14, 0x15, count)  # TAG_TUPLE_L1, TAG_TUPLE_L4


def dump_int(value: int) -> bytes:
    """
    Return the encoding of an int.

    Raises:
        NotSendable: it has more decimal digits than Python will print.
    """
    if -48 <= value <= 159:
        return IMMEDIATE_INTS[value]
    try:
        text = str(value).encode()  # compiled by mypyc, b"%d" crashes where this raises
    except ValueError:
        raise NotSendable(
            f"an int of {value.bit_length()} bits: more decimal digits than "
            "sys.get_int_max_str_digits() allows"
        ) from None
    size = len(text)
    if size < len(SHORT_INTS):
        return SHORT_INTS[size] + text
    return _length_head(0x16, 0x17, size) + text  # TAG_INT_L1, TAG_INT_L4


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
    return b"\x08" + _bytes_head(size) + text  # TAG_STR


def dump_into(out: list[bytes], value: Any, depth: int = DEFAULT_LIMITS.max_depth) -> None:
    """
    Append the encoding of a value to a list of chunks; on an error some may have been added.

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
        out.append(b"\x03" if value else b"\x04")  # TAG_TRUE, TAG_FALSE
    elif kind is float:
        out.append(b"\x18" + _F8.pack(value))  # TAG_FLOAT
    elif value is None:
        out.append(b"\x00")  # TAG_NONE
    elif value is NotImplemented:
        out.append(b"\x05")  # TAG_NOT_IMPLEMENTED
    elif value is Ellipsis:
        out.append(b"\x06")  # TAG_ELLIPSIS
    elif kind is slice:
        out.append(b"\x19")  # TAG_SLICE: a level of its own, as for the decoder
        dump_into(out, (value.start, value.stop, value.step), depth - 1)
    elif kind is frozenset:
        out.append(b"\x1a")  # TAG_FROZENSET
        dump_into(out, tuple(value), depth - 1)
    elif kind is complex:
        out.append(b"\x1b" + _C16.pack(value.real, value.imag))  # TAG_COMPLEX
    else:
        raise Undumpable(f"brine carries no {class_name(kind)}")


def dump(value: object) -> bytes:
    """Return the encoding of a value. Raises as `dump_into` does."""
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
    if tag == 0x0E:  # TAG_BYTES_L1
        return pos + 1, pos + 1 + data[pos]
    if 0x0A <= tag <= 0x0D:  # TAG_BYTES_1, TAG_BYTES_4
        return pos, pos + tag - 0x09  # BYTES_BEFORE
    if tag == 0x0F:  # TAG_BYTES_L4
        return pos + 4, pos + 4 + int(_unpack_u4(data, pos)[0])
    if tag == 0x01:  # TAG_EMPTY_BYTES
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
    Decode ``count`` values that stand one behind the other, each as `load_value` does.

    Decoding spends its time in this loop, so the common kinds of item are decoded in place.
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
    if tag < 0x14:  # TAG_TUPLE_L1
        return tag - 0x0F, pos  # TUPLE_BEFORE
    if tag == 0x14:  # TAG_TUPLE_L1
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
    if tag == 0x02:  # TAG_EMPTY_TUPLE
        return (), pos
    if 0x0A <= tag <= 0x0F or tag == 0x01:  # TAG_BYTES_1, TAG_BYTES_L4, TAG_EMPTY_BYTES
        start, end = _bytes_span(data, pos - 1)
        return data[start:end], end
    if tag == 0x00:  # TAG_NONE
        return None, pos
    if tag == 0x03:  # TAG_TRUE
        return True, pos
    if tag == 0x04:  # TAG_FALSE
        return False, pos
    if tag == 0x16:  # TAG_INT_L1
        end = pos + 1 + data[pos]
        return _load_int(data, pos + 1, end, budget), end
    if tag == 0x18:  # TAG_FLOAT
        return _unpack_f8(data, pos)[0], pos + 8
    if tag == 0x17:  # TAG_INT_L4
        end = pos + 4 + _unpack_u4(data, pos)[0]
        return _load_int(data, pos + 4, end, budget), end
    if tag == 0x1B:  # TAG_COMPLEX
        return complex(*_unpack_c16(data, pos)), pos + 16
    if tag == 0x19 or tag == 0x1A:  # TAG_SLICE, TAG_FROZENSET
        if depth <= 0:
            raise _too_deep(budget, pos)
        loader = _load_slice if tag == 0x19 else _load_frozenset  # TAG_SLICE
        return loader(data, pos, depth - 1, budget)
    if tag == 0x05:  # TAG_NOT_IMPLEMENTED
        return NotImplemented, pos
    if tag == 0x06:  # TAG_ELLIPSIS
        return Ellipsis, pos
    raise RemoteProtocolError(f"unknown tag {tag:#04x} at byte {pos - 1}")


#: What decoding raises, beside `RemoteProtocolError`, for a payload that ends within a tag or
#: a length, and for one that nests deeper than what is left of the stack.
DECODING_FAILED: Final = (IndexError, struct.error, RecursionError)


def protocol_error(problem: Exception, data: bytes = b"") -> RemoteProtocolError:
    """Return the error for a payload whose decoding raised one of `DECODING_FAILED`."""
    if isinstance(problem, RecursionError):
        text = "nested deeper than what calls within calls have left of this side's stack "
        return RemoteProtocolError(text + "(option max_depth)", "max_depth")
    return truncated(data)


def truncated(data: bytes) -> RemoteProtocolError:
    """Return the error for a payload that ended within a value."""
    return RemoteProtocolError(f"truncated: the payload ends within a value at byte {len(data)}")


def check_end(data: bytes, end: int, of: str = "message") -> None:
    """Raise `RemoteProtocolError` if what was decoded does not end where its payload does."""
    if end > len(data):
        raise truncated(data)
    if end < len(data):
        raise RemoteProtocolError(f"{len(data) - end} bytes behind the {of}, from byte {end}")


def load(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Any:
    """
    Decode a whole payload that holds one value, within limits.

    Raises:
        RemoteProtocolError: it is not exactly one brined value, or a limit was met.
    """
    try:
        value, end = load_value(data, 0, limits.max_depth, Budget(limits, len(data)))
    except (IndexError, struct.error):
        raise truncated(data) from None
    check_end(data, end, "value")
    return value
