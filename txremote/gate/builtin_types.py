"""
The fixed tables: what peers may do with objects of Python's own types.

Containers have all their public methods; iterators are advanced. Types whose attributes lead
to frames, and so to every global of the program, are closed whatever the switches for public
names say; frames themselves, and the like, are not handed out at all.
"""

from __future__ import annotations

import builtins
import collections
import functools
import inspect
import itertools
import types
import weakref
from collections.abc import Iterable, Reversible

from txremote.gate.threaded import ThreadedMethod
from txremote.streams.source import Stream

#: Types whose instances travel by value, so that no object here is meant.
BY_VALUE = frozenset(
    {type(None), type(Ellipsis), type(NotImplemented), bool, int, float, complex, str, bytes, tuple}
)

#: These go by reference where they hold something that brine does not carry.
MAYBE_BY_VALUE = frozenset({frozenset, slice})


def _public(kind: type, *without: str) -> frozenset[str]:
    """Return the names of a container's public methods, and ``__reversed__``."""
    return frozenset(
        name
        for name in dir(kind)
        if name == "__reversed__" or not (name.startswith("_") or name in without)
    )


_VIEWS: tuple[Reversible[object], ...] = ({}.keys(), {}.values(), {}.items())
_REVERSIBLE: list[Reversible[object]] = [[], {}, *_VIEWS, collections.deque()]
_ITERABLE: list[Iterable[object]] = [
    *_REVERSIBLE,
    *((), "", b"", bytearray(), set(), range(0), range(1 << 70)),
]

_ITERATORS: list[object] = [
    *map(iter, _ITERABLE),
    *map(reversed, _REVERSIBLE),
    zip(),
    map(str, ()),
    filter(None, ()),
    enumerate(()),
    itertools.chain(),
    itertools.islice((), 0),
    itertools.count(),
    itertools.cycle(()),
    itertools.repeat(0),
]

_NEVER_HANDED_OUT: dict[type, str] = {
    types.FrameType: "a frame",
    types.TracebackType: "a traceback",
    types.CodeType: "a code object",
}

#: No other public name of these types is reachable, whatever the switches for
#: public names say: gi_frame leads to every global of the program.
CLOSED: dict[type, frozenset[str]] = {
    types.GeneratorType: frozenset({"send", "throw", "close"}),
    types.AsyncGeneratorType: frozenset({"__aiter__", "__anext__", "asend", "athrow", "aclose"}),
    Stream: frozenset(
        {"__iter__", "__next__", "__aiter__", "__anext__", "send", "throw", "close"}
        | {"asend", "athrow", "aclose"}
    ),
    types.CoroutineType: frozenset(),
    **{kind: frozenset() for kind in (*_NEVER_HANDED_OUT, *map(type, _ITERATORS))},
}

#: What these hold by a public name is a function that takes any object for its own, or
#: what it was bound to: the switch for public names does not open them, nor subclasses.
FUNCTION_HOLDERS = (
    types.FunctionType,  # functools.singledispatch keeps its functions by such names
    types.MethodType,
    property,
    staticmethod,
    classmethod,
    functools.cached_property,
    functools.partial,
    functools.partialmethod,
    functools.singledispatchmethod,
    ThreadedMethod,
)

#: CPython 3.15 has a dict that does not change, which is no subclass of dict.
FROZENDICT: tuple[type, ...] = tuple(
    [builtins.frozendict] if hasattr(builtins, "frozendict") else []
)

#: What the methods ``keys``, ``values`` and ``items`` of a dict give.
VIEWS: tuple[type, ...] = tuple(map(type, _VIEWS))

_PLAIN = (list, dict, set, frozenset, range, *FROZENDICT)
_COLLECTIONS = (collections.deque, collections.OrderedDict, collections.Counter)

#: The names of the containers' methods.
CONTAINERS: dict[type, frozenset[str]] = {
    **{kind: _public(kind) for kind in (*_PLAIN, *_COLLECTIONS)},
    **{kind: _public(kind, "mapping") for kind in VIEWS},
    bytearray: _public(bytearray, "resize"),  # 3.14; it makes as much memory as it is told
    # the factory is no method, and may be anything
    collections.defaultdict: _public(collections.defaultdict, "default_factory"),
}

#: Classes that say no more than what type a value is of.
#: `inspect.signature` of a remote function sends the mark of what is not there.
VALUE_CLASSES = BY_VALUE | MAYBE_BY_VALUE | CONTAINERS.keys() | {inspect.Parameter.empty}

#: b"%r" % (object,) would print an address.
DENIED = frozenset({"__mod__", "__rmod__"})

#: Hashes that are made of addresses.
ADDRESS_HASHES = frozenset(
    {
        object.__hash__,
        types.MethodType.__hash__,
        types.BuiltinFunctionType.__hash__,
        types.MethodWrapperType.__hash__,
        weakref.ref.__hash__,  # that of what it refers to
    }
)


def never_handed_out(kind: type) -> str | None:
    """Return what to call an object of a type that is never handed out; None for others."""
    return "a module" if issubclass(kind, types.ModuleType) else _NEVER_HANDED_OUT.get(kind)
