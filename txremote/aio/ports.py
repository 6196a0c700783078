"""
Listening: Twisted's own ports, whose clients have asyncio's transports.

Twisted makes, binds, and removes the socket, and accepts. What it accepts becomes a
`ConnectionTransport` in the loop's next turn.
"""

from __future__ import annotations

from socket import socket as Socket
from ssl import SSLContext
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.defer import Deferred, execute
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from zope.interface import implementer

from txremote.aio.transport import ConnectionTransport, LoopPort

# As Twisted's ports have it.
_BACKLOG = 50


class _Accepted:
    """Stands for a protocol that has still to be made, as long as a port handles it."""

    def makeConnection(self, _transport: object) -> None:
        pass


class _Accepting:
    """A factory, whose protocols are made when asyncio has a transport for them."""

    def __init__(self, factory: Any) -> None:
        self.factory = factory

    def __getattr__(self, name: str) -> Any:
        return getattr(self.factory, name)

    def buildProtocol(self, _address: IAddress) -> _Accepted:
        return _Accepted()


def accepting(factory: Any) -> Any:
    """Return a factory for a port's own use, which serves what another one makes."""
    return _Accepting(factory)


class _AsyncioPort:
    """What differs from a port of Twisted's."""

    #: How TLS is put around its clients' sockets; None for none.
    context: SSLContext | None = None

    def startListening(self) -> None:
        """Begin to listen. Raises CannotListenError."""
        port: Any = self
        port.transport = self._begin  # for this Twisted's port calls its transport's class
        super().startListening()  # type: ignore[misc]

    @property
    def _loop(self) -> LoopPort:
        port: Any = self
        found: LoopPort = port.reactor
        return found

    def _begin(self, accepted: Socket, _protocol: object, *_more: object) -> None:
        port: Any = self
        transport = ConnectionTransport(self._loop, port.factory.factory.buildProtocol)
        self._loop.spawn(self._serve(transport, accepted))

    async def _serve(self, transport: ConnectionTransport, accepted: Socket) -> None:
        accepted.setblocking(False)
        try:
            if self.context is not None:
                await transport.accept(accepted, self.context)
            else:
                await self._loop.loop.connect_accepted_socket(lambda: transport, accepted)
        except OSError:  # the client has gone
            accepted.close()

    def startReading(self) -> None:
        """Accept."""
        port: Any = self
        port.reactor.ports.add(port)
        port.reactor.addReader(port)

    def stopReading(self) -> None:
        """Accept no more. In a forked process, whose parent goes on, this touches nothing."""
        port: Any = self
        port.reactor.ports.discard(port)
        port.reactor.removeReader(port)

    def stopWriting(self) -> None:
        """Do nothing: a port never writes."""


class TCPPort(_AsyncioPort, tcp.Port):
    """A TCP port that listens."""


class UNIXPort(_AsyncioPort, unix.Port):
    """A UNIX socket that listens."""


@implementer(IStreamServerEndpoint)
class TLSServerEndpoint:
    """A server endpoint, whose clients speak TLS by asyncio."""

    def __init__(self, endpoint: IStreamServerEndpoint, context: SSLContext) -> None:
        self._endpoint = endpoint
        self.context = context

    def __repr__(self) -> str:
        return f"{self._endpoint} with TLS"

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen; nobody is accepted before the next turn."""

        def listening(port: Any) -> IListeningPort:
            if not isinstance(port, _AsyncioPort):
                raise TypeError("ssl= goes with HOST:PORT, a UNIX socket or sock=")
            port.context = self.context
            found: Any = port
            return found  # type: ignore[no-any-return]

        return self._endpoint.listen(protocolFactory).addCallback(listening)


@implementer(IStreamServerEndpoint)
class SocketServerEndpoint:
    """A socket that is bound already, or listens."""

    def __init__(self, reactor: LoopPort, made: Socket) -> None:
        self._reactor = reactor
        self._made = made

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen on a duplicate of it, and close it."""
        self._made.setblocking(False)
        self._made.listen(_BACKLOG)
        adopt = self._reactor.adoptStreamPort
        listening = execute(adopt, self._made.fileno(), self._made.family, protocolFactory)
        self._made.close()
        return listening
