"""`RemoteClient`, for asyncio: it may be made before its loop runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from ssl import SSLContext
from typing import Any

from txremote.aio.connecting import where_to
from txremote.aio.loop import AsyncioLoop
from txremote.config import ConnectionConfig
from txremote.eventloop.client_status import ClientStatus
from txremote.net.client import Endpoint, RemoteClient as ReactorClient
from txremote.peer.connection import Connection
from txremote.refs.reference import RemotePath
from txremote.registry.ports import Registry


class RemoteClient:
    """
    A connection that comes back; see `txremote.RemoteClient`, whose arguments it takes.

    It may be made before the loop runs, as a global of a module, and belongs to the loop that
    it is started in until that is closed: another loop's use of it is a RuntimeError. Start it by
    ``async with``, which waits for nothing, or by `start`.

    Args:
        server: As for `txremote.aio.connect`, and so are ``port``, ``ssl`` and
            ``server_hostname``.
    """

    def __init__(
        self,
        server: Endpoint | Sequence[Endpoint],
        port: int | None = None,
        *,
        ssl: SSLContext | None = None,
        server_hostname: str | None = None,
        service: object = None,
        config: ConnectionConfig | Mapping[str, Any] | None = None,
        dialect: str = "auto",
        timeout: float | None = 30,
        wait_timeout: float | None = 30,
        login: tuple[str, str] | None = None,
        on_connect: Callable[[Connection], object] | None = None,
        retry_policy: Callable[[int], float] | None = None,
        values: bool | None = None,
        pick: str = "least-busy",
        sticky_key: str | None = None,
        connections: int = 1,
        registry: str | Registry | None = None,
    ) -> None:
        self._where = server, port, ssl, server_hostname
        self._make = partial(
            ReactorClient,
            service=service,
            config=config,
            dialect=dialect,
            timeout=timeout,
            wait_timeout=wait_timeout,
            login=login,
            on_connect=on_connect,
            retry_policy=retry_policy,
            values=values,
            pick=pick,
            sticky_key=sticky_key,
            connections=connections,
            registry=registry,
        )
        self._loop: AsyncioLoop | None = None
        self._client: ReactorClient | None = None

    def _here(self) -> ReactorClient:
        """Return the client of this loop; that of a loop that is closed is forgotten."""
        loop = AsyncioLoop.current()
        if self._loop is not loop:
            if self._loop is not None and not self._loop.loop.is_closed():
                raise RuntimeError(
                    f"{self!r} belongs to another asyncio loop, which is not closed: make a "
                    "RemoteClient for each loop"
                )
            self._loop = loop
            self._client = self._make(self._endpoint(loop), reactor=loop)
        assert self._client is not None
        return self._client

    def _endpoint(self, loop: AsyncioLoop) -> Endpoint | Sequence[Endpoint]:
        server, port, ssl, hostname = self._where
        if isinstance(server, str) or not isinstance(server, Sequence):
            return where_to(loop, server, port, ssl, hostname)
        if (port, ssl, hostname) != (None, None, None):
            raise TypeError("port=, ssl= and server_hostname= go with a single server")
        return [where_to(loop, each) for each in server]

    def __repr__(self) -> str:
        if self._client is None:
            return f"<RemoteClient of {self._where[0]} (not started yet)>"
        return repr(self._client)

    @property
    def root(self) -> RemotePath:
        """The server's root, on whichever connection is live when a path from it is called."""
        return self._here().root

    @property
    def status(self) -> ClientStatus:
        """How it is doing now."""
        if self._client is None:
            return ClientStatus("stopped", "not started yet")
        return self._client.status

    @property
    def statuses(self) -> dict[str, tuple[ClientStatus, ...]]:
        """How each connection is doing, by the name of its place."""
        return {} if self._client is None else self._client.statuses

    def start(self) -> None:
        """Start connecting. In a running loop."""
        self._here().startService()

    async def connected(self, failures: int | None = None) -> Connection:
        """
        Wait for the live connection, or the next one.

        Args:
            failures: How many failed tries are waited for; the last one's error is raised.
                None: any number.

        Raises:
            UnauthorizedLogin: the credentials were refused.
            CancelledError: Twisted's: it was stopped.
        """
        return await self._here().whenConnected(failures)

    async def close(self) -> None:
        """Close the connection and try no more. Calls in flight, and those that wait, fail."""
        if self._client is not None:
            await self._client.stopService()

    async def __aenter__(self) -> RemoteClient:
        self.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()
