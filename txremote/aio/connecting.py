"""`connect`, for asyncio."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from socket import socket
from ssl import SSLContext, SSLSocket
from typing import Any, Generic, TypeVar

from twisted.internet.interfaces import IStreamClientEndpoint

from txremote.aio.endpoints import (
    HostEndpoint,
    SocketEndpoint,
    StreamEndpoint,
    UNIXEndpoint,
)
from txremote.aio.loop import AsyncioLoop
from txremote.aio.oserrors import as_os_errors
from txremote.config import ConnectionConfig
from txremote.net.connect import connect as connect_by
from txremote.net.tls import client_endpoint_of
from txremote.peer.connection import Connection
from txremote.registry.ports import Registry

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

    async def __aexit__(self, *_error: object) -> None:
        await self._close(self._opened)


def connect(
    server: str | IStreamClientEndpoint | None = None,
    port: int | None = None,
    *,
    ssl: SSLContext | None = None,
    server_hostname: str | None = None,
    sock: socket | None = None,
    stream: tuple[StreamReader, StreamWriter] | None = None,
    service: object = None,
    config: ConnectionConfig | Mapping[str, Any] | None = None,
    dialect: str = "auto",
    timeout: float | None = 30,
    values: bool | None = None,
    registry: str | Registry | None = None,
) -> Opening[Connection]:
    """
    Connect to a server. To be awaited, or used by ``async with``, which closes it at the end.

    Args:
        server: A host, if ``port`` is given; or a client endpoint; or a name such as
            ``"HOST:PORT"``, ``"unix:PATH"``, ``"tls:HOST:PORT"`` or ``"registry:NAME"``
            (`txremote.servername`).
        port: The port.
        ssl: Speak TLS with this context.
        server_hostname: The name in the server's certificate; None for the host.
        sock: A socket that is connected, in the place of a server's name. It belongs to the
            connection from then on.
        stream: A pair of asyncio's streams, likewise.
        service: This side's service, a `Service` class or an instance; nothing if None.
        config: Switches, as a `ConnectionConfig` or a mapping.
        dialect: ``"6"``, ``"5"`` or ``"auto"``; see `txremote.connect`.
        timeout: Seconds until the connection is there and its root fetched.
        values: The switch ``values`` for this side's service, if not None.
        registry: Of ``"registry:NAME"``: the registry's URL; see `txremote.connect`.

    Raises:
        OSError: nobody is there: `ConnectionRefusedError` and its like, as of asyncio's own.
        RuntimeError: no asyncio loop runs.
        All others are those of `txremote.connect`.
    """

    async def opening() -> Connection:
        loop = AsyncioLoop.current()
        connecting = connect_by(
            where_to(loop, server, port, ssl, server_hostname, sock, stream),
            service=service,
            config=config,
            dialect=dialect,
            timeout=timeout,
            values=values,
            registry=registry,
            reactor=loop,
        )
        try:
            with as_os_errors():
                return await connecting
        except asyncio.CancelledError:
            # it may have come in the same turn, and nobody has it
            connecting.addCallback(Connection.close).addErrback(lambda _cancelled: None)
            raise

    return Opening(opening(), Connection.close)


def where_to(
    loop: AsyncioLoop,
    server: str | IStreamClientEndpoint | None,
    port: int | None = None,
    context: SSLContext | None = None,
    hostname: str | None = None,
    sock: socket | None = None,
    stream: tuple[StreamReader, StreamWriter] | None = None,
) -> str | IStreamClientEndpoint:
    """Return what `txremote.connect` takes: a server's name that says all, or the endpoint of what
    names a server; for the arguments see `connect`."""
    others = (port, context, hostname, sock, stream)
    if isinstance(server, str) and all(other is None for other in others):
        return server
    if [server, sock, stream].count(None) != 2:
        raise TypeError("one of these says where to connect to: a server's name, sock=, stream=")
    if stream is not None:
        if context is not None:
            raise TypeError("stream= has TLS or not: ssl= goes with a server's name, or sock=")
        return StreamEndpoint(loop, *stream)
    endpoint: Any = server
    if sock is not None:
        if isinstance(sock, SSLSocket):
            raise TypeError("sock= takes a plain socket; with TLS around it, say ssl=, too")
        endpoint = SocketEndpoint(loop, sock)
    elif isinstance(server, str) and port is not None:
        endpoint = HostEndpoint(loop, server, port)
    else:
        endpoint = client_endpoint_of(loop, server)
        if not isinstance(server, str):
            endpoint = loop.adapted(endpoint)
    if context is not None:
        if not isinstance(endpoint, (HostEndpoint, UNIXEndpoint, SocketEndpoint)):
            raise TypeError(f"ssl= goes with HOST:PORT, UNIX sockets and sock=, not {server!r}")
        hostname = hostname or getattr(endpoint, "host", None)
        if hostname is None and context.check_hostname:
            raise ValueError("say server_hostname=, the name in the server's certificate")
        endpoint.context, endpoint.hostname = context, hostname or ""
    return endpoint  # type: ignore[no-any-return]
