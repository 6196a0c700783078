"""
One question to a registry of RPyC's kind, and its answer, in a reactor.

Each question has a socket of its own: the messages have no number, so what comes to that socket
is the answer. By UDP the socket is connected, unless a whole network is asked: datagrams of
others do not reach it, and where no registry listens the system says so at once.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, Final, Protocol

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred, TimeoutError as DeferredTimeout
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import ConnectError, ConnectionLost
from twisted.internet.interfaces import (
    IHostResolution,
    IReactorTime,
    IReadDescriptor,
    IResolutionReceiver,
)
from twisted.internet.protocol import Factory, Protocol as StreamProtocol
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
        elif isinstance(problem, (OSError, ConnectError, ConnectionLost)):
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


@implementer(IReadDescriptor)
class _Datagram:
    """
    Sends one datagram, and waits for one.

    Twisted's own port writes two lines into the log for each socket, and a registry is asked all
    the time.
    """

    def __init__(
        self, reactor: Any, url: RegistryURL, host: str, message: bytes, source: str
    ) -> None:
        family = socket.AF_INET6 if isIPv6Address(host.partition("%")[0]) else socket.AF_INET
        self._reactor = reactor
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self.answer: Deferred[bytes] = Deferred(lambda _answer: self._close())
        try:
            self._socket.setblocking(False)
            self._socket.bind((source, 0))
            if url.is_broadcast:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, True)
                self._socket.sendto(message, (host, url.port))
            else:
                self._socket.connect((host, url.port))
                self._socket.send(message)
        except BaseException:
            self._socket.close()
            raise
        reactor.addReader(self)

    def fileno(self) -> int:
        """Return the socket's number; -1 when it is closed."""
        return self._socket.fileno()

    def doRead(self) -> None:
        """Take the answer. Called by the reactor."""
        try:
            data = self._socket.recv(MAX_LIST)
        except BlockingIOError:
            return
        except OSError as problem:
            self._end(Failure(problem))
        else:
            self._end(data)

    def connectionLost(self, reason: Failure) -> None:
        """Called by the reactor: of some when nobody listens there."""
        try:
            self._socket.recv(1)
        except OSError as problem:
            reason = Failure(problem)
        self._end(reason)

    def logPrefix(self) -> str:
        """Return its name for the log."""
        return "registry"

    def _end(self, result: bytes | Failure) -> None:
        self._close()
        if not self.answer.called:
            self.answer.callback(result)

    def _close(self) -> None:
        if self._socket.fileno() >= 0:
            self._reactor.removeReader(self)
            self._socket.close()


def _ask_by_udp(reactor: Any, url: RegistryURL, message: bytes, source: str) -> Deferred[bytes]:
    def ask(host: str) -> Deferred[bytes]:
        return _Datagram(reactor, url, host, message, source).answer

    return resolved(reactor, url.host, isIPAddress(source)).addCallback(ask)


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


def resolved(reactor: Any, host: str, only_ipv4: bool = False) -> Deferred[str]:
    """Return the address of a host, or one of IPv4. The Deferred fails with OSError."""
    receiver = _Resolution(host)
    if isIPAddress(host):
        receiver.address.callback(host)
    elif isIPv6Address(host.partition("%")[0]):
        if only_ipv4:
            problem = f"{host} is an address of IPv6, and the server listens on IPv4 alone"
            receiver.address.errback(OSError(problem))
        else:
            receiver.address.callback(host)
    else:
        kinds = [IPv4Address] if only_ipv4 else None
        reactor.nameResolver.resolveHostName(receiver, host, addressTypes=kinds)
    return receiver.address


# --- by TCP


class _Asking(Factory):
    """Makes the protocol of one question."""

    noisy = False


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
    connecting = adapted(endpoint).connect(_Asking.forProtocol(lambda: _Stream(message)))

    def connected(protocol: Any) -> Deferred[bytes]:
        answer: Deferred[bytes] = protocol.answer
        return answer

    answer: Deferred[bytes] = connecting.addCallback(connected)
    return answer
