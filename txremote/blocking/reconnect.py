"""`reconnecting`: making a script's connection that comes back, by the name of its server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from txremote.blocking.connection import BlockingConnection
from txremote.blocking.defaults import config_of_script
from txremote.blocking.dialler import dialler
from txremote.blocking.factory import connect_named
from txremote.blocking.keeper import Keeper, backoff
from txremote.blocking.reconnecting_client import Clock, ReconnectingClient
from txremote.config import ConnectionConfig
from txremote.servername import server_name
from txremote.service import VoidService, check_service


def reconnecting(
    server: str | Callable[[], BlockingConnection],
    port: int | None = None,
    *,
    service: object = VoidService,
    config: ConnectionConfig | Mapping[str, object] | None = None,
    login: tuple[str, str] | None = None,
    on_connect: Callable[[BlockingConnection], object] | None = None,
    wait_timeout: float | None = 30,
    retry_policy: Callable[[int], float] | None = None,
    serve: bool = False,
    clock: Clock | None = None,
) -> ReconnectingClient:
    """
    Return a client whose connection is made again whenever it is lost. It need not be there yet.

    Args:
        server: How the server is named, such as ``"localhost:18861"``,
            ``"unix:/run/shop.sock"`` or ``"tls:example.com:18861"``; its host, if a port
            follows; or a function that connects and returns the connection, such as
            ``lambda: ssl_connect("localhost", 18861, ca_certs="ca.pem")``.
        port: The server's port, after its host.
        service: This side's service on each connection, a class or an instance.
        config: Switches, as for `connect`.
        login: ``(user, password)``: ``root.login(user, password)`` is called on each
            connection, and the reference that it gives is the root from then on. If it
            is refused there are no more tries.
        on_connect: Called with each new connection, after the login and before any
            other call is sent on it, in the client's own thread. An exception closes
            the connection and counts as a failed try; `UnauthorizedLogin` ends the trying.
        wait_timeout: Seconds that a call waits for a connection. None: for ever.
        retry_policy: How many failures in a row -> seconds until the next try. By
            default 1 to 2, growing to a minute, in part by chance.
        serve: Whether the client's thread serves the connection, as a `BgServingThread`
            does: callbacks come at once, and a lost connection is made again at once.
            Else both happen when a call is made or waits.
        clock: For tests.

    Raises:
        ValueError: The text names no server, or a time-out is none.
        TypeError: The service is none; a function makes its own connection.
    """
    if callable(server):
        if port is not None or service is not VoidService or config is not None:
            raise TypeError(
                "a function that connects gives the port, the service and the config itself"
            )
        dial, name = server, getattr(server, "__qualname__", repr(server))
    else:
        check_service(service)
        config_of_script(config, depth=1)
        name = server if port is None else f"{f'[{server}]' if ':' in server else server}:{port}"
        named = server_name(name)
        dialler(named)  # to refuse it now and not at each try
        dial = partial(connect_named, named, service, config, keepalive=True)
    if wait_timeout is not None and not wait_timeout > 0:
        raise ValueError(
            f"wait_timeout is a positive number of seconds or None, not {wait_timeout!r}"
        )
    client = ReconnectingClient(dial, name, wait_timeout, clock or Clock())
    Keeper(client, login, on_connect, retry_policy or backoff, serve).start()
    return client
