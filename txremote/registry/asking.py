"""
One question to a registry of RPyC's kind, and its answer, in a reactor.

Each question has a socket of its own: the messages have no number, so what comes to that socket
is the answer. By UDP the socket is connected, unless a whole network is asked: datagrams of
others do not reach it, and where no registry listens the system says so at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import CancelledError, Deferred, TimeoutError as DeferredTimeout
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import CannotListenError, ConnectError, ConnectionLost
from twisted.internet.interfaces import IHostResolution, IReactorTime, IResolutionReceiver
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol as StreamProtocol
from twisted.internet.udp import Port
from twisted.python.failure import Failure
from zope.interface import implementer

from txremote.errors import RegistryUnreachable
from txremote.registry.messages import MAX_LIST
from txremote.registry.urls import RegistryURL

#: Seconds that a registry has to answer, as with RPyC.
TIMEOUT: Final = 2.0


class Ask(Protocol):
    """Sends a message to a registry, and returns its answer."""

    def __call__(self, message: bytes, source: str = "") -> Deferred[bytes]:
        """Send a message from an address of this machine, or from any. The Deferred fails with
        `RegistryUnreachable`."""


def asking(url: RegistryURL, reactor: Any, clock: IReactorTime, timeout: float = TIMEOUT) -> Ask:
    """Return the function that asks a registry of RPyC's kind."""
    ask = _ask_by_udp if url.kind == "udp" else _ask_by_tcp

    def asked(message: bytes, source: str = "") -> Deferred[bytes]:
        answer: Deferred[bytes] = ask(reactor, url, message, source)
        return within(answer, timeout, clock, url)

    return asked


def within(
    answer: Deferred[Any], timeout: float, clock: IReactorTime, url: RegistryURL
) -> Deferred[Any]:
    """Return an answer that fails with `RegistryUnreachable`: in time, or when it fails itself."""

    def failed(failure: Failure) -> Failure:
        problem = failure.value
        if isinstance(problem, RegistryUnreachable):
            return failure
        if isinstance(problem, (DeferredTimeout, TimeoutError)):
            sentence = f"no answer within {timeout:g} s"
        elif isinstance(problem, (OSError, CannotListenError, ConnectError, ConnectionLost)):
            sentence = str(problem).rstrip(".") or type(problem).__name__
        else:
            return failure
        error = RegistryUnreachable(f"the registry at {url} cannot be reached: {sentence}")
        return Failure(error)

    answer.addTimeout(timeout, clock, _timed_out)
    return answer.addErrback(failed)


def _timed_out(result: Any, _timeout: float) -> Any:
    if isinstance(result, Failure) and result.check(CancelledError):
        raise DeferredTimeout
    return result


# --- by UDP


class _Datagrams(DatagramProtocol):
    """Sends one datagram, and waits for one."""

    def __init__(self, message: bytes, address: tuple[str, int], is_broadcast: bool) -> None:
        self._message = message
        self._address = address
        self._is_broadcast = is_broadcast
        self._port: Any = None
        self.answer: Deferred[bytes] = Deferred(lambda _answer: self._close())

    def send(self, port: Any) -> None:
        """Send it, from a port that listens. Raises OSError."""
        self._port = port
        if self._is_broadcast:
            port.setBroadcastAllowed(True)
            port.write(self._message, self._address)
        else:
            port.connect(*self._address)
            port.write(self._message)

    def datagramReceived(self, datagram: bytes, _address: object) -> None:
        """Take the answer."""
        self._end(datagram)

    def connectionRefused(self) -> None:
        """Called where nobody listens."""
        self._end(Failure(ConnectionRefusedError("nobody listens there")))

    # Twisted 26.10 epollreactor: it closes the port then, and calls only this
    stopProtocol = connectionRefused

    def _end(self, result: bytes | Failure) -> None:
        if not self.answer.called:
            self.answer.callback(result)
        self._close()

    def _close(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            port.stopListening()


def _ask_by_udp(reactor: Any, url: RegistryURL, message: bytes, source: str) -> Deferred[bytes]:
    def ask(host: str) -> Deferred[bytes]:
        protocol = _Datagrams(message, (host, url.port), url.is_broadcast)
        interface = source or ("::" if isIPv6Address(host) else "")
        # every reactor that watches descriptors has one, that of txremote.aio too
        port = Port(0, protocol, interface, MAX_LIST, reactor)
        port.startListening()
        try:
            protocol.send(port)
        except BaseException:
            port.stopListening()
            raise
        return protocol.answer

    return resolved(reactor, url.host).addCallback(ask)


@implementer(IResolutionReceiver)
class _Resolution:
    """Takes the addresses of a host name."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._found = ""
        self.address: Deferred[str] = Deferred(lambda _address: None)

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        """Called first."""

    def addressResolved(self, address: Any) -> None:
        """Called for each; the first is kept."""
        self._found = self._found or address.host

    def resolutionComplete(self) -> None:
        """Called last."""
        if self.address.called:  # it was given up
            return
        if self._found:
            self.address.callback(self._found)
        else:
            self.address.errback(OSError(f"no address is known of {self._name!r}"))


def resolved(reactor: Any, host: str) -> Deferred[str]:
    """Return the address of a host. The Deferred fails with OSError."""
    receiver = _Resolution(host)
    if isIPAddress(host) or isIPv6Address(host.partition("%")[0]):
        receiver.address.callback(host)
    else:
        reactor.nameResolver.resolveHostName(receiver, host)
    return receiver.address


# --- by TCP


class _Stream(StreamProtocol):
    """Says one thing, and hears all that is said in return."""

    def __init__(self, message: bytes) -> None:
        self._message = message
        self._heard = b""
        self.answer: Deferred[bytes] = Deferred(lambda _answer: self._abort())

    def connectionMade(self) -> None:
        """Say it."""
        assert self.transport is not None
        self.transport.write(self._message)

    def dataReceived(self, data: bytes) -> None:
        """Hear, within bounds."""
        self._heard += data
        if len(self._heard) > MAX_LIST:
            self._abort()

    def connectionLost(self, reason: Failure = Failure(ConnectionLost())) -> None:  # noqa: B008
        """Called at the end of what is said."""
        if self.answer.called:
            return
        if self._heard:
            self.answer.callback(self._heard)
        else:
            self.answer.errback(ConnectionLost("it closed the connection without an answer"))

    def _abort(self) -> None:
        transport: Any = self.transport
        transport.abortConnection()


def _ask_by_tcp(reactor: Any, url: RegistryURL, message: bytes, source: str) -> Deferred[bytes]:
    endpoint = HostnameEndpoint(
        reactor, url.host, url.port, bindAddress=(source, 0) if source else None
    )
    adapted: Callable[[Any], Any] = getattr(reactor, "adapted", lambda endpoint: endpoint)
    connecting = adapted(endpoint).connect(Factory.forProtocol(lambda: _Stream(message)))

    def connected(protocol: Any) -> Deferred[bytes]:
        answer: Deferred[bytes] = protocol.answer
        return answer

    answer: Deferred[bytes] = connecting.addCallback(connected)
    return answer
