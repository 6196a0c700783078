"""
Bounds on one call of a method that Python or its library defines.

A call of a few bytes may have a list, a number, a text or an object of the standard library
make a thousand million items, or never end. `measured` checks each call before it begins.
Methods that a program's own class defines are the program's affair.

=================== ======================================== ===============================
bound               stops                                    for example
=================== ======================================== ===============================
`MOST_MADE`         items and bytes that are made or taken   ``[0] * 10**12``,
                    in, and widths of formats                ``items.extend(iter(items))``
`MOST_PARTS`        parts compared or shown, those that are  lists that hold each other
                    held twice counted twice                 twice, on many levels
`MOST_SORTED`       parts that are sorted                    ``items.sort()``
``_MOST_COMPARED``  parts that a search compares in all      ``items.index(items)``
`MOST_SECONDS`      code of the program's that runs for      ``items.sort(key=function)``,
                    each item, in the reactor's thread       ``items.extend(generator)``
`MOST_TEXT`         text for an operator of the library's    ``user_list + text``
                    types, which may do anything with it
`MOST_FORMAT`       formats, and bytes for unusual codecs    ``moment.strftime(text)``
``number_costs``    digits of a number                       ``1 << 10**12``
=================== ======================================== ===============================
"""

from __future__ import annotations

import codecs
import re
from collections import Counter, OrderedDict, UserDict, UserList, UserString, defaultdict, deque
from decimal import Decimal
from fractions import Fraction
from types import MethodType
from typing import Any

from txremote.gate import item_costs, number_costs
from txremote.gate.builtin_types import CONTAINERS, FROZENDICT
from txremote.gate.converted import ConvertedMethod
from txremote.gate.item_costs import (
    FLAT,
    IN_ORDER,
    OF_SETS,
    check_made,
    defined,
    drawn,
    in_time,
    is_library,
    taken,
)
from txremote.gate.threaded import ThreadedMethod
from txremote.gate.weight import NESTING, TEXTS, Costs, weight

MOST_PARTS = 2_000_000
MOST_SORTED = 1_000_000
_MOST_COMPARED = 20_000_000

# In characters.
MOST_TEXT = 100_000
MOST_FORMAT = 1_000

_REPEATS = frozenset({"__mul__", "__rmul__", "__imul__"})
_MAKES = frozenset({"ljust", "rjust", "center", "zfill", "to_bytes"})
_GROWS = frozenset({"expandtabs", "replace", "join"})
_CUTS = frozenset({"split", "rsplit", "splitlines"})
_FROM_RIGHT = frozenset({"rfind", "rindex", "rpartition", "rsplit", "strip", "lstrip", "rstrip"})
_TAKES = OF_SETS | frozenset(
    "__add__ __iadd__ __radd__ __setitem__ difference difference_update extend extendleft "
    "fromkeys intersection intersection_update isdisjoint issubset issuperset subtract "
    "symmetric_difference symmetric_difference_update union update".split()
)
_SEARCHES = frozenset({"count", "index", "remove", "__contains__"})
_COMPARES = frozenset({"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"})
_SORTS = frozenset({"sort", "most_common"})
_NUMERIC = frozenset(
    "__mod__ __rmod__ __divmod__ __rdivmod__ __floordiv__ __rfloordiv__ __truediv__ "
    "__rtruediv__ __matmul__ __rmatmul__ __imod__ __ipow__ __itruediv__ __ifloordiv__ "
    "__ilshift__ __imatmul__".split()
)
_ALL = frozenset[str]().union(
    *(_REPEATS, _MAKES, _GROWS, _CUTS, _FROM_RIGHT, _TAKES, _SEARCHES, _COMPARES, _SORTS),
    *(number_costs.POWERS, number_costs.INTEGRAL, _NUMERIC, {"decode", "strftime"}),
)

#: Names of methods that `measured` checks, as a peer may ask for them.
COSTLY = frozenset({*_ALL, *(name.encode() for name in _ALL)})

# Methods whose named arguments are items, and those whose arguments may be named, in order.
_NAMES_ARE_KEYS = frozenset({"update", "subtract"})
_NAMED = {
    "decode": ("encoding", "errors"),
    "expandtabs": ("tabsize",),
    "split": ("sep", "maxsplit"),
    "rsplit": ("sep", "maxsplit"),
    "to_bytes": ("length", "byteorder"),
}

_OWNERS = CONTAINERS.keys() | {int, str, bytes, tuple}
_WRAPPERS = (UserString, UserList, UserDict)
_NUMBER = re.compile(r"\d+")
# other codecs may take a time that is no multiple of the length
_STEADY_CODECS = ("ascii", "utf-", "iso8859", "cp", "latin", "charmap")


