"""
`ThreadedServer`: a server for a program that has no reactor of its own
(``rpyc.utils.server``).

It runs a reactor while it runs, a private one, so a program may start it in any
thread, start several, and start one again after another has ended.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Mapping
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.selectreactor import SelectReactor

from txremote.net.listen import ServingFactory
from txremote.net.unixsockets import PRIVATE, adopt, clear_stale, remove
from txremote.peer.config import ConnectionConfig
from txremote.peer.connection import is_local

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
        """
        Run until it is stopped, in this thread.
        """
        self.io_thread = threading.get_ident()
        try:
            in_main = threading.current_thread() is threading.main_thread()
            self.run(installSignalHandlers=in_main)
        finally:
            self.io_thread = None
            self.dispose()

    def wakeUp(self) -> None:
        """
        Called by Twisted from any thread; does nothing once it has ended.
        """
        with self._waking:
            if self._open:
                super().wakeUp()

    def dispose(self) -> None:
        """
        Give the descriptors back, which Twisted leaves open. It runs no more.
        """
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
        authenticator: Not supported: must be None.
        registrar: Not supported: must be None.
        auto_register: Not supported: must not be true.
        protocol_config: Switches.
        logger: A `logging.Logger` for exceptions of exposed methods.
        listener_timeout: RPyC's; has no effect.
        socket_path: The path of a UNIX socket, in place of host and port. Its rights
            are what the umask leaves, as RPyC's; 0600 for a classic service, or
            another with ``access="classic"``.

    Attributes:
        host: The address.
        port: The port, or the path.
        active: Whether it is serving.

    Raises:
        OSError: the port is taken.
        TypeError: the service is none, or something is not supported.
        ValueError: a classic service, or another with ``access="classic"``, would be
            open to the network.
    """

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
        if authenticator is not None:
            raise TypeError("authenticators are not supported: use TLS client certificates")
        if registrar is not None or auto_register:
            raise TypeError("there is no registry here: tell clients the address")
        config = protocol_config
        if logger is not None and isinstance(config, Mapping | None):
            config = {"logger": logger, **(config or {})}
        self._reactor = PrivateReactor()
        self._factory = ServingFactory(self._reactor, service, config, True)
        self._backlog = backlog
        self._listening: Any = None
        self._problem: BaseException | None = None
        self._stopped = threading.Event()
        self._lock = threading.Lock()
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
        if self._factory.refusal is not None and not is_local(_address(self._socket)):
            self._socket.close()
            raise ValueError(self._factory.refusal)

    def _bind(self, address: Any) -> None:
        try:
            self._socket.bind(address)
            if self._path is not None and self._factory.refusal is not None:
                os.chmod(self._path, PRIVATE)
            # now, for on some systems only this tells that the port is taken;
            # who connects before start() waits for it
            self._socket.listen(self._backlog)
        except OSError:
            self._give_up()
            raise

    def _give_up(self) -> None:
        """
        Close the socket, which no reactor has, and take its file away.
        """
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
        self._reactor.callWhenRunning(self._serve)
        try:
            self._reactor.run_here()
        finally:
            self.active = False
            self._socket.close()
            self._stopped.set()
        if self._problem is not None:
            raise self._problem

    def _serve(self) -> None:
        try:
            self._socket.setblocking(False)
            descriptor = self._socket.fileno()
            if self._socket.family == getattr(socket, "AF_UNIX", None):
                self._listening = adopt(self._reactor, descriptor, self._factory)
                return
            serve: Any = self._reactor.adoptStreamPort
            self._listening = serve(descriptor, self._socket.family, self._factory)
        except BaseException as problem:
            self._problem = problem
            self._reactor.stop()

    def close(self) -> None:
        """
        Stop serving and close every connection. Any thread; does not wait.
        """
        with self._lock:
            if not self.active:
                if not self._stopped.is_set():
                    self._give_up()
                self._stopped.set()
                self._reactor.dispose()
                return
        self._reactor.callFromThread(lambda: Deferred.fromCoroutine(self._shut_down()))

    async def _shut_down(self) -> None:
        if self._listening is not None:
            listening, self._listening = self._listening, None
            stopping = listening.stopListening()
            if stopping is not None:
                await stopping
            await self._factory.close_all()
            self._reactor.stop()

    def fileno(self) -> int:
        """
        Return the descriptor of the listening socket.
        """
        return self._socket.fileno()

    @property
    def clients(self) -> set[Any]:
        """
        The open connections.
        """
        return set(self._factory.connections)


def _address(sock: socket.socket) -> Any:
    kind = IPv6Address if sock.family == socket.AF_INET6 else IPv4Address
    return kind("TCP", *sock.getsockname()[:2])
