"""
Declarations for peers, as a program has left them on its objects.

There are three: the mark that `txremote.exposed` leaves, the prefix of a name, and an
interface that `txremote.expose` has opened, wherever it is provided. Nothing here decides,
and nothing runs code of an object: a class may hold a transparent reference of a client's,
which would ask over the network, so only its type is read (see `txremote.wire.naming`).
"""

from __future__ import annotations

import functools
import inspect
import sys
import types
from collections.abc import Container, Iterable
from typing import Any

from zope.interface import implementedBy, providedBy

from txremote.gate.builtin_types import VALUE_CLASSES
from txremote.gate.threaded import ThreadedCall, ThreadedMethod
from txremote.refs.contract import Contract, MethodContract, contract_of
from txremote.refs.netref import BaseNetref
from txremote.refs.reference import RemoteReference
from txremote.wire.naming import attributes_of, bases_of, class_name

# The mark that `exposed` leaves; RPyC's own decorator leaves the same.
EXPOSED_MARK = "__exposed__"

LONGEST_TOLD = 100  # characters of a name that an error repeats

# What a connection calls of its service (rpyc 6.0.2 ``Service``): a peer never does.
_HOOKS = frozenset({"on_connect", "on_disconnect", "connection_config"})

#: What a program calls of a service of Twisted's (``twisted.application.service.IService``).
LIFECYCLE = frozenset(
    "startService stopService privilegedStartService setServiceParent disownServiceParent "
    "setName".split()
)

# What REPR, STR, HASH and a comparison for sameness do with any object, by name:
# an object that is exposed by an interface keeps these.
_OF_ALL = frozenset({"__repr__", "__str__", "__format__", "__hash__", "__eq__", "__ne__"})

_FUNCTIONS = frozenset(
    {
        types.FunctionType,
        types.BuiltinFunctionType,
        types.MethodType,
        types.MethodDescriptorType,
        types.WrapperDescriptorType,
        types.ClassMethodDescriptorType,
        types.MethodWrapperType,
    }
)

# CPython's Py_TPFLAGS_HEAPTYPE: a class that a program has made
_HEAP_TYPE = 1 << 9

# On an interface, not inherited: opening one opens none that is derived from it.
_TAG = "txremote.exposed"


def mark_of(value: Any) -> str | None:
    """Return the prefix for which a class attribute, as in ``__dict__``, is marked, or None."""
    # In __dict__: a mark on a class means neither its subclasses nor its instances.
    own = attributes_of(value)
    if EXPOSED_MARK in own:
        mark = own[EXPOSED_MARK]
        return mark if type(mark) is str else None
    kind = type(value)
    if issubclass(kind, property):
        return mark_of(value.fget)
    if kind is staticmethod or kind is classmethod:
        return mark_of(value.__func__)
    return None


def is_exposed(value: object, prefix: str) -> bool:
    """Tell whether a class attribute is marked for a prefix, not empty (rpyc ``service``)."""
    return mark_of(value) == prefix


def is_class(obj: object) -> bool:
    """Tell whether an object is a class, whatever it says of itself."""
    # isinstance() would read __class__, which a transparent proxy may fetch
    return issubclass(type(obj), type)


def name_of(obj: Any) -> str:
    """Return the name of a class, or of an object's class."""
    return class_name(obj if is_class(obj) else type(obj))


def shown(name: str) -> str:
    """Return a peer's name for something as an error repeats it."""
    return repr(name) if len(name) <= LONGEST_TOLD else f"a name of {len(name)} characters"


def static(obj: Any, name: str) -> object:
    """Return what a name is bound to in an object's class, without running code."""
    bases = type(obj).__mro__
    for base in (*obj.__mro__, *bases) if is_class(obj) else bases:
        if name in base.__dict__:
            return base.__dict__[name]
    return None


def class_attributes(obj: Any) -> dict[str, object]:
    """Return what an object's class defines; for a class, what it and its metaclass do."""
    bases = list(reversed(type(obj).__mro__))
    if is_class(obj):
        bases += reversed(obj.__mro__)
    attributes: dict[str, object] = {}
    for base in bases:
        attributes.update(base.__dict__)
    return attributes


def is_method(value: Any) -> bool:
    """
    Tell whether a class attribute, as in ``__dict__``, is something to call when it is read of
    an object. A property or a field of an ORM is not: nobody knows before what it gives.
    """
    kind = type(value)
    if kind in _FUNCTIONS:
        return True
    if issubclass(kind, (staticmethod, classmethod)):
        return callable(value.__func__) or is_method(value.__func__)
    if issubclass(kind, (functools.partialmethod, functools.singledispatchmethod)):
        return True
    # compiled functions and the like are bound as functions are; what a program's own
    # __get__ gives may be anything
    binds = static(value, "__get__")
    return kind is ThreadedMethod or (
        callable(value)
        and binds is not None
        and type(binds) is not types.FunctionType
        and static(value, "__set__") is None
    )


def doc_of(obj: Any, name: str, method: Any) -> str | None:
    """Return a method's docstring as `inspect.getdoc` does, but ask nothing but methods."""
    doc = method.__doc__
    if doc is None and type(method) is types.FunctionType and "<locals>" not in method.__qualname__:
        kinds = (*(bases_of(obj) if is_class(obj) else ()), *bases_of(type(obj)))
        found = (kind.__dict__[name] for kind in kinds if name in kind.__dict__)
        docs = (other.__doc__ for other in found if is_method(other))
        doc = next((other for other in docs if other is not None), None)
    return inspect.cleandoc(doc) if type(doc) is str else None


