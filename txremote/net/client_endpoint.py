"""
`connect` in the shape that Twisted's `ClientService` wants.

`ClientService` owns an endpoint and a factory, and dials once for each try.
`connect` may dial twice to find out what a server speaks, and makes its own
protocols. So it stands here as the endpoint, which gives what `ClientService`
can handle: an empty protocol, whose transport is a `Link` to the connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from zope.interface import implementer

from txremote.errors import ConnectionLost
from txremote.peer.connection import Connection


class Link:
    """
    A connection as `ClientService` sees it: a transport, which it may close.

    Attributes:
        connection: The connection.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def loseConnection(self) -> None:
        """Close it, with a good-bye."""
        self.connection.close()


@implementer(IStreamClientEndpoint)
class DialledEndpoint:
    """
    Something that gives connections, as an endpoint.

    Args:
        dial: Gives a Deferred of a connection.
        name: Where it leads to, for the log.
    """

    def __init__(self, dial: Callable[[], Deferred[Connection]], name: str) -> None:
        self._dial = dial
        self._name = name

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Dial, and give a protocol whose transport is the `Link`."""

        def dialled(connection: Connection) -> IProtocol:
            transport: Any = connection.transport
            link: Any = Link(connection)
            protocol = protocolFactory.buildProtocol(transport.getPeer())
            assert protocol is not None
            protocol.makeConnection(link)
            return protocol

        return self._dial().addCallback(dialled)

    def __repr__(self) -> str:
        return self._name


def within_life(work: Deferred[Any], connection: Connection) -> Deferred[Any]:
    """
    Return a Deferred of what some work comes to, or of the connection's loss.

    Work that goes on in spite of the loss, or of being cancelled, is not waited
    for: it may well catch whatever there is and try again for ever.
    """
    outcome: Deferred[Any] = Deferred(lambda _outcome: work.cancel())

    def done(result: Any) -> None:
        if not outcome.called:
            outcome.callback(result)

    def lost(_ended: Any) -> None:
        if not outcome.called:
            outcome.errback(ConnectionLost(connection.why_ended))
            work.cancel()

    work.addBoth(done)
    connection.when_disconnected().addCallback(lost)
    return outcome


__all__ = ["DialledEndpoint", "Link", "within_life"]
