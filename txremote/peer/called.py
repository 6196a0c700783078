"""The names of the peer's calls, for the log: of each its method, and none of its arguments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType, MethodWrapperType
from typing import Any, Final, Protocol

from txremote.peer.calling import (
    call_attribute,
    call_path,
    delete_attribute,
    get_attribute,
    set_attribute,
)
from txremote.peer.handlers import HANDLERS, Handler
from txremote.peer.references import Promised
from txremote.wire.naming import class_name, readable

_LONGEST: Final = 200  # characters of a name that a peer has chosen
_MOST: Final = 5  # methods that a sentence names

#: Requests whose second argument is a name, or a path of names.
NAMED: Final = frozenset(
    {call_attribute, call_path, get_attribute, set_attribute, delete_attribute}
)

_FUNCTIONS: Final = frozenset({FunctionType, BuiltinFunctionType, MethodWrapperType})

#: An object of ours, and a name of its, or a path of names, or nothing.
Called = tuple[object, ...]


class Asked(Protocol):
    """A request of the peer (`txremote.peer.request.Request`)."""

    handler: Handler
    args: tuple[Any, ...]


def handler_in(function: Any) -> Any:
    """Return the handler of a request's function: where that is wrapped, what is in it."""
    if type(function) is not partial or not function.args:
        return function
    first, *rest = function.args  # its arguments are values, or it is passed on by its number
    return HANDLERS[rest[0]].function if rest and type(rest[0]) is int else first


def called_by(request: Asked) -> Called:
    """Return the object and the name that a request is about; it holds no arguments."""
    return _called(handler_in(request.handler), request.args)


def called_later(number: int, args: tuple[Any, ...]) -> Called:
    """Return what a request of a number is about that waits for results of others."""
    return _called(HANDLERS[number].function, args)


def _called(handler: Any, args: tuple[Any, ...]) -> Called:
    if len(args) < 2:
        return args
    is_name = type(args[1]) is str or handler is call_path
    return args[:2] if is_name and handler in NAMED else args[:1]


def name_in(called: Called) -> str | None:
    """Return the one name that a call is about; None where there is none, or a longer path."""
    name = called[1] if len(called) > 1 else None
    if type(name) is tuple and len(name) == 1:
        name = name[0]
    return name if type(name) is str else None


def called_text(called: Called) -> str:
    """Return the name of what is called: ``Shop.count``."""
    if not called:
        return "a request"
    target, *names = called
    own = _own_name(target)
    text = own if type(own) is str else class_name(target if type(target) is type else type(target))
    for name in names:
        parts = name if type(name) is tuple else (name,)
        text = ".".join([text, *(part for part in parts if type(part) is str)])
    return readable(text[:_LONGEST])


def _own_name(target: Any) -> object:
    if type(target) is Promised:  # it is still to come
        return "(a result)"
    # of these alone a name can be asked without running code of the program's
    function = target.__func__ if type(target) is MethodType else target
    return function.__qualname__ if type(function) in _FUNCTIONS else None


def calls_text(calls: Iterable[Called]) -> str:
    """Return how many calls there are, and of what: ``3 calls (Shop.count 2, Shop.wait)``."""
    counted = Counter(map(called_text, calls))
    total = counted.total()
    named = [f"{name} {count}" if count > 1 else name for name, count in counted.most_common(_MOST)]
    if len(counted) > _MOST:
        named.append("...")
    return f"{total} {'call' if total == 1 else 'calls'} ({', '.join(named)})"
