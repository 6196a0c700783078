"""
A monitor whose rows are what a test says, and HTTP clients for its site. Not a test file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any

import msgspec
from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.web.client import Agent, FileBodyProducer, HTTPConnectionPool, readBody
from twisted.web.http_headers import Headers

from txremote.monitor import rows
from txremote.monitor.web.events import Streams
from txremote.monitor.web.guards import Guard
from txremote.monitor.web.site import AdminSite
from txremote.refs.clock import steady

TOKEN = b"a-token-of-a-test"

#: A name that a hostile peer has chosen.
HOSTILE = "<img src=x onerror=document.title='owned'>"


def row(kind: type[Any], /, **values: object) -> Any:
    """Return a row with some values; the others are 0, "" or None."""
    blank = {"str": "", "int": 0, "float": 0.0, "bool": False}
    fields = {each.name: each.type for each in msgspec.structs.fields(kind)}
    made = {name: blank.get(getattr(hint, "__name__", "")) for name, hint in fields.items()}
    made |= {name: "" for name, hint in fields.items() if "Literal" in str(hint)}
    return kind(**{**made, **values})


class MadeUpMonitor:
    """Has the rows that a test puts into ``tables``, and tells of news when it is told to."""

    def __init__(self) -> None:
        self.tables: dict[str, Sequence[Any]] = {
            "connections": [
                row(rows.ConnectionRow, number=1, user="ann", peer="127.0.0.1:5001", requests=5),
                row(rows.ConnectionRow, number=2, user=HOSTILE, peer="127.0.0.1:5002", requests=7),
                row(rows.ConnectionRow, number=3, peer="127.0.0.1:5003", requests=6),
            ],
            "log": [row(rows.LogRow, at=1.0, level="warn", text="twice")] * 2,
        }
        self.can_write = False
        self.healthy = rows.Health(True, True, ())
        self.points = rows.Series(5.0, [5.0, 10.0], {"calls": [1.0, None]})
        self.done: list[tuple[object, ...]] = []
        self.listeners_to_news: list[Callable[[], None]] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda: list(self.tables.get(name, ()))

    def refresh(self) -> None:
        return None

    def overview(self) -> rows.Overview:
        made: rows.Overview = row(rows.Overview, version="1.2.3", can_write=self.can_write)
        return made

    def series(self) -> rows.Series:
        return self.points

    def health(self) -> rows.Health:
        return self.healthy

    def task_output(self, console: str, number: int, since: int = 0) -> rows.TaskOutput:
        if (console, number) != ("night shift", 4):
            raise LookupError(number)
        return rows.TaskOutput(since, ["a line"], since + 1, False)

    def on_news(self, listener: Callable[[], None]) -> Callable[[], None]:
        self.listeners_to_news.append(listener)
        return lambda: self.listeners_to_news.remove(listener)

    def news(self) -> None:
        """Have a second pass."""
        for each in list(self.listeners_to_news):
            each()

    def close_connection(self, number: int, *, by: str) -> bool:
        return self._change(("close", number, by), number == 2)

    def kill_task(self, console: str, number: int, *, by: str) -> bool:
        return self._change(("kill", console, number, by), console == "night shift")

    def _change(self, change: tuple[object, ...], there: bool) -> bool:
        if not self.can_write:
            raise PermissionError
        self.done.append(change)
        return there


class Client:
    """Asks a site, with a token or without."""

    def __init__(self, port: int, pool: HTTPConnectionPool) -> None:
        self.port = port
        self._agent = Agent(reactor, pool=pool)

    async def ask(
        self,
        path: str,
        method: str = "GET",
        token: bytes | None = TOKEN,
        body: bytes | None = None,
        **headers: str,
    ) -> Answered:
        """Return the answer to a request. Names of headers have ``_`` for ``-``."""
        sent = Headers({name.replace("_", "-"): [value] for name, value in headers.items()})
        if token is not None:
            sent.setRawHeaders("Authorization", [b"Bearer " + token])
        producer = None if body is None else FileBodyProducer(BytesIO(body))
        url = f"http://127.0.0.1:{self.port}{path}".encode()
        response = await self._agent.request(method.encode(), url, sent, producer)
        return Answered(response, await readBody(response))


class Answered:
    """An answer: its status, headers and body."""

    def __init__(self, response: Any, body: bytes) -> None:
        self.code = response.code
        self.headers = response.headers
        self.body = body

    @property
    def text(self) -> str:
        """The body, as text."""
        return self.body.decode()

    @property
    def value(self) -> Any:
        """The body, which is JSON."""
        return msgspec.json.decode(self.body)

    def header(self, name: str) -> str | None:
        """Return a header, if it is there."""
        found = self.headers.getRawHeaders(name)
        return None if not found else found[-1]


def metrics(_monitor: object, accept: str) -> tuple[str, bytes]:
    """Stand in for the exposition."""
    return "text/plain; version=1", f"metrics for {accept}\n".encode()


@asynccontextmanager
async def served(monitor: Any, guard: Guard | None = None) -> Any:
    """Serve the site of a monitor: (site, client)."""
    site = AdminSite(monitor, guard or Guard(TOKEN), metrics, steady(reactor))
    site.streams = Streams(monitor, lambda: 0.0)  # each tick is told, however long it took
    port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(site)
    pool = HTTPConnectionPool(reactor)
    try:
        yield site, Client(port.getHost().port, pool)
    finally:
        site.streams.end_all()
        site.drop_all()
        await pool.closeCachedConnections()
        await port.stopListening()
