"""
Servers for a program that has no reactor of its own (``rpyc.utils.server``):
`ThreadedServer`, and RPyC's other ones that differ in a detail.

A server runs a reactor while it runs, a private one, so a program may start it in any
thread, start several, and start one again after another has ended.
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

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.selectreactor import SelectReactor

from txremote.blocking.authentication import AuthenticatingPort, SSLAuthenticator
from txremote.blocking.defaults import config_of_script
from txremote.blocking.refused import refused
from txremote.config import ConnectionConfig
from txremote.net.listen import ServingFactory
from txremote.net.unixsockets import PRIVATE, adopt, clear_stale, remove
from txremote.peer.connection import Connection, is_local
from txremote.refs import forks
from txremote.refs.reactorthread import running_reactor
from txremote.service import instantiate

try:
    from twisted.internet.epollreactor import EPollReactor as _BaseReactor
except ImportError:  # not on this system
    _BaseReactor = SelectReactor  # type: ignore[misc]


class PrivateReactor(_BaseReactor):
    """
    A reactor beside the program's own, if that has one.

    Attributes:
        io_thread: The thread it runs in, or None.
    """

    # Twisted notes the thread of one reactor, which the program's own must stay
    _registerAsIOThread = False

    def __init__(self) -> None:
        self.io_thread: int | None = None
        self._open = True
        self._waking = threading.Lock()
        super().__init__()  # type: ignore[no-untyped-call]

    def run_here(self) -> None:
        """Run until it is stopped, in this thread."""
        self.io_thread = threading.get_ident()
        try:
            in_main = threading.current_thread() is threading.main_thread()
            with running_reactor():
                self.run(installSignalHandlers=in_main)
        finally:
            self.io_thread = None
            self.dispose()

    def wakeUp(self) -> None:
        """Called by Twisted from any thread; does nothing once it has ended."""
        with self._waking:
            if self._open:
                super().wakeUp()

    def dispose(self) -> None:
        """Give the descriptors back, which Twisted leaves open. It runs no more."""
        with self._waking:
            if self._open:
                self._open = False
                for reader in list(self._internalReaders):
                    reader.connectionLost(None)
                poller = getattr(self, "_poller", None)
                if poller is not None:
                    poller.close()


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
        port: The port; 0 takes a free one.
        backlog: How many may wait to be accepted.
        reuse_addr: Whether a port that was just given up can be taken.
        authenticator: Called with each client's socket before anything is read: returns
            the socket to go on with, and credentials, or raises `AuthenticationError`.
            Each client has a thread of its own then (`txremote.blocking.authentication`).
        registrar: Has no effect with ``auto_register=False``, and is refused without.
        auto_register: Not supported: must not be true.
        protocol_config: Switches.
        logger: A `logging.Logger` for exceptions of exposed methods, and for the clients
            of an authenticator; those are told to one of the service's name if None.
        listener_timeout: RPyC's; has no effect.
        socket_path: The path of a UNIX socket, in place of host and port. Its rights
            are what the umask leaves, as RPyC's; 0600 for a classic service, or
            another with ``access="classic"``.

    Attributes:
        host: The address.
        port: The port, or the path.
        active: Whether it is serving.
        listener: The listening socket.
        protocol_config: As it was given.
        logger: The given logger, or that of the service's name.

    Raises:
        OSError: the port is taken.
        TypeError: the service is none, or something is not supported, a method of
            RPyC's server that a subclass overrides among it.
        ValueError: a classic service, or another with ``access="classic"``, would be
            open to the network.
    """

    _slots: int | None = None

    def __init__(
        self,
        service: Any,
        hostname: str | None = None,
        ipv6: bool = False,
        port: int = 0,
        backlog: int = socket.SOMAXCONN,
        reuse_addr: bool = True,
        authenticator: Any = None,
        registrar: Any = None,
        auto_register: bool | None = None,
        protocol_config: ConnectionConfig | Mapping[str, Any] | None = None,
        logger: Any = None,
        listener_timeout: float | None = 0.5,
        socket_path: str | None = None,
    ) -> None:
        _check_hooks(type(self))
        if auto_register or (registrar is not None and auto_register is None):
            raise TypeError("there is no registry here: tell clients the address")
        self.protocol_config = {} if protocol_config is None else protocol_config
        config = config_of_script(protocol_config, depth=1)
        if logger is not None and config.logger is None:
            config = config.replace(logger=logger)
        self._reactor = PrivateReactor()
        self._factory = _Factory(
            self._reactor, service, config, slots=self._slots, first=self._first, last=self._last
        )
        self._gate: AuthenticatingPort | None = None
        self.authenticator = authenticator
        self.backlog = backlog
        self._listening: Any = None
        self._problem: BaseException | None = None
        self._stopped = threading.Event()
        self._port_is_free = threading.Event()
        self._lock = threading.Lock()
        self._home = forks.here
        self.service = service
        self.active = False
        self._path: str | None = None  # of a UNIX socket
        if socket_path is not None:
            if hostname is not None or port != 0 or ipv6:
                raise ValueError("socket_path is given in place of hostname, port and ipv6")
            self._path = os.fspath(socket_path)
            clear_stale(os.fsencode(self._path))
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._bind(self._path)
            self.host, self.port = "", socket_path
            self.logger = logger or self._logger()
            return
        if hostname is None:
            hostname = "::1" if ipv6 else "127.0.0.1"
        family = socket.AF_INET6 if ipv6 else socket.AF_INET
        found = socket.getaddrinfo(hostname, port, family, socket.SOCK_STREAM, 0, socket.AI_PASSIVE)
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        if reuse_addr:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._bind(found[0][4])
        self.host, self.port = self._socket.getsockname()[:2]
        self.logger = logger or self._logger()
        if self._factory.refusal is not None and not (
            is_local(_address(self._socket)) or _asks_for_certificates(authenticator)
        ):
            self._socket.close()
            raise ValueError(self._factory.refusal)

    def _bind(self, address: Any) -> None:
        try:
            self._socket.bind(address)
            if self._path is not None and self._factory.refusal is not None:
                os.chmod(self._path, PRIVATE)
            # now, for on some systems only this tells that the port is taken;
            # who connects before start() waits for it
            self._socket.listen(self.backlog)
        except OSError:
            self._give_up()
            raise

    def _give_up(self) -> None:
        """Close the socket, which no reactor has, and take its file away."""
        mine = self._path if self._path and self._socket.getsockname() == self._path else None
        self._socket.close()
        if mine is not None:
            remove(os.fsencode(mine))

    def start(self) -> None:
        """
        Serve until `close`, from another thread or an exposed method, or until
        Ctrl-C. Blocks.

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
            self._stop_accepting()
            self._stopped.set()
            self._port_is_free.set()
        if self._problem is not None:
            raise self._problem

    def _serve(self) -> None:
        try:
            self._socket.setblocking(False)
            self._listening = self._accept_clients()
        except BaseException as problem:
            self._problem = problem
            self._reactor.stop()

    def _listen(self) -> None:
        """
        Do nothing: it has listened since it was made. RPyC's name, which programs call
        before `start`, as that does, and which subclasses override.
        """

    def _accept_clients(self) -> Any:
        if self.authenticator is None:
            descriptor = self._socket.fileno()
            if self._socket.family == getattr(socket, "AF_UNIX", None):
                return adopt(self._reactor, descriptor, self._factory)
            serve: Any = self._reactor.adoptStreamPort
            return serve(descriptor, self._socket.family, self._factory)
        self._gate = AuthenticatingPort(
            self._reactor,
            self._socket,
            self.authenticator,
            partial(instantiate, self._factory.served),
            self._factory.config,
            self.logger,
            accepted=self._first,
            gone=self._last,
        )
        return self._gate

    def _stop_accepting(self) -> None:
        """Close the socket; a reactor's port takes its file away, and a gate does not."""
        if self._gate is not None and self._socket.fileno() >= 0:
            self._give_up()
        else:
            self._socket.close()

    def _first(self) -> None:
        """Called in the reactor when a client has come."""

    def _last(self) -> None:
        """Called in the reactor when a client has gone."""

    def _logger(self) -> logging.Logger:
        named = getattr(self.service, "get_service_name", None)
        name = named() if named is not None else type(self.service).__name__
        return logging.getLogger(f"{name}/{self.port}")

    def _start_in_thread(self) -> threading.Thread:
        """Start it in a new thread, and return that: RPyC's name, which programs call."""
        thread = threading.Thread(target=self.start, name="txremote server", daemon=True)
        thread.start()
        return thread

    def close(self) -> None:
        """
        Stop serving and close every connection. Any thread; its port is free, and a
        UNIX socket's file gone, when this returns. It does not wait for the
        connections, and in the server's own thread, a coroutine's, for nothing. In a forked
        process only its own descriptor is closed.
        """
        if self._home is not forks.here:
            self._socket.close()
            return
        with self._lock:
            if not self.active:
                if not self._stopped.is_set():
                    self._give_up()
                self._stopped.set()
                self._reactor.dispose()
                return
        self._reactor.callFromThread(lambda: Deferred.fromCoroutine(self._shut_down()))
        if self._reactor.io_thread != threading.get_ident():
            self._port_is_free.wait()

    async def _shut_down(self) -> None:
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
        return self._socket.fileno()

    @property
    def clients(self) -> set[Any]:
        """The open connections."""
        authenticated = self._gate.connections if self._gate is not None else ()
        return {*self._factory.connections, *authenticated}

    @property
    def listener(self) -> socket.socket:
        """The listening socket, as RPyC's programs look at it for its port."""
        return self._socket


