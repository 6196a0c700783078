"""
Methods that a peer reads from a class.

Python gives the plain function, which takes any object for its ``self``, one with private
attributes of the same names, or one of a subclass that overrides the method. RPyC lets a peer
call that; here it gets a function that checks its first argument. A value or an object of the
peer's is its own affair. An object of ours has to be one of the class, must not override the
method, and the peer has to be able to read the method of it. Static and class methods are
given as they are.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable
from typing import Any

from txremote.gate import costs
from txremote.gate.builtin_types import BY_VALUE, CONTAINERS, MAYBE_BY_VALUE
from txremote.gate.exposure import is_class
from txremote.gate.threaded import ThreadedCall, ThreadedMethod
from txremote.gate.weight import MOST_REMEMBERED
from txremote.refs.netref import BaseNetref
from txremote.refs.reference import RemoteReference
from txremote.wire.brine import dumpable

_WITHOUT_OBJECT = (staticmethod, classmethod, types.ClassMethodDescriptorType)


def is_of_peer(value: Any) -> bool:
    """Tell whether an argument is no object of ours, nor a tuple that holds one."""
    kind = type(value)
    if kind is tuple:
        return all(map(is_of_peer, value))
    if kind in BY_VALUE or kind is RemoteReference or issubclass(kind, BaseNetref):
        return True
    return kind in MAYBE_BY_VALUE and dumpable(value)


def _takes_object(attribute: Any) -> bool:
    """Tell whether a class attribute becomes a method of each object."""
    kind = type(attribute)
    if kind is ThreadedMethod:
        return _takes_object(attribute.function)
    return not (
        issubclass(kind, _WITHOUT_OBJECT) or is_class(attribute) or not hasattr(kind, "__get__")
    )


class ClassFunctions:
    """Gives peers the functions of classes; ``read`` is `AttributePolicy.get`."""

    __slots__ = ("_known", "_read")

    def __init__(self, read: Callable[[Any, str], object]) -> None:
        self._read = read
        # so that a function which is read twice is the same object for the peer
        self._known: dict[tuple[type, str], tuple[object, Callable[..., object]]] = {}

    def given(self, kind: type, name: str, found: object) -> object:
        """Return what the peer gets for a class's attribute, for which Python gives ``found``."""
        for base in kind.__mro__:
            if name in base.__dict__:
                attribute = base.__dict__[name]
                break
        else:
            return found  # the metaclass has it, and the class is its object
        if type(attribute) is types.ClassMethodDescriptorType and base in CONTAINERS:
            return costs.measured(base(), name, found) if name in costs.COSTLY else found
        if not callable(found) or not _takes_object(attribute):
            return found
        known = self._known.get((kind, name))
        if known is not None and known[0] is attribute:
            return known[1]
        function = self._guarded(kind, name, attribute, found)
        if len(self._known) >= MOST_REMEMBERED:
            self._known.clear()
        self._known[kind, name] = attribute, function
        return function

    def _guarded(
        self, kind: type, name: str, attribute: object, found: Any
    ) -> Callable[..., object]:
        """Return a function that calls another one for the objects of a class only."""

        def call(*args: object, **kwargs: object) -> object:
            # the object may be named, by whatever name it has in there
            for first in args[:1] or kwargs.values():
                if not is_of_peer(first):
                    self._check(kind, name, attribute, first)
            if type(found) is ThreadedMethod:
                return ThreadedCall(found, args, kwargs)
            if args and name in costs.COSTLY:
                bound = functools.partial(found, args[0])
                return costs.measured(args[0], name, bound)(*args[1:], **kwargs)
            return found(*args, **kwargs)

        call.__name__ = name
        call.__qualname__ = f"{kind.__qualname__}.{name}"
        call.__doc__ = found.__doc__
        call.__module__ = kind.__module__
        return call

    def _check(self, kind: type, name: str, attribute: object, first: object) -> None:
        """Check that an object of ours may be the ``self`` of a class's function, else raise."""
        own = type(first)
        if not issubclass(own, kind):
            raise TypeError(
                f"{kind.__name__}.{name} is for objects of {kind.__name__}, not for one of "
                f"{own.__name__} (a function that is for others too is a @staticmethod)"
            )
        if inspect.getattr_static(first, name, None) is not attribute:
            raise TypeError(f"{own.__name__} overrides {name}: call it on the object itself")
        self._read(first, name)
