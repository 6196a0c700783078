"""
`ConnectionTransport`: an asyncio transport in the shape of Twisted's.

asyncio has a protocol, which it tells of what comes, and a transport, which it is written to.
This is the one for asyncio, and the other for a protocol of Twisted's, such as a `Connection`.
On the way of each message stands no code of this file's: asyncio calls ``dataReceived`` of the
protocol itself, and the protocol ``write`` of asyncio's transport.

As Twisted's TCP transports do it, the end of what the peer sends ends all: nothing that is still
unsent is waited for. An aborted connection is reset.

TLS by an `ssl.SSLContext` is asyncio's. A server's protocol is there before its client's
handshake, so that one that does not end it counts as a connection, and has not for ever.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from array import array
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Protocol

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IAddress, IConsumer, IHandshakeListener, ITransport
from twisted.python.failure import Failure
from zope.interface import implementer

from txremote.peer.outbox import Writing
from txremote.wire.framing import Chunk

#: Bytes that wait to be sent when a producer is told to pause; it is told to go on when none do.
FULL = 65536

# Seconds for a client's handshake: its connection has a time-out of its own (``frame_timeout``).
_FOR_EVER = 1e6

# "struct linger": on, and 0 seconds.
_RESET = array("i", (1, 0)).tobytes()


def address_of(family: int, name: Any) -> IAddress:
    """Return a socket's name as Twisted has it."""
    if family == socket.AF_INET:
        return IPv4Address("TCP", *name)
    if family == socket.AF_INET6:
        return IPv6Address("TCP", *name)
    return UNIXAddress(name or None)


