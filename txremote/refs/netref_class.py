"""
Making netref classes: one for each class of the peer's and connection.

The methods that a class has are asked once (INSPECT); for builtin types they are known.
Special methods become functions of the netref class, where Python's syntax looks for them.
Other methods are only listed (``____methods__``): `BaseNetref.__getattr__` makes a bound
proxy of a listed name.
"""

from __future__ import annotations

import builtins
import collections
import collections.abc
import functools
import inspect
import pickle
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NoReturn

from txremote.refs.netref import (
    NEVER,
    BaseNetref,
    NetrefConnection,
    NetrefMetaclass,
    check_pickle,
    is_netref,
    read,
)
from txremote.refs.operators import BINARY
from txremote.refs.reading import PUSHED, begin_steps, is_stream, steps_of, stream_items_here
from txremote.refs.reference import RemoteReference
from txremote.refs.remote_signatures import parse_signature
from txremote.refs.value_calls import Arguments, note_plans
from txremote.wire.consts import HANDLE_OLDSLICING, HANDLE_PICKLE, SUBSCRIPTION_CLASS, IdPack
from txremote.wire.naming import class_name, with_article
from txremote.wire.plain import ATOMS
from txremote.wire.value_shapes import is_value_class
from txremote.wire.values import EXTENDED_BUILTINS

# Names that a netref defines itself, whatever the peer lists.
_OWN = NEVER.union(
    """
    ____signatures__ ____late__
    ____conn__ ____id_pack__ ____refcount__ ____kind__ ____ref__ __class__ __cmp__ __del__
    __delattr__ __dir__ __doc__ __getattr__ __getattribute__ __hash__ __init__ __init_subclass__
    __instancecheck__ __metaclass__ __module__ __new__ __reduce__ __reduce_ex__ __repr__
    __setattr__ __sizeof__ __slots__ __str__ __subclasshook__ __weakref__ __dict__ __methods__
    __exit__ __eq__ __ne__ __annotations__ __lt__ __gt__ __le__ __ge__ __copy__ __deepcopy__
    __getstate__ __set_name__ __mro_entries__ __prepare__ __subclasscheck__ __class_getitem__
    __providedBy__
    """.split()
)

# Names that syntax and builtins look up on a class, and call. Any other special name that a
# stock peer lists is a descriptor and may be a value.
_CALLED = frozenset(
    """
    __abs__ __aenter__ __aexit__ __aiter__ __anext__ __array__ __await__ __bool__ __buffer__
    __bytes__ __call__ __ceil__ __complex__ __contains__ __delete__ __delitem__ __delslice__
    __divmod__ __enter__ __float__ __floor__ __format__ __fspath__ __get__ __getitem__
    __getslice__ __index__ __int__ __invert__ __iter__ __len__ __length_hint__ __missing__ __neg__
    __next__ __pos__ __rdivmod__ __release_buffer__ __replace__ __reversed__ __round__ __set__
    __setitem__ __setslice__ __trunc__
    """.split()
) | {
    f"__{kind}{name}__"
    for kind in ("", "r", "i")
    for name in "add sub mul matmul truediv floordiv mod pow lshift rshift and or xor".split()
}

_OLD_SLICERS = {f"__{verb}slice__": f"__{verb}item__" for verb in ("get", "set", "del")}

_NO_SIGNATURES: Mapping[str, str] = MappingProxyType({})

_ORDERED: collections.OrderedDict[str, int] = collections.OrderedDict()
_ITERATORS: list[Iterator[object]] = [
    *(iter([]), iter(()), iter(""), iter(b""), iter({}), iter(set()), iter(range(0))),
    *(iter({}.values()), iter({}.items())),
]
_BUILTIN_TYPES: tuple[type, ...] = (
    *(type, object, bool, complex, dict, float, int, list, slice, str, tuple, set),
    *(frozenset, bytes, bytearray, memoryview, range, BaseException, Exception),
    *(type(None), types.BuiltinFunctionType, types.FunctionType, types.MethodType),
    *(types.GeneratorType, types.CodeType, types.FrameType, types.TracebackType),
    *(types.MappingProxyType, types.WrapperDescriptorType, types.MethodWrapperType),
    *(type({}.keys()), type({}.values()), type({}.items())),
    *map(type, _ITERATORS),
    *(zip, map, filter, enumerate, reversed, property, staticmethod, classmethod),
    collections.deque,
    collections.OrderedDict,
    collections.defaultdict,
    *([builtins.frozendict] if hasattr(builtins, "frozendict") else []),  # CPython 3.15
    *map(type, (_ORDERED.keys(), _ORDERED.values(), _ORDERED.items(), iter(_ORDERED))),
)
_BUILTINS = {f"{kind.__module__}.{kind.__name__}": kind for kind in _BUILTIN_TYPES}


