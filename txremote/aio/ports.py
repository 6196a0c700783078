"""
Listening: Twisted's own ports, whose clients have asyncio's transports.

Twisted makes, binds, and removes the socket, and accepts. Each socket that it accepts becomes a
`ConnectionTransport` in the loop's next turn.
"""

from __future__ import annotations

from socket import socket as Socket
from ssl import SSLContext
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from zope.interface import implementer

from txremote.aio.transport import ConnectionTransport


class _Accepting:
    """
    A factory, whose protocols are made when asyncio has a transport for them. As long as a port
    handles one, this stands for it.
    """

    def __init__(self, factory: Any) -> None:
        self.factory = factory

    def __getattr__(self, name: str) -> Any:
        return getattr(self.factory, name)

    def buildProtocol(self, _address: IAddress) -> _Accepting:
        """Return this, in the place of a protocol."""
        return self

    def makeConnection(self, _transport: object) -> None:
        """Do nothing: the port goes on by itself."""


def accepting(factory: Any) -> Any:
    """Return a factory for a port's own use, which serves what another one makes."""
    return _Accepting(factory)


class _AsyncioPort:
    """The parts that differ from a port of Twisted's."""

    #: How TLS is put around its clients' sockets; None for none.
    context: SSLContext | None = None
    reactor: Any
    factory: Any
    fileno: Any
    doRead: Any
    transport: Any

    def startListening(self) -> None:
        """Begin to listen. Raises CannotListenError."""
        self.transport = self._begin  # for this Twisted's port calls its transport's class
        super().startListening()  # type: ignore[misc]

    def _begin(self, accepted: Socket, _protocol: object, *_more: object) -> None:
        transport = ConnectionTransport(self.reactor, self.factory.factory.buildProtocol)
        self.reactor.spawn(self._serve(transport, accepted))

    async def _serve(self, transport: ConnectionTransport, accepted: Socket) -> None:
        accepted.setblocking(False)
        try:
            if self.context is not None:
                await transport.accept(accepted, self.context)
            else:
                await self.reactor.loop.connect_accepted_socket(lambda: transport, accepted)
        except OSError:  # the client has gone
            accepted.close()

    def startReading(self) -> None:
        """Accept."""
        self.reactor.ports.add(self)
        self._number = self.fileno()
        self.reactor.loop.add_reader(self._number, self.doRead)

    def stopReading(self) -> None:
        """Accept no more."""
        if self in self.reactor.ports:
            self.reactor.ports.discard(self)
            self.reactor.loop.remove_reader(self._number)

    def stopWriting(self) -> None:
        """Do nothing: a port never writes."""

    def stopListening(self) -> Any:
        """Close it, though a task that waits for that may be cancelled."""
        port: Any = self
        closed: Deferred[None] = Deferred()
        closing = port.loseConnection()
        if closing is None:  # it is closed
            closed.callback(None)
        else:
            closing.chainDeferred(closed)
        return closed


class TCPPort(_AsyncioPort, tcp.Port):  # type: ignore[misc]
    """A TCP port that listens."""


class UNIXPort(_AsyncioPort, unix.Port):  # type: ignore[misc]
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