class _Consumer(asyncio.Protocol):
    """The writing side: tells a producer when to pause, and knows the socket."""

    def __init__(self) -> None:
        self._socket: Any = None
        self._peer: IAddress | None = None
        self._full = False  # whether the producer has been told to pause
        self._producer: Any = None
        self.stream: Any = None
        self.connected = False
        self.disconnecting = False

    def getPeer(self) -> Any:
        """Return the peer's address."""
        return self._peer

    def getHost(self) -> Any:
        """Return this side's address."""
        return address_of(self._socket.family, self._socket.getsockname())

    def getHandle(self) -> Any:
        """Return the socket, to set options of."""
        return self._socket

    def getPeerCertificate(self) -> Any:
        """Return the peer's certificate, as `ssl.SSLSocket.getpeercert` has it; None if none."""
        secured = self.stream and self.stream.get_extra_info("ssl_object")
        return secured and (secured.getpeercert() or None)

    def peer_certificate_bytes(self) -> bytes | None:
        """Return the peer's certificate in DER, None if there is none."""
        secured = self.stream and self.stream.get_extra_info("ssl_object")
        found: bytes | None = secured.getpeercert(binary_form=True) if secured else None
        return found

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Have small packets sent at once. Raises OSError where it is not TCP."""
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, bool(enabled))

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Have TCP ask a silent peer."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, bool(enabled))

    def write(self, data: Chunk) -> None:
        """
        Write bytes, or a memoryview of bytes that nobody changes: while it is connected asyncio's
        ``write`` stands here. This one drops them.
        """

    def _write_no_more(self) -> None:
        self.__dict__.pop("write", None)

    def _close(self) -> None:
        raise NotImplementedError

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Write all of it."""
        self.write(b"".join(data))

    def pause_writing(self) -> None:
        """Called by asyncio: much waits to be sent."""
        self._full = True
        if self._producer is not None:
            self._producer.pauseProducing()

    def resume_writing(self) -> None:
        """Called by asyncio: nothing waits to be sent."""
        self._full = False
        if self._producer is not None:
            self._producer.resumeProducing()
        self._close_when_sent()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Have a producer told when to pause (`IConsumer`). It is one that goes by itself."""
        if not streaming:
            raise ValueError(f"{producer!r} has to be pulled: register it as streaming")
        if self._producer is not None:
            raise RuntimeError(f"there is a producer already: {self._producer!r}")
        if self.connected:
            self._producer = producer
        else:
            producer.stopProducing()

    def unregisterProducer(self) -> None:
        """Forget the producer."""
        self._producer = None
        self._close_when_sent()

    def _close_when_sent(self) -> None:
        heard = self._producer is None or not self._full
        if self.disconnecting and self.connected and heard:
            self._close()


class TransportOwner(Protocol):
    """The loop, as much of it as its transports need."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """Return the asyncio loop."""

    @property
    def transports(self) -> set[ConnectionTransport]:
        """Return those that are open."""


@implementer(ITransport, IConsumer)
class ConnectionTransport(_Consumer):
    """
    The transport of a protocol of Twisted's.

    Args:
        reactor: The `txremote.aio.loop.AsyncioLoop`.
        build: Called with the peer's address once it is connected; returns the protocol, or
            None to close it.

    Attributes:
        made: The protocol, once it is there and as long as it is connected.
        stream: asyncio's transport, or None before it is there.
        tls: Whether it is TLS.
        keep: An object that has to live as long as it does.
    """

    def __init__(self, reactor: TransportOwner, build: Callable[[IAddress], Any]) -> None:
        super().__init__()
        self._reactor = reactor
        self._build = build
        self._handshake: asyncio.Task[Any] | None = None  # of a server's
        self.made: Any = None
        self.keep: object = None
        self.tls = False

    # -- asyncio's side

    def data_received(self, data: bytes) -> None:
        """Drop what comes: while it is connected ``dataReceived`` of the protocol stands here."""

    def connection_made(self, transport: Any) -> None:
        """Called by asyncio: begin."""
        self.stream = transport
        transport.set_write_buffer_limits(FULL, 0)
        self.write = transport.write  # type: ignore[method-assign]
        self.tls = transport.get_extra_info("sslcontext") is not None
        if not self.connected:  # else it is since before its handshake
            self._begin(transport.get_extra_info("socket"), transport.get_extra_info("peername"))
        if self.connected:
            transport.set_protocol(self)  # uvloop keeps the method that was there
            if self.tls and IHandshakeListener.providedBy(self.made):
                self.made.handshakeCompleted()

    async def accept(self, accepted: socket.socket, context: ssl.SSLContext) -> None:
        """Begin with a client that has been accepted, and shake hands with it."""
        self.tls = True
        self._handshake = asyncio.current_task()
        self._begin(accepted, accepted.getpeername())
        error = None
        try:
            if self.connected:
                await self._reactor.loop.connect_accepted_socket(
                    lambda: self, accepted, ssl=context, ssl_handshake_timeout=_FOR_EVER
                )
        except asyncio.CancelledError:  # by `abortConnection`
            pass
        except OSError as problem:
            error = problem
        self._handshake = None
        if self.stream is None:
            accepted.close()
            self.connection_lost(error)

    def _begin(self, connected: Any, name: Any) -> None:
        """Make the protocol, and connect it."""
        self._socket = connected
        try:
            # without a name a TCP peer has reset it before it was accepted
            if name is not None or connected.family == socket.AF_UNIX:
                self._peer = address_of(connected.family, name)
                self.made = self._build(self._peer)
        finally:
            if self.made is None and self.stream is not None:
                self._write_no_more()
                self.stream.abort()
        if self.made is not None:
            self.connected = True
            self._reactor.transports.add(self)
            self.made.makeConnection(self)
            # an endpoint stands between for the sake of this one call
            inner = getattr(self.made, "_wrappedProtocol", self.made)
            self.data_received = inner.dataReceived  # type: ignore[method-assign]

    def eof_received(self) -> None:
        """Called by asyncio: the peer sends no more."""
        self.stream.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio: it has ended."""
        self.connected = False
        self._write_no_more()
        self.__dict__.pop("data_received", None)
        self._reactor.transports.discard(self)
        protocol, self.made, self.keep = self.made, None, None
        if protocol is not None:
            protocol.connectionLost(Failure(_why_lost(exc)))

    # -- the protocol's side

    def writing(self, acknowledge: Callable[[Any], None] | None) -> Writing:
        """Return how it is written to, and how what came is acknowledged."""
        separate = self._write_record if self.tls else None
        soon = self._reactor.loop.call_soon
        return Writing(separate, _write_now, acknowledge, soon, gather=soon)

    def _write_record(self, data: bytes) -> None:
        self.write(data)  # of asyncio's TLS each is a record of its own

    def loseConnection(self) -> None:
        """Close it when all is sent. A producer that has been told to pause is heard first."""
        if self.connected and not self.disconnecting:
            self.disconnecting = True
            self._close_when_sent()

    def abortConnection(self) -> None:
        """Close it now; what is unsent is lost."""
        if self.connected:
            self.disconnecting = True
            with suppress(OSError):  # it is closed already
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._write_no_more()
            if self._handshake is not None:
                self._handshake.cancel()
            else:
                self.stream.abort()

    def _close(self) -> None:
        self._write_no_more()
        if self._handshake is not None:
            self._handshake.cancel()
        elif self.tls:
            # not amid what it reads: asyncio would fail where the peer's good-bye is in there
            self._reactor.loop.call_soon(self.stream.close)
        else:
            self.stream.close()

    def pauseProducing(self) -> None:
        """Read no more."""
        if self.connected and self.stream is not None:
            self.stream.pause_reading()

    def resumeProducing(self) -> None:
        """Read again."""
        if self.connected and not self.disconnecting and self.stream is not None:
            self.stream.resume_reading()


def _write_now(transport: ConnectionTransport, data: Chunk) -> None:
    # of items longer than a byte asyncio would lose some
    transport.write(data.cast("B") if type(data) is memoryview else data)


def _why_lost(error: Exception | None) -> Exception:
    if error is None:
        return ConnectionDone()
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError):
        return ConnectionLost()
    return error
