"""
Authenticators: they decide which clients a `ThreadedServer` serves
(``rpyc.utils.authenticators``).

An authenticator is a callable. It gets a blocking socket that was just accepted, and returns
a socket, the same or one around it, and the client's credentials; or it raises
`AuthenticationError`. It may block, so each client has a thread of its own, which serves its
requests as well, as with RPyC. ``twistd txremote`` has ``--tls-ca`` and ``--auth`` instead,
without a thread for each client.
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.posixbase import PosixReactorBase
from twisted.python.failure import Failure
from zope.interface import implementer

from txremote.blocking.connection import BlockingConnection
from txremote.blocking.factory import accept
from txremote.blocking.sockets import load_certificates
from txremote.blocking.streams import SocketStream, byte_channel_of
from txremote.config import ConnectionConfig
from txremote.service import Service

#: Seconds that a client's authentication may take.
AUTHENTICATION_TIMEOUT = 30.0
#: Clients that are authenticated at the same time. Further sockets are closed.
MOST_AT_ONCE = 100
_SOCKETS_A_TURN = 10

Authenticator = Callable[[socket.socket], tuple[socket.socket, object]]


class AuthenticationError(Exception):
    """Raised by an authenticator: the client is refused."""


class SSLAuthenticator:
    """
    Puts TLS around the socket; the credentials are the client's certificate, as
    `ssl.SSLSocket.getpeercert` gives it (``rpyc.utils.authenticators.SSLAuthenticator``).

    Args:
        ca_certs: The certificate of the authority that signs clients' certificates, a path.
        cert_reqs: Whether clients need a certificate; if None, `ssl.CERT_REQUIRED` with
            ``ca_certs`` and `ssl.CERT_NONE` without.
        ssl_version: A protocol of `ssl`; the best that both ends know if None.
    """

    def __init__(
        self,
        keyfile: str | Path,
        certfile: str | Path,
        ca_certs: str | Path | None = None,
        cert_reqs: ssl.VerifyMode | None = None,
        ssl_version: int | None = None,
        ciphers: str | None = None,
    ) -> None:
        self.keyfile = str(keyfile)
        self.certfile = str(certfile)
        self.ca_certs = str(ca_certs) if ca_certs else None
        self.ciphers = ciphers
        self.ssl_version = ssl_version
        by_default = ssl.CERT_REQUIRED if ca_certs else ssl.CERT_NONE
        self.cert_reqs = by_default if cert_reqs is None else cert_reqs

    def __call__(self, sock: socket.socket) -> tuple[socket.socket, object]:
        """Do the handshake, or raise AuthenticationError: it fails, or a certificate is invalid."""
        try:
            if self.ssl_version is None:
                context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            else:
                context = ssl.SSLContext(self.ssl_version)
            load_certificates(context, self.certfile, self.keyfile, self.ca_certs, self.ciphers)
            context.verify_mode = self.cert_reqs
            secure = context.wrap_socket(sock, server_side=True)
        except (ssl.SSLError, TimeoutError) as error:
            raise AuthenticationError(str(error)) from error
        return secure, secure.getpeercert()


@implementer(IReadDescriptor)
class AuthenticatingPort:
    """
    Accepts clients in a reactor, and serves each in a thread once it is authenticated.

    The socket listens, and does not block. ``accepted`` and ``gone`` are called in the
    reactor: when a client was accepted, and when it has gone, served or not.
    """

    def __init__(
        self,
        reactor: PosixReactorBase,
        listener: socket.socket,
        authenticator: Authenticator,
        make_service: Callable[[], Service],
        config: ConnectionConfig,
        logger: logging.Logger,
        *,
        accepted: Callable[[], object],
        gone: Callable[[], object],
    ) -> None:
        self.connections: set[BlockingConnection] = set()
        self._reactor = reactor
        self._listener = listener
        self._authenticator = authenticator
        self._make_service = make_service
        self._config = config
        self._logger = logger
        self._accepted = accepted
        self._gone = gone
        self._waiting: set[socket.socket] = set()  # to be authenticated
        self._closing = False
        self._lock = threading.Lock()
        reactor.addReader(self)

    # -- as a reader of the reactor's

    def fileno(self) -> int:
        """Return the listening socket's descriptor."""
        return self._listener.fileno()

    def logPrefix(self) -> str:
        """Return the prefix of the reactor's own log messages."""
        return "txremote authenticating port"

    def connectionLost(self, reason: Failure) -> None:
        """Called by the reactor when it stops."""

    def doRead(self) -> None:
        """Accept waiting clients, a few at a time."""
        for _ in range(_SOCKETS_A_TURN):
            try:
                sock, address = self._listener.accept()
            except OSError:  # no more clients, or the client has gone meanwhile
                return
            waiting = len(self._waiting)
            clients = waiting + len(self.connections)
            if waiting >= MOST_AT_ONCE or clients >= self._config.max_connections:
                self._logger.warning("refused %s: too many clients", address)
                sock.close()
                continue
            self._waiting.add(sock)
            self._accepted()
            threading.Thread(
                target=self._serve, args=(sock, address), name="txremote client", daemon=True
            ).start()

    # -- in a client's thread

    def _serve(self, sock: socket.socket, address: object) -> None:
        conn = None
        try:
            conn = self._authenticate(sock, address)
            if conn is not None:
                conn.serve_all()
        finally:
            with self._lock:
                self._waiting.discard(sock)
                if conn is not None:
                    self.connections.discard(conn)
            sock.close()
            self._reactor.callFromThread(self._gone)

    def _authenticate(self, sock: socket.socket, address: object) -> BlockingConnection | None:
        sock.settimeout(AUTHENTICATION_TIMEOUT)
        try:
            secure, credentials = self._authenticator(sock)
            secure.settimeout(None)
            channel = byte_channel_of(SocketStream(secure))
        except AuthenticationError as error:
            self._logger.info("%s was not let in: %s", address, error)
            return None
        except Exception:  # the authenticator's own; no client may end the server
            self._logger.exception("%s was not let in", address)
            return None
        with self._lock:
            self._waiting.discard(sock)
            if self._closing:
                return None
            conn = accept(channel, self._make_service(), self._config)
            conn.protocol.avatar = credentials
            self.connections.add(conn)
        self._logger.info("%s was let in", address)
        return conn

    # -- the end

    def stopListening(self) -> None:
        """Accept no more clients."""
        self._reactor.removeReader(self)

    def close_all(self) -> None:
        """Close every connection, and the sockets of clients that are being authenticated."""
        with self._lock:
            self._closing = True
            waiting, connections = list(self._waiting), list(self.connections)
        for sock in waiting:
            try:
                sock.shutdown(socket.SHUT_RDWR)  # its thread sees the end
            except OSError:
                continue
        for conn in connections:  # closing may have to wait for a peer that does not read
            threading.Thread(target=conn.close, name="txremote closing", daemon=True).start()
