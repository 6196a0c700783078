"""`connect`, for asyncio."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from types import TracebackType
from typing import Any, Generic, TypeVar

from twisted.internet.interfaces import IStreamClientEndpoint

from txremote.aio.endpoints import HostEndpoint
from txremote.aio.loop import AsyncioLoop
from txremote.config import ConnectionConfig
from txremote.net.connect import connect as connect_by
from txremote.peer.connection import Connection

T = TypeVar("T")


class Opening(Coroutine[Any, Any, T], Generic[T]):
    """A coroutine of something that has to be closed: ``async with`` awaits it and closes it."""

    def __init__(
        self, opening: Coroutine[Any, Any, T], close: Callable[[T], Awaitable[object]]
    ) -> None:
        self._opening = opening
        self._close = close
        self._opened: T

    def send(self, value: Any) -> Any:
        """Go on."""
        return self._opening.send(value)

    def throw(self, error: Any, *rest: Any) -> Any:
        """Go on with an exception."""
        return self._opening.throw(error, *rest)

    def close(self) -> None:
        """Give up."""
        self._opening.close()

    def __await__(self) -> Generator[Any, Any, T]:
        return self._opening.__await__()

    async def __aenter__(self) -> T:
        self._opened = await self._opening
        return self._opened

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._close(self._opened)


def connect(
    server: str | IStreamClientEndpoint,
    port: int | None = None,
    *,
    service: object = None,
    config: ConnectionConfig | Mapping[str, Any] | None = None,
    dialect: str = "auto",
    timeout: float | None = 30,
    values: bool | None = None,
) -> Opening[Connection]:
    """
    Connect to a server. To be awaited, or used by ``async with``, which closes it at the end.

    Args:
        server: A host, if ``port`` is given; or a client endpoint; or a name such as
            ``"HOST:PORT"``, ``"unix:PATH"`` or ``"tls:HOST:PORT"`` (`txremote.servername`).
        port: The port.
        service: This side's service, a `Service` class or an instance; nothing if None.
        config: Switches, as a `ConnectionConfig` or a mapping.
        dialect: ``"6"``, ``"5"`` or ``"auto"``; see `txremote.connect`.
        timeout: Seconds until the connection is there and its root fetched.
        values: The switch ``values`` for this side's service, if not None.

    Raises:
        As `txremote.connect`; and RuntimeError where no asyncio loop runs.
    """

    async def opening() -> Connection:
        loop = AsyncioLoop.current()
        connecting = connect_by(
            client_endpoint(loop, server, port),
            service=service,
            config=config,
            dialect=dialect,
            timeout=timeout,
            values=values,
            reactor=loop,
        )
        return await connecting.asFuture(loop.loop)

    return Opening(opening(), lambda connection: connection.close().asFuture(_running()))


def client_endpoint(
    loop: AsyncioLoop, server: str | IStreamClientEndpoint, port: int | None
) -> str | IStreamClientEndpoint:
    """Return an endpoint, or its description, of what names a server."""
    if isinstance(server, str) and port is not None:
        return HostEndpoint(loop, server, port)
    return server


def _running() -> Any:
    return AsyncioLoop.current().loop
