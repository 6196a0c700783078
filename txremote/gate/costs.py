"""
What one call of a peer may cost: bounds on what Python's own types do for it.

A list that is handed out has all its methods, and so have the operators of every
object that is an int, a str or a tuple beneath, an `enum.IntEnum` say, and those of the
standard library's types: a `Fraction`, an `array`, a `UserList`. Some of them make a
thousand million items for a number, never end (``items.extend(iter(items))``), or take a
time that doubles with each level of lists that hold each other twice. What a single call
makes, takes in, compares and shows is counted here before it is begun (how much that is,
`txremote.gate.weight` knows). What cannot be counted, since it runs code of the program's
for each item, a generator or the key of a ``sort``, is stopped after `MOST_SECONDS` in
the reactor's thread.

Methods that a program's own class defines are the program's affair.
"""

from __future__ import annotations

import codecs
import re
import sys
from array import array
from collections import (
    Counter,
    OrderedDict,
    UserDict,
    UserList,
    UserString,
    defaultdict,
    deque,
)
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from itertools import islice
from time import thread_time
from types import FunctionType
from typing import Any

from twisted.python import threadable

from txremote.gate.builtin_types import CONTAINERS, FROZENDICT
from txremote.gate.weight import NESTING, TEXTS, VIEWS, Costs, weight

#: Most items or bytes that one call may make, and take in of what is here already.
MOST_MADE = 1_000_000

#: Of how many parts at most something is that one call compares or shows, and how many
#: it sorts; and how many of them a search may compare in all.
MOST_PARTS = 2_000_000
MOST_SORTED = 1_000_000
_MOST_COMPARED = 20_000_000

#: Seconds of the processor that one call may spend in code of the program's that runs for
#: each item.
MOST_SECONDS = 0.2

#: Longest text that an operator of a library's type takes, and longest format, in
#: characters: what is made of each is not known.
MOST_TEXT = 100_000
MOST_FORMAT = 1_000

# How many items are taken from the program's own code between two looks at the clock, and for
# how many seconds it is looked at less often.
_FEW = 16
_MOMENT = 0.01

# No int is sent that has more than 4300 digits.
_MOST_BITS = 100_000
_MOST_DIGITS = 5_000
_MOST_MODULAR = 4_096

# As for the wire's frozensets: items of one hash are a quadratic time.
_MOST_COLLISIONS = 16

_REPEATS = frozenset({"__mul__", "__rmul__", "__imul__"})
_MAKES = frozenset({"ljust", "rjust", "center", "zfill", "to_bytes"})
_POWERS = frozenset({"__pow__", "__rpow__", "__lshift__", "__rlshift__"})
_ROUNDS = frozenset({"__round__"})
_INTEGRAL = frozenset({"__int__", "__trunc__", "__floor__", "__ceil__", *_ROUNDS})
_GROWS = frozenset({"expandtabs", "replace", "join"})
_CUTS = frozenset({"split", "rsplit", "splitlines"})
_FROM_RIGHT = frozenset({"rfind", "rindex", "rpartition", "rsplit", "strip", "lstrip", "rstrip"})
_TAKES = frozenset(
    "__add__ __iadd__ __radd__ __and__ __iand__ __rand__ __or__ __ior__ __ror__ __sub__ __isub__ "
    "__rsub__ __xor__ __ixor__ __rxor__ __setitem__ difference difference_update extend "
    "extendleft fromkeys intersection intersection_update isdisjoint issubset issuperset "
    "subtract symmetric_difference symmetric_difference_update union update".split()
)
_SEARCHES = frozenset({"count", "index", "remove", "__contains__"})
_COMPARES = frozenset({"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"})
_SORTS = frozenset({"sort", "most_common"})
_FORMATS = frozenset({"strftime"})
_NUMERIC = frozenset(
    "__mod__ __rmod__ __divmod__ __rdivmod__ __floordiv__ __rfloordiv__ __truediv__ "
    "__rtruediv__ __matmul__ __rmatmul__ __imod__ __ipow__ __itruediv__ __ifloordiv__ "
    "__ilshift__ __imatmul__".split()
)
_ALL = frozenset[str]().union(
    *(_REPEATS, _MAKES, _POWERS, _INTEGRAL, _GROWS, _CUTS, _FROM_RIGHT, _TAKES, _SEARCHES),
    *(_COMPARES, _SORTS, _FORMATS, _NUMERIC, {"decode"}),
)

