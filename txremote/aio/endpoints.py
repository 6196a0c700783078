"""
Client endpoints that need nothing but the loop.

Each connects a socket in its own way, and has a protocol of Twisted's on it. Those of Twisted's
ask a reactor to connect, and some install one: `without_reactor` gives ours in their place.
`HostEndpoint` does what `HostnameEndpoint` does: it tries a host's addresses one after the other,
beginning with the next when one has not answered for a moment, and keeps the first that does.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from errno import ENOENT
from inspect import getclosurevars
from typing import Any, Protocol, TypeAlias, TypeVar

from twisted.internet import endpoints, error
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.python.lockfile import isLocked
from zope.interface import implementer

from txremote.aio.transport import ConnectionTransport, TransportOwner
from txremote.net.tls import TLSClientEndpoint
from txremote.refs.clock import EventLoop
from txremote.servername import check_port

#: Seconds that an address has to answer before the next is tried as well.
PATIENCE = 0.3

# Where to connect to: a family of sockets, and a name in it.
_Target: TypeAlias = tuple[int, Any]

T = TypeVar("T")


class Dials(TransportOwner, EventLoop, Protocol):
    """The loop (`txremote.aio.loop.AsyncioLoop`), as much of it as endpoints need."""

    def deferred_of(self, coroutine: Coroutine[Any, Any, T]) -> Deferred[T]:
        """Run a coroutine as a task; cancelling the Deferred cancels it."""


@implementer(IStreamClientEndpoint)
@dataclass(repr=False)
class _Endpoint:
    """
    Makes a connected socket, and a connection on it.

    Attributes:
        context: How TLS is put around it; None for none.
        hostname: The name that is checked then.
    """

    context: ssl.SSLContext | None = field(default=None, init=False)
    hostname: str | None = field(default=None, init=False)

    reactor: Dials

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect a factory; cancelling the Deferred ends that."""
        return self.reactor.deferred_of(self._connect(protocolFactory))

    async def _connect(self, factory: IProtocolFactory) -> Any:
        try:
            made = await self._socket()
        except error.DNSLookupError:
            raise
        except OSError as problem:
            raise error.getConnectError(problem) from None  # Twisted's
        transport = ConnectionTransport(self.reactor, factory.buildProtocol)
        await self.reactor.loop.create_connection(
            lambda: transport, sock=made, ssl=self.context, server_hostname=self.hostname
        )
        return _protocol_of(transport)

    async def _socket(self) -> socket.socket:
        raise NotImplementedError


def _protocol_of(transport: ConnectionTransport) -> Any:
    if transport.made is None:
        raise error.NoProtocol
    return transport.made


@dataclass(repr=False)
class HostEndpoint(_Endpoint):
    """
    A TCP port of a host.

    Args:
        bind: The address and port of this side.
        family: The family of the addresses that are tried.
    """

    host: str
    port: int
    timeout: float | None = 30
    bind: tuple[str, int] | None = None
    family: int = socket.AF_UNSPEC

    def __repr__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    async def _socket(self) -> socket.socket:
        try:
            async with asyncio.timeout(self.timeout):
                return await first_connected(self.reactor.loop, await self._targets(), self.bind)
        except TimeoutError as problem:
            if problem.errno is None:  # else it is the system's
                raise error.TimeoutError from None
            raise

    async def _targets(self) -> list[_Target]:
        try:
            check_port(self.port)
            found = await self.reactor.loop.getaddrinfo(
                self.host, self.port, family=self.family, type=socket.SOCK_STREAM
            )
        except (socket.gaierror, UnicodeError):
            found = []
        if not found:
            raise error.DNSLookupError(f"no results for hostname lookup: {self.host}")
        return [(family, name) for family, _type, _number, _canonical, name in found]


@dataclass(repr=False)
class UNIXEndpoint(_Endpoint):
    """A UNIX socket. ``locked``: its server has to hold a lock."""

    path: str
    locked: bool = False

    def __repr__(self) -> str:
        return f"unix:{self.path}"

    async def _socket(self) -> socket.socket:
        if self.locked and not isLocked(f"{self.path}.lock"):
            raise FileNotFoundError(ENOENT, f"no server has locked {self.path}")
        return await connected_socket(self.reactor.loop, (socket.AF_UNIX, self.path))


@dataclass(repr=False)
class SocketEndpoint(_Endpoint):
    """A socket that is connected already. It can be used once."""

    made: socket.socket | None

    def __repr__(self) -> str:
        return "the socket that was given"

    async def _socket(self) -> socket.socket:
        made, self.made = self.made, None
        if made is None:
            raise _used(self)
        made.setblocking(False)
        return made