@functools.cache
def _known_methods(kind: type, is_class: bool) -> tuple[tuple[str, str | None], ...]:
    names = set(dir(kind))
    if is_class:
        names |= set(dir(type))
    elif issubclass(kind, collections.abc.Sequence):
        # no safe operator of RPyC's; without it reversed() goes by len() and []
        names.discard("__reversed__")
    return tuple(
        (name, None)
        for name in names
        if inspect.isroutine(inspect.getattr_static(kind, name, None))
    )


def _local_class(pack: IdPack) -> type | None:
    """Return the class of that name in the modules loaded here (rpyc 6.0.2 class_factory)."""
    name = pack[0]
    known = _BUILTINS.get(name)
    if known is not None:
        return known
    module_name, _dot, class_name = name.rpartition(".")
    if name in sys.modules:
        return types.ModuleType
    # not by getattr: a module may have a __getattr__ that imports more
    found = getattr(sys.modules.get(module_name), "__dict__", {}).get(class_name)
    return found if isinstance(found, type) else None


def _class_property(local: type | None, is_class: bool) -> property:
    def get_class(self: BaseNetref) -> object:
        if local is not None:
            return type(local) if is_class else local
        try:
            found = read(self, "__class__")
        except AttributeError:  # not for us to see
            return type(self)
        if issubclass(type(found), BaseNetref) and found.____id_pack__[2] == 0:
            # the peer's `type`, say, is ours: inspect.isclass() is true of its classes
            return _BUILTINS.get(found.____id_pack__[0], found)
        return found

    return property(get_class)


def _make_special(name: str, doc: str | None, owner: str) -> Callable[..., object]:
    """Return the function that stands for a special method on a netref class of that name."""
    names = () if name == "__call__" else (name,)
    is_of_stream, is_of_events = owner in PUSHED, owner == SUBSCRIPTION_CLASS
    method: Callable[..., object]
    if name in _OLD_SLICERS:

        def method(self: BaseNetref, start: object, stop: object, *args: object) -> object:
            return self.____conn__.sync_request(
                HANDLE_OLDSLICING, self, _OLD_SLICERS[name], name, start, stop, args
            )

    elif name == "__array__":

        def method(self: BaseNetref, /, *args: object, **kwargs: object) -> object:
            check_pickle(self, "making a numpy array of a remote one")
            array = pickle.loads(self.____conn__.sync_request(HANDLE_PICKLE, self, -1))
            numpy = sys.modules.get("numpy")
            if numpy is not None and isinstance(array, numpy.generic):
                array = numpy.asarray(array)  # a scalar's __array__ takes less than is asked
            return array.__array__(*args, **kwargs)

    elif name == "__iter__" and is_of_stream:

        def method(self: BaseNetref, /, *args: object, **kwargs: object) -> object:
            if is_stream(self.____ref__):
                begun = steps_of(self.____ref__)
                return begun or stream_items_here(self.____conn__, self.____ref__)
            return self.____conn__.sync_call(self.____ref__, names, args, kwargs)

    elif name == "__next__" and is_of_events:

        def method(self: BaseNetref, /, *args: object, **kwargs: object) -> object:
            reference = self.____ref__
            if is_stream(reference):
                begun = steps_of(reference)
                if begun is None:
                    begun = begin_steps(reference, stream_items_here(self.____conn__, reference))
                return next(begun)
            return self.____conn__.sync_call(reference, names, args, kwargs)

    elif name[2:-2] in BINARY:

        def method(self: BaseNetref, /, *args: object, **kwargs: object) -> object:
            result = self.____conn__.sync_call(self.____ref__, names, args, kwargs)
            if result is NotImplemented and len(args) == 1:
                return _of_the_other(self, name[2:-2], args[0])
            return result

    else:

        def method(self: BaseNetref, /, *args: object, **kwargs: object) -> object:
            return self.____conn__.sync_call(self.____ref__, names, args, kwargs)

    method.__name__ = name
    method.__doc__ = doc
    return method