#: Names of methods that `measured` looks after, as they may be asked for.
COSTLY = frozenset({*_ALL, *(name.encode() for name in _ALL)})

# Operators that want another of their kind, and methods whose named arguments are items.
_OF_SETS = frozenset(
    "__and__ __iand__ __rand__ __or__ __ior__ __ror__ __sub__ __isub__ __rsub__ __xor__ "
    "__ixor__ __rxor__".split()
)
_IN_PLACE = frozenset({"__iadd__", "__isub__", "__ior__", "__iand__"})
_NAMES_ARE_KEYS = frozenset({"update", "subtract"})

# Those among them whose arguments have names that may be said, in order.
_NAMED = {
    "decode": ("encoding", "errors"),
    "expandtabs": ("tabsize",),
    "split": ("sep", "maxsplit"),
    "rsplit": ("sep", "maxsplit"),
    "to_bytes": ("length", "byteorder"),
}

_OWNERS = CONTAINERS.keys() | {int, str, bytes, tuple}
_IN_ORDER = (tuple, list, deque, bytearray)
_MAPPINGS: tuple[Any, ...] = (dict, *FROZENDICT)
_HASHING: tuple[Any, ...] = (set, frozenset, *VIEWS, *_MAPPINGS)
_FLAT = (bytearray, bytes, array, UserString)  # a byte for a byte, however many
# their length is counted, where they are iterated as the library does it
_COUNTED = (*TEXTS, *_IN_ORDER, dict, set, frozenset, array, UserList, UserDict)
_WRAPPERS = (UserString, UserList, UserDict)
_NUMBER = re.compile(r"\d+")
# whatever is decoded by others may take a time that is no multiple of its length
_STEADY_CODECS = ("ascii", "utf-", "iso8859", "cp", "latin", "charmap")


def _is_library(owner: type, method: Any) -> bool:
    """
    Tell whether a method is defined by the standard library.

    Args:
        owner: In which class it stands.
        method: The method. An enum has copies of the methods of what is beneath.
    """
    home = method if type(method) is FunctionType else getattr(method, "__objclass__", owner)
    module = home.__module__
    return type(module) is str and module.partition(".")[0] in sys.stdlib_module_names


def _found(kind: type, name: str) -> tuple[type, object]:
    """Return which class defines a special method of a class, and what stands there."""
    for base in kind.__mro__:
        if name in base.__dict__:
            return base, base.__dict__[name]
    return object, None


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
    owner, found = _found(type(obj), asked)
    if owner is object:
        return method
    library = getattr(found, "__objclass__", owner) not in _OWNERS
    if library and not _is_library(owner, found):
        return method
    seen = obj.data if issubclass(type(obj), _WRAPPERS) else obj

    def call(*args: Any, **kwargs: object) -> object:
        if library:
            _check_library(obj, asked, (*args, *kwargs.values()))
        if "key" in kwargs and asked == "sort":
            kwargs["key"] = _in_time(kwargs["key"])
        elif kwargs:
            args, kwargs = _checked_named(seen, asked, args, kwargs)
            return method(*args, **kwargs)
        return method(*_checked(seen, asked, args), **kwargs)

    return call


def _checked_named(
    obj: object, name: str, args: tuple[object, ...], kwargs: dict[str, object]
) -> tuple[tuple[object, ...], dict[str, object]]:
    """Return the arguments to call a method with where some have names, as `_checked` does."""
    if name in _NAMES_ARE_KEYS:
        return _checked(obj, name, args), kwargs
    names = _NAMED.get(name)
    if names is None:
        given = _checked(obj, name, (*args, *kwargs.values()))
        return given[: len(args)], dict(zip(kwargs, given[len(args) :], strict=True))
    _checked(obj, name, (*args, *map(kwargs.get, names[len(args) :])))
    return args, kwargs