@dataclass(repr=False)
class StreamEndpoint(_Endpoint):
    """A pair of asyncio's streams, which is a connection already. It can be used once."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter | None

    def __repr__(self) -> str:
        return "the streams that were given"

    async def _connect(self, factory: IProtocolFactory) -> Any:
        writer, self.writer = self.writer, None
        if writer is None:
            raise _used(self)
        stream: Any = writer.transport
        if stream.is_closing() or self.reader.at_eof():
            raise error.ConnectError(string="the streams that were given are closed")
        stream.pause_reading()
        self.reader.feed_eof()  # so that what has come already is given at once
        came = await self.reader.read()
        transport = ConnectionTransport(self.reactor, factory.buildProtocol)
        transport.keep = writer  # which closes the stream when it is no more
        stream.set_protocol(transport)
        transport.connection_made(stream)
        protocol = _protocol_of(transport)
        if came:
            transport.data_received(came)
        if transport.connected:
            stream.resume_reading()
        return protocol


def _used(endpoint: object) -> error.ConnectError:
    return error.ConnectError(
        string=f"{endpoint} cannot be connected anew, to find the server's dialect: say dialect='5'"
    )


# Twisted's endpoints of a host and a port.
_OF_HOSTS = (
    *(endpoints.HostnameEndpoint, endpoints.TCP4ClientEndpoint, endpoints.TCP6ClientEndpoint),
    endpoints.SSL4ClientEndpoint,
)


async def connected_socket(
    loop: asyncio.AbstractEventLoop, target: _Target, bind: tuple[str, int] | None = None
) -> socket.socket:
    """Return a socket that is connected. Raises OSError."""
    family, name = target
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        if bind is not None:
            made.bind(bind)
        await loop.sock_connect(made, name)
        made.getpeername()  # a UNIX socket whose server has no room is not connected even so
    except BaseException:
        made.close()
        raise
    return made


async def first_connected(
    loop: asyncio.AbstractEventLoop, targets: Sequence[_Target], bind: tuple[str, int] | None
) -> socket.socket:
    """Return a socket that is connected to the first of some targets that answers."""
    waiting = list(reversed(targets))
    tries: set[asyncio.Task[socket.socket]] = set()
    problem: BaseException = OSError("there is no address")
    try:
        while waiting or tries:
            if waiting:
                tries.add(loop.create_task(connected_socket(loop, waiting.pop(), bind)))
            done, tries = await asyncio.wait(
                tries, timeout=PATIENCE if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            for ended in done:
                if ended.exception() is None:
                    tries |= done - {ended}
                    return ended.result()
                problem = ended.exception() or problem
        raise problem
    finally:
        for late in tries:
            late.cancel()
            late.add_done_callback(_close_late)


def _close_late(ended: asyncio.Task[socket.socket]) -> None:
    if not ended.cancelled() and ended.exception() is None:
        ended.result().close()


def without_reactor(reactor: Dials, endpoint: Any) -> Any:
    """Return a client endpoint, with those of this file for Twisted's."""
    if isinstance(endpoint, endpoints.UNIXClientEndpoint):
        return UNIXEndpoint(reactor, endpoint._path, endpoint._checkPID)
    make = getattr(endpoint, "_wrapperFactory", None)
    if make is not None:  # by wrapClientTLS
        options = getclosurevars(make).nonlocals["connectionCreator"]
        return _with_tls(reactor, without_reactor(reactor, endpoint._wrappedEndpoint), options)
    if not isinstance(endpoint, _OF_HOSTS):
        return endpoint
    named: Any = endpoint
    host = getattr(named, "_hostText", None) or named._host
    bind = named._bindAddress
    if bind is not None and not isinstance(bind, tuple):
        bind = (bind._address or "", bind._port or 0)
    only_6 = isinstance(endpoint, endpoints.TCP6ClientEndpoint)
    family = socket.AF_INET6 if only_6 else socket.AF_UNSPEC
    ours = HostEndpoint(reactor, host, named._port, named._timeout, bind, family)
    if isinstance(endpoint, endpoints.SSL4ClientEndpoint):
        return _with_tls(reactor, ours, endpoint._sslContextFactory)
    return ours


def _with_tls(reactor: Dials, inner: Any, options: object) -> TLSClientEndpoint:
    return TLSClientEndpoint(inner, options, f"TLS over {inner}", reactor)