def measured(obj: Any, name: Any, method: Any) -> Any:
    """Return a builtin type's method, named in `COSTLY`, with bounds on a peer's call of it."""
    asked = name.decode() if type(name) is bytes else name
    owner, found = defined(type(obj), asked)
    if owner is object or _is_programs(method, found):
        return method
    library = getattr(found, "__objclass__", owner) not in _OWNERS
    if library and not is_library(owner, found):
        return method
    seen = obj.data if issubclass(type(obj), _WRAPPERS) else obj

    def call(*args: object, **kwargs: object) -> object:
        if library:
            _check_library(obj, asked, (*args, *kwargs.values()))
        if "key" in kwargs and asked == "sort":
            kwargs["key"] = in_time(kwargs["key"])
        elif kwargs:
            args, kwargs = _checked_named(seen, asked, args, kwargs)
            return method(*args, **kwargs)
        return method(*_checked(seen, asked, args), **kwargs)

    return call


def _is_programs(method: object, found: object) -> bool:
    """
    Tell whether a method is the program's, exposed by the name of another: ``exposed_update`` of
    a dict of its own is called for ``update``.
    """
    if type(method) is not MethodType:
        return type(method) in (ThreadedMethod, ConvertedMethod)
    return method.__func__ is not getattr(found, "__func__", found)


def _checked_named(
    obj: object, name: str, args: tuple[object, ...], kwargs: dict[str, object]
) -> tuple[tuple[object, ...], dict[str, object]]:
    """Return the arguments as `_checked` does, where some have names."""
    if name in _NAMES_ARE_KEYS:
        return _checked(obj, name, args), kwargs
    names = _NAMED.get(name)
    if names is None:
        given = _checked(obj, name, (*args, *kwargs.values()))
        return given[: len(args)], dict(zip(kwargs, given[len(args) :], strict=True))
    _checked(obj, name, (*args, *map(kwargs.get, names[len(args) :])))
    return args, kwargs


def _checked(obj: Any, name: str, args: tuple[Any, ...]) -> tuple[object, ...]:
    """Return the arguments to call a method with. ValueError: the call would cost too much."""
    if name in _SORTS or type(obj) is Counter:  # which compares what it counts
        weight(obj, MOST_SORTED if name in _SORTS else MOST_PARTS, Costs.COMPARED)
    if name in _CUTS:
        _check_cut(obj, name, args)
    if name in _FROM_RIGHT and args:
        _check_from_right(obj, args[0])
    if name in _SEARCHES or name in _COMPARES:
        _check_comparing(obj, name, args)
    elif name in _TAKES:
        if name == "__setitem__":
            if not args or type(args[0]) is not slice:
                return args  # the second is no items, but one
            return (args[0], *(taken(obj, name, arg) for arg in args[1:]))
        if name == "fromkeys":  # whose second is one for all
            return (*(taken(obj, name, arg) for arg in args[:1]), *args[1:])
        return tuple(taken(obj, name, arg) for arg in args)
    elif name == "join" and args and hasattr(type(args[0]), "__next__"):
        args = (drawn(args[0]),)
        _check_growing(obj, name, args)
    elif name in _GROWS:
        _check_growing(obj, name, args)
    elif name == "decode":
        _check_codec(obj, args)
    elif args and issubclass(type(args[0]), int):
        number = int(args[0])
        if name in number_costs.ROUNDS:
            number_costs.check_rounding(number)
        elif name in number_costs.POWERS:
            if issubclass(type(obj), int):
                number_costs.check_power(int(obj), name, number, args)
        elif name in _MAKES:
            check_made(number)
        elif name in _REPEATS and any("__len__" in base.__dict__ for base in type(obj).__mro__):
            check_made(number * len(obj))
    return args


def _check_library(obj: Any, name: str, args: tuple[Any, ...]) -> None:
    """Check a call of a method that the standard library defines."""
    if issubclass(type(obj), Fraction):
        number_costs.check_fraction(obj, name, args)
    elif issubclass(type(obj), Decimal):
        number_costs.check_decimal(obj, name, args)
    if name == "strftime":
        _check_spec(args[0] if args else "")
    elif name in _NUMERIC and issubclass(type(obj), UserString):
        raise ValueError("a text is not filled in for a peer: use its own text")
    elif name not in _COMPARES and not issubclass(type(obj), FLAT):
        stored = name == "__setitem__" and issubclass(type(obj), (UserDict, UserList))
        for arg in args if not stored else args[:1]:
            if issubclass(type(arg), TEXTS) and len(arg) > MOST_TEXT:
                raise ValueError(f"a text of more than {MOST_TEXT} characters for an operator")


def _check_cut(obj: Any, name: str, args: tuple[Any, ...]) -> None:
    """Check how many parts a text is cut into."""
    size = len(obj)
    by_text = name != "splitlines" and args and issubclass(type(args[0]), TEXTS)
    if by_text and size > item_costs.MOST_MADE:
        size = obj.count(args[0]) if args[0] else 0
    most = args[1] if len(args) > 1 else -1
    if issubclass(type(most), int) and 0 <= most < size:
        size = int(most)
    check_made(size)


