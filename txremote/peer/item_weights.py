"""
About how many bytes the items of a stream take, before they are written.

It has to be cheap, and need not be right: a message that turns out too long is written anew, with
fewer items.
"""

from __future__ import annotations

from collections import deque
from itertools import chain, islice
from typing import Any, Final

from txremote.wire.values import MARKS

#: What has this type is bytes alone.
BYTES: Final = {bytes}
#: Bytes of this length are long ones.
LONG_BYTES: Final = 4096

_SAMPLE: Final = 8  # so many of many items are weighed
_SOME: Final = 64  # the bytes of an object of which nothing is known
_DEEPEST: Final = 4  # so deep a value is looked into
_SIZED: Final = frozenset({str, bytes, bytearray})


def weight_of_all(items: list[Any]) -> int:
    """Return about how many bytes some items take."""
    if items and type(items[-1]) is bytes and set(map(type, items)) == BYTES:
        return 5 * len(items) + sum(map(len, items))
    if len(items) > 2 * _SAMPLE:  # small ones, since there are so many
        every = len(items) // _SAMPLE
        return sum(map(weight_of, items[::every])) * every
    return sum(map(weight_of, items))


def is_long(item: object) -> bool:
    """Tell whether an item is long bytes."""
    return type(item) is bytes and len(item) >= LONG_BYTES


def first_full(items: list[Any], full: int) -> int:
    """Return how many of some items make a message of so many bytes: one, if that is long."""
    weight = 0
    for count, item in enumerate(items):
        weight += weight_of(item)
        if weight > full:
            return max(1, count)
    return len(items)


def weight_of(item: Any) -> int:
    """Return about how many bytes one item takes."""
    kind = type(item)
    if kind is int or kind is float:
        return 8
    if kind in _SIZED:
        return 4 + len(item)
    if kind is tuple:
        return 8 + sum(map(weight_of, item))
    if kind in MARKS:
        return _weight_within(item.value)
    return _SOME


def _weight_within(value: Any, depth: int = _DEEPEST) -> int:
    """Return about how many bytes a value takes. Of many parts, some are weighed."""
    kind = type(value)
    if kind is int or kind is float:
        return 8
    if kind in _SIZED:
        return 4 + len(value)
    nbytes = getattr(value, "nbytes", None)  # of an array
    if type(nbytes) is int:
        return nbytes
    count, parts = _parts(value) if depth else (0, [])
    if not parts:
        return _SOME
    weight = sum([_weight_within(part, depth - 1) for part in parts])
    return 8 + weight * count // len(parts)


def _parts(value: Any) -> tuple[int, Any]:
    """Return how many parts a value has, and some of them."""
    if isinstance(value, dict):
        return 2 * len(value), list(chain.from_iterable(islice(value.items(), _SAMPLE)))
    if isinstance(value, (list, tuple)):
        return len(value), value[:: 1 + len(value) // _SAMPLE]
    if isinstance(value, (set, frozenset, deque)):
        return len(value), list(islice(value, _SAMPLE))
    # a dataclass, an attrs class or a struct
    names = getattr(type(value), "__match_args__", ())
    return len(names), [getattr(value, name, None) for name in names]
