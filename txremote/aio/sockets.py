"""Connecting a socket, and a factory of Twisted's by it: `Connector`."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import TYPE_CHECKING, Any, NamedTuple

from twisted.internet.error import (
    ConnectError,
    DNSLookupError,
    NoProtocol,
    NotConnectingError,
    TimeoutError as ConnectTimeout,
    UserError,
    getConnectError,
)
from twisted.internet.interfaces import IAddress, IConnector
from twisted.python.failure import Failure
from zope.interface import implementer

from txremote.aio.transport import ConnectionTransport, address_of
from txremote.refs.clock import steady

if TYPE_CHECKING:
    from txremote.aio.loop import AsyncioLoop


class Target(NamedTuple):
    """Where to connect to: a family of sockets, and a name in it."""

    family: int
    name: Any


def tcp_target(host: str, port: int) -> Target:
    """Return a TCP port of a host as a target."""
    return Target(socket.AF_INET6 if ":" in host else socket.AF_INET, (host, port))


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
    reactor: AsyncioLoop, factory: Any, made: socket.socket, secure: Secure | None = None
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
    """One try to connect a factory, as Twisted's endpoints make it. In the loop's thread."""

    def __init__(
        self,
        reactor: AsyncioLoop,
        factory: Any,
        target: Target,
        timeout: float | None,
        bind: tuple[str, int] | None = None,
    ) -> None:
        self._reactor = reactor
        self._factory = factory
        self._target = target
        self._connecting = True
        factory.startedConnecting(self)
        self._timer = None
        if timeout is not None:
            self._timer = steady(reactor).callLater(timeout, self._give_up, ConnectTimeout())
        self._task = reactor.spawn(self._connect(bind))

    def getDestination(self) -> IAddress:
        """Return where it connects to."""
        return address_of(*self._target)

    def stopConnecting(self) -> None:
        """Give up. Raises NotConnectingError."""
        if not self._connecting:
            raise NotConnectingError("we're not trying to connect")
        self._give_up(UserError())

    def connect(self) -> None:
        """Do nothing: each is for one try."""

    def disconnect(self) -> None:
        """Give up, if it is not connected yet."""
        if self._connecting:
            self.stopConnecting()

    def _give_up(self, error: Exception) -> None:
        self._task.cancel()
        self._failed(error)

    def _failed(self, error: Exception) -> None:
        if self._ended_connecting():
            self._factory.clientConnectionFailed(self, Failure(error))

    def _ended_connecting(self) -> bool:
        was, self._connecting = self._connecting, False
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        return was

    async def _connect(self, bind: tuple[str, int] | None) -> None:
        loop = self._reactor.loop
        try:
            made = await connected_socket(loop, self._target, bind)
        except OSError as error:
            self._failed(in_twisteds_words(error))
            return
        except BaseException:  # the loop ends
            self._failed(ConnectError(string="the event loop has ended"))
            raise
        self._ended_connecting()
        await protocol_on(self._reactor, self._factory, made)
