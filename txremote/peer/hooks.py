"""A service's hooks, ``on_connect`` and ``on_disconnect``: called, waited for, logged."""

from __future__ import annotations

from types import CoroutineType
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure

from txremote.errors import ConnectionLost, DeadReferenceError
from txremote.levels import Logger
from txremote.peer.asyncio_steps import deferred_of
from txremote.peer.connection import Connection
from txremote.peer.context import CurrentCall, current
from txremote.peer.executor import Hook
from txremote.refs.outcome import can_be_failure, failure_of
from txremote.refs.sharing import follow

_log = Logger("txremote")


async def _ended(hook: Any) -> None:
    try:
        await hook
    except BaseException as error:
        if can_be_failure(error):
            raise
        raise failure_of(error).value from None  # type: ignore[misc]  # an exception


def start(hook: Hook, seen: object) -> object:
    """
    Call a hook with the connection as the service is to see it. Return the Deferred or the
    coroutine that it gives; the Failure of what it raises, SystemExit too; or None.
    """
    try:
        result = hook(seen)
    except BaseException as error:
        return failure_of(error)
    kind = type(result)
    if kind is CoroutineType:
        return _ended(result)
    return result if issubclass(kind, Deferred) else None


def run_hook(connection: Connection, hook: Hook) -> None:
    """Call a hook now, with the connection; `current_call` tells it who the peer is."""
    token = current.set(CurrentCall(connection))
    try:
        running = outcome_of(connection, start(hook, connection))
    finally:
        current.reset(token)
    wait_for(connection, hook, running)


def outcome_of(connection: Connection, result: object) -> Deferred[object]:
    """Return a Deferred for what `start` gave."""
    if type(result) is CoroutineType:
        variables = connection.inbound.variables
        return deferred_of(result if variables is None else variables.kept(result))
    return follow(maybeDeferred(lambda: result))


def wait_for(connection: Connection, hook: Hook, running: Deferred[object]) -> None:
    """Let requests wait until a hook is done, and see how it ends."""

    def done(_result: object) -> None:
        connection.inbound.ledger.release()
        connection.inbound.close_if_drained()

    if not running.called and not connection.closed:
        connection.inbound.ledger.hold()
        running.addCallback(done)
    running.addErrback(lambda failure: failed(connection, hook, failure))


def failed(connection: Connection, hook: Hook, failure: Failure) -> None:
    """
    Log that a hook raised, and close the connection. One that waited for a peer which has left
    has not failed: a client may come and go at once, to see whether somebody listens.
    """
    is_first = getattr(hook, "__name__", "") == "on_connect"
    if is_first and connection.closed and failure.check(ConnectionLost, DeadReferenceError):
        _log.debug("{hook} ended with its connection", hook=getattr(hook, "__qualname__", hook))
        return
    _log.failure("{hook} failed", failure, hook=getattr(hook, "__qualname__", hook))
    connection.closing.close(f"{getattr(hook, '__name__', 'a hook')} failed", say_goodbye=False)