def _check_from_right(obj: Any, part: Any) -> None:
    """Check a search from the right, which takes as long as both lengths multiplied."""
    if issubclass(type(part), TEXTS) and len(obj) * len(part) > _MOST_COMPARED:
        raise ValueError(f"a search from the right of more than {_MOST_COMPARED} steps by one call")


def _check_codec(obj: Any, args: tuple[object, ...]) -> None:
    if args and type(args[0]) is str and len(obj) > MOST_FORMAT:
        try:
            known = codecs.lookup(args[0][:MOST_FORMAT]).name
        except LookupError:
            known = "what no codec is called"
        if not known.startswith(_STEADY_CODECS):
            raise ValueError(f"more than {MOST_FORMAT} bytes decoded as {known}")


def _check_growing(obj: Any, name: str, args: tuple[Any, ...]) -> None:
    """Check how much longer a text gets."""
    if name == "expandtabs":
        size = args[0] if args else 8
        if issubclass(type(size), int):
            check_made(obj.count(b"\t" if not isinstance(obj, str) else "\t") * int(size))
    elif name == "replace" and len(args) > 1 and all(issubclass(type(a), TEXTS) for a in args[:2]):
        check_made(obj.count(args[0]) * (len(args[1]) - len(args[0])))
    elif name == "join" and args and type(args[0]) in (tuple, *CONTAINERS):
        # of what is here already: a list may hold the same long text a thousand times
        held = args[0]
        check_made(len(held) * len(obj))
        check_made(sum(len(item) for item in held if issubclass(type(item), TEXTS)))


def _check_comparing(obj: Any, name: str, args: tuple[object, ...]) -> None:
    if type(obj) is range:
        # of anything but an int, a range of any length is searched
        if name in _SEARCHES and args and type(args[0]) is not int:
            raise TypeError("a range is asked for ints")
    elif issubclass(type(obj), NESTING) and args:
        times = max(1, len(obj)) if name in _SEARCHES else 1
        weight(args[0], min(MOST_PARTS, max(1, _MOST_COMPARED // times)), Costs.COMPARED)
        if name in _SEARCHES and times > MOST_TEXT and issubclass(type(obj), IN_ORDER):
            # of what is asked for how it compares, and be it with an int
            weight(obj, _MOST_COMPARED, Costs.COMPARED)


def maker(kind: type) -> object:
    """Return one of `MAKERS` with bounds on what a peer's call makes."""
    name, example = _MADE_AS[kind]

    def make(*args: Any, **kwargs: Any) -> object:
        if kind is Fraction:
            number_costs.check_made_fraction(args)
        elif args and issubclass(type(args[0]), int) and kind in (bytes, bytearray):
            check_made(int(args[0]))
        else:
            at = 1 if kind is defaultdict else 0  # after the factory
            if len(args) > at:
                args = (*args[:at], taken(example, name, args[at]), *args[at + 1 :])
        return kind(*args, **kwargs)

    return make


# How the arguments of a class are taken in: as by which method of what.
_MADE_AS: dict[type, tuple[str, object]] = {
    **{kind: ("extend", []) for kind in (list, tuple, deque, UserList)},
    **{kind: ("extend", bytearray()) for kind in (bytes, bytearray)},
    **{kind: ("update", set()) for kind in (set, frozenset)},
    **{kind: ("update", {}) for kind in (dict, OrderedDict, defaultdict, UserDict, *FROZENDICT)},
    Counter: ("update", Counter()),
    Fraction: ("", None),
}

#: Classes that make as much as their arguments say: a service may have handed them out.
MAKERS = frozenset(_MADE_AS)


def check_compared(obj: object, other: object) -> None:
    """Check that two objects may be compared. Raises as `weight` does."""
    if issubclass(type(obj), NESTING):
        weight(other, MOST_PARTS, Costs.COMPARED)


def check_shown(obj: object) -> None:
    """Check that an object's repr is of some length. Raises as `weight` does."""
    weight(obj, MOST_PARTS, Costs.SHOWN)


def check_hashed(obj: object) -> None:
    """Check that an object's hash is made of so many parts. Raises as `weight` does."""
    if issubclass(type(obj), tuple):
        weight(obj, MOST_PARTS, Costs.COMPARED)


def check_format(obj: object, spec: object) -> None:
    """Check a format. ValueError: it is too long, or a width in it: it makes as many blanks."""
    owner, found = defined(type(obj), "__format__")
    if is_library(owner, found):
        _check_spec(spec)


def _check_spec(spec: object) -> None:
    if type(spec) is not str:
        return
    if len(spec) > MOST_FORMAT:
        raise ValueError(f"a format of more than {MOST_FORMAT} characters")
    numbers = _NUMBER.findall(spec)
    if any(len(number) > 9 for number in numbers) or sum(map(int, numbers)) > item_costs.MOST_MADE:
        raise ValueError(f"a width of more than {item_costs.MOST_MADE} in a format")
