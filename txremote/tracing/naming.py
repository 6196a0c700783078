"""
The names of calls, for their spans.

A name comes from the class of the object and from what is asked of it, never from an argument:
no object is asked what it is called, and no text is made of one. Names that a peer makes up are cut
to `LONGEST` characters.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any, Final

from txremote.peer.called import handler_in
from txremote.peer.handlers import HANDLERS
from txremote.refs.netref import is_base_netref
from txremote.refs.reference import RemoteReference
from txremote.wire import consts
from txremote.wire.naming import UNNAMED, class_module, class_name, class_qualname

#: Most characters of a name.
LONGEST: Final = 200

# A path may have thousands of names.
_MOST_NAMES = 20

#: The service and the method of a call.
Called = tuple[str, str]

#: Methods that give an item of an iterator: those are no spans.
ITEMS: Final = frozenset({"__next__", "__anext__"})

#: Requests that name a member of their object: by the item behind it.
_NAMED = frozenset({consts.HANDLE_CALLATTR, consts.HANDLE_GETATTR})

_METHODS: Final[Mapping[int, str]] = {
    consts.HANDLE_CALL: "__call__",
    consts.HANDLE_SETATTR: "__setattr__",
    consts.HANDLE_DELATTR: "__delattr__",
    consts.HANDLE_REPR: "__repr__",
    consts.HANDLE_STR: "__str__",
    consts.HANDLE_CMP: "__cmp__",
    consts.HANDLE_HASH: "__hash__",
    consts.HANDLE_DIR: "__dir__",
    consts.HANDLE_PICKLE: "__reduce_ex__",
    consts.HANDLE_OLDSLICING: "__getslice__",
    consts.HANDLE_CTXEXIT: "__exit__",
    consts.HANDLE_INSTANCECHECK: "__instancecheck__",
}

#: The requests that have a span. That of items has none, nor have those about the connection.
SPANNED: Final = frozenset({*_METHODS, *_NAMED, consts.HANDLE_CALLPATH})

_NUMBERS = {kind.function: number for number, kind in HANDLERS.items()}
_FUNCTIONS = frozenset({FunctionType, MethodType, BuiltinFunctionType})


def handler_of(function: Any) -> int | None:
    """Return the number of the request that a function serves, if it is known."""
    return _NUMBERS.get(handler_in(function))


def called_by_path(service: str, names: tuple[object, ...]) -> Called:
    """Return the names of a call, by the name of a reference's class and a path from there."""
    shown = [name if type(name) is str else UNNAMED for name in names[:_MOST_NAMES]]
    return service[:LONGEST], (".".join(shown) or "__call__")[:LONGEST]


def called_by_request(handler: int, args: tuple[Any, ...]) -> Called:
    """Return the names of a call, by the number and the arguments of a request."""
    target = args[0] if args else None
    if handler == consts.HANDLE_CALL and type(target) in _FUNCTIONS:
        return _function_names(target)
    service = _service_of(target)
    if handler in _NAMED:
        names: tuple[object, ...] = args[1:2]
    elif handler == consts.HANDLE_CALLPATH:
        names = args[1] if len(args) > 1 and type(args[1]) is tuple else ()
    else:
        return service[:LONGEST], _METHODS.get(handler, UNNAMED)
    return called_by_path(service, names)


def member_of(handler: int, args: tuple[Any, ...]) -> object:
    """Return what of an object a request is about, where that can be the key of a cache."""
    named = handler in _NAMED and len(args) > 1 and type(args[1]) is str
    # a peer's name may be as long as a message
    return args[1] if named and len(args[1]) <= LONGEST else None


def _service_of(target: Any) -> str:
    kind = type(target)
    if kind is not RemoteReference and is_base_netref(target):
        target, kind = target.____ref__, RemoteReference
    if kind is RemoteReference:
        name: str = target._pack[0]
        return name
    if issubclass(kind, type):
        kind = target
    return f"{class_module(kind)}.{class_qualname(kind)}"


def _function_names(function: Any) -> Called:
    name: object
    if type(function) is MethodType:
        inner = function.__func__
        name = inner.__name__ if type(inner) is FunctionType else UNNAMED
        return called_by_path(_service_of(function.__self__), (name,))
    module, name = function.__module__, function.__qualname__
    return called_by_path(module if type(module) is str else UNNAMED, (name,))


def span_name(called: Called) -> str:
    """Return the name of a call's span: without the modules that its service is in."""
    service, method = called
    return f"{service.rpartition('.')[2]}.{method}"


def type_name(error: BaseException) -> str:
    """Return the name of an exception's class as a span has it."""
    kind = type(error)
    module = class_module(kind)
    name = class_name(kind)
    return name if module == "builtins" else f"{module}.{name}"
