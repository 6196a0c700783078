"""
`connect` in the shape that Twisted's `ClientService` wants.

`ClientService` has an endpoint connect a factory once for each try. `connect` may dial twice to
find out which dialect a server speaks, and makes its own protocols. So `ClientEndpoint` gives
an empty protocol, whose transport is a `ConnectionHandle`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from zope.interface import implementer

from txremote.errors import ConnectionLost
from txremote.peer.connection import Connection

T = TypeVar("T")


class ConnectionHandle:
    """A connection as `ClientService` sees it: a transport, which it may close."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def loseConnection(self) -> None:
        """Close it, with a good-bye."""
        self.connection.close()


@implementer(IStreamClientEndpoint)
class ClientEndpoint:
    """An endpoint that gives connections; ``name`` is its repr, for the log."""

    def __init__(self, dial: Callable[[], Deferred[Connection]], name: str) -> None:
        self._dial = dial
        self._name = name

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Dial, and give a protocol whose transport is the `ConnectionHandle`."""

        def dialled(connection: Connection) -> IProtocol:
            handle: Any = ConnectionHandle(connection)
            assert connection.transport is not None
            protocol = protocolFactory.buildProtocol(connection.transport.getPeer())
            assert protocol is not None
            protocol.makeConnection(handle)
            return protocol

        return self._dial().addCallback(dialled)

    def __repr__(self) -> str:
        return self._name


def until_lost(work: Deferred[T], connection: Connection) -> Deferred[T]:
    """
    Return a Deferred of the result of some work, or of the connection's loss: work that goes
    on although it is cancelled is not waited for.
    """
    outcome: Deferred[T] = Deferred(lambda _outcome: work.cancel())

    def done(result: Any) -> None:
        if not outcome.called:
            outcome.callback(result)

    def lost(_ended: BaseException) -> None:
        if not outcome.called:
            outcome.errback(ConnectionLost(connection.why_ended))
            work.cancel()

    work.addBoth(done)
    connection.when_disconnected().addCallback(lost)
    return outcome
