"""
Bounds on the items that one call makes or takes in, and on the time to give them.

A number of items is checked before they are made. An iterator, which may never end, gives no
more than may be taken. The program's own code that runs for each item has `MOST_SECONDS` in
the reactor's thread.
"""

from __future__ import annotations

import sys
from array import array
from collections import Counter, UserDict, UserList, UserString, deque
from collections.abc import Mapping
from itertools import islice
from time import thread_time
from types import FunctionType
from typing import Any

from txremote.gate.builtin_types import CONTAINERS, FROZENDICT, VIEWS
from txremote.gate.weight import TEXTS
from txremote.refs.netref import BaseNetref, is_base_netref
from txremote.refs.reactorthread import is_loop_thread
from txremote.refs.reference import RemoteReference
from txremote.wire.naming import class_name, with_article

#: Most items or bytes that one call may make, and take in of those that are here already.
MOST_MADE = 1_000_000

#: Seconds of the processor that one call may spend in code of the program's for its items.
MOST_SECONDS = 0.2

# Items drawn from the program's own code between two readings of the clock; until a moment
# has passed, in seconds, as many as are there already.
_FEW = 16
_MOMENT = 0.01

# As for the wire's frozensets: to store items of one hash takes quadratic time.
_MOST_COLLISIONS = 16

# Operators that want another of their kind.
OF_SETS = frozenset(
    "__and__ __iand__ __rand__ __or__ __ior__ __ror__ __sub__ __isub__ __rsub__ __xor__ "
    "__ixor__ __rxor__".split()
)
_IN_PLACE = frozenset({"__iadd__", "__isub__", "__ior__", "__iand__"})

IN_ORDER = (tuple, list, deque, bytearray)
FLAT = (bytearray, bytes, array, UserString)  # a byte for a byte, however many
_MAPPINGS: tuple[type, ...] = (dict, *FROZENDICT)
_HASHING: tuple[type, ...] = (set, frozenset, *VIEWS, *_MAPPINGS)
# their length is counted, where they are iterated as the library does it
_COUNTED = (*TEXTS, *IN_ORDER, dict, set, frozenset, array, UserList, UserDict)


def is_library(owner: type, method: object) -> bool:
    """Tell whether a class's method is the standard library's; an enum has copies of them."""
    home = method if type(method) is FunctionType else getattr(method, "__objclass__", owner)
    module = home.__module__
    return type(module) is str and module.partition(".")[0] in sys.stdlib_module_names


def defined(kind: type, name: str) -> tuple[type, object]:
    """Return which class defines a special method of a class, and what stands there."""
    for base in kind.__mro__:
        if name in base.__dict__:
            return base, base.__dict__[name]
    return object, None


def check_made(items: int) -> None:
    """Check a number of items. ValueError: it is more than `MOST_MADE`."""
    if items > MOST_MADE:
        raise ValueError(f"more than {MOST_MADE} items by one call")


def in_time(function: Any) -> object:
    """Return a function whose calls, one for each item, take no longer than all may."""
    if function is None or not is_loop_thread():
        return function
    until = thread_time() + MOST_SECONDS

    def call(item: object) -> object:
        _check_time(until)
        return function(item)

    return call


def _check_time(until: float) -> None:
    if thread_time() > until:
        raise ValueError(f"more than {MOST_SECONDS} s in the program's own code by one call")


def drawn(items: Any) -> tuple[Any, ...]:
    """Return what an iterator gives, if that is no more than may be taken and there is time."""
    found: list[object] = []
    source = iter(items)
    limited = is_loop_thread()
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
    check_made(len(found))
    return tuple(found)


def taken(obj: object, name: str, items: Any) -> object:
    """Return items that a container is to take in, counted."""
    kind = type(items)
    plain = issubclass(kind, _COUNTED) and is_library(*defined(kind, "__iter__"))
    if kind in CONTAINERS or plain:
        if not issubclass(type(obj), FLAT) or not issubclass(kind, FLAT):
            check_made(len(items))
    elif kind is not tuple:
        # what it says of its length is nothing to go by
        items = _drawn_of_any(obj, name, items)
    in_order = type(items) in IN_ORDER or (plain and issubclass(kind, IN_ORDER))
    if in_order and issubclass(type(obj), _HASHING):
        mapping = issubclass(type(obj), _MAPPINGS) and type(obj) is not Counter
        _check_hashes(items, pairs=mapping and name != "fromkeys")
    return items


def _drawn_of_any(obj: object, name: str, items: Any) -> object:
    """Return the items that an object gives, as the container would ask it for them."""
    kind = type(items)
    if issubclass(type(obj), Counter) and name in _IN_PLACE:
        return dict(drawn(items.items())) if hasattr(kind, "items") else items
    if name in OF_SETS and issubclass(type(obj), (set, frozenset)):
        return items  # of what is no set it wants nothing
    if name in OF_SETS and name != "__ior__" and issubclass(type(obj), _MAPPINGS):
        return items
    if issubclass(type(obj), (bytearray, array)):
        try:
            size = memoryview(items).nbytes
        except TypeError:
            pass
        else:  # whose bytes it takes
            check_made(size)
            return items
    if name != "fromkeys" and issubclass(type(obj), _MAPPINGS):
        if _has_keys(obj, items):
            pairs = drawn((key, items[key]) for key in _keys_of(items))
            _check_hashes(pairs, pairs=True)
            return dict(pairs)
        if is_base_netref(items) and type(obj) is not Counter:
            return _pairs_of(obj, name, items)
    if kind is RemoteReference:
        raise TypeError(
            f"{class_name(type(obj))}.{name} cannot wait for what is in "
            f"{with_article(items._pack[0])} that was sent by reference: send it by value, as a "
            "tuple or by value(x)"
        )
    if name == "__add__" and is_base_netref(items) and issubclass(type(obj), IN_ORDER):
        raise TypeError(
            f"+ of a {class_name(type(obj))} here and {with_article(items.____id_pack__[0])} that "
            "was sent by reference: send it as value(x), or extend the one here"
        )
    if not hasattr(kind, "__iter__") and not hasattr(kind, "__getitem__"):
        return items  # the container says so itself
    return drawn(items)


def _has_keys(obj: object, items: object) -> bool:
    """Tell whether a container takes an object for a mapping, and asks it for its keys."""
    if type(obj) is Counter:
        return isinstance(items, Mapping)
    return hasattr(items if is_base_netref(items) else type(items), "keys")


def _keys_of(items: Any) -> Any:
    """Return the keys of a mapping; a stock peer may refuse keys() of one of its."""
    return items if is_base_netref(items) else items.keys()


def _pairs_of(obj: object, name: str, netref: BaseNetref) -> tuple[object, ...]:
    """
    Return the pairs that a mapping takes in from a remote object with no keys() to be seen.

    Texts may be the keys of a mapping whose class does not open it: of two letters each they would
    pass for pairs.
    """
    items = drawn(netref)
    if any(issubclass(type(item), TEXTS) for item in items):
        raise TypeError(
            f"{class_name(type(obj))}.{name} wants pairs, and the {netref.____id_pack__[0]} that "
            "was sent by reference gives texts: send it as a dict, or by value(x)"
        )
    return items


def _check_hashes(items: Any, pairs: bool) -> None:
    first: dict[int, object] = {}
    collisions = 0
    for item in items:
        key = item[0] if pairs and type(item) in IN_ORDER and item else item
        try:
            known = first.setdefault(hash(key), key)
        except TypeError:  # the container says so itself
            return
        if known is not key and known != key:
            collisions += 1
            if collisions > _MOST_COLLISIONS:
                raise ValueError("items of the same hash")
