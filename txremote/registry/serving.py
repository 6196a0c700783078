"""
`RegistryServer`: a registry of RPyC's kind, in a reactor, by UDP and TCP on one port.

RPyC's clients and servers use it as they use ``rpyc_registry``. Anyone who reaches it can enter
servers, so it listens on loopback unless it is told otherwise. By TCP a client asks one thing and
has a few seconds for that; how many there may be is bounded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from twisted.application.service import Service as TwistedService
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IDelayedCall, IListeningPort
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol as StreamProtocol
from twisted.internet.udp import Port
from twisted.python.failure import Failure

from txremote.eventloop.reactor import chosen_reactor
from txremote.levels import Logger
from txremote.refs.clock import Reactor, steady
from txremote.registry.answering import Answering
from txremote.registry.entries import LEASE, Entries, EntryLimits
from txremote.registry.messages import MAX_MESSAGE, REGISTRY_PORT, Address, is_whole

_log = Logger("txremote.registry")

#: How many TCP clients there may be at once, of one host too, and how many seconds each has.
MOST_CLIENTS: Final = 200
MOST_OF_A_HOST: Final = 50
CLIENT_SECONDS: Final = 3.0

# Seconds between two complaints about messages: anybody can cause one.
_COMPLAIN_EVERY = 10.0


Note: TypeAlias = Callable[[str, Address], object]


def _ignore(_name: str, _address: Address) -> None:
    """Do nothing."""


class RegistryServer(TwistedService):
    """
    A registry that listens from its start to its stop. For the reactor's thread.

    Args:
        host: The address to listen on.
        port: The port; 0 takes one that is free for both.
        lease: Seconds that a server stays listed without a renewal; RPyC's renew each minute.
        allow_listing: Whether all names are told.
        by: ``"udp"``, ``"tcp"``, or both.
        limits: How much may be entered.
        added, removed: Called with the name and the address of a server that has come, or gone.
        reactor: The reactor; the running one if None.

    Attributes:
        port: The port that was taken.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = REGISTRY_PORT,
        *,
        lease: float = LEASE,
        allow_listing: bool = False,
        by: tuple[str, ...] = ("udp", "tcp"),
        limits: EntryLimits | None = None,
        added: Note = _ignore,
        removed: Note = _ignore,
        reactor: Reactor | None = None,
    ) -> None:
        self._reactor: Any = chosen_reactor(reactor)
        self._clock = steady(self._reactor)
        self._host = host
        self._wanted = port
        self._by = by
        self._complained = -_COMPLAIN_EVERY
        self.port = port
        self._ports: list[IListeningPort] = []
        self._factory = _Clients(self)
        self._added, self._removed = added, removed
        self.entries = Entries(
            self._clock.seconds, lease, limits, added=self._note_added, removed=self._note_removed
        )
        self.answering = Answering(
            self.entries, self._clock.seconds, allow_listing, complain=self._complain
        )

    def startService(self) -> None:
        """Listen. Raises CannotListenError: the port is taken."""
        if self.running:
            return
        tries = 1 if self._wanted else 20
        for left in reversed(range(tries)):
            try:
                self._listen()
                break
            except CannotListenError:
                self._close_ports()
                if not left:
                    raise
        super().startService()  # type: ignore[no-untyped-call]
        ways = " and ".join(each.upper() for each in self._by)
        _log.info(
            "a registry serves on {host}:{port} by {ways}",
            host=self._host,
            port=self.port,
            ways=ways,
        )

    def _listen(self) -> None:
        self.port = self._wanted
        if "tcp" in self._by:
            listening: Any = self._reactor.listenTCP(self.port, self._factory, interface=self._host)
            self._ports.append(listening)
            self.port = listening.getHost().port
        if "udp" in self._by:
            datagrams = _Datagrams(self.answering)
            udp: Any = Port(self.port, datagrams, self._host, MAX_MESSAGE + 1, self._reactor)
            udp.startListening()
            self._ports.append(udp)
            self.port = udp.getHost().port

    def stopService(self) -> Deferred[Any]:
        """Stop; the Deferred fires when the port is free."""
        super().stopService()  # type: ignore[no-untyped-call]
        self._factory.drop_all()
        return self._close_ports()

    def _close_ports(self) -> Deferred[Any]:
        ports, self._ports = self._ports, []
        return DeferredList([maybeDeferred(port.stopListening) for port in ports])

    def _note_added(self, name: str, address: Address) -> None:
        _log.info("{name} is served on {host}:{port}", name=name, host=address[0], port=address[1])
        self._added(name, address)

    def _note_removed(self, name: str, address: Address) -> None:
        host, port = address
        _log.info("{name} is no longer served on {host}:{port}", name=name, host=host, port=port)
        self._removed(name, address)

    def _complain(self, sentence: str) -> None:
        now = self._clock.seconds()
        if now - self._complained >= _COMPLAIN_EVERY:
            self._complained = now
            _log.warn("{sentence}", sentence=sentence)


