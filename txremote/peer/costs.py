"""
What one call of a peer may cost: bounds on what Python's own types do for it.

A list that is handed out has all its methods, and so have the operators of every
object that is an int, a str or a tuple beneath, an `enum.IntEnum` say. Some of them
make a thousand million items for a number, never end (``items.extend(iter(items))``),
or take a time that doubles with each level of lists that hold each other twice. What a
single call makes, takes in, compares and shows is counted here before it is begun.

Methods that a program's own class defines are the program's affair.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Any

from txremote.peer.builtin_types import CONTAINERS

#: Most items or bytes that one call may make, and take in of what is here already.
MOST_MADE = 1_000_000

#: Of how many parts at most something is that one call compares or shows, and how many
#: of them a search may compare in all.
MOST_PARTS = 2_000_000
_MOST_COMPARED = 100_000_000

# How many parts more a container counts: to go into one takes its time.
_HOLDER = 4

# No int is sent that has more than 4300 digits.
_MOST_BITS = 100_000

# As for the wire's frozensets: items of one hash are a quadratic time.
_MOST_COLLISIONS = 16

_REPEATS = frozenset({"__mul__", "__rmul__", "__imul__"})
_MAKES = frozenset({"ljust", "rjust", "center", "zfill", "to_bytes"})
_POWERS = frozenset({"__pow__", "__rpow__", "__lshift__", "__rlshift__"})
_GROWS = frozenset({"expandtabs", "replace", "join"})
_TAKES = frozenset(
    "__add__ __iadd__ __radd__ __and__ __iand__ __rand__ __or__ __ior__ __ror__ __sub__ __isub__ "
    "__rsub__ __xor__ __ixor__ __rxor__ __setitem__ difference difference_update extend "
    "extendleft fromkeys intersection intersection_update isdisjoint issubset issuperset "
    "subtract symmetric_difference symmetric_difference_update union update".split()
)
_SEARCHES = frozenset({"count", "index", "remove", "__contains__"})
_COMPARES = frozenset({"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"})
_SORTS = frozenset({"sort", "most_common"})
_ALL = _REPEATS | _MAKES | _POWERS | _GROWS | _TAKES | _SEARCHES | _COMPARES | _SORTS

#: Names of methods that `measured` looks after, as they may be asked for.
COSTLY = frozenset({*_ALL, *(name.encode() for name in _ALL)})

_OWNERS = CONTAINERS.keys() | {int, str, bytes, tuple}
_TEXTS = (str, bytes, bytearray)
_IN_ORDER = (tuple, list, deque, bytearray)
_VIEWS: tuple[Any, ...] = (type({}.keys()), type({}.values()), type({}.items()))
_NESTING: tuple[Any, ...] = (list, tuple, dict, set, frozenset, deque, *_VIEWS)
_LONG_NUMBER = re.compile(r"\d{6,}")


def measured(obj: Any, name: Any, method: Any) -> Any:
    """
    Return a method of a builtin type, or one that a class has inherited of it, so that
    a peer's call costs no more than it may.

    Args:
        obj: The object.
        name: The method's name, one of `COSTLY`.
        method: The method.
    """
    asked = name.decode() if type(name) is bytes else name
    owner = next((base for base in type(obj).__mro__ if asked in base.__dict__), None)
    if owner not in _OWNERS:
        return method

    def call(*args: Any, **kwargs: Any) -> Any:
        return method(*_checked(obj, asked, args), **kwargs)

    return call


def _checked(obj: Any, name: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """
    Return the arguments to call a method with.

    Raises:
        ValueError: the call would cost too much.
        TypeError: a range is searched for what is no int.
    """
    if name in _SORTS or type(obj) is Counter:  # which compares what it counts
        weight(obj, MOST_PARTS)
    if name in _SEARCHES or name in _COMPARES:
        _check_comparing(obj, name, args)
    elif name in _TAKES:
        if name == "__setitem__" and not (args and type(args[0]) is slice):
            return args  # the second is no items, but one
        return tuple(_taken(obj, name, arg) for arg in args)
    elif name in _GROWS:
        _check_growing(obj, name, args)
    elif args and issubclass(type(args[0]), int):
        number = int(args[0])
        if name in _POWERS:
            _check_power(int(obj), name, number, args)
        elif not issubclass(type(obj), int) or name in _MAKES:
            _check_made(number * (len(obj) if name in _REPEATS else 1))
    return args


def _check_made(items: int) -> None:
    if items > MOST_MADE:
        raise ValueError(f"more than {MOST_MADE} items by one call")


def _check_power(own: int, name: str, number: int, args: tuple[Any, ...]) -> None:
    left, right = (number, own) if name.startswith("__r") else (own, number)
    if len(args) > 1 and args[1] is not None:
        return  # by a modulus, which is no longer than what a message may hold
    bits = left.bit_length()
    made = bits * right if name.endswith("pow__") and bits > 1 else 0
    if name.endswith("lshift__"):
        made = bits + right
    if made > _MOST_BITS:
        raise ValueError(f"an int of more than {_MOST_BITS} bits by one call")


def _check_growing(obj: Any, name: str, args: tuple[Any, ...]) -> None:
    """
    Check how much longer a text gets.
    """
    if name == "expandtabs":
        size = args[0] if args else 8
        if issubclass(type(size), int):
            _check_made(obj.count(b"\t" if not isinstance(obj, str) else "\t") * int(size))
    elif name == "replace" and len(args) > 1 and all(issubclass(type(a), _TEXTS) for a in args[:2]):
        _check_made(obj.count(args[0]) * (len(args[1]) - len(args[0])))
    elif name == "join" and args and type(args[0]) in CONTAINERS:
        # of what is here already: a list may hold the same long text a thousand times
        held = args[0]
        _check_made(len(held) * len(obj))
        _check_made(sum(len(item) for item in held if issubclass(type(item), _TEXTS)))


def _taken(obj: Any, name: str, items: Any) -> Any:
    """
    Return items that a container is to take in, counted.
    """
    kind = type(items)
    if kind in CONTAINERS:
        _check_made(len(items))
    elif kind is not tuple:
        sized = hasattr(kind, "__len__") or hasattr(kind, "keys")
        if sized or not hasattr(kind, "__iter__"):
            return items
        # a list that takes in its own iterator would never end
        items = tuple(islice(items, MOST_MADE + 1))
        _check_made(len(items))
    if type(items) in _IN_ORDER and not issubclass(type(obj), _IN_ORDER):
        pairs = issubclass(type(obj), dict) and type(obj) is not Counter and name != "fromkeys"
        _check_hashes(items, pairs)
    return items


def _check_hashes(items: Any, pairs: bool) -> None:
    first: dict[int, Any] = {}
    collisions = 0
    for item in items:
        key = item[0] if pairs and type(item) in _IN_ORDER and item else item
        try:
            known = first.setdefault(hash(key), key)
        except TypeError:  # the container says so itself
            return
        if known is not key and known != key:
            collisions += 1
            if collisions > _MOST_COLLISIONS:
                raise ValueError("items of the same hash")


def _check_comparing(obj: Any, name: str, args: tuple[Any, ...]) -> None:
    if type(obj) is range:
        # of anything but an int, a range of any length is searched
        if name in _SEARCHES and args and type(args[0]) is not int:
            raise TypeError("a range is asked for ints")
    elif issubclass(type(obj), _NESTING) and args:
        times = max(1, len(obj)) if name in _SEARCHES else 1
        weight(args[0], min(MOST_PARTS, _MOST_COMPARED // times))


def check_compared(obj: Any, other: Any) -> None:
    """
    Check that two objects may be compared. Raises as `weight` does.
    """
    if issubclass(type(obj), _NESTING):
        weight(other, MOST_PARTS)


def check_shown(obj: Any) -> None:
    """
    Check that an object's repr is of some length. Raises as `weight` does.
    """
    if issubclass(type(obj), _NESTING):
        weight(obj, MOST_PARTS, unit=32)


def check_format(spec: Any) -> None:
    """
    Check the widths in a format: ``format(1, "1000000000")`` makes so many blanks.

    Raises:
        ValueError: one is too wide.
    """
    if type(spec) is str and any(
        len(number) > 9 or int(number) > MOST_MADE for number in _LONG_NUMBER.findall(spec)
    ):
        raise ValueError(f"a width of more than {MOST_MADE} in a format")


def weight(value: Any, most: int, unit: int = 1000) -> int:
    """
    Return of how many parts a value is, one that is held twice counted twice, since
    who compares or shows it comes by twice. A container is five parts by itself.

    Args:
        value: Any value; what is no builtin container counts one.
        most: How many there may be.
        unit: How many characters of a text are a part of their own.

    Raises:
        ValueError: there are more.
    """
    total = 0
    levels: list[Iterator[Any]] = [iter((value,))]
    within: dict[int, None] = {}  # which holds which: one that holds itself ends there
    while levels:
        for item in levels[-1]:
            kind = type(item)
            total += 1
            if issubclass(kind, _TEXTS):
                total += len(item) // unit
            elif kind is int:
                total += item.bit_length() // (3 * unit)
            if total > most:
                raise ValueError(f"more than {most} parts, those that are held twice counted twice")
            if issubclass(kind, _NESTING) and id(item) not in within:
                total += _HOLDER
                within[id(item)] = None
                levels.append(_parts(item))
                break
        else:
            levels.pop()
            if within:
                within.popitem()
    return total


def _parts(holder: Any) -> Iterator[Any]:
    """
    Give what a container holds, without asking a subclass of it.
    """
    if issubclass(type(holder), dict):
        return chain(dict.keys(holder), dict.values(holder))
    base = next(base for base in _NESTING if issubclass(type(holder), base))
    walk: Callable[[Any], Iterator[Any]] = base.__iter__
    return walk(holder)
