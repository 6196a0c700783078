"""
Listening: Twisted's own ports, whose clients have asyncio's transports.

Twisted makes, binds, and removes the socket, and accepts. What it accepts becomes a
`ConnectionTransport` in the loop's next turn.
"""

from __future__ import annotations

from socket import socket as Socket
from typing import TYPE_CHECKING, Any

from twisted.internet import tcp, unix
from twisted.internet.interfaces import IAddress

from txremote.aio.transport import ConnectionTransport

if TYPE_CHECKING:
    from txremote.aio.loop import AsyncioLoop


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

    def serve_on(self, reactor: AsyncioLoop) -> None:
        """Begin to listen. Raises CannotListenError."""
        port: Any = self
        self._loop = reactor
        port.transport = self._begin  # for this Twisted's port calls its transport's class
        port.startListening()

    def _begin(self, accepted: Socket, _protocol: object, *_more: object) -> None:
        port: Any = self
        transport = ConnectionTransport(self._loop, port.factory.factory.buildProtocol)
        self._loop.spawn(self._serve(transport, accepted))

    async def _serve(self, transport: ConnectionTransport, accepted: Socket) -> None:
        accepted.setblocking(False)
        try:
            await self._loop.loop.connect_accepted_socket(lambda: transport, accepted)
        except OSError:  # the client has gone
            accepted.close()

    def startReading(self) -> None:
        """Accept."""
        port: Any = self
        self._loop.ports.add(port)
        self._number = port.fileno()
        self._loop.loop.add_reader(self._number, port.doRead)

    def stopReading(self) -> None:
        """Accept no more."""
        port: Any = self
        if port in self._loop.ports:
            self._loop.ports.discard(port)
            self._loop.loop.remove_reader(self._number)

    def stopWriting(self) -> None:
        """Do nothing: a port never writes."""


class TCPPort(_AsyncioPort, tcp.Port):
    """A TCP port that listens."""


class UNIXPort(_AsyncioPort, unix.Port):
    """A UNIX socket that listens."""
