"""
Where the rows come from: a server's admin site, by HTTP.

Python's own client blocks, so each request is made in a thread, on a connection of its own, and
has a time limit. The site wants a token, but for its UNIX socket, which keeps others out by its
mode.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from time import monotonic
from typing import Any, Final, TypeVar, cast
from urllib.parse import quote

import msgspec
from msgspec import Struct

from txremote.monitor.address import AdminAddress
from txremote.monitor.rows import ROWS, Overview, Series, TaskOutput
from txremote.monitor.top.sources import Refused, SourceGone

T = TypeVar("T")

#: Bytes of an answer, at most: a page of rows has some hundred thousand.
MOST_BYTES: Final = 32 << 20


class _UnixConnection(HTTPConnection):
    """HTTP on a UNIX socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class HttpSource:
    """
    The rows of a server, from its admin site.

    Args:
        where: The site, as the user has named it.
        token: The token that the site asks for; None for none.
        context: How TLS is spoken; None for Python's way.
        timeout: Seconds that each step of an answer may take.
    """

    def __init__(
        self,
        where: str,
        address: AdminAddress,
        token: str | None,
        timeout: float,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.where = where
        self._address = address
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._timeout = timeout
        self._context = context

    def _connection(self) -> HTTPConnection:
        address = self._address
        if address.path:
            return _UnixConnection(address.path, self._timeout)
        if address.tls:
            return HTTPSConnection(
                address.host, address.port, timeout=self._timeout, context=self._context
            )
        return HTTPConnection(address.host, address.port, timeout=self._timeout)

    def _fetch(self, method: str, path: str) -> bytes:
        """Make one request; in a thread."""
        connection = self._connection()
        try:
            connection.request(method, path, headers=self._headers)
            answer = connection.getresponse()
            body = _read(answer, self._timeout)
        except (OSError, HTTPException) as problem:
            raise SourceGone(_why(problem, self._timeout)) from None
        finally:
            connection.close()
        if answer.status == 401:
            raise Refused("the admin site wants its token: --token-file FILE")
        if answer.status == 200:
            return body
        if answer.status >= 500:
            raise SourceGone(f"the admin site answers {answer.status} {answer.reason}")
        raise Refused(body[:500].decode("utf-8", "replace").strip() or answer.reason)

    async def _ask(self, path: str, kind: Any, method: str = "GET") -> Any:
        body = await asyncio.to_thread(self._fetch, method, f"/api/{path}")
        try:
            return msgspec.json.decode(body, type=kind)
        except msgspec.DecodeError as problem:
            raise Refused(f"this is no admin site of this version of txremote: {problem}") from None

    async def overview(self) -> Overview:
        """Return the process as a whole."""
        return cast(Overview, await self._ask("overview.json", Overview))

    async def rows(self, kind: str) -> list[Struct]:
        """Return rows of a kind."""
        return cast("list[Struct]", await self._ask(f"{kind}.json", list[ROWS[kind]]))  # type: ignore[valid-type]

    async def series(self) -> Series:
        """Return the figures of the last hour."""
        return cast(Series, await self._ask("series.json", Series))

    async def task_output(self, console: str, number: int, since: int) -> TaskOutput:
        """Return a task's output from a line on."""
        path = f"tasks/{quote(console, safe='')}/{number}/output.json?since={since}"
        return cast(TaskOutput, await self._ask(path, TaskOutput))

    async def close_connection(self, number: int) -> bool:
        """Close a connection. `Refused`: there is none, or it is not allowed."""
        await self._ask(f"connections/{number}/close", None, "POST")
        return True

    async def kill_task(self, console: str, number: int) -> bool:
        """Kill a task. `Refused`: there is none, or it is not allowed."""
        await self._ask(f"tasks/{quote(console, safe='')}/{number}/kill", None, "POST")
        return True

    async def close(self) -> None:
        """Do nothing: no connection is kept."""


def _read(answer: HTTPResponse, timeout: float) -> bytes:
    """Return an answer's body. TimeoutError: it comes too slowly; HTTPException: it is too long."""
    until = monotonic() + timeout
    parts = []
    size = 0
    while part := answer.read1(1 << 20):
        parts.append(part)
        size += len(part)
        if monotonic() > until:
            raise TimeoutError
        if size > MOST_BYTES:
            raise HTTPException
    if answer.length:  # read1() does not say so
        raise HTTPException
    return b"".join(parts)


def _why(problem: Exception, timeout: float) -> str:
    if isinstance(problem, TimeoutError):
        return f"no answer within {timeout:g} s"
    if isinstance(problem, HTTPException):
        return f"it does not speak HTTP ({type(problem).__name__})"
    if isinstance(problem, ssl.SSLError):
        return f"TLS with it failed: {problem.reason or problem}"
    return getattr(problem, "strerror", None) or str(problem)
