"""
Servers for a program that has no reactor of its own (``rpyc.utils.server``):
`ThreadedServer`, and RPyC's other ones that differ in a detail.

Each server runs a `PrivateReactor`, so a program may start it in any thread, start several,
and start one again after another has ended.
"""

from __future__ import annotations

import logging
import os
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IListeningPort

from txremote.blocking.authentication import AuthenticatingPort, Authenticator, SSLAuthenticator
from txremote.blocking.auto_register import AutoRegister, Registrar
from txremote.blocking.channel import address_of
from txremote.blocking.connection import BlockingConnection
from txremote.blocking.defaults import config_of_script
from txremote.blocking.private_reactor import PrivateReactor
from txremote.blocking.refused import refused
from txremote.blocking.registrars import UDPRegistryClient
from txremote.config import ConnectionConfig
from txremote.net.listen import ServingFactory
from txremote.net.unixsockets import PRIVATE, adopt, clear_stale, remove
from txremote.peer.connection import Connection, is_local
from txremote.refs import forks
from txremote.refs.reactorthread import is_in_reactor
from txremote.servername import check_port
from txremote.service import instantiate


class ThreadedServer:
    """
    Serves a service to any number of clients, each one's requests in a worker
    thread (``rpyc.ThreadedServer``).

    The port is taken when this is made, and served from `start` on.

    Args:
        service: A service class, or an instance that all clients share.
        hostname: The address to listen on. None is loopback; RPyC's None is
            every address of the machine, which here is ``"0.0.0.0"``.
        ipv6: Whether to listen by IPv6.
        port: The port; 0 takes a free one. The attribute has the port that was taken,
            or the path.
        backlog: How many clients may wait to be accepted.
        reuse_addr: Whether a port that was just closed can be taken.
        authenticator: Called with each client's socket before anything is read: returns
            the socket to use from then on, and credentials, or raises `AuthenticationError`.
            Each client has a thread of its own then (`txremote.blocking.authentication`).
        registrar: The registry's client, such as a `UDPRegistryClient`, or one of RPyC's; None
            for a `UDPRegistryClient` that asks by a broadcast.
        auto_register: Whether the server is registered while it serves, under the aliases of
            its service, by a thread beside it; None: if a ``registrar`` is given. A UNIX socket
            is not: the registry knows ports only.
        protocol_config: The switches of the connections.
        logger: A `logging.Logger` for exceptions of exposed methods, and for the clients
            of an authenticator; if None, these go to a logger of the service's name.
        listener_timeout: RPyC's; has no effect.
        socket_path: The path of a UNIX socket, in place of host and port. Its rights
            are what the umask leaves, as RPyC's; 0600 for a classic service, or
            another with ``access="classic"``.

    Raises:
        OSError: the port is taken.
        TypeError: the service is none, or an argument is not supported, or a method of
            RPyC's server that a subclass overrides.
        ValueError: a classic service, or another with ``access="classic"``, would be
            open to the network.
    """

    _slots: int | None = None

    def __init__(
        self,
        service: object,
        hostname: str | None = None,
        ipv6: bool = False,
        port: int = 0,
        backlog: int = socket.SOMAXCONN,
        reuse_addr: bool = True,
        authenticator: Authenticator | None = None,
        registrar: Registrar | None = None,
        auto_register: bool | None = None,
        protocol_config: ConnectionConfig | Mapping[str, object] | None = None,
        logger: logging.Logger | None = None,
        listener_timeout: float | None = 0.5,
        socket_path: str | None = None,
    ) -> None:
        _check_hooks(type(self))
        self.auto_register = registrar is not None if auto_register is None else auto_register
        if self.auto_register and socket_path is not None:
            raise ValueError("a registry knows ports only: leave socket_path or auto_register out")
        config = config_of_script(protocol_config, depth=1)
        if logger is not None and config.logger is None:
            config = config.replace(logger=logger)
        self.service = service
        self.authenticator = authenticator
        self.backlog = backlog
        self.protocol_config = {} if protocol_config is None else protocol_config
        self.active = False
        self._reactor = PrivateReactor()
        self._factory = _Factory(self, config)
        self._prepare()
        if socket_path is None:
            self._open_port(hostname, port, ipv6, reuse_addr)
        elif hostname is not None or port != 0 or ipv6:
            raise ValueError("socket_path is given in place of hostname, port and ipv6")
        else:
            self._open_path(socket_path)
        self.logger = logger or self._logger()
        self.registrar = UDPRegistryClient(logger=self.logger) if registrar is None else registrar
        self._entry: AutoRegister | None = None  # in a registry
        if self.auto_register:
            self._entry = AutoRegister(
                self.registrar, self._aliases(), int(self.port), self.host, self.logger
            )

    def _prepare(self) -> None:
        """Make the state of a run, which a server has once."""
        self._gate: AuthenticatingPort | None = None
        self._listening: IListeningPort | AuthenticatingPort | None = None
        self._path: str | None = None  # of a UNIX socket
        self._problem: BaseException | None = None
        self._stopped = threading.Event()
        self._port_is_free = threading.Event()
        self._lock = threading.Lock()
        self._home = forks.here

    def _open_path(self, path: str) -> None:
        self._path = os.fspath(path)
        clear_stale(os.fsencode(path))
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._bind(self._path)
        self.host, self.port = "", path

    def _open_port(self, hostname: str | None, port: int, ipv6: bool, reuse_addr: bool) -> None:
        if hostname is None:
            hostname = "::1" if ipv6 else "127.0.0.1"
        family = socket.AF_INET6 if ipv6 else socket.AF_INET
        check_port(port)
        found = socket.getaddrinfo(hostname, port, family, socket.SOCK_STREAM, 0, socket.AI_PASSIVE)
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        if reuse_addr:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._bind(found[0][4])
        self.host, self.port = self.listener.getsockname()[:2]
        if self._factory.refusal is not None and not (
            is_local(address_of(self.listener, self.listener.getsockname))
            or _asks_for_certificates(self.authenticator)
        ):
            self.listener.close()
            raise ValueError(self._factory.refusal)

    def _bind(self, address: tuple[object, ...] | str) -> None:
        try:
            self.listener.bind(address)
            if self._path is not None and self._factory.refusal is not None:
                os.chmod(self._path, PRIVATE)
            # not later: on some systems only this fails for a port that is taken. Clients
            # that connect before start() wait for it
            self.listener.listen(self.backlog)
        except OSError:
            self._give_up()
            raise

    def _give_up(self) -> None:
        """Close the socket, which no reactor has, and remove its file."""
        is_bound = self._path is not None and self.listener.getsockname() == self._path
        self.listener.close()
        if self._path is not None and is_bound:
            remove(os.fsencode(self._path))

    def start(self) -> None:
        """
        Serve until `close`, from another thread or an exposed method, or until Ctrl-C.

        Raises:
            RuntimeError: it was started or closed before.
        """
        with self._lock:
            if self.active or self._stopped.is_set():
                raise RuntimeError("a server is started once: make another")
            self.active = True
            self._home = forks.here
        self._listen()
        self._reactor.callWhenRunning(self._serve)
        try:
            self._reactor.run_here()
        finally:
            self.active = False
            if self._entry is not None:
                self._entry.end(wait=True)
            self._stop_accepting()
            self._stopped.set()
            self._port_is_free.set()
        if self._problem is not None:
            raise self._problem

    def _serve(self) -> None:
        try:
            self.listener.setblocking(False)
            self._listening = self._accept_clients()
            if self._entry is not None:
                self._entry.begin()
        except BaseException as problem:
            self._problem = problem
            self._reactor.stop()

    def _listen(self) -> None:
        """Do nothing, for the socket listens: RPyC's name, which programs call and override."""

    def _accept_clients(self) -> IListeningPort | AuthenticatingPort:
        if self.authenticator is None:
            descriptor = self.listener.fileno()
            if self.listener.family == getattr(socket, "AF_UNIX", None):
                return adopt(self._reactor, descriptor, self._factory)
            adopt_port: Callable[..., IListeningPort] = self._reactor.adoptStreamPort
            return adopt_port(descriptor, self.listener.family, self._factory)
        self._gate = AuthenticatingPort(
            self._reactor,
            self.listener,
            self.authenticator,
            partial(instantiate, self._factory.served),
            self._factory.config,
            self.logger,
            accepted=self._client_came,
            gone=self._client_went,
        )
        return self._gate

    def _stop_accepting(self) -> None:
        """Close the socket, and its file where no reactor's port has removed that."""
        if self._gate is not None and self.listener.fileno() >= 0:
            self._give_up()
        else:
            self.listener.close()

    def _client_came(self) -> None:
        """Called in the reactor when a client has connected."""

    def _client_went(self) -> None:
        """Called in the reactor when a client has gone, served or not."""

    def _logger(self) -> logging.Logger:
        named = getattr(self.service, "get_service_name", None)
        name = named() if named is not None else type(self.service).__name__
        return logging.getLogger(f"{name}/{self.port}")

    def _aliases(self) -> tuple[str, ...]:
        """Return the names under which it is registered."""
        named = getattr(self.service, "get_service_aliases", None)
        served = self.service if isinstance(self.service, type) else type(self.service)
        return tuple(named()) if named is not None else (served.__name__,)

    def _start_in_thread(self) -> threading.Thread:
        """Start in a new thread, and return it: RPyC's name, which programs call."""
        thread = threading.Thread(target=self.start, name="txremote server", daemon=True)
        thread.start()
        return thread

    def close(self) -> None:
        """
        Stop serving and close every connection. Any thread; its port is free, and a
        UNIX socket's file gone, when this returns. It does not wait for the connections;
        in the server's own thread, that of a coroutine, it waits for nothing. In a forked
        process only the process's own descriptor is closed.
        """
        if self._home is not forks.here:
            self.listener.close()
            return
        with self._lock:
            if not self.active:
                if not self._stopped.is_set():
                    self._give_up()
                self._stopped.set()
                self._reactor.dispose()
                return
        if self._entry is not None:
            self._entry.end(wait=not is_in_reactor())
        self._reactor.callFromThread(lambda: Deferred.fromCoroutine(self._shut_down()))
        if self._reactor.io_thread != threading.get_ident():
            self._port_is_free.wait()

    async def _shut_down(self) -> None:
        if self._entry is not None:
            self._entry.end(wait=False)
        if self._listening is not None:
            listening, self._listening = self._listening, None
            stopping = listening.stopListening()
            if stopping is not None:
                await stopping
            self._stop_accepting()
            self._port_is_free.set()
            if self._gate is not None:
                self._gate.close_all()
            await self._factory.close_all()
            self._reactor.stop()

    def fileno(self) -> int:
        """Return the descriptor of the listening socket."""
        return self.listener.fileno()

    @property
    def clients(self) -> set[Connection | BlockingConnection]:
        """The open connections."""
        authenticated = self._gate.connections if self._gate is not None else ()
        return {*self._factory.connections, *authenticated}


