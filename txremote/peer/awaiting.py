"""
`awaited`: whatever an exposed method may return in place of a result, as a Deferred.

Deferreds of any class, coroutines, asyncio's futures, our own `AsyncResult`, steps of
an asynchronous generator, and calls of `threaded` methods, which are begun here.
"""

from __future__ import annotations

import asyncio
import types
from typing import Any

from twisted.internet.defer import Deferred

from txremote.peer.halfway import Halfway
from txremote.peer.threaded import ThreadedCall
from txremote.refs.asyncresult import AsyncResult
from txremote.refs.sharing import follow, follow_future

# What asend(), athrow() and aclose() of an asynchronous generator give.
_STEPS = frozenset({"async_generator_asend", "async_generator_athrow"})
_AWAITED = frozenset({types.CoroutineType, ThreadedCall, AsyncResult})


async def _finished(awaitable: Any) -> Any:
    return await awaitable


def awaited(result: Any, connection: Any) -> Any:
    """
    Return a Deferred for whatever a method may return in place of a result; and a
    result as it is.

    Args:
        result: What it has returned.
        connection: Whose request it is.
    """
    kind = type(result)
    if issubclass(kind, Deferred):  # somebody else may wait for it, too
        return follow(result)
    if kind is types.CoroutineType:
        variables = connection.inbound.variables
        return Deferred.fromCoroutine(result if variables is None else variables.kept(result))
    if kind is ThreadedCall:
        return connection.runner.in_thread(connection, result)
    if issubclass(kind, asyncio.Future):
        return follow_future(result)
    if kind is AsyncResult:
        return _of_result(result, connection.runner)
    if kind.__name__ in _STEPS and kind.__module__ == "builtins":
        return Deferred.fromCoroutine(_finished(result))
    if kind is Halfway:
        value = awaited(result.value, connection)
        if issubclass(type(value), Deferred):
            return value.addCallback(lambda found: Halfway(result.position, found))
    return result


def is_awaited(kind: type) -> bool:
    """
    Tell whether `awaited` makes a Deferred of an object of a type.
    """
    return (
        kind in _AWAITED
        or issubclass(kind, (Deferred, asyncio.Future))
        or (kind.__name__ in _STEPS and kind.__module__ == "builtins")
    )


def _of_result(result: AsyncResult, runner: Any) -> Deferred[Any]:
    """
    Return a Deferred for an AsyncResult, fired in this connection's context;
    the result's callbacks may run in any thread.
    """
    if not result.pending:
        return result.deferred
    waiting: Deferred[Any] = Deferred()

    def fire() -> None:
        if not waiting.called:
            result.deferred.chainDeferred(waiting)

    result.add_callback(lambda _result: runner.submit(fire))
    return waiting