def _checked(obj: Any, name: str, args: tuple[Any, ...]) -> tuple[object, ...]:
    """
    Return the arguments to call a method with.

    Raises:
        ValueError: the call would cost too much.
        TypeError: a range is searched for what is no int.
    """
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
            return (args[0], *(_taken(obj, name, arg) for arg in args[1:]))
        if name == "fromkeys":  # whose second is one for all
            return (*(_taken(obj, name, arg) for arg in args[:1]), *args[1:])
        return tuple(_taken(obj, name, arg) for arg in args)
    elif name == "join" and args and hasattr(type(args[0]), "__next__"):
        args = (_drawn(args[0]),)
        _check_growing(obj, name, args)
    elif name in _GROWS:
        _check_growing(obj, name, args)
    elif name == "decode":
        _check_codec(obj, args)
    elif args and issubclass(type(args[0]), int):
        number = int(args[0])
        if name in _ROUNDS:
            _check_rounding(number)
        elif name in _POWERS:
            if issubclass(type(obj), int):
                _check_power(int(obj), name, number, args)
        elif name in _MAKES:
            _check_made(number)
        elif name in _REPEATS and any("__len__" in base.__dict__ for base in type(obj).__mro__):
            _check_made(number * len(obj))
    return args


def _check_library(obj: Any, name: str, args: tuple[Any, ...]) -> None:
    """Check a call of a method that the standard library defines."""
    if issubclass(type(obj), Fraction):
        _check_fraction(obj, name, args)
    elif issubclass(type(obj), Decimal):
        _check_decimal(obj, name, args)
    if name in _FORMATS:
        _check_spec(args[0] if args else "")
    elif name in _NUMERIC and issubclass(type(obj), UserString):
        raise ValueError("a text is not filled in for a peer: use its own text")
    elif name not in _COMPARES and not issubclass(type(obj), _FLAT):
        stored = name == "__setitem__" and issubclass(type(obj), (UserDict, UserList))
        for arg in args if not stored else args[:1]:
            if issubclass(type(arg), TEXTS) and len(arg) > MOST_TEXT:
                raise ValueError(f"a text of more than {MOST_TEXT} characters for an operator")


def _bits(number: Any) -> int:
    """Return about how long a rational number is."""
    if issubclass(type(number), int):
        return int(number).bit_length()
    if issubclass(type(number), Fraction):
        return int(number.numerator.bit_length() + number.denominator.bit_length())
    return 64


def _check_fraction(own: Fraction, name: str, args: tuple[Any, ...]) -> None:
    if name in _ROUNDS:
        if args and issubclass(type(args[0]), int):
            _check_rounding(int(args[0]))
        return
    other = args[0] if args else 0
    made = _bits(own) + _bits(other)
    if name in _POWERS:
        base, power = (other, own) if name.startswith("__r") else (own, other)
        if issubclass(type(power), (int, Fraction)) and power.denominator == 1:
            made = _bits(base) * abs(int(power)) if _bits(base) > 1 else 0
    if made > _MOST_BITS:
        raise ValueError(f"a fraction of more than {_MOST_BITS} bits by one call")


def _check_decimal(own: Decimal, name: str, args: tuple[object, ...]) -> None:
    if name in _INTEGRAL and own.is_finite() and own.adjusted() > _MOST_DIGITS:
        raise ValueError(f"an int of more than {_MOST_DIGITS} digits by one call")
    if name in _POWERS and any(_bits(arg) > _MOST_DIGITS for arg in args):
        raise ValueError(f"a power of an int of more than {_MOST_DIGITS} bits")


def _check_rounding(digits: int) -> None:
    if abs(digits) > _MOST_BITS // 4:
        raise ValueError(f"rounded to more than {_MOST_BITS // 4} digits")


def _check_cut(obj: Any, name: str, args: tuple[Any, ...]) -> None:
    """Check how many parts a text is cut into."""
    size = len(obj)
    if size > MOST_MADE and name != "splitlines" and args and issubclass(type(args[0]), TEXTS):
        size = obj.count(args[0]) if args[0] else 0
    most = args[1] if len(args) > 1 else -1
    if issubclass(type(most), int) and 0 <= most < size:
        size = int(most)
    _check_made(size)


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


