"""
Listening on a socket that other processes listen on, too: `share`.

One process has made it, and the others have inherited its descriptor. They accept from one queue,
so a client that waits in it is anybody's, and one that stops takes nobody with it. Twisted's own
ports for such sockets are not enough: when its UNIX port stops, it shuts the socket down for all
who have it and removes its file. And any port accepts up to a hundred clients in one go, so that
one process would take a whole burst; these accept one at a time.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.endpoints import AdoptedStreamServerEndpoint
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint

from txremote.net.unixsockets import Listening, innermost
from txremote.refs.clock import Reactor


class _TakesTurns(tcp.Port):
    """A port that leaves clients to the others."""

    _shouldShutdown = False

    def doRead(self) -> None:
        """Accept one client; the loop calls again if there are more, and nobody was faster."""
        self.numberAccepts = 1
        super().doRead()  # type: ignore[no-untyped-call]


class SharedUNIXPort(_TakesTurns, unix.Port):
    """A UNIX socket of several processes. Its file is that of the process that has made it."""

    def startListening(self) -> None:
        """Begin to accept."""
        listening, self._preexistingSocket = self._preexistingSocket, None
        assert listening is not None
        tcp._reservedFD.reserve()
        factory: Any = self.factory
        factory.doStart()
        self.socket = listening
        port: Any = self
        port.fileno = self.socket.fileno
        self.connected = True
        port.startReading()

    def connectionLost(self, reason: Any) -> None:
        """Called when it has stopped: the file stays."""
        tcp.Port.connectionLost(self, reason)


class Sharing(Listening):
    """The part of a reactor by which endpoints listen: it listens on one shared socket."""

    def __init__(self, reactor: Any, shared: socket.socket) -> None:
        self._reactor = reactor
        self._shared = shared

    def _listen(self, factory: IProtocolFactory) -> Any:
        number = self._shared.fileno()
        port: Any
        unix_port: Any = SharedUNIXPort
        tcp_port: Any = _TakesTurns
        if self._shared.family == socket.AF_UNIX:
            port = unix_port._fromListeningDescriptor(self._reactor, number, factory)
        else:
            port = tcp_port._fromListeningDescriptor(
                self._reactor, number, self._shared.family, factory
            )
        port.startListening()
        return port

    def listenTCP(
        self, port: int, factory: IProtocolFactory, backlog: int = 50, interface: str = ""
    ) -> IListeningPort:
        """Listen on it."""
        listening: IListeningPort = self._listen(factory)
        return listening

    def listenSSL(
        self,
        port: int,
        factory: IProtocolFactory,
        contextFactory: Any,
        backlog: int = 50,
        interface: str = "",
    ) -> IListeningPort:
        """Listen on it, with TLS, as reactors do."""
        from twisted.protocols.tls import TLSMemoryBIOFactory  # it comes with the extra tls

        made: Any = TLSMemoryBIOFactory(contextFactory, False, factory)
        listening = self._listen(made)
        listening._type = "TLS"
        found: IListeningPort = listening
        return found

    def listenUNIX(
        self,
        address: str,
        factory: IProtocolFactory,
        backlog: int = 50,
        mode: int = 0o666,
        wantPID: bool = False,
    ) -> IListeningPort:
        """Listen on it."""
        listening: IListeningPort = self._listen(factory)
        return listening

    def adoptStreamPort(
        self, fileDescriptor: int, addressFamily: int, factory: IProtocolFactory
    ) -> IListeningPort:
        """Listen on it."""
        listening: IListeningPort = self._listen(factory)
        return listening


def share(
    endpoint: IStreamServerEndpoint, shared: socket.socket, reactor: Reactor
) -> IStreamServerEndpoint:
    """Have an endpoint, whatever is put around it, listen on a socket that is shared."""
    inner = innermost(endpoint)
    sharing = Sharing(reactor, shared)
    if isinstance(inner, AdoptedStreamServerEndpoint):
        inner.reactor = sharing
    elif hasattr(inner, "_reactor"):
        inner._reactor = sharing
    else:
        raise ValueError(f"workers cannot share what {type(inner).__name__} listens on")
    return endpoint
