"""
Reading, changing and calling an object for the peer, by name or by a path of names.

Every way here asks the access policy. An object that belongs to a third peer ends a path
here: the rest of the path goes on to its owner.
"""

from __future__ import annotations

from collections.abc import Callable
from types import AsyncGeneratorType, BuiltinFunctionType, FunctionType, MethodType
from typing import Any, Protocol

from txremote.config import ConnectionConfig
from txremote.gate.access import AccessPolicy
from txremote.gate.converted import ConvertedAttribute, ConvertedMethod
from txremote.gate.costs import COSTLY
from txremote.gate.exposure import checked, is_class
from txremote.gate.threaded import ThreadedCall, ThreadedMethod
from txremote.peer.awaiting import is_awaited
from txremote.peer.converting import attribute_read, call_converted
from txremote.peer.exports import Granted
from txremote.peer.halfway import Halfway, further
from txremote.peer.reaching import reach_showing, reach_step
from txremote.peer.references import ReferenceTables
from txremote.peer.unanswered_call import keep_received
from txremote.refs.netref import BaseNetref
from txremote.refs.reference import RemoteReference
from txremote.streams.source import Stream
from txremote.wire.consts import HANDLE_GETATTR

#: Most named arguments of a call: each is looked at, and a message may have a million.
MOST_NAMED = 50_000

# Nearly all that is called; nobody has to be asked about them.
_FUNCTIONS = frozenset({MethodType, FunctionType, BuiltinFunctionType})

# What is stepped, and so reached in a way of its own.
_STEPPED = frozenset({AsyncGeneratorType, Stream})

# Called in a way of their own.
_PREPARED = frozenset({ThreadedMethod, ConvertedMethod})

_SHOWING_METHODS = ("__repr__", "__str__", "__format__", "__hash__")
_SHOWING = frozenset([*_SHOWING_METHODS, *(name.encode() for name in _SHOWING_METHODS)])


class Keeping(Protocol):
    """The results of calls that others use (`txremote.peer.kept.KeptResults`)."""

    def keep(self, numbers: object) -> None:
        """Keep the results of calls that are still to come."""

    def forget(self, numbers: object) -> None:
        """Forget results."""


class Serving(Protocol):
    """The connection that is served, as handlers know it."""

    policy: AccessPolicy
    config: ConnectionConfig
    tables: ReferenceTables
    root: object
    features: tuple[str, ...]
    connection: Any
    operations: Callable[[Any], object] | None

    def cancel(self, number: int) -> None:
        """Cancel what runs for a request."""

    def expect_deadline(self, number: int, seconds: float) -> None:
        """The request of that number, which comes next, has so much time."""

    def note_context(self, arguments: object) -> None:
        """Take the arguments of a TRACE: of which trace the next request is a part."""

    def keeping(self) -> Keeping:
        """Return the results that further calls use."""

    def pass_on(self, owner: object, handler: int, args: tuple[object, ...]) -> object:
        """Pass a request on to the connection that an object came over."""


def _reach(serving: Serving, obj: object, name: Any) -> Any:
    """Read an attribute. For a method that shows the object, one that hides its address."""
    if type(obj) in _STEPPED:
        return reach_step(serving, obj, name)
    found = serving.policy.get(obj, name)
    if name not in _SHOWING or getattr(type(obj), "_rpyc_getattr", None) is not None:
        return found if name not in COSTLY else serving.policy.measured(obj, name, found)
    return reach_showing(serving, obj, name if type(name) is str else name.decode())


def _granted(serving: Serving, found: object) -> object:
    """Return what was read, as it may be sent: a class was declared by its name."""
    if type(found) is ConvertedAttribute:
        return attribute_read(serving.connection, found)
    found = unprepared(found)
    return Granted(found) if is_class(found) else found


def unprepared(found: object) -> object:
    """Return what was read, as an object: a method itself, however its calls are made."""
    if type(found) is not ConvertedMethod:
        return found.found if type(found) is ConvertedAttribute else found
    contract = found.contract
    return found.function if contract is None else checked(contract, found.function)


def get_attribute(serving: Serving, obj: object, name: object) -> object:
    """Read an attribute (GETATTR)."""
    return _granted(serving, _reach(serving, obj, name))


def set_attribute(serving: Serving, obj: object, name: object, value: object) -> None:
    """Set an attribute (SETATTR)."""
    serving.policy.set(obj, name, value)


def delete_attribute(serving: Serving, obj: object, name: object) -> None:
    """Delete an attribute (DELATTR)."""
    serving.policy.delete(obj, name)


