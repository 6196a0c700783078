"""
Netrefs: transparent proxies for code that may block.

A netref behaves as the object it stands for: operators, iteration, ``with``,
calls, attributes, ``isinstance``. Almost everything done with one is a request
that waits for its answer, so netrefs are for scripts and worker threads, and
never enter a Deferred's callback chain: ``isinstance(x, Deferred)`` on one may
go to the network. What travels inside a connection is always the light
`RemoteReference`; a netref is made around it in the thread that will use it.

What a class can do is asked once per class and connection (INSPECT); for builtin
types it is known. Special methods go onto the netref's class, where Python's
syntax looks for them.

Other methods are *bound proxies* made locally: reading ``x.append`` sends nothing,
calling it is one CALLATTR. That is so where the peer is known to list nothing but
methods. A stock RPyC lists all descriptors of a class, and an object of its may have a
value where its class has a method, so there a bound proxy is made only where the name
is called at once (`txremote.refs.callsite`). Any other name is read from the peer.

The attributes ``____conn__``, ``____id_pack__`` and ``____refcount__`` are RPyC's
(``rpyc.core.netref``); its own helpers look for them, so they work on these.
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
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NoReturn

from zope.interface import implementedBy
from zope.interface.declarations import Declaration

from txremote.refs.callsite import is_called_at_once
from txremote.refs.reference import RemoteReference
from txremote.wire.consts import (
    HANDLE_CMP,
    HANDLE_CTXEXIT,
    HANDLE_DELATTR,
    HANDLE_DIR,
    HANDLE_GETATTR,
    HANDLE_HASH,
    HANDLE_INSTANCECHECK,
    HANDLE_OLDSLICING,
    HANDLE_PICKLE,
    HANDLE_REPR,
    HANDLE_SETATTR,
    HANDLE_STR,
    IdPack,
)

_NOTHING_PROVIDED: Any = Declaration()
_implemented_by: Any = implementedBy  # which has no types

_NEVER = frozenset(
    {
        # numpy would read memory of this process through these (rpyc issue 236)
        "__array_struct__",
        "__array_interface__",
        # by these it hands its own functions and arrays to the owner, which cannot do
        # anything with them (rpyc 6.0.2 lists them all); without, it takes the array
        "__array_ufunc__",
        "__array_function__",
        "__array_wrap__",
        "__array_prepare__",
        "__array_finalize__",
        "__array_priority__",
    }
)

# What a netref does itself, whatever its class is said to define.
_OWN = (
    frozenset(
        """
    ____conn__ ____id_pack__ ____refcount__ ____kind__ ____ref__ __class__ __cmp__ __del__
    __delattr__ __dir__ __doc__ __getattr__ __getattribute__ __hash__ __init__
    __init_subclass__ __instancecheck__ __metaclass__ __module__ __new__
    __reduce__ __reduce_ex__ __repr__ __setattr__ __sizeof__ __slots__ __str__
    __subclasshook__ __weakref__ __dict__ __methods__ __exit__ __eq__ __ne__
    __annotations__ __lt__ __gt__ __le__ __ge__ __copy__ __deepcopy__ __getstate__ __set_name__
    __mro_entries__ __prepare__ __subclasscheck__ __class_getitem__ __providedBy__
    """.split()
    )
    | _NEVER
)

# What syntax and builtins look up on a class, and call. Any other such name that a stock
# peer lists is a descriptor and may be a value.
_CALLED = frozenset(
    """
    __abs__ __aenter__ __aexit__ __aiter__ __anext__ __array__ __await__ __bool__
    __buffer__ __bytes__ __call__ __ceil__
    __complex__ __contains__ __delete__ __delitem__ __delslice__ __divmod__ __enter__
    __float__ __floor__ __format__ __fspath__ __get__ __getitem__ __getslice__ __index__
    __int__ __invert__ __iter__ __len__ __length_hint__ __missing__ __neg__ __next__ __pos__
    __rdivmod__ __release_buffer__ __replace__ __reversed__ __round__ __set__ __setitem__
    __setslice__ __trunc__
    """.split()
) | {
    f"__{kind}{name}__"
    for kind in ("", "r", "i")
    for name in "add sub mul matmul truediv floordiv mod pow lshift rshift and or xor".split()
}

_OLD_SLICERS = {
    "__getslice__": "__getitem__",
    "__delslice__": "__delitem__",
    "__setslice__": "__setitem__",
}

_ORDERED: Any = collections.OrderedDict()
_ITERATORS: list[Any] = [
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


class NetrefMetaclass(type):
    """Gives netref classes a repr that says what they are."""

    def __repr__(cls) -> str:
        return f"<netref class '{cls.__name__}'>"


class BaseNetref(metaclass=NetrefMetaclass):
    """The base of all netrefs (``rpyc.BaseNetref``). Not to be made by hand."""

    __slots__ = ("____conn__", "____kind__", "____ref__", "__weakref__")

    if TYPE_CHECKING:  # the class is to have no annotations: they are read from the peer
        ____conn__: Any
        ____kind__: NetrefClass
        ____ref__: RemoteReference
        ____methods__: frozenset[str]
        ____exact__: bool
        ____local__: Any

    @property
    def __annotations__(self) -> Any:  # type: ignore[override]
        return _read(self, "__annotations__")

    def __init__(self, conn: Any, reference: RemoteReference) -> None:
        object.__setattr__(self, "____conn__", conn)
        object.__setattr__(self, "____ref__", reference)

    @property
    def ____id_pack__(self) -> IdPack:
        return self.____ref__._pack

    @property
    def ____refcount__(self) -> int:
        return self.____ref__._count

    def __getattr__(self, name: str) -> Any:
        if name in _NEVER:
            raise AttributeError(name, name=name)
        if (name in self.____methods__ or "exposed_" + name in self.____methods__) and (
            self.____exact__ or is_called_at_once(sys._getframe(1), name)
        ):
            return NetrefMethod(self, name)
        return _read(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self.____conn__.sync_request(HANDLE_SETATTR, self, name, value)

    def __delattr__(self, name: str) -> None:
        self.____conn__.sync_request(HANDLE_DELATTR, self, name)

    def __dir__(self) -> list[str]:
        return list(self.____conn__.sync_request(HANDLE_DIR, self))

    def __hash__(self) -> int:
        return int(self.____conn__.sync_request(HANDLE_HASH, self))

    def __repr__(self) -> str:
        return str(self.____conn__.sync_request(HANDLE_REPR, self))

    def __str__(self) -> str:
        return str(self.____conn__.sync_request(HANDLE_STR, self))

    def __eq__(self, other: object) -> Any:
        return self.____conn__.sync_request(HANDLE_CMP, self, other, "__eq__")

    def __ne__(self, other: object) -> Any:
        return self.____conn__.sync_request(HANDLE_CMP, self, other, "__ne__")

    def __lt__(self, other: object) -> Any:
        return self.____conn__.sync_request(HANDLE_CMP, self, other, "__lt__")

    def __gt__(self, other: object) -> Any:
        return self.____conn__.sync_request(HANDLE_CMP, self, other, "__gt__")

    def __le__(self, other: object) -> Any:
        return self.____conn__.sync_request(HANDLE_CMP, self, other, "__le__")

    def __ge__(self, other: object) -> Any:
        return self.____conn__.sync_request(HANDLE_CMP, self, other, "__ge__")

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> Any:
        # the class by reference; neither exception nor traceback can travel
        return self.____conn__.sync_request(HANDLE_CTXEXIT, self, kind)

    @property
    def __providedBy__(self) -> Any:
        # of zope.interface, which would take apart whatever the peer has for this name
        local = type(self).____local__
        if local is None:
            return _NOTHING_PROVIDED
        return _implemented_by(type(local) if self.____id_pack__[2] == 0 else local)

    def __copy__(self) -> Any:
        return self.____conn__.obtain(self)

    def __deepcopy__(self, memo: Any) -> Any:
        return self.____conn__.obtain(self)

    def __mro_entries__(self, bases: Any) -> NoReturn:
        # before Python takes the netref class for a metaclass; RPyC's says "'str' object has
        # no attribute '____conn__'"
        raise TypeError(
            "a class cannot be derived from a remote object, for its instances would be here "
            "and their methods there: define the class at the object's owner (in classic mode "
            "by conn.execute(...)), or keep an instance and call it"
        )

    def __reduce_ex__(self, protocol: Any) -> Any:
        _check_pickle(self, "pickling a netref")
        return pickle.loads, (self.____conn__.sync_request(HANDLE_PICKLE, self, protocol),)

    def __instancecheck__(self, other: Any) -> bool:
        # rpyc 6.0.2 netref: isinstance(x, remote_class)
        if self.____id_pack__[2] != 0:
            raise TypeError(
                "isinstance() arg 2 must be a class, type, or tuple of classes and types"
            )
        if issubclass(type(other), BaseNetref):
            pack = other.____id_pack__
            if pack[2] == 0:
                return False
            if other.____conn__ is not self.____conn__:
                return _is_instance_elsewhere(other, self)
            if pack[1] == self.____id_pack__[1]:
                return True
            return bool(self.____conn__.sync_request(HANDLE_INSTANCECHECK, self, pack))
        local = type(self).____local__
        return local is not None and isinstance(other, local)


def _is_instance_elsewhere(other: BaseNetref, kind: BaseNetref) -> bool:
    """
    Tell whether an object of one connection is an instance of another connection's class.

    That one's peer is not asked: the object's ids mean something else to it. Builtin
    types are the same everywhere. Beyond, ids can be compared where both connections
    lead to the same place.
    """
    pack, class_pack = other.____id_pack__, kind.____id_pack__
    builtin = type(kind).____local__ if class_pack[0].startswith("builtins.") else None
    if builtin is not None:
        return issubclass(type(other).____local__ or object, builtin)
    if pack[:2] != class_pack[:2]:
        return False
    where = other.____conn__._config["endpoints"]
    there = kind.____conn__._config["endpoints"]
    return where is not None and there is not None and where[1] == there[1] is not None


def _read(netref: BaseNetref, name: str) -> Any:
    """Read an attribute from the peer."""
    try:
        return netref.____conn__.sync_request(HANDLE_GETATTR, netref, name)
    except AttributeError as error:
        # Python would note the netref on it, and ask that for all its names to print it
        if error.name is None:
            error.name = name
        raise


def _check_pickle(netref: BaseNetref, what: str) -> None:
    if not netref.____conn__.protocol.config.allow_pickle:
        raise TypeError(
            f"{what} means to unpickle what the peer sends, which can run any code here: "
            "connect with config={'allow_pickle': True} if you trust it"
        )


class NetrefMethod:
    """
    A method of a netref, bound and not fetched: calling it is one request.

    Whatever else is done with it fetches the remote method first.
    """

    __slots__ = ("____fetched__", "____name__", "____owner__", "__weakref__")

    if TYPE_CHECKING:
        ____owner__: BaseNetref
        ____name__: str
        ____fetched__: Any

    def __init__(self, owner: BaseNetref, name: str) -> None:
        object.__setattr__(self, "____owner__", owner)
        object.__setattr__(self, "____name__", name)
        object.__setattr__(self, "____fetched__", None)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        owner = self.____owner__
        return owner.____conn__.sync_call(owner.____ref__, (self.____name__,), args, kwargs)

    def ____fetch__(self) -> Any:
        """
        Return the netref of the remote method. It is kept: an id that was read
        from it is good for as long as this object lives.
        """
        if self.____fetched__ is None:
            owner = self.____owner__
            found = owner.____conn__.sync_request(HANDLE_GETATTR, owner, self.____name__)
            object.__setattr__(self, "____fetched__", found)
        return self.____fetched__

    @property
    def __doc__(self) -> Any:  # type: ignore[override]
        return self.____fetch__().__doc__

    @property
    def __annotations__(self) -> Any:  # type: ignore[override]
        return self.____fetch__().__annotations__

    @property  # type: ignore[misc]  # nobody sets it
    def __class__(self) -> Any:
        # inspect.ismethod() and its kin are isinstance(), which asks for this
        return self.____fetch__().__class__

    @property
    def ____conn__(self) -> Any:
        return self.____owner__.____conn__

    @property
    def ____id_pack__(self) -> IdPack:
        pack: IdPack = self.____fetch__().____id_pack__
        return pack

    def __getattr__(self, name: str) -> Any:
        if name in _NEVER or name.startswith("____"):
            raise AttributeError(name, name=name)
        return getattr(self.____fetch__(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.____fetch__(), name, value)

    def __eq__(self, other: object) -> bool:
        return (
            type(other) is NetrefMethod
            and other.____owner__ is self.____owner__
            and other.____name__ == self.____name__
        )

    def __hash__(self) -> int:
        return hash((id(self.____owner__), self.____name__))

    def __repr__(self) -> str:
        return repr(self.____fetch__())

    def __dir__(self) -> list[str]:
        return dir(self.____fetch__())

    def __instancecheck__(self, other: Any) -> bool:
        # rpyc 5.3.1 get_methods: it lists exposed classes among the methods
        return isinstance(other, self.____fetch__())

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a remote method cannot be pickled")


def _local_class(pack: IdPack) -> Any:
    """
    Return the class that a name stands for in the modules loaded here, or None.

    So ``isinstance(netref_of_a_list, list)`` is true (rpyc 6.0.2 class_factory).
    """
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


def _class_property(local: Any, is_class: bool) -> property:
    def get_class(self: BaseNetref) -> Any:
        if local is not None:
            return type(local) if is_class else local
        try:
            found = _read(self, "__class__")
        except AttributeError:  # not for us to see
            return type(self)
        if issubclass(type(found), BaseNetref) and found.____id_pack__[2] == 0:
            # the peer's `type`, say, is ours: inspect.isclass() is true of its classes
            return _BUILTINS.get(found.____id_pack__[0], found)
        return found

    return property(get_class)


def _doc_property() -> property:
    def get_doc(self: BaseNetref) -> Any:
        return _read(self, "__doc__")

    return property(get_doc)


def _make_special(name: str, doc: str | None) -> Any:
    """Return the function that stands for a special method on a netref class."""
    if name == "__call__":

        def method(self: BaseNetref, /, *args: Any, **kwargs: Any) -> Any:
            return self.____conn__.sync_call(self.____ref__, (), args, kwargs)

    elif name in _OLD_SLICERS:

        def method(self: BaseNetref, start: Any, stop: Any, *args: Any) -> Any:  # type: ignore[misc]
            return self.____conn__.sync_request(
                HANDLE_OLDSLICING, self, _OLD_SLICERS[name], name, start, stop, args
            )

    elif name == "__array__":

        def method(self: BaseNetref, /, *args: Any, **kwargs: Any) -> Any:
            _check_pickle(self, "making a numpy array of a remote one")
            array = pickle.loads(self.____conn__.sync_request(HANDLE_PICKLE, self, -1))
            numpy = sys.modules.get("numpy")
            if numpy is not None and isinstance(array, numpy.generic):
                array = numpy.asarray(array)  # a scalar's __array__ takes less than is asked
            return array.__array__(*args, **kwargs)

    else:

        def method(self: BaseNetref, /, *args: Any, **kwargs: Any) -> Any:
            return self.____conn__.sync_call(self.____ref__, (name,), args, kwargs)

    method.__name__ = name
    method.__doc__ = doc
    return method


class _Listed:
    """
    A name that a stock peer lists and that may be a value: read of a netref it is asked
    for, and of the netref class it is a function.
    """

    def __init__(self, name: str, function: Any) -> None:
        self._name = name
        self._function = function

    def __get__(self, netref: BaseNetref | None, kind: type) -> Any:
        return self._function if netref is None else _read(netref, self._name)


class _AskedFor:
    """A name of `BaseNetref` that a netref class does not have: the peer is asked for it."""

    def __get__(self, netref: BaseNetref | None, kind: type) -> NoReturn:
        raise AttributeError


class NetrefClass:
    """
    A netref class, held by each of its netrefs: it goes with the last of them, which
    the class itself, being part of cycles, does not.

    Args:
        kind: The class.
    """

    __slots__ = ("__weakref__", "_kind")

    def __init__(self, kind: type[BaseNetref]) -> None:
        self._kind = kind

    def made(self, conn: Any, reference: RemoteReference) -> BaseNetref:
        """Return a netref of the class."""
        netref = self._kind(conn, reference)
        object.__setattr__(netref, "____kind__", self)
        return netref


def builtin_methods(pack: IdPack) -> tuple[tuple[str, str | None], ...] | None:
    """
    Return the methods of a builtin type's instance, or of the type itself.

    Returns:
        None where the name is no builtin type's, so the peer must be asked.
    """
    kind = _BUILTINS.get(pack[0])
    return None if kind is None else _known_methods(kind, pack[2] == 0)


def netref_class(
    pack: IdPack, methods: Iterable[tuple[str, str | None]], *, listed_are_methods: bool
) -> type[BaseNetref]:
    """
    Return a netref class.

    Args:
        pack: The id pack of an instance, or of the class itself.
        methods: Names and docstrings, as INSPECT gives them.
        listed_are_methods: Whether every listed name is a method that the peer
            lets us call. A stock RPyC lists private ones too, and all descriptors;
            of those only ``exposed_`` ones are called by name, where they are
            called at once.
    """
    local = _local_class(pack)
    namespace: dict[str, Any] = {
        "__slots__": (),
        "__class__": _class_property(local, pack[2] == 0),
        "__doc__": _doc_property(),
        "____local__": local,
        "____exact__": listed_are_methods,
    }
    plain = set()
    for name, doc in methods:
        if type(name) is not str or name in _OWN:
            continue
        if name.startswith("__") and name.endswith("__"):
            special = _make_special(name, doc)
            is_sure = listed_are_methods or name in _CALLED
            namespace[name] = special if is_sure else _Listed(name, special)
        elif listed_are_methods or name.startswith("exposed_"):
            plain.add(name)
    if "__next__" in namespace:
        # itertools.tee takes a copy for another iterator, which that of a container is not
        namespace["__copy__"] = _AskedFor()
    namespace["____methods__"] = frozenset(plain)
    made: Any = NetrefMetaclass(pack[0], (BaseNetref,), namespace)
    return made  # type: ignore[no-any-return]
