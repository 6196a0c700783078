"""
`current_call`: the call that an exposed method is answering.

It rests on a context variable, so it holds across the ``await`` of an exposed
coroutine (Twisted runs each coroutine in a copy of the context it started in)
and in the pool thread of a threaded method.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress

if TYPE_CHECKING:  # it comes with the extra tls
    from cryptography.x509 import Certificate

current: ContextVar[CurrentCall] = ContextVar("txremote.current_call")


class CalledConnection(Protocol):
    """The connection of a call, as the method knows it that answers: a `Connection`."""

    @property
    def peer(self) -> IAddress | None:
        """The peer's address."""

    @property
    def peer_certificate(self) -> Any:
        """The peer's certificate on a TLS connection, else None."""

    @property
    def peer_x509(self) -> Certificate | None:
        """The same as cryptography has it."""

    @property
    def avatar(self) -> Any:
        """The root object of the user that has logged in, or None."""

    @property
    def user(self) -> str | None:
        """The name of the user that has logged in, or None."""

    @property
    def root(self) -> Any:
        """The peer's service, as a reference."""

    @property
    def features(self) -> frozenset[str]:
        """The extensions that the peer has said it knows; none of a stock RPyC."""

    @property
    def closed(self) -> bool:
        """Whether it has ended."""

    def close(self) -> Deferred[BaseException]:
        """Say good-bye, and close."""

    def when_disconnected(self) -> Deferred[BaseException]:
        """Return a new Deferred that fires when it has ended."""

    def seconds(self) -> float:
        """Return the time of its clock."""


class CurrentCall:
    """
    The call that an exposed method is answering.

    Attributes:
        connection: The `Connection` it came over.
        deadline: When it will be cancelled, on the connection's clock, or None:
            by the option ``call_timeout``, or since its caller waits no longer,
            as far as a txremote peer has said so.
        why_over: The caller's error then.
        grace: Seconds more that what runs has until it is cancelled from here.
    """

    __slots__ = ("connection", "deadline", "grace", "why_over")

    def __init__(
        self,
        connection: CalledConnection,
        deadline: float | None = None,
        why_over: str = "",
        grace: float = 0.0,
    ) -> None:
        self.connection = connection
        self.deadline = deadline
        self.why_over = why_over
        self.grace = grace

    @property
    def peer(self) -> IAddress | None:
        """The address of the peer, such as an `IPv4Address`."""
        return self.connection.peer

    @property
    def peer_certificate(self) -> Any:
        """
        The peer's certificate on a TLS connection, as the transport has it, else None: pyOpenSSL's
        ``X509``, whose own way to read it is deprecated. See `peer_x509`.
        """
        return self.connection.peer_certificate

    @property
    def peer_x509(self) -> Certificate | None:
        """The peer's certificate as a `cryptography.x509.Certificate`, None without TLS or one."""
        return self.connection.peer_x509

    @property
    def avatar(self) -> Any:
        """
        The root object of whom the peer has logged in as, or None where nobody
        logs in.
        """
        return self.connection.avatar

    @property
    def user(self) -> str | None:
        """The name of whom the peer has logged in as, or None."""
        return self.connection.user

    def time_left(self) -> float | None:
        """Return the seconds until the call is cancelled, or None if it never is."""
        if self.deadline is None:
            return None
        return max(0.0, self.deadline - self.connection.seconds())


def current_call() -> CurrentCall:
    """
    Return the call that is being answered.

    May be called in an exposed method, in a coroutine it started, and in a
    threaded method's thread; and in ``on_connect`` and ``on_disconnect``, which
    answer no call, but have a peer.

    Raises:
        RuntimeError: no exposed method is running here.
    """
    try:
        return current.get()
    except LookupError:
        raise RuntimeError("current_call() is for exposed methods while they run") from None
