"""
Client endpoints that need nothing but the loop.

Twisted's `HostnameEndpoint` makes a `LoopingCall`, which installs a reactor. `HostEndpoint` is
in its place, and does the same: it tries a host's addresses one after the other, beginning with
the next when one has not answered for a moment, and keeps the first that does.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from errno import ENOENT
from inspect import getclosurevars
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, UNIXClientEndpoint
from twisted.internet.error import ConnectError, DNSLookupError, NoProtocol
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.python.lockfile import isLocked
from zope.interface import implementer

from txremote.aio.sockets import (
    Secure,
    Target,
    connected_socket,
    in_twisteds_words,
    protocol_on,
)
from txremote.aio.transport import ConnectionTransport, LoopPort
from txremote.net.tls import TLSClientEndpoint

#: Seconds that an address has to answer before the next is tried as well.
PATIENCE = 0.3


@implementer(IStreamClientEndpoint)
class _Endpoint:
    """
    Makes a connected socket, and a connection on it.

    Args:
        secure: How TLS is put around it; None for none.
    """

    def __init__(self, reactor: LoopPort, secure: Secure | None = None) -> None:
        self._reactor = reactor
        self._secure = secure

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect a factory; cancelling the Deferred ends that."""
        return self._reactor.deferred_of(self._connect(protocolFactory))

    async def _connect(self, factory: IProtocolFactory) -> Any:
        try:
            made = await self._socket()
        except OSError as error:  # TimeoutError is one
            raise in_twisteds_words(error) from None
        return await protocol_on(self._reactor, factory, made, self._secure)

    async def _socket(self) -> socket.socket:
        raise NotImplementedError


class HostEndpoint(_Endpoint):
    """A TCP port of a host."""

    def __init__(
        self,
        reactor: LoopPort,
        host: str,
        port: int,
        timeout: float | None = 30,
        bind: tuple[str, int] | None = None,
        secure: Secure | None = None,
    ) -> None:
        super().__init__(reactor, secure)
        self.host = host
        self._port = port
        self._timeout = timeout
        self._bind = bind

    def __repr__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self._port}"

    def secured(self, secure: Secure) -> HostEndpoint:
        """Return the same with TLS."""
        return HostEndpoint(self._reactor, self.host, self._port, self._timeout, self._bind, secure)

    async def _socket(self) -> socket.socket:
        async with asyncio.timeout(self._timeout):
            return await first_connected(self._reactor.loop, await self._targets(), self._bind)

    async def _targets(self) -> list[Target]:
        try:
            found = await self._reactor.loop.getaddrinfo(
                self.host, self._port, type=socket.SOCK_STREAM
            )
        except (socket.gaierror, UnicodeError):
            found = []
        if not found:
            raise DNSLookupError(f"no results for hostname lookup: {self.host}")
        return [Target(family, name) for family, _type, _number, _canonical, name in found]


class UNIXEndpoint(_Endpoint):
    """A UNIX socket."""

    def __init__(
        self,
        reactor: LoopPort,
        path: str,
        secure: Secure | None = None,
        locked: bool = False,
    ) -> None:
        super().__init__(reactor, secure)
        self._path = path
        self._locked = locked  # whether its server has to hold a lock

    def __repr__(self) -> str:
        return f"unix:{self._path}"

    def secured(self, secure: Secure) -> UNIXEndpoint:
        """Return the same with TLS."""
        return UNIXEndpoint(self._reactor, self._path, secure, self._locked)

    async def _socket(self) -> socket.socket:
        if self._locked and not isLocked(f"{self._path}.lock"):
            raise FileNotFoundError(ENOENT, f"no server has locked {self._path}")
        return await connected_socket(self._reactor.loop, Target(socket.AF_UNIX, self._path))


class SocketEndpoint(_Endpoint):
    """A socket that is connected already. It can be used once."""

    def __init__(
        self, reactor: LoopPort, made: socket.socket, secure: Secure | None = None
    ) -> None:
        super().__init__(reactor, secure)
        if isinstance(made, ssl.SSLSocket):
            raise TypeError("sock= takes a plain socket; with TLS around it, say ssl=, too")
        self._made: socket.socket | None = made

    def __repr__(self) -> str:
        return "the socket that was given"

    async def _socket(self) -> socket.socket:
        made, self._made = self._made, None
        if made is None:
            raise _used(self)
        made.setblocking(False)
        return made


class StreamEndpoint(_Endpoint):
    """A pair of asyncio's streams, which is a connection already. It can be used once."""

    def __init__(
        self, reactor: LoopPort, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        super().__init__(reactor)
        self._reader = reader
        self._writer: asyncio.StreamWriter | None = writer

    def __repr__(self) -> str:
        return "the streams that were given"

    async def _connect(self, factory: IProtocolFactory) -> Any:
        writer, self._writer = self._writer, None
        if writer is None:
            raise _used(self)
        stream: Any = writer.transport
        if stream.is_closing() or self._reader.at_eof():
            raise ConnectError(string="the streams that were given are closed")
        stream.pause_reading()
        self._reader.feed_eof()  # so that what has come already is given at once
        came = await self._reader.read()
        transport = ConnectionTransport(self._reactor, factory.buildProtocol)
        transport.keep = writer  # which closes the stream when it is no more
        stream.set_protocol(transport)
        transport.connection_made(stream)
        if transport.made is None:
            raise NoProtocol
        protocol = transport.made
        if came:
            transport.data_received(came)
        if transport.connected:
            stream.resume_reading()
        return protocol


def _used(endpoint: object) -> ConnectError:
    return ConnectError(
        string=f"{endpoint} cannot be connected anew, to find the server's dialect: say dialect='5'"
    )


async def first_connected(
    loop: asyncio.AbstractEventLoop, targets: Sequence[Target], bind: tuple[str, int] | None
) -> socket.socket:
    """Return a socket that is connected to the first of some targets that answers."""
    waiting = list(reversed(targets))
    tries: set[asyncio.Task[socket.socket]] = set()
    error: BaseException = OSError("there is no address")
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
                error = ended.exception() or error
        raise error
    finally:
        for late in tries:
            late.cancel()
            late.add_done_callback(_close_late)


def _close_late(ended: asyncio.Task[socket.socket]) -> None:
    if not ended.cancelled() and ended.exception() is None:
        ended.result().close()


def without_reactor(reactor: LoopPort, endpoint: Any) -> Any:
    """Return a client endpoint, with those of this file for Twisted's."""
    if isinstance(endpoint, (HostnameEndpoint, TCP4ClientEndpoint)):
        named: Any = endpoint
        host = named._host if isinstance(endpoint, TCP4ClientEndpoint) else named._hostText
        bind = named._bindAddress
        if bind is not None and not isinstance(bind, tuple):
            bind = (bind._address or "", bind._port or 0)
        return HostEndpoint(reactor, host, named._port, named._timeout, bind)
    if isinstance(endpoint, UNIXClientEndpoint):
        return UNIXEndpoint(reactor, endpoint._path, locked=endpoint._checkPID)
    make = getattr(endpoint, "_wrapperFactory", None)
    if make is not None:  # by wrapClientTLS
        options = getclosurevars(make).nonlocals["connectionCreator"]
        inner = without_reactor(reactor, endpoint._wrappedEndpoint)
        return TLSClientEndpoint(inner, options, f"TLS over {inner}", reactor)
    return endpoint