def _in_time(function: Any) -> object:
    """
    Return a function that is called for each item, so that all calls together take no
    longer than they may.
    """
    if function is None or not threadable.isInIOThread():
        return function
    until = thread_time() + MOST_SECONDS

    def call(item: object) -> object:
        _check_time(until)
        return function(item)

    return call


def _check_time(until: float) -> None:
    if thread_time() > until:
        raise ValueError(f"more than {MOST_SECONDS} s in the program's own code by one call")


def _drawn(items: Any) -> tuple[Any, ...]:
    """Return what an iterator gives, if that is no more than may be taken and there is time."""
    found: list[object] = []
    source = iter(items)
    limited = threadable.isInIOThread()
    begun = thread_time()
    chunk = _FEW
    while len(found) <= MOST_MADE:
        before = len(found)
        found += islice(source, chunk)
        if len(found) < before + chunk:
            break
        if limited:
            _check_time(begun + MOST_SECONDS)
        # as many as take a moment: an item may take any time
        chunk = min(len(found), MOST_MADE) if thread_time() - begun < _MOMENT else _FEW
    _check_made(len(found))
    return tuple(found)


def _check_made(items: int) -> None:
    if items > MOST_MADE:
        raise ValueError(f"more than {MOST_MADE} items by one call")


def _check_power(own: int, name: str, number: int, args: tuple[object, ...]) -> None:
    left, right = (number, own) if name.startswith("__r") else (own, number)
    if len(args) > 1 and args[1] is not None:
        steps = number.bit_length() * _bits(args[1]) ** 2
        if steps > _MOST_MODULAR**3:
            raise ValueError(f"a power of more than {_MOST_MODULAR} bits by one call")
        return
    bits = left.bit_length()
    made = bits * right if name.endswith("pow__") and bits > 1 else 0
    if name.endswith("lshift__"):
        made = bits + right
    if made > _MOST_BITS:
        raise ValueError(f"an int of more than {_MOST_BITS} bits by one call")


def _check_growing(obj: Any, name: str, args: tuple[Any, ...]) -> None:
    """Check how much longer a text gets."""
    if name == "expandtabs":
        size = args[0] if args else 8
        if issubclass(type(size), int):
            _check_made(obj.count(b"\t" if not isinstance(obj, str) else "\t") * int(size))
    elif name == "replace" and len(args) > 1 and all(issubclass(type(a), TEXTS) for a in args[:2]):
        _check_made(obj.count(args[0]) * (len(args[1]) - len(args[0])))
    elif name == "join" and args and type(args[0]) in (tuple, *CONTAINERS):
        # of what is here already: a list may hold the same long text a thousand times
        held = args[0]
        _check_made(len(held) * len(obj))
        _check_made(sum(len(item) for item in held if issubclass(type(item), TEXTS)))


def _taken(obj: object, name: str, items: Any) -> Any:
    """Return items that a container is to take in, counted."""
    kind = type(items)
    plain = issubclass(kind, _COUNTED) and _is_library(*_found(kind, "__iter__"))
    if kind in CONTAINERS or plain:
        if not issubclass(type(obj), _FLAT) or not issubclass(kind, _FLAT):
            _check_made(len(items))
    elif kind is not tuple:
        # what it says of its length is nothing to go by
        items = _drawn_of_any(obj, name, items)
    in_order = type(items) in _IN_ORDER or (plain and issubclass(kind, _IN_ORDER))
    if in_order and issubclass(type(obj), _HASHING):
        pairs = (
            issubclass(type(obj), (dict, *FROZENDICT))
            and type(obj) is not Counter
            and name != "fromkeys"
        )
        _check_hashes(items, pairs)
    return items


