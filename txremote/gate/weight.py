"""
Parts that a value is made of: the work of comparing, hashing or showing it.

Python compares and shows a part as often as it is held: lists that hold each other twice take
a time that doubles with each level. They are walked here in the same way, no further than is
allowed. Only types of Python and its library are walked.
"""

from __future__ import annotations

import dataclasses
from array import array
from collections import ChainMap, UserDict, UserList, deque
from collections.abc import Callable, Iterator
from enum import Enum
from itertools import chain
from types import FunctionType, MappingProxyType, MemberDescriptorType, SimpleNamespace
from typing import Any

from txremote.gate.builtin_types import FROZENDICT, VIEWS

TEXTS = (str, bytes, bytearray)

#: Types that hold others.
NESTING: tuple[Any, ...] = (
    *(list, tuple, dict, set, frozenset, deque, *VIEWS, *FROZENDICT),
    *(UserList, UserDict, ChainMap, MappingProxyType, SimpleNamespace, BaseException),
)

# Parts that a container counts beside its items: entering one takes time.
_HOLDER = 4

# Classes may be made anew for every call, so what is kept about them is bounded.
MOST_REMEMBERED = 1000


class Costs(Enum):
    """Ways to go through a value, by what each part costs."""

    # characters of a text that are a part; parts that an object counts whose class has one of
    # the methods in Python; the methods
    COMPARED = (1000, 50, ("__eq__", "__lt__"))
    SHOWN = (32, 10, ("__repr__",))

    def __init__(self, unit: int, asked: int, methods: tuple[str, ...]) -> None:
        self.unit = unit
        self.asked = asked
        self.methods = methods
        self.known: dict[type, tuple[int, Callable[[object], Iterator[object]] | None]] = {}


def weight(value: object, most: int, costs: Costs = Costs.COMPARED) -> int:
    """Return the number of a value's parts. ValueError: there are more than ``most``."""
    total = 0
    unit, known = costs.unit, costs.known
    levels: list[Iterator[Any]] = [iter((value,))]
    within: dict[int, None] = {}  # which holds which: one that holds itself ends there
    while levels:
        for item in levels[-1]:
            kind = type(item)
            if kind is int:
                total += 1 + item.bit_length() // (3 * unit)
                opened = None
            else:
                parts, opened = known.get(kind) or _learn(kind, costs)
                total += parts or 1 + len(item) // unit
            if total > most:
                raise ValueError(f"more than {most} parts, those that are held twice counted twice")
            if opened is not None and id(item) not in within:
                total += _HOLDER
                within[id(item)] = None
                levels.append(opened(item))
                break
        else:
            levels.pop()
            if within:
                within.popitem()
    return total


def _learn(kind: type, costs: Costs) -> tuple[int, Callable[[object], Iterator[object]] | None]:
    """Return the parts of a class's object, 0 if its length says so, and how to walk it."""
    if len(costs.known) >= MOST_REMEMBERED:
        costs.known.clear()
    opened = _opener(kind)
    if opened is None and issubclass(kind, (*TEXTS, array)):
        parts = 0
    elif any(type(getattr(kind, name, None)) is FunctionType for name in costs.methods):
        parts = costs.asked
    else:
        parts = 1
    found = costs.known[kind] = parts, opened
    return found


def _opener(kind: type) -> Callable[[Any], Iterator[object]] | None:
    """Return how to walk what an object holds without asking a subclass of the container."""
    for mapping in (dict, *FROZENDICT):
        if issubclass(kind, mapping):
            keys, values = mapping.keys, mapping.values  # type: ignore[attr-defined]
            return lambda held: chain(keys(held), values(held))
    if issubclass(kind, (UserList, UserDict)):
        return lambda held: iter((held.data,))
    if issubclass(kind, ChainMap):
        return lambda held: iter((held.maps,))
    if issubclass(kind, MappingProxyType):
        return lambda held: chain(held.keys(), held.values())
    if issubclass(kind, BaseException):
        return lambda held: iter((held.args,))
    if issubclass(kind, SimpleNamespace):
        return lambda held: iter(vars(held).values())
    for base in NESTING:
        if issubclass(kind, base):
            walk: Callable[[object], Iterator[object]] = base.__iter__
            return walk
    if dataclasses.is_dataclass(kind):
        return _fields
    return None


def _fields(record: Any) -> Iterator[object]:
    """Yield what a dataclass object holds in its fields."""
    for name in type(record).__dataclass_fields__:
        slot = getattr(type(record), name, None)
        try:
            if type(slot) is MemberDescriptorType:
                yield slot.__get__(record)
            else:
                yield vars(record)[name]
        except (AttributeError, KeyError, TypeError):  # it has not been set, or is computed
            continue