def _named(pairs: object) -> dict[str, object]:
    """
    Return the named arguments of a call. Only tuples are examined, here and for ``args``: to
    iterate anything else would pass by the policy.
    """
    if type(pairs) is not tuple:
        raise TypeError("named arguments come as a tuple of pairs")
    if len(pairs) > MOST_NAMED:
        raise ValueError(f"more than {MOST_NAMED} named arguments: give them as one dict")
    for pair in pairs:
        if type(pair) is not tuple or len(pair) != 2 or type(pair[0]) is not str:
            raise TypeError("named arguments come as pairs of a str and a value")
    return dict(pairs)


def no_arguments() -> TypeError:
    """Return the error for arguments that are no tuple."""
    return TypeError("the arguments of a call come as a tuple")


def call(serving: Serving, obj: object, args: object = (), kwargs: object = ()) -> object:
    """Call an object (CALL)."""
    function = serving.policy.callable(obj)
    if type(args) is not tuple:
        raise no_arguments()
    if type(function) in _PREPARED:
        return _call_prepared(serving, function, args, _named(kwargs))
    return function(*args, **_named(kwargs))


def _call_prepared(
    serving: Serving, method: Any, args: tuple[object, ...], kwargs: dict[str, object]
) -> object:
    """Call what is not called as it is: in a thread, or with converted arguments."""
    if type(method) is ThreadedMethod:
        return ThreadedCall(method, args, kwargs)
    return call_converted(serving.connection, method, args, kwargs)


def permitted(serving: Serving, found: object) -> Any:
    """Return what was read by its name, as `AccessPolicy.callable` lets it be called."""
    if type(found) in _FUNCTIONS or type(found) is ConvertedMethod:
        return found
    if type(found) is ConvertedAttribute:
        found = found.found
    if not callable(found):
        return found
    return serving.policy.callable(found)


def call_attribute(
    serving: Serving, obj: object, name: object, args: object = (), kwargs: object = ()
) -> object:
    """Call a method of an object (CALLATTR)."""
    function = _reach(serving, obj, name)
    if type(args) is not tuple:
        raise no_arguments()
    # in here, for calls nest, and each frame of ours is one less for them
    plain = type(kwargs) is tuple and not kwargs
    if type(function) not in _FUNCTIONS:
        if type(function) is ConvertedMethod:
            named = {} if plain else _named(kwargs)
            return call_converted(serving.connection, function, args, named)
        function = permitted(serving, function)
        if type(function) in _PREPARED:
            return _call_prepared(serving, function, args, _named(kwargs))
    return function(*args) if plain else function(*args, **_named(kwargs))


def call_path(
    serving: Serving,
    obj: Any,
    names: object,
    args: object,
    kwargs: object = (),
    onward: tuple[object, ...] | None = None,
) -> object:
    """
    Call or read what a path of names leads to (CALLPATH).

    Args:
        onward: ``args`` and ``kwargs`` as a third peer gets them, where that is not the same.
    """
    if type(names) is not tuple:
        raise TypeError("CALLPATH takes a tuple of names")
    if args is not None and type(args) is not tuple:
        raise no_arguments()
    last = len(names) - 1
    for position, name in enumerate(names):
        kind = type(obj)
        if kind is RemoteReference:
            # the rest of the path is at a third peer
            owner: Any = obj._connection
            owner.executor.guard.check()
            sent, named = (args, kwargs) if onward is None else (*onward, ())[:2]
            rest = owner.outbound.call(obj, names[position:], sent, _named(named), to_the_end=False)
            return keep_received(rest).addCallback(further, position)
        if issubclass(kind, BaseNetref):
            # the same in a thread that may block; never by getattr, for a netref has
            # attributes that are for this side
            conn = obj.____conn__
            if args is not None and position == last:
                sent, named = (args, kwargs) if onward is None else (*onward, ())[:2]
                return conn.sync_call_raw(obj.____ref__, (name,), sent, _named(named))
            obj = conn.sync_request(HANDLE_GETATTR, obj, name)
        else:
            obj = _reach(serving, obj, name)
        if position < last:
            obj = unprepared(obj)
            if _is_elsewhere(serving, obj):
                return Halfway(position + 1, obj)
            if not is_class(obj):
                # nothing is reached through what the peer could not be given
                serving.policy.check_handed_out(obj)
    if args is None:
        return _granted(serving, obj)
    if not names:
        return call(serving, obj, args, kwargs)
    obj = permitted(serving, obj)
    if type(obj) in _PREPARED:
        return _call_prepared(serving, obj, args, _named(kwargs))
    return obj(*args, **_named(kwargs))


def _is_elsewhere(serving: Serving, obj: Any) -> bool:
    """Tell whether a path goes on elsewhere from an object that it has met (`Halfway`)."""
    kind = type(obj)
    if issubclass(kind, BaseNetref):
        obj = obj.____ref__
        kind = RemoteReference
    if kind is RemoteReference:
        return obj._connection is serving.connection
    return serving.policy.is_value(obj) or is_awaited(kind)
