"""`reconnecting`: making a script's connection that comes back, by the name of its server."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from uuid import uuid4

from txremote.blocking.connection import BlockingConnection
from txremote.blocking.defaults import config_of_script
from txremote.blocking.dialler import dialler
from txremote.blocking.factory import connect_named
from txremote.blocking.keeper import Keeper, backoff
from txremote.blocking.reconnecting_client import Clock, ReconnectingClient
from txremote.config import ConnectionConfig
from txremote.errors import NotServed
from txremote.eventloop.login_refusals import in_words
from txremote.registry.dialled import check_login, check_no_registry, in_order
from txremote.registry.urls import registry_url
from txremote.servername import ServerName, server_name
from txremote.service import VoidService, check_service


def reconnecting(
    server: str | Sequence[str] | Callable[[], BlockingConnection],
    port: int | None = None,
    *,
    service: object = VoidService,
    config: ConnectionConfig | Mapping[str, object] | None = None,
    login: tuple[str, str] | None = None,
    on_connect: Callable[[BlockingConnection], object] | None = None,
    wait_timeout: float | None = 30,
    retry_policy: Callable[[int], float] | None = None,
    serve: bool = False,
    registry: str | None = None,
    pick: str = "least-busy",
    sticky_key: str | None = None,
    clock: Clock | None = None,
) -> ReconnectingClient:
    """
    Return a client whose connection is made again whenever it is lost. It need not be there yet.

    Args:
        server: How the server is named, such as ``"localhost:18861"``,
            ``"unix:/run/shop.sock"`` or ``"tls:example.com:18861"``; its host, if a port
            follows; ``"registry:NAME"``, or a list of names, of which each try takes the first
            that can be reached; or a function that connects and returns the connection, such as
            ``lambda: ssl_connect("localhost", 18861, ca_certs="ca.pem")``.
        port: The server's port, after its host.
        service: This side's service on each connection, a class or an instance.
        config: Switches, as for `connect`.
        login: ``(user, password)``: ``root.login(user, password)`` is called on each
            connection, and the reference that it gives is the root from then on. If it
            is refused there are no more tries. Servers that a registry names have to show a
            certificate of yours: ``registry:NAME:ca=FILE``, or ``hostname=NAME``.
        on_connect: Called with each new connection, after the login and before any
            other call is sent on it, in the client's own thread. An exception closes
            the connection and counts as a failed try; `UnauthorizedLogin` ends the trying.
        wait_timeout: Seconds that a call waits for a connection. None: for ever.
        retry_policy: How many failures in a row -> seconds until the next try. By
            default 1 to 2, growing to a minute, in part by chance.
        serve: Whether the client's thread serves the connection, as a `BgServingThread`
            does: callbacks come at once, and a lost connection is made again at once.
            Else both happen when a call is made or waits.
        registry: The URL of the registry of ``registry:NAME``; None: that of
            ``$TXREMOTE_REGISTRY``.
        pick: Which of several servers has the one connection: ``"least-busy"``, where the registry
            knows that, else the one that the last try has reached; ``"sticky"``, always the first
            that can be reached, in an order that depends on the key.
        sticky_key: A text: clients that have the same begin with the same server, also after a
            restart. None: one of its own.
        clock: For tests.

    Raises:
        ValueError: The text names no server, a time-out is none, or there is no such pick.
        TypeError: The service is none; a function makes its own connection.
    """
    if callable(server):
        chosen = (port, config, registry, sticky_key, pick)
        if chosen != (None, None, None, None, "least-busy") or service is not VoidService:
            raise TypeError(
                "a function that connects gives the port, the service and the config itself"
            )
        dial, name = server, getattr(server, "__qualname__", repr(server))
    else:
        check_service(service)
        config_of_script(config, depth=1)
        names = [server] if isinstance(server, str) else list(server)
        if port is not None:
            names = [f"[{each}]:{port}" if ":" in each else f"{each}:{port}" for each in names]
        name = ", ".join(names)
        connect_each = partial(connect_named, service=service, config=config, keepalive=True)
        found = _checked(names, registry, login is not None)
        dial = _dial_of(found, connect_each, registry, _key_of(pick, sticky_key))
    if wait_timeout is not None and not wait_timeout > 0:
        raise ValueError(
            f"wait_timeout is a positive number of seconds or None, not {wait_timeout!r}"
        )
    client = ReconnectingClient(dial, name, wait_timeout, clock or Clock())
    Keeper(client, login, on_connect, retry_policy or backoff, serve).start()
    return client


def _checked(names: list[str], registry: str | None, logs_in: bool) -> list[ServerName]:
    """Return names taken apart. A wrong one is refused now and not at each try."""
    found = [server_name(name) for name in names]
    if not found:
        raise ValueError("a client needs at least one server")
    for named in found:
        if named.kind == "registry":
            registry_url(registry)
            if logs_in:
                check_login(named)
        else:
            check_no_registry(registry, named.text)
            dialler(named)
    return found


def _key_of(pick: str, sticky_key: str | None) -> str | None:
    """Return the key that servers are chosen by; None: by how busy they are."""
    if pick == "sticky":
        return uuid4().hex if sticky_key is None else sticky_key
    if pick != "least-busy":
        raise ValueError(f"pick of a script's one connection is least-busy or sticky, not {pick!r}")
    if sticky_key is not None:
        raise ValueError("sticky_key= goes with pick='sticky'")
    return None


def _dial_of(
    names: list[ServerName],
    connect: Callable[..., BlockingConnection],
    registry: str | None,
    sticky_key: str | None,
) -> Callable[[], BlockingConnection]:
    """Return the function of a try: it takes the first server that can be reached, beginning with
    the one that the last try has reached, or with the same each time."""
    if sticky_key is not None:
        names = in_order(sticky_key, names, lambda named: named.text)

    def dial() -> BlockingConnection:
        problems: list[str] = []
        for named in list(names):
            try:
                conn = connect(named, registry=registry, sticky_key=sticky_key)
            except Exception as error:
                if len(names) == 1:
                    raise
                problems.append(f"{named.text}: {in_words(error)}")
                last = error
            else:
                if sticky_key is None:
                    names.remove(named)
                    names.insert(0, named)
                return conn
        raise NotServed(f"no server was reached: {'; '.join(problems)}") from last

    return dial
