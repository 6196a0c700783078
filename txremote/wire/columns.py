"""
Many items of one type, packed: ints, floats, texts, and rows of these, which go as columns.

A stream of small items spends most of its time on writing and reading them one by one. Items of
one type are written by the array at once instead. A value that does not fit is left to brine.

===== ========================================================================
code  data
===== ========================================================================
b     ints, a byte each; h, i, q: 2, 4 and 8 bytes, little-endian
d     floats, 8 bytes each, little-endian
s     texts without ``\\0``, in UTF-8, with ``\\0`` between them
t     bools, a byte each
n     None, without data
===== ========================================================================

A column is ``(code, data)``. Items are a column, or as rows a tuple of columns.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from typing import Any, Final

from txremote.errors import RemoteProtocolError

#: Fewer items are not packed.
LEAST: Final = 8
#: The most columns of a row.
MOST_COLUMNS: Final = 32

_SIZES: Final = {"b": 1, "h": 2, "i": 4, "q": 8, "d": 8}
_SWAPPED: Final = sys.byteorder == "big"

Column = tuple[str, bytes]


def packed(items: Sequence[Any]) -> tuple[Any, ...] | None:
    """Return items as a column, or as columns; None where they are not of one type that can be."""
    kinds = set(map(type, items))
    if len(kinds) != 1 or len(items) < LEAST:
        return None
    if kinds != {tuple}:
        return _column(items, *kinds)
    (width, *others) = set(map(len, items))
    if others or not 0 < width <= MOST_COLUMNS:
        return None
    columns = []
    for column in zip(*items, strict=True):
        kinds = set(map(type, column))
        made = _column(column, *kinds) if len(kinds) == 1 else None
        if made is None:
            return None
        columns.append(made)
    return tuple(columns)


def _column(items: Sequence[Any], kind: type) -> Column | None:
    if kind is int:
        return _ints(items)
    if kind is float:
        return "d", _little(array("d", items))
    if kind is str:
        text = "\0".join(items)
        try:
            return ("s", text.encode()) if text.count("\0") == len(items) - 1 else None
        except UnicodeEncodeError:  # brine says it in its own words
            return None
    if kind is bool:
        return "t", bytes(items)
    return ("n", b"") if kind is type(None) else None


def _ints(items: Sequence[int]) -> Column | None:
    for code in "bhiq":  # tried in turn: most often the first that is too short fails at once
        try:
            return code, _little(array(code, items))
        except OverflowError:
            continue
    return None


def _little(numbers: array[Any]) -> bytes:
    if _SWAPPED:
        numbers.byteswap()
    return numbers.tobytes()


def unpacked(count: int, columns: object, most: int) -> tuple[Any, ...]:
    """
    Return the items that `packed` has packed.

    Args:
        count: How many there are to be.
        columns: As a peer sent them.
        most: The most values that they may have in all.

    Raises:
        RemoteProtocolError: they are others, or too many (option ``max_items``).
    """
    if type(columns) is not tuple or not columns:
        raise _wrong()
    is_row = type(columns[0]) is tuple
    width = len(columns) if is_row else 1
    if width > MOST_COLUMNS:
        raise _wrong()
    if count * width > most:
        raise RemoteProtocolError(
            f"{count * width} values in one message, more than {most} (option max_items)",
            "max_items",
        )
    if not is_row:
        return tuple(_values(count, columns))
    return tuple(zip(*[_values(count, column) for column in columns], strict=True))


def _values(count: int, column: object) -> Sequence[Any]:
    if type(column) is not tuple or len(column) != 2:
        raise _wrong()
    code, data = column
    if type(code) is not str or type(data) is not bytes:
        raise _wrong()
    if code in _SIZES and len(data) == count * _SIZES[code]:
        numbers = array(code)
        numbers.frombytes(data)
        if _SWAPPED:
            numbers.byteswap()
        return numbers.tolist()
    if code == "s" and data.count(b"\0") == count - 1:
        try:
            return data.decode().split("\0")
        except UnicodeDecodeError:
            raise _wrong() from None
    if code == "t" and len(data) == count and not data.strip(b"\0\1"):
        return list(map(bool, data))
    if code == "n" and not data:
        return [None] * count
    raise _wrong()


def _wrong() -> RemoteProtocolError:
    return RemoteProtocolError("packed items of a stream that are not as they are said to be")