class _Datagrams(DatagramProtocol):
    """Answers datagrams."""

    noisy = False

    def __init__(self, answering: Answering) -> None:
        self._answering = answering

    def logPrefix(self) -> str:
        """Return its name for Twisted's log."""
        return "txremote registry"

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """Answer one, if it has an answer."""
        answer = self._answering.answer(datagram, addr[0])
        if answer is not None:
            transport: Any = self.transport
            try:
                transport.write(answer, addr)
            except OSError:  # a sender that cannot be reached, such as port 0
                pass


class _Client(StreamProtocol):
    """Answers one client of TCP, and closes."""

    def __init__(self, clients: _Clients, host: str) -> None:
        self._clients = clients
        self._host = host
        self._heard = b""
        self._is_answered = False
        self._timer: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """Give it some seconds."""
        self._timer = self._clients.clock.callLater(CLIENT_SECONDS, self.drop)

    def dataReceived(self, data: bytes) -> None:
        """Answer once a message is there."""
        assert self.transport is not None
        if self._is_answered:
            return
        self._heard += data
        if len(self._heard) > MAX_MESSAGE:
            self.drop()
        elif is_whole(self._heard):
            answer = self._clients.answering.answer(self._heard, self._host, MAX_MESSAGE)
            self._is_answered = True
            if answer is not None:
                self.transport.write(answer)
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Forget it."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._clients.gone(self, self._host)

    def drop(self) -> None:
        """Close it at once."""
        transport: Any = self.transport
        transport.abortConnection()


class _Clients(Factory):
    """Makes the protocols of TCP clients, and counts them."""

    noisy = False

    def __init__(self, server: RegistryServer) -> None:
        self._server = server
        self._open: set[_Client] = set()
        self._by_host: Counter[str] = Counter()

    def logPrefix(self) -> str:
        """Return its name for Twisted's log."""
        return "txremote registry"

    @property
    def answering(self) -> Answering:
        """The server's answers."""
        return self._server.answering

    @property
    def clock(self) -> Any:
        """Makes timed calls."""
        return self._server._clock

    def buildProtocol(self, addr: IAddress | None) -> _Client | None:
        """Return a protocol, or None where there are too many clients."""
        host = getattr(addr, "host", "")
        if len(self._open) >= MOST_CLIENTS or self._by_host[host] >= MOST_OF_A_HOST:
            self._server._complain(
                f"a client of {host} is dropped: {len(self._open)} are there (at most "
                f"{MOST_CLIENTS}), {self._by_host[host]} of its host (at most {MOST_OF_A_HOST})"
            )
            return None
        client = _Client(self, host)
        self._open.add(client)
        self._by_host[host] += 1
        return client

    def gone(self, client: _Client, host: str) -> None:
        """Forget a client."""
        self._open.discard(client)
        self._by_host[host] -= 1
        if not self._by_host[host]:
            del self._by_host[host]

    def drop_all(self) -> None:
        """Close all of them."""
        for client in list(self._open):
            client.drop()
