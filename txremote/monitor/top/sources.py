"""
Where the rows come from: a server that one has logged in at, as an operator.

A source connects when it is first asked, and again when it is asked after its connection was lost.
Whatever goes wrong is a `SourceGone`, or a `Refused` where the server is there and says no; the
text of each is a sentence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from msgspec import Struct
from twisted.internet.defer import CancelledError

from txremote.errors import ConnectionLost, ServerStopping, TxRemoteError
from txremote.monitor.asking import RemoteOperations, operations
from txremote.monitor.rows import Overview, Series, TaskOutput
from txremote.peer.connection import Connection
from txremote.wire.exceptions import without_remote_traceback

T = TypeVar("T")


class SourceGone(Exception):
    """The server is not there, or not any more; asking again tries to connect again."""


class Refused(Exception):
    """The server does not do that."""


class Source(Protocol):
    """Gives the rows of a server. In a task of asyncio's; any method raises the two above."""

    where: str

    async def overview(self) -> Overview:
        """Return the process as a whole."""

    async def rows(self, kind: str) -> list[Struct]:
        """Return rows of a kind: a name of `txremote.monitor.rows.ROWS`."""

    async def series(self) -> Series:
        """Return the figures of the last hour."""

    async def task_output(self, console: str, number: int, since: int) -> TaskOutput:
        """Return a task's output from a line on. `Refused`: there is no such task."""

    async def close_connection(self, number: int) -> bool:
        """Close a connection; tell whether there was one."""

    async def kill_task(self, console: str, number: int) -> bool:
        """Kill a task; tell whether there was anything to end."""

    async def close(self) -> None:
        """Let go of everything."""


class WireSource:
    """
    The rows of a server, over the wire.

    Args:
        where: The server, as the user has named it.
        reach: Connects and logs in; what it raises is a sentence.
        timeout: Seconds that an answer may take.
    """

    def __init__(
        self, where: str, reach: Callable[[], Awaitable[Connection]], timeout: float
    ) -> None:
        self.where = where
        self._reach = reach
        self._timeout = timeout
        self._connection: Connection | None = None
        self._operations: RemoteOperations | None = None
        self._connecting = asyncio.Lock()

    async def _ask(self, ask: Callable[[RemoteOperations], Awaitable[T]]) -> T:
        found = await self._connected()
        try:
            async with asyncio.timeout(self._timeout):
                return await ask(found)
        except TimeoutError:
            await self.close()
            raise SourceGone(f"no answer within {self._timeout:g} s") from None
        except (ConnectionLost, ServerStopping, EOFError, CancelledError) as problem:
            raise SourceGone(self._why(problem)) from None
        except (TxRemoteError, PermissionError, LookupError, ValueError, TypeError) as problem:
            raise Refused(sentence_of(problem)) from None

    def _why(self, problem: BaseException) -> str:
        ended = self._connection.why_ended if self._connection is not None else ""
        return ended or sentence_of(problem)

    async def _connected(self) -> RemoteOperations:
        async with self._connecting:
            connection = self._connection
            if connection is not None and self._operations is not None:
                over = connection.is_closing or connection.peer_stopping
                if not over:
                    return self._operations
            await self.close()
            try:
                self._connection = await self._reach()
            except Exception as problem:
                raise SourceGone(str(problem)) from problem
            try:
                async with asyncio.timeout(self._timeout):
                    self._operations = await operations(self._connection)
            except Exception as problem:
                await self.close()
                kind = Refused if isinstance(problem, PermissionError) else SourceGone
                raise kind(sentence_of(problem)) from None
            return self._operations

    async def overview(self) -> Overview:
        """Return the process as a whole."""
        return await self._ask(RemoteOperations.overview)

    async def rows(self, kind: str) -> list[Struct]:
        """Return rows of a kind."""
        return await self._ask(lambda there: there.rows(kind))

    async def series(self) -> Series:
        """Return the figures of the last hour."""
        return await self._ask(RemoteOperations.series)

    async def task_output(self, console: str, number: int, since: int) -> TaskOutput:
        """Return a task's output from a line on."""
        return await self._ask(lambda there: there.task_output(console, number, since))

    async def close_connection(self, number: int) -> bool:
        """Close a connection; tell whether there was one."""
        return await self._ask(lambda there: there.close_connection(number))

    async def kill_task(self, console: str, number: int) -> bool:
        """Kill a task; tell whether there was anything to end."""
        return await self._ask(lambda there: there.kill_task(console, number))

    async def log_level(self, written: str | None) -> str:
        """Set a level of the log, if one is given; return what the levels are then."""
        return await self._ask(lambda there: there.log_level(written))

    async def close(self) -> None:
        """Close the connection; the next question makes another."""
        connection, self._connection, self._operations = self._connection, None, None
        if connection is not None:
            await connection.close()


def sentence_of(problem: BaseException) -> str:
    """Return what an error says, without a remote traceback."""
    if isinstance(problem, KeyError) and problem.args:
        return str(problem.args[0])
    return without_remote_traceback(problem) or type(problem).__name__
