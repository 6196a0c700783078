"""
`typed` for a reactor: a view of a reference, whose calls give Deferreds of the declared types.

A call is checked first, and raises at once where it does not fit. Its values leave as values if
the peer takes them, else as they always do. The answer is converted: a reference where a
value is declared is fetched, an iterator's items are converted as they are read, and an object
of a class that exposes names has a view of its own. All else is as ever.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar, overload

from twisted.internet.defer import Deferred
from zope.interface.interface import adapter_hooks

from txremote.peer.fetching import fetched
from txremote.peer.promise import Promise
from txremote.peer.turns import in_turns
from txremote.refs.awaiting import awaitable
from txremote.refs.ports import Answer
from txremote.refs.reference import CallResult, LateReference, RemotePath, RemoteReference
from txremote.refs.typed import Target, TypedPath, TypedReference, step
from txremote.service import Service
from txremote.values.plan import CallPlan, fetched as with_fetched
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
from txremote.wire.slices import in_one_go

T = TypeVar("T")
S = TypeVar("S", bound=Service)

Base = RemoteReference | LateReference | CallResult
Remote = RemoteReference | RemotePath | TypedReference[Any]


@overload
def typed(target: Remote, declaration: type[S]) -> TypedReference[S]: ...
@overload
def typed(target: Remote, declaration: Callable[..., T]) -> T: ...


def typed(target: Any, declaration: Any) -> Any:
    """
    Return a view of a remote object with the names and types that a class declares.

    Its methods are called as those of the reference, and each gives a Deferred of the declared
    type; an attribute is awaited. A call that does not fit is refused here, and nothing is sent.
    Sends nothing itself: the peer is not asked whether its object has these names.

    Args:
        target: A `RemoteReference`, a path such as a connection's root, or another view.
        declaration: A `Service`, or another class that exposes names; a ``typing.Protocol``, as
            ``txremote stubs`` writes them; or a zope interface.

    Raises:
        TypeError: the target is no reference, or the class declares no names.
    """
    return view_of(target, declaration)


def view_of(target: Any, declaration: object) -> TypedReference[Any]:
    """Do as `typed`, for a class of any kind."""
    kind = type(target)
    if kind is TypedReference:
        target = target._target
    elif kind is TypedPath:
        target = RemotePath(target._base, target._names)
    elif kind is not RemoteReference and kind is not RemotePath:
        raise TypeError(
            f"typed() takes a remote reference or a path, not a {kind.__name__}; "
            "for a netref there is txremote.blocking.typed"
        )
    return TypedReference(target, ReactorView(declaration_of(declaration)))


class ReactorView(View):
    """How a `TypedReference` reads the names of a declaration."""

    __slots__ = ()

    @property
    def interface(self) -> object:
        """The zope interface that it is, or None."""
        return self._declaration.interface

    def read(self, target: Target, name: str) -> Any:
        """Return a method, or an attribute that can be awaited."""
        declared = self._declaration.find(name)
        path = step(target, name)
        if declared.result is not None:
            attribute = _Attribute(declared.result, name, path._base)
            return TypedPath(path, attribute) if declared.result.is_known else path

        def call(*args: object, **kwargs: object) -> Answer:
            way = declared.call_for(args, kwargs)
            return _received(_sent(path, way, args, kwargs), way.result, name, path._base)

        return declared.describe(call)


class _Attribute:
    """The declaration of an attribute, as a `TypedPath` uses it."""

    __slots__ = ("_base", "_name", "_result")

    def __init__(self, result: Result, name: str, base: Base) -> None:
        self._result = result
        self._name = name
        self._base = base

    def received(self, answer: Answer) -> Answer:
        """Have an answer give what is declared."""
        return _received(answer, self._result, self._name, self._base)

    def view_of(self, path: RemotePath) -> TypedReference[Any] | None:
        """Return a view of what the attribute leads to, if its class exposes names."""
        view = self._result.view
        return None if view is None else view_of(path, view)


def _sent(path: RemotePath, call: Call, args: Args, kwargs: Kwargs) -> Answer:
    """Call what a path leads to, with values marked for a peer that takes them."""
    plan = call.plan
    args, kwargs = with_callbacks(plan, args, kwargs)
    if plan is None or not plan.has_arguments:
        return path(*args, **kwargs)
    base = path._base
    if type(base) is RemoteReference:
        return base._call(path._names, *_marked(base, plan, args, kwargs))

    def go(reference: object) -> object:
        if type(reference) is not RemoteReference:
            return path(*args, **kwargs)
        return reference._call(path._names, *_marked(reference, plan, args, kwargs))

    return RemotePath(base, ())._read().addCallback(go)


def _marked(
    reference: RemoteReference, plan: CallPlan, args: Args, kwargs: Kwargs
) -> tuple[Args, Kwargs]:
    if FEATURE_VALUES in reference._connection.features:
        return marked(plan, args, kwargs)
    return args, kwargs


def _received(answer: Answer, result: Result, name: str, base: Base) -> Answer:
    """Have an answer give what is declared."""
    if not result.is_known:
        return answer
    if isinstance(answer, Promise) and not answer.called and answer._has_callbacks(answer._own):
        answer._own += 1
    return answer.addCallback(_as_declared, result, name, base)


def _as_declared(value: Any, result: Result, name: str, base: Base | None = None) -> Any:
    is_reference = type(value) is RemoteReference
    plan = result.plan(name)
    if plan is not None:
        places = plan.unfetched((value,), {}, _is_reference)
        if not places:
            return _converted(plan, (value,), base)

        def put_back(copies: list[Any]) -> object:
            args, _none = with_fetched((value,), {}, zip(places, copies, strict=True))
            return _converted(plan, args, base)

        return fetched(places).addCallback(put_back)
    if result.items is not None:
        return TypedItems(aiter(value) if is_reference else _local(value), result.items, name)
    if result.view is not None and is_reference:
        return view_of(value, result.view)
    return value


def _converted(plan: CallPlan, args: Args, base: Base | None) -> object:
    """Convert a result; a long one a slice at a time, which gives a Deferred."""
    steps = plan.convert_in_slices(args, {})
    try:
        next(steps)
    except StopIteration as end:
        return end.value[0][0]
    executor = base._connection.executor if isinstance(base, RemoteReference) else None
    turns = getattr(executor, "turns", None)
    if turns is None:
        return in_one_go(steps)[0][0]
    return in_turns(turns, steps).addCallback(lambda converted: converted[0][0])


def _is_reference(value: object) -> bool:
    return type(value) is RemoteReference


async def _local(items: Any) -> AsyncIterator[Any]:
    for item in items:
        yield item


class TypedItems:
    """An asynchronous iterator whose items have a declared type."""

    __slots__ = ("_items", "_name", "_result")

    def __init__(self, items: AsyncIterator[Any], result: Result, name: str) -> None:
        self._items = items
        self._result = result
        self._name = name

    def __aiter__(self) -> TypedItems:
        return self

    async def __anext__(self) -> Any:
        item = _as_declared(await anext(self._items), self._result, f"{self._name}[]")
        return await awaitable(item) if isinstance(item, Deferred) else item


def _adapt(interface: object, obj: object) -> TypedReference[Any] | None:
    # by the exact type: isinstance() of a netref may go to the network
    if type(obj) in (RemoteReference, RemotePath, TypedPath, TypedReference):
        return view_of(obj, interface)
    return None


adapter_hooks.append(_adapt)