def _of_the_other(netref: BaseNetref, operator: str, other: object) -> object:
    """
    Return what the other operand makes of an operator that the remote one does not take, as Python
    asks it next. Python's error would name two dicts that cannot be joined.
    """
    kind = type(other)
    if is_netref(other) or kind in ATOMS or not _goes_as_value(kind):
        return NotImplemented
    name = f"__r{operator}__"
    # not by getattr(): a class of classes has | for its own
    defined = next((base.__dict__[name] for base in kind.__mro__ if name in base.__dict__), None)
    found = NotImplemented if defined is None else defined.__get__(other)(netref)
    if found is NotImplemented:
        raise TypeError(
            f"{BINARY[operator]} of a remote {netref.____id_pack__[0]} and "
            f"{with_article(class_name(kind))}, which goes by reference: send it as value(x), or "
            "copy the remote one first by txremote.blocking.fetch(netref)"
        )
    return found


def _goes_as_value(kind: type) -> bool:
    return kind in EXTENDED_BUILTINS or is_value_class(kind)


class _Listed:
    """A name that may be a value: read from the peer of a netref; the class's is a function."""

    def __init__(self, name: str, function: Callable[..., object]) -> None:
        self._name = name
        self._function = function

    def __get__(self, netref: BaseNetref | None, kind: type) -> object:
        return self._function if netref is None else read(netref, self._name)


class _AskedFor:
    """A name of `BaseNetref` that a netref class does not have: it is read from the peer."""

    def __get__(self, netref: BaseNetref | None, kind: type) -> NoReturn:
        raise AttributeError


class NetrefClass:
    """Stands for a netref class, which is in cycles, and is freed with the last of its netrefs."""

    __slots__ = ("__weakref__", "_kind", "_plans")

    def __init__(
        self, kind: type[BaseNetref], plans: Mapping[tuple[str, ...], Arguments] | None = None
    ) -> None:
        self._kind = kind
        self._plans = plans  # how the arguments of its methods travel, where as values

    def make(self, conn: NetrefConnection, reference: RemoteReference) -> BaseNetref:
        """Return a netref of the class."""
        netref = self._kind(conn, reference)
        object.__setattr__(netref, "____kind__", self)
        if self._plans:
            note_plans(reference, self._plans)
        return netref


def builtin_methods(pack: IdPack) -> tuple[tuple[str, str | None], ...] | None:
    """Return the methods of a builtin type's instance, or of the type; None for other types."""
    kind = _BUILTINS.get(pack[0])
    return None if kind is None else _known_methods(kind, pack[2] == 0)


def netref_class(
    pack: IdPack,
    methods: Iterable[tuple[str, str | None]],
    *,
    listed_are_methods: bool,
    signatures: Mapping[str, str] = _NO_SIGNATURES,
) -> type[BaseNetref]:
    """
    Return a netref class, of names and docstrings as INSPECT gives them.

    The signatures, by name of a method, are what DESCRIBE gives besides.

    A stock RPyC lists private names and all descriptors (``listed_are_methods`` False): of
    those only ``exposed_`` ones are called by name, where they are called at once.
    """
    local = _local_class(pack)
    namespace: dict[str, object] = {
        "__slots__": (),
        "__class__": _class_property(local, pack[2] == 0),
        "__doc__": property(lambda netref: read(netref, "__doc__")),
        "____local__": local,
        "____exact__": listed_are_methods,
        "____signatures__": signatures,
    }
    plain = set()
    for name, doc in methods:
        if type(name) is not str or name in _OWN:
            continue
        if name.startswith("__") and name.endswith("__"):
            special = _make_special(name, doc, pack[0])
            if name == "__call__" and (told := parse_signature(signatures.get(name))) is not None:
                namespace["__signature__"] = told  # for inspect, which would compare and hash it
            is_sure = listed_are_methods or name in _CALLED
            namespace[name] = special if is_sure else _Listed(name, special)
        elif listed_are_methods or name.startswith("exposed_"):
            plain.add(name)
    if "__next__" in namespace:
        # itertools.tee takes a copy for another iterator, which that of a container is not
        namespace["__copy__"] = _AskedFor()
    namespace["____methods__"] = frozenset(plain)
    made = NetrefMetaclass(pack[0], (BaseNetref,), namespace)
    assert issubclass(made, BaseNetref)
    return made
