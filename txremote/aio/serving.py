"""`listen`, for asyncio, and the `Server` that it gives."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from socket import socket
from ssl import SSLContext
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import AdoptedStreamServerEndpoint
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint

from txremote.aio.connecting import Opening
from txremote.aio.loop import AsyncioLoop
from txremote.aio.oserrors import as_os_errors
from txremote.aio.ports import TLSServerEndpoint
from txremote.config import ConnectionConfig, make_config, with_values
from txremote.net.listen import (
    ServingFactory,
    address_of_port,
    listen_guarded,
    server_endpoint_of,
)
from txremote.peer.connection import Connection
from txremote.refs.awaiting import awaitable

# As Twisted's ports have it.
_BACKLOG = 50


class Server:
    """
    A service that is served. Made by `listen`; all is for the loop's thread.

    With ``async with`` it is closed at the end.
    """

    def __init__(self, loop: AsyncioLoop, factory: ServingFactory, port: IListeningPort) -> None:
        self._loop = loop
        self._factory = factory
        self._port = port
        self._where: Any = port.getHost()  # a port that is closed has none
        self._address = address_of_port(port)
        self._closed = asyncio.Event()

    def __repr__(self) -> str:
        state = "closed" if self._closed.is_set() else f"on {self.address}"
        return f"<Server {state}, {len(self.connections)} connections>"

    @property
    def address(self) -> str:
        """Where it listens, as `connect` takes it: ``"127.0.0.1:18861"``, ``"unix:PATH"``."""
        return self._address

    @property
    def port(self) -> int | None:
        """The number of its TCP port; None on a UNIX socket."""
        return getattr(self._where, "port", None)

    @property
    def connections(self) -> Collection[Connection]:
        """Those that are open."""
        return self._factory.connections.keys()

    async def close(self, drain: float = 0) -> None:
        """
        Listen no more, and close all connections.

        Args:
            drain: Seconds that calls which have begun may take to end; meanwhile new ones are
                refused, and txremote clients told that the server stops.
        """
        stopped: Any = None
        if not self._closed.is_set():
            self._closed.set()
            stopped = self._port.stopListening()
        finished = self._factory.finish_all(drain)  # begun, though this may be cancelled
        if stopped is not None:
            await awaitable(stopped)
        await awaitable(finished)

    async def serve_forever(self) -> None:
        """Wait until it is closed. If this is cancelled, it is closed."""
        try:
            await self._closed.wait()
        finally:
            await self.close()

    async def __aenter__(self) -> Server:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()


def listen(
    endpoint: str | IStreamServerEndpoint | None = None,
    root: object = None,
    *,
    ssl: SSLContext | None = None,
    sock: socket | None = None,
    config: ConnectionConfig | Mapping[str, Any] | None = None,
    threaded_service: bool | None = None,
    values: bool | None = None,
) -> Opening[Server]:
    """
    Serve objects. To be awaited, or used by ``async with``, which closes it at the end.

    Args:
        endpoint: ``"HOST:PORT"``, ``"unix:PATH"``, or a server endpoint or its description, as
            for `txremote.listen`.
        root: A `Service` subclass, an instance, or a `twisted.cred.portal.Portal`; see
            `txremote.listen`.
        ssl: Speak TLS with this context. Where it has ``verify_mode=CERT_REQUIRED``, clients need
            a certificate.
        sock: A socket that is bound, in the place of ``endpoint``. It belongs to the server from
            then on.
        config: Switches, as a `ConnectionConfig` or a mapping.
        threaded_service: See `txremote.listen`.
        values: The switch ``values``, if not None.

    Raises:
        OSError: the address is in use, or may not be had, as of asyncio's own servers.
        RuntimeError: no asyncio loop runs.
        All others are those of `txremote.listen`.
    """

    async def opening() -> Server:
        loop = AsyncioLoop.current()
        switches = with_values(make_config(config), values)
        factory = ServingFactory(loop, root, switches, threaded_service)
        where = _server_endpoint(loop, endpoint, sock)
        if ssl is not None:
            where = TLSServerEndpoint(where, ssl)
        guarded = listen_guarded(where, factory, factory.refusal)
        with as_os_errors():
            port = await awaitable(Deferred.fromCoroutine(guarded))
        return Server(loop, factory, port)

    return Opening(opening(), Server.close)


def _server_endpoint(
    loop: AsyncioLoop, endpoint: str | IStreamServerEndpoint | None, sock: socket | None
) -> IStreamServerEndpoint:
    if [endpoint, sock].count(None) != 1:
        raise TypeError("one of these says where to listen: an endpoint, or sock=")
    if sock is not None:
        sock.listen(_BACKLOG)
        return AdoptedStreamServerEndpoint(loop, sock.detach(), sock.family)
    return server_endpoint_of(loop, endpoint)
