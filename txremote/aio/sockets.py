"""Connected sockets, and the protocols of Twisted's on them."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any, NamedTuple

from twisted.internet.error import (
    DNSLookupError,
    NoProtocol,
    NotConnectingError,
    TimeoutError as ConnectTimeout,
    getConnectError,
)
from twisted.internet.interfaces import IAddress, IConnector, IStreamClientEndpoint
from zope.interface import implementer

from txremote.aio.transport import ConnectionTransport, LoopPort


class Target(NamedTuple):
    """Where to connect to: a family of sockets, and a name in it."""

    family: int
    name: Any


async def connected_socket(
    loop: asyncio.AbstractEventLoop, target: Target, bind: tuple[str, int] | None = None
) -> socket.socket:
    """Return a socket that is connected. Raises OSError."""
    made = socket.socket(target.family, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        if bind is not None:
            made.bind(bind)
        await loop.sock_connect(made, target.name)
        made.getpeername()  # a UNIX socket whose server has no room is not connected even so
    except BaseException:
        made.close()
        raise
    return made


def in_twisteds_words(error: OSError) -> Exception:
    """Return the error of Twisted's for one that connecting a socket has raised."""
    if isinstance(error, DNSLookupError):
        return error
    if isinstance(error, socket.gaierror):
        return DNSLookupError(str(error))
    if type(error) is TimeoutError:
        return ConnectTimeout()
    found: Exception = getConnectError(error)
    return found


class Secure(NamedTuple):
    """How a client's end of a connection is secured: a context, and the name to check."""

    context: ssl.SSLContext
    hostname: str


async def protocol_on(
    reactor: LoopPort, factory: Any, made: socket.socket, secure: Secure | None = None
) -> Any:
    """Return a protocol of a factory's, on a connected socket. Raises NoProtocol, SSLError."""
    transport = ConnectionTransport(reactor, factory.buildProtocol)
    context, hostname = (None, None) if secure is None else secure
    await reactor.loop.create_connection(
        lambda: transport, sock=made, ssl=context, server_hostname=hostname
    )
    if transport.made is None:
        raise NoProtocol
    return transport.made


@implementer(IConnector)
class Connector:
    """One try to connect a factory, by an endpoint of ours, as Twisted's own endpoints make it."""

    def __init__(self, factory: Any, endpoint: IStreamClientEndpoint, where: IAddress) -> None:
        self._where = where
        factory.startedConnecting(self)
        self._connecting = endpoint.connect(factory)
        self._connecting.addErrback(lambda reason: factory.clientConnectionFailed(self, reason))

    def getDestination(self) -> IAddress:
        """Return where it connects to."""
        return self._where

    def connect(self) -> None:
        """Do nothing: it connects but once."""

    def stopConnecting(self) -> None:
        """Give up. Raises NotConnectingError."""
        if self._connecting.called:
            raise NotConnectingError("we're not trying to connect")
        self._connecting.cancel()

    def disconnect(self) -> None:
        """Give up, if it is not connected yet."""
        self._connecting.cancel()