def _drawn_of_any(obj: object, name: str, items: Any) -> object:
    """Return what an object gives that is to be taken in, as the container would ask it."""
    kind = type(items)
    if issubclass(type(obj), Counter) and name in _IN_PLACE:
        return dict(_drawn(items.items())) if hasattr(kind, "items") else items
    if name in _OF_SETS and issubclass(type(obj), (set, frozenset)):
        return items  # of what is no set it wants nothing
    if name in _OF_SETS and name != "__ior__" and issubclass(type(obj), _MAPPINGS):
        return items
    if issubclass(type(obj), (bytearray, array)):
        try:
            size = memoryview(items).nbytes
        except TypeError:
            pass
        else:  # whose bytes it takes
            _check_made(size)
            return items
    mapping = isinstance(items, Mapping) if type(obj) is Counter else hasattr(kind, "keys")
    if mapping and name != "fromkeys" and issubclass(type(obj), _MAPPINGS):
        keys = items.keys()
        pairs = _drawn((key, items[key]) for key in keys)
        _check_hashes(pairs, pairs=True)
        return dict(pairs)
    if not hasattr(kind, "__iter__") and not hasattr(kind, "__getitem__"):
        return items  # the container says so itself
    return _drawn(items)


def _check_hashes(items: Any, pairs: bool) -> None:
    first: dict[int, object] = {}
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


def _check_comparing(obj: Any, name: str, args: tuple[object, ...]) -> None:
    if type(obj) is range:
        # of anything but an int, a range of any length is searched
        if name in _SEARCHES and args and type(args[0]) is not int:
            raise TypeError("a range is asked for ints")
    elif issubclass(type(obj), NESTING) and args:
        times = max(1, len(obj)) if name in _SEARCHES else 1
        weight(args[0], min(MOST_PARTS, max(1, _MOST_COMPARED // times)), Costs.COMPARED)
        if name in _SEARCHES and times > MOST_TEXT and issubclass(type(obj), _IN_ORDER):
            # of what is asked for how it compares, and be it with an int
            weight(obj, _MOST_COMPARED, Costs.COMPARED)


def maker(kind: type) -> object:
    """
    Return a class that is one of `MAKERS` so that a peer that calls it has it make no more
    than it may.
    """
    name, example = _MADE_AS[kind]

    def make(*args: Any, **kwargs: Any) -> object:
        if kind is Fraction:
            _check_made_fraction(args)
        elif args and issubclass(type(args[0]), int) and kind in (bytes, bytearray):
            _check_made(int(args[0]))
        else:
            last = 1 if kind is not defaultdict else 2
            args = (
                *args[: last - 1],
                *(_taken(example, name, arg) for arg in args[last - 1 : last]),
                *args[last:],
            )
        return kind(*args, **kwargs)

    return make


def _check_made_fraction(args: tuple[Any, ...]) -> None:
    for arg in args:
        power = 0
        if issubclass(type(arg), Decimal) and arg.is_finite():
            power = abs(arg.adjusted())
        elif issubclass(type(arg), str):
            found = _EXPONENT.search(arg)
            power = int(found[1][:9]) if found else 0
        if power > _MOST_DIGITS:
            raise ValueError(f"a fraction of more than {_MOST_DIGITS} digits by one call")


# How the arguments of a class are taken in: as by which method of what.
_MADE_AS: dict[type, tuple[str, object]] = {
    **{kind: ("extend", []) for kind in (list, tuple, deque, UserList)},
    **{kind: ("extend", bytearray()) for kind in (bytes, bytearray)},
    **{kind: ("update", set()) for kind in (set, frozenset)},
    **{kind: ("update", {}) for kind in (dict, OrderedDict, defaultdict, UserDict, *FROZENDICT)},
    Counter: ("update", Counter()),
    Fraction: ("", None),
}
_EXPONENT = re.compile(r"[eE][-+]?([0-9_]+)")

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
    """
    Check a format: ``format(1, "1000000000")`` makes so many blanks.

    Raises:
        ValueError: something is too wide, or the format of a library's type too long.
    """
    owner, found = _found(type(obj), "__format__")
    if _is_library(owner, found):
        _check_spec(spec)


def _check_spec(spec: object) -> None:
    if type(spec) is not str:
        return
    if len(spec) > MOST_FORMAT:
        raise ValueError(f"a format of more than {MOST_FORMAT} characters")
    numbers = _NUMBER.findall(spec)
    if any(len(number) > 9 for number in numbers) or sum(map(int, numbers)) > MOST_MADE:
        raise ValueError(f"a width of more than {MOST_MADE} in a format")