class OneShotServer(ThreadedServer):
    """Serves one client, and ends with its connection (``rpyc.OneShotServer``)."""

    def _client_came(self) -> None:
        assert self._listening is not None
        self._listening.stopListening()
        self._stop_accepting()  # else other clients could connect, and would wait

    def _client_went(self) -> None:
        self.close()


class ThreadPoolServer(ThreadedServer):
    """
    A `ThreadedServer` in which ``nbThreads`` requests run at once (``rpyc.ThreadPoolServer``).

    A thread that waits for an answer of its own does not count, so requests within requests
    find one. ``requestBatchSize`` is RPyC's, and has no effect.
    """

    def __init__(
        self, *args: Any, nbThreads: int = 20, requestBatchSize: int = 10, **kwargs: Any
    ) -> None:
        self._slots = nbThreads
        super().__init__(*args, **kwargs)


Server = ThreadedServer

_ONE_PROCESS = (
    "one reactor serves any number of clients: use ThreadedServer or 'twistd txremote', and a "
    "pool of processes (txremote.run_async) for work"
)
ForkingServer = refused("ForkingServer", _ONE_PROCESS)
GeventServer = refused("GeventServer", _ONE_PROCESS)


class _Factory(ServingFactory):
    """Calls its server when clients come and go."""

    def __init__(self, server: ThreadedServer, config: ConnectionConfig) -> None:
        super().__init__(server._reactor, server.service, config, True, server._slots)
        self._server = server

    def buildProtocol(self, addr: IAddress | None) -> Connection | None:
        connection = super().buildProtocol(addr)
        if connection in self.connections:
            self._server._client_came()
        return connection

    def _gone(self, connection: Connection) -> None:
        super()._gone(connection)
        self._server._client_went()


# rpyc 6.0.2 rpyc.utils.server: the steps of its servers, which subclasses override.
_RPYC_STEPS = (
    *("accept", "_accept_method", "_authenticate_and_serve_client", "_serve_client"),
    *("_handle_connection", "_register", "_bg_register", "_handle_sigchld"),
    *("_authenticate_and_build_connection", "_add_inactive_connection", "_drop_connection"),
    *("_remove_from_inactive_connection", "_handle_poll_result", "_poll_inactive_clients"),
    *("_serve_clients", "_serve_requests"),
)


def _check_hooks(kind: type) -> None:
    for name in _RPYC_STEPS:
        if hasattr(kind, name):
            raise TypeError(
                f"{kind.__qualname__} overrides {name}, a step of RPyC's server, which would "
                "never be called here: a service's on_connect and on_disconnect are, and so "
                "is authenticator="
            )


def _asks_for_certificates(authenticator: object) -> bool:
    return (
        isinstance(authenticator, SSLAuthenticator) and authenticator.cert_reqs == ssl.CERT_REQUIRED
    )