def method_names(kind: type) -> frozenset[str]:
    """Return the names of a class's methods, of exposed ones both names."""
    names: dict[str, bool] = {}
    for base in reversed(kind.__mro__):
        names.update({name: is_method(value) for name, value in base.__dict__.items()})
    found = {name for name, method in names.items() if method}
    return frozenset(found | {name.removeprefix("exposed_") for name in found})


def answers_for_itself(obj: object) -> bool:
    """Tell whether code of an object's class decides what each of its names is."""
    return (
        static(obj, "_rpyc_getattr") is not None
        or type(static(obj, "__getattribute__")) is types.FunctionType
    )


def has_attributes(kind: type) -> bool:
    """Tell whether a class's objects have a ``__dict__`` that is read without running code."""
    if not kind.__dictoffset__ or issubclass(kind, type):
        return False
    found = next((b.__dict__["__dict__"] for b in kind.__mro__ if "__dict__" in b.__dict__), None)
    return type(found) is types.GetSetDescriptorType


def own_attributes(obj: object) -> dict[str, object]:
    """Return the attributes of an object itself, which hide its class's; of a class, none."""
    return object.__getattribute__(obj, "__dict__") if has_attributes(type(obj)) else {}


def is_declared_class(kind: type, prefix: str) -> bool:
    """Tell whether a class is marked for a prefix or named with it, or is a value's or error's."""
    return (
        bool(prefix and (is_exposed(kind, prefix) or class_name(kind).startswith(prefix)))
        or kind in VALUE_CLASSES
        or issubclass(kind, BaseException)  # how a context was left is told by its class
    )


def is_function(obj: object) -> bool:
    """Tell whether a callable object is anything but one whose class defines ``__call__``."""
    kind = type(obj)
    if is_class(obj) or kind in (ThreadedMethod, RemoteReference) or issubclass(kind, BaseNetref):
        return True
    stock = sys.modules.get("rpyc.core.netref")
    if stock is not None and issubclass(kind, stock.BaseNetref):
        return True
    return type(static(obj, "__call__")) is types.WrapperDescriptorType


def is_service(obj: object) -> bool:
    """Tell whether an object, or a class, has what every service has."""
    return static(obj, "on_connect") is not None and static(obj, "on_disconnect") is not None


def is_hook(obj: object, name: str) -> bool:
    """Tell whether a name is what a connection calls of its service."""
    return name in _HOOKS and is_service(obj)


def open_interface(interface: Any) -> None:
    """Open an interface to peers. TypeError: it is no zope interface."""
    contract = contract_of(interface)
    interface.setTaggedValue(_TAG, contract)
    interface.changed(interface)  # what `declared_by` has given before is out of date


class Exposure:
    """By which opened interfaces an object is exposed. Made by `exposure_of`."""

    __slots__ = ("_contracts", "_owner")

    def __init__(self, obj: object, contracts: list[Contract]) -> None:
        self._owner = obj
        self._contracts = contracts

    def __str__(self) -> str:
        return " and ".join(contract.name for contract in self._contracts)

    def method(self, name: str, safe: Container[str] = ()) -> MethodContract | None:
        """Return a method's contract, or None if it has none. AttributeError: not declared."""
        for contract in self._contracts:
            if name in contract.names:
                return contract.names[name]
        if name in _OF_ALL and name in safe:
            return None
        raise AttributeError(
            f"cannot access {shown(name)}: {name_of(self._owner)} is exposed by {self}, "
            "which declares no such name"
        )

    def check_attribute(self, name: str) -> None:
        """Check that a name is an Attribute of one of the interfaces, else AttributeError."""
        if self.method(name) is not None:
            raise AttributeError(f"cannot change {name!r}: it is a method of {self}")

    def names(self) -> dict[str, MethodContract | None]:
        """Return all names, methods with how they are called."""
        return {
            name: method for contract in self._contracts for name, method in contract.names.items()
        }


def declared_by(obj: object) -> object:
    """
    Return the interfaces that an object provides, in order; None if none is declared.

    The tuple is the same until something changes: zope makes a new one for each change.
    """
    # providedBy() would leave its own notes on any class it is asked about, and
    # a class without them declares nothing.
    return None if getattr(type(obj), "__providedBy__", None) is None else providedBy(obj).__iro__


def exposure_of(obj: object) -> Exposure | None:
    """Return by which interfaces an object is exposed; None: by none, as Python's own types."""
    kind = type(obj)
    if issubclass(kind, type):
        if "__provides__" not in obj.__dict__:
            return None
        described = providedBy(obj).__iro__
    elif not kind.__flags__ & _HEAP_TYPE or (described := declared_by(obj)) is None:
        return None
    contracts = _opened(described)
    return Exposure(obj, contracts) if contracts else None


def opened_by(kind: type) -> list[Contract]:
    """Return by which opened interfaces the objects of a class are exposed."""
    if not kind.__flags__ & _HEAP_TYPE or getattr(kind, "__implemented__", None) is None:
        return []
    described: Any = implementedBy
    return _opened(described(kind).__iro__)


def _opened(described: Iterable[Any]) -> list[Contract]:
    return [it for i in described if (it := i.queryDirectTaggedValue(_TAG)) is not None]


def checked(method: MethodContract, function: Any) -> object:
    """Return a function that refuses a call that does not fit the contract, and makes others."""

    def call(*args: object, **kwargs: object) -> object:
        method.check(args, kwargs)
        if type(function) is ThreadedMethod:
            return ThreadedCall(function, args, kwargs)
        return function(*args, **kwargs)

    return method.describe(call)
