"""
`awaited`: whatever an exposed method may return in place of a result, as a Deferred.

Deferreds of any class, coroutines, asyncio's futures, our own `AsyncResult`, steps of
an asynchronous generator, and calls of `threaded` methods, which are begun here. Such a
Deferred may fire in any thread.
"""

from __future__ import annotations

import asyncio
import types
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from txremote.gate.threaded import BlockingCall, ThreadedCall
from txremote.peer.asyncio_steps import deferred_of
from txremote.peer.checked import Checked
from txremote.peer.halfway import Halfway
from txremote.peer.lasting import Lasting
from txremote.peer.ports import ConnectionPort
from txremote.refs.asyncresult import AsyncResult
from txremote.refs.awaiting import failed
from txremote.refs.outcome import Outcome, can_be_failure
from txremote.refs.sharing import Unshared, follow, follow_future
from txremote.wire.naming import class_module, class_name
from txremote.wire.plain import PLAIN

# What asend(), athrow() and aclose() of an asynchronous generator give.
_STEPS = frozenset({"async_generator_asend", "async_generator_athrow"})
_AWAITED = frozenset({types.CoroutineType, ThreadedCall, BlockingCall, AsyncResult, Checked})


async def _finished(awaitable: Any) -> Any:
    """Wait for a coroutine, and return its result in a wrapping where it needs one."""
    try:
        result = await awaitable
    except BaseException as error:
        if can_be_failure(error):
            raise
        return Outcome(False, error)
    if type(result) is Failure:
        result.raiseException()
    return result if type(result) in PLAIN else Outcome(True, result)


def awaited(result: Any, connection: ConnectionPort) -> Any:
    """Return a Deferred for whatever a method may return in place of a result, or that."""
    kind = type(result)
    if kind is Unshared:
        return result
    if issubclass(kind, Deferred):  # somebody else may wait for it, too
        return result.result if _has_fired(result) else follow(result)
    if kind is Failure:  # an error, as in any callback
        return failed(result)
    if kind is types.CoroutineType:
        variables = connection.inbound.variables
        return deferred_of(_finished(result if variables is None else variables.kept(result)))
    if kind is ThreadedCall or kind is BlockingCall:
        return connection.run_in_thread(result)
    if issubclass(kind, asyncio.Future):
        return follow_future(result)
    if kind is AsyncResult:
        return result.deferred
    if class_name(kind) in _STEPS and class_module(kind) == "builtins":
        return deferred_of(_finished(result))
    if kind is Checked:
        value = awaited(result.result, connection)
        if issubclass(type(value), Deferred):
            return value.addCallback(result.finish)
        return result.finish(value)
    if kind is Halfway:
        value = awaited(result.value, connection)
        if issubclass(type(value), Deferred):
            return value.addCallback(_halfway, result.position)
        if value is not result.value:  # a Deferred that has fired
            return Halfway(result.position, value)
    if kind is Lasting:
        return result.begin()
    return result


def _has_fired(deferred: Deferred[Any]) -> bool:
    """Tell whether a Deferred has its result, and of a type that is nothing else than itself."""
    return (
        deferred.called
        and not deferred.paused
        and not deferred._runningCallbacks
        and type(deferred.result) in PLAIN
    )


def _halfway(found: Any, position: int) -> Any:
    if type(found) is Outcome:
        if not found.went_well:
            return found
        found = found.value
    return Halfway(position, found)


def is_awaited(kind: type) -> bool:
    """Tell whether `awaited` makes a Deferred of an object of a type."""
    return kind not in PLAIN and (
        kind in _AWAITED
        or issubclass(kind, (Deferred, asyncio.Future))
        or (class_name(kind) in _STEPS and class_module(kind) == "builtins")
    )
