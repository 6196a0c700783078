"""
The fixed tables: what peers may do with objects of Python's own types.

Containers that are handed out are of use by all their public methods, iterators
by being advanced. Types whose attributes lead out of an object, to frames and so
to every global of the program, are closed whatever the switches for public names
say; frames themselves, and the like, are not handed out at all.
"""

from __future__ import annotations

import builtins
import collections
import functools
import inspect
import itertools
import types
import weakref

from txremote.gate.threaded import ThreadedMethod

#: Types whose instances travel by value, so that no object here is meant.
BY_VALUE = frozenset(
    {
        type(None),
        bool,
        int,
        float,
        complex,
        str,
        bytes,
        tuple,
        type(Ellipsis),
        type(NotImplemented),
    }
)

#: These go by reference where they hold something that brine does not carry.
MAYBE_BY_VALUE = frozenset({frozenset, slice})


def _public(kind: type, *without: str) -> frozenset[str]:
    """Return the names of a container's public methods, and the way through it backwards."""
    return frozenset(
        name
        for name in dir(kind)
        if name == "__reversed__" or not (name.startswith("_") or name in without)
    )


_ITERATORS = [
    iter([]),
    reversed([]),
    iter(()),
    iter(""),
    iter(b""),
    iter(bytearray()),
    iter({}),
    iter({}.values()),
    iter({}.items()),
    reversed({}),
    reversed({}.values()),
    reversed({}.items()),
    iter(set()),
    iter(range(0)),
    iter(range(1 << 70)),
    iter(collections.deque()),
    reversed(collections.deque()),
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

#: No other public name of these types is reachable, whatever the switches for
#: public names say: gi_frame leads to every global of the program.
CLOSED: dict[type, frozenset[str]] = {
    types.GeneratorType: frozenset({"send", "throw", "close"}),
    types.AsyncGeneratorType: frozenset({"__aiter__", "__anext__", "asend", "athrow", "aclose"}),
    types.CoroutineType: frozenset(),
    types.FrameType: frozenset(),
    types.TracebackType: frozenset(),
    types.CodeType: frozenset(),
    **{type(iterator): frozenset() for iterator in _ITERATORS},
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

#: The names of the containers' methods.
CONTAINERS: dict[type, frozenset[str]] = {
    list: _public(list),
    dict: _public(dict),
    set: _public(set),
    frozenset: _public(frozenset),
    collections.deque: _public(collections.deque),
    bytearray: _public(bytearray, "resize"),  # 3.14; it makes as much memory as it is told
    collections.OrderedDict: _public(collections.OrderedDict),
    # whose factory is no method, and may be anything
    collections.defaultdict: _public(collections.defaultdict, "default_factory"),
    collections.Counter: _public(collections.Counter),
    type({}.keys()): _public(type({}.keys()), "mapping"),
    type({}.values()): _public(type({}.values()), "mapping"),
    type({}.items()): _public(type({}.items()), "mapping"),
    range: _public(range),
    **{kind: _public(kind) for kind in FROZENDICT},
}

#: Classes that say no more than what type a value is of.
#: `inspect.signature` of a remote function sends the mark of what is not there.
VALUE_CLASSES = BY_VALUE | MAYBE_BY_VALUE | CONTAINERS.keys() | {inspect.Parameter.empty}

_NEVER_HANDED_OUT: dict[type, str] = {
    types.FrameType: "a frame",
    types.TracebackType: "a traceback",
    types.CodeType: "a code object",
}

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
    """
    Return what to call an object of a type that is not handed out, or None for
    a type whose objects may be.
    """
    return "a module" if issubclass(kind, types.ModuleType) else _NEVER_HANDED_OUT.get(kind)