class OneShotServer(ThreadedServer):
    """Serves one client, and ends when that has gone (``rpyc.OneShotServer``)."""

    def _first(self) -> None:
        self._listening.stopListening()
        self._stop_accepting()  # else others could connect, and would wait

    def _last(self) -> None:
        self.close()


class ThreadPoolServer(ThreadedServer):
    """
    A `ThreadedServer` with so many threads at work at once (``rpyc.ThreadPoolServer``).

    Args:
        *args: As of `ThreadedServer`.
        nbThreads: How many requests run at the same time. A thread that waits for an
            answer of its own does not count, so requests within requests find one.
        requestBatchSize: RPyC's; has no effect.
        **kwargs: As of `ThreadedServer`.
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
    """Tells a server of the clients that come and go."""

    def __init__(
        self,
        reactor: Any,
        service: Any,
        config: ConnectionConfig,
        *,
        slots: int | None,
        first: Callable[[], None],
        last: Callable[[], None],
    ) -> None:
        super().__init__(reactor, service, config, True, slots)
        self._first = first
        self._last = last

    def buildProtocol(self, addr: Any) -> Connection | None:
        connection = super().buildProtocol(addr)
        if connection in self.connections:
            self._first()
        return connection

    def _gone(self, connection: Connection) -> None:
        super()._gone(connection)
        self._last()


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


def _asks_for_certificates(authenticator: Any) -> bool:
    return (
        isinstance(authenticator, SSLAuthenticator) and authenticator.cert_reqs == ssl.CERT_REQUIRED
    )


def _address(sock: socket.socket) -> Any:
    kind = IPv6Address if sock.family == socket.AF_INET6 else IPv4Address
    return kind("TCP", *sock.getsockname()[:2])
