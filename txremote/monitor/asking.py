"""
An operator's client: the rows of a server's `Monitor`, over the wire.

`operations` asks a server that one has logged in at for its operations, and gives an object
whose methods give Deferreds of the rows of `txremote.monitor.rows`. A server of a later version
may have more fields, which are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from twisted.internet.defer import Deferred

from txremote.errors import RemoteProtocolError
from txremote.monitor.rows import ROWS, Overview, Series, TaskOutput
from txremote.peer.connection import Connection
from txremote.refs.reference import RemoteReference
from txremote.wire.consts import FEATURE_OPERATIONS, HANDLE_OPERATIONS
from txremote.wire.record import Record

T = TypeVar("T")


async def operations(connection: Connection) -> RemoteOperations:
    """
    Return what an operator may do with a server. In the connection's thread.

    Args:
        connection: One that an operator has logged in on.

    Raises:
        PermissionError: The server has no operators, or this user is none.
    """
    if FEATURE_OPERATIONS not in connection.features:
        raise PermissionError(
            "the server has no operators: twistd txremote --operators USERS says who is one"
        )
    found = await connection.request(HANDLE_OPERATIONS)
    if not isinstance(found, RemoteReference):
        raise RemoteProtocolError("the operations of a server are a reference")
    return RemoteOperations(found)


class RemoteOperations:
    """
    The operations of a server, for one of its operators.

    Each method gives a Deferred, which coroutines await in either facet. It fails with
    PermissionError where the server allows nothing to be changed.
    """

    def __init__(self, reference: RemoteReference) -> None:
        self._reference = reference

    def overview(self) -> Deferred[Overview]:
        """Return the process as a whole."""
        return self._ask("overview", Overview)

    def rows(self, kind: str) -> Deferred[list[Any]]:
        """Return rows of a kind: a name of `ROWS`."""
        return self._ask(kind, list[ROWS[kind]])  # type: ignore[valid-type]

    def series(self) -> Deferred[Series]:
        """Return the figures of the last hour."""
        return self._ask("series", Series)

    def task_output(self, console: str, number: int, since: int = 0) -> Deferred[TaskOutput]:
        """Return a task's output from a line on. KeyError: there is no such task."""
        return self._ask("task_output", TaskOutput, console, number, since)

    def close_connection(self, number: int) -> Deferred[bool]:
        """Close a connection; tell whether there was one."""
        return self._ask("close_connection", bool, number)

    def kill_task(self, console: str, number: int) -> Deferred[bool]:
        """Kill a task; tell whether there was anything to end."""
        return self._ask("kill_task", bool, console, number)

    def log_level(self, written: str | None = None) -> Deferred[str]:
        """Set a level of the log, if one is given; return what the levels are then."""
        return self._ask("log_level", str, written)

    def _ask(self, name: str, kind: Callable[..., T], *args: object) -> Deferred[T]:
        asked: Deferred[Any] = self._reference._call((name,), args, {})
        return asked.addCallback(read_as, kind)


def read_as(answer: object, kind: Callable[..., T]) -> T:
    """
    Return what came over the wire, or as JSON, as rows.

    Raises:
        RemoteProtocolError: It is something else.
    """
    try:
        converted: T = msgspec.convert(_builtins(answer), type=kind)
    except msgspec.ValidationError as problem:
        raise RemoteProtocolError(
            f"the server's rows are not those of this version of txremote: {problem}"
        ) from None
    return converted


def _builtins(answer: object) -> object:
    if isinstance(answer, Record):
        answer = answer.asdict()
    if isinstance(answer, dict):
        return {name: _builtins(value) for name, value in answer.items()}
    return [_builtins(each) for each in answer] if isinstance(answer, list | tuple) else answer
