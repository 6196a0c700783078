"""
`typed` for code that may block: a view of a netref, whose calls give the declared types.

A call is checked first, and raises at once where it does not fit. The answer is converted
as it is for a reactor (`txremote.views.reactor`); here all of it waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from txremote.peer.fetching import fetched_here
from txremote.refs.iteration import buffiter
from txremote.refs.netref import BaseNetref, is_base_netref, read
from txremote.refs.typed import TypedNetref
from txremote.values.plan import fetched as with_fetched
from txremote.views.callbacks import with_callbacks
from txremote.views.declaration import (
    Args,
    Call,
    Kwargs,
    Result,
    View,
    declaration_of,
    marked,
)
from txremote.wire.consts import FEATURE_VALUES

T = TypeVar("T")


def typed(target: Any, declaration: Callable[..., T]) -> T:
    """
    Return a view of a netref with the names and types that a class declares.

    Its methods wait for their results, which are of the declared types, and so are its attributes.
    A call that does not fit is refused here, and nothing is sent. Sends nothing itself: the peer
    is not asked whether its object has these names. Any thread that may block may use it.

    Args:
        target: A netref, such as ``conn.root``, or another view.
        declaration: A `Service`, or another class that exposes names; a ``typing.Protocol``, as
            ``txremote stubs`` writes them; or a zope interface.

    Raises:
        TypeError: the target is no netref, or the class declares no names.
    """
    view: Any = view_of(target, declaration)
    found: T = view
    return found


def view_of(target: Any, declaration: object) -> TypedNetref:
    """Do as `typed`, for a class of any kind."""
    if type(target) is TypedNetref:
        target = target._target
    elif not is_base_netref(target):
        raise TypeError(
            f"typed() takes a netref, such as conn.root, not a {type(target).__name__}; "
            "in a reactor there is txremote.typed"
        )
    return TypedNetref(target, ScriptView(declaration_of(declaration)))


class ScriptView(View):
    """How a `TypedNetref` reads the names of a declaration."""

    __slots__ = ()

    def read(self, target: BaseNetref, name: str) -> Any:
        """Return a method, or an attribute's value."""
        declared = self._declaration.find(name)
        if declared.result is not None:
            return _as_declared(read(target, name), declared.result, name)

        def call(*args: object, **kwargs: object) -> object:
            way = declared.call_for(args, kwargs)
            return _as_declared(_called(target, name, way, args, kwargs), way.result, name)

        return declared.describe(call)

    def write(self, target: BaseNetref, name: str, value: object) -> None:
        """Set an attribute, which the peer must allow. AttributeError: it is not declared."""
        if self._declaration.find(name).result is None:
            raise AttributeError(f"cannot set {name!r}: it is a method of {self.name}")
        setattr(target, name, value)


def _called(target: BaseNetref, name: str, call: Call, args: Args, kwargs: Kwargs) -> object:
    conn: Any = target.____conn__
    plan = call.plan
    args, kwargs = with_callbacks(plan, args, kwargs)
    if plan is not None and plan.has_arguments and FEATURE_VALUES in conn.protocol.features:
        args, kwargs = marked(plan, args, kwargs)
    return conn.sync_call(target.____ref__, (name,), args, kwargs)


def _as_declared(value: object, result: Result, name: str) -> Any:
    is_netref = is_base_netref(value)
    plan = result.plan(name)
    if plan is not None:
        places = plan.unfetched((value,), {}, is_base_netref)
        copies = zip(places, fetched_here(places), strict=True)
        args, _none = with_fetched((value,), {}, copies)
        return plan.convert(args, {})[0][0]
    if result.items is not None:
        return _items(value, result.items, name)
    if result.view is not None and is_netref:
        return view_of(value, result.view)
    return value


def _items(value: Any, result: Result, name: str) -> Iterator[object]:
    items = buffiter(value) if is_base_netref(value) else iter(value)
    for item in items:
        yield _as_declared(item, result, f"{name}[]")
