"""
A Redis by txredisapi, in a Twisted reactor.

Two of its protocols make up a `RedisLine`: a connection that is subscribed takes no other
commands. They are connected by an endpoint of Twisted's, and made again by `Bus`; txredisapi's own
pools hand out a dead connection once, and subscribe to nothing when they are back.

txredisapi makes numbers of what looks like some, unless it is told not to; its protocol is. It
reads strings of any length; here one that is longer than `LONGEST_ANSWER` ends the connection
before it is read. Importing txredisapi installs a reactor, so it is imported when it is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint
from twisted.internet.interfaces import IAddress, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from txremote.buses.ports import Refused, Store, Unreachable
from txremote.buses.redis_store import LONGEST_ANSWER, RedisStore, topic_of
from txremote.buses.redis_url import RedisPlace

# Items of the longest list that a Redis answers here, to SUBSCRIBE and to PUBLISH.
_MOST_ITEMS = 16


def _library() -> Any:
    try:
        return import_module("txredisapi")
    except ImportError:
        raise ImportError(
            "a topic on a Redis needs txredisapi: pip install 'txremote[redis]'"
        ) from None


@cache
def protocol_class() -> Any:
    """
    Return the class of the protocols: txredisapi's, with bounds.

    Raises:
        ImportError: txredisapi is not installed.
    """
    library: Any = _library()

    class BoundedProtocol(library.BaseRedisProtocol):  # type: ignore[misc]
        """A connection to a Redis that reads no more than its limits allow."""

        why = "the connection was lost"

        def __init__(
            self, message: Callable[[bytes], object], lost: Callable[[str], object]
        ) -> None:
            super().__init__(charset=None, convertNumbers=False)
            self._message = message
            self._lost = lost

        def end(self, why: str) -> None:
            """Close it, for a reason."""
            self.why = why
            self.transport.abortConnection()

        def dataReceived(self, data: bytes, unpause: bool = False) -> None:
            try:
                super().dataReceived(data, unpause)
            except Exception as problem:  # of a server that is no Redis
                self.end(f"it answers what a Redis does not: {problem}")

        def lineReceived(self, line: str) -> None:
            count = line[1:]
            if line[:1] in ("$", "*") and count.isascii() and count.isdigit():
                most = LONGEST_ANSWER if line[0] == "$" else _MOST_ITEMS
                if len(count) > 12 or int(count) > most:
                    self.end(
                        f"it sends {count[:12]} bytes or items at once, more than {most} "
                        "(LONGEST_ANSWER of a bus)"
                    )
                    return
            super().lineReceived(line)

        def replyReceived(self, reply: Any) -> None:
            if type(reply) is list and len(reply) == 3 and reply[0] == b"message":
                self._message(reply[1])
            else:
                super().replyReceived(reply)

        def connectionLost(self, reason: Failure) -> None:
            super().connectionLost(reason)
            self._lost(self.why)

    return BoundedProtocol


class _ProtocolFactory(Factory):
    """Makes protocols of one line."""

    noisy = False

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def buildProtocol(self, addr: IAddress | None) -> Any:
        protocol = self._make()
        protocol.factory = self
        return protocol


class TxRedisLine:
    """
    A connection to a Redis (a `txremote.buses.redis_store.RedisLine`).

    Args:
        endpoint: Where it is.
        place: The same, with the user and the database.
        message: Called with the topics that have news.
        lost: Called once with the reason when it is of no use any more.
    """

    def __init__(
        self,
        endpoint: IStreamClientEndpoint,
        place: RedisPlace,
        message: Callable[[str], object],
        lost: Callable[[str], object],
    ) -> None:
        self._endpoint = endpoint
        self._place = place
        self._message = message
        self._lost_callback: Callable[[str], object] | None = lost
        self._protocols: list[Any] = []

    async def open(self) -> TxRedisLine:
        """Connect, log in, and see whether it answers. Raises Unreachable, Refused, or OSError."""
        make = protocol_class()
        try:
            for _ in range(2):
                factory = _ProtocolFactory(lambda: make(self._messaged, self._lost))
                protocol: Any = await self._endpoint.connect(factory)
                self._protocols.append(protocol)
                place = self._place
                if place.password:
                    words = (place.user, place.password) if place.user else (place.password,)
                    await self._ask(protocol, "AUTH", *words)
                if place.database:
                    await self._ask(protocol, "SELECT", place.database)
                await self._ask(protocol, "PING")
        except BaseException:
            self.close()
            raise
        return self

    def _ask(self, protocol: Any, *words: str | bytes | int) -> Deferred[object]:
        library = _library()
        try:
            answer: Deferred[object] = protocol.execute_command(*words)
        except library.RedisError:  # it is not connected any more
            answer = Deferred()
            answer.errback(Unreachable(protocol.why))

        def failed(failure: Failure) -> Failure:
            if failure.check(library.ResponseError):
                return Failure(Refused(failure.getErrorMessage()))
            if failure.check(library.RedisError):
                return Failure(Unreachable(protocol.why))
            return failure

        return answer.addErrback(failed)

    def _messaged(self, channel: bytes) -> None:
        if self._lost_callback is not None:
            self._message(topic_of(channel.decode("utf-8", "replace")))

    def _lost(self, why: str) -> None:
        tell, self._lost_callback = self._lost_callback, None
        if tell is not None:
            self._end()
            tell(why)

    def _end(self) -> None:
        for protocol in self._protocols:
            if protocol.transport is not None:
                protocol.transport.abortConnection()

    def command(self, *words: str | bytes | int) -> Deferred[object]:
        """Send a command, and return its answer."""
        return self._ask(self._protocols[0], *words)

    def subscribe(self, channel: str) -> Deferred[object]:
        """Have messages of a channel told."""
        return self._ask(self._protocols[1], "SUBSCRIBE", channel)

    def unsubscribe(self, channel: str) -> None:
        """Have them told no more."""
        self._ask(self._protocols[1], "UNSUBSCRIBE", channel).addErrback(lambda _: None)

    def close(self) -> None:
        """Close it."""
        self._lost_callback = None
        self._end()


class TxRedisOpener:
    """
    Opens a store in a Redis for a reactor (a `txremote.buses.ports.Opener`).

    Args:
        reactor: The reactor.
        place: The Redis.

    Raises:
        ImportError: txredisapi is not installed.
    """

    def __init__(self, reactor: Any, place: RedisPlace) -> None:
        _library()
        self.name = str(place)
        self._place = place
        if place.path:
            self._endpoint: Any = UNIXClientEndpoint(reactor, place.path)
        else:
            self._endpoint = HostnameEndpoint(reactor, place.host, place.port)

    def open(self, wake: Callable[[str], object], lost: Callable[[str], object]) -> Deferred[Store]:
        """Connect to it."""
        line = TxRedisLine(self._endpoint, self._place, wake, lost)
        opening: Deferred[TxRedisLine] = ensureDeferred(line.open())
        return opening.addCallback(lambda _: RedisStore(line, self._place.keep))

    def close(self) -> Deferred[None]:
        """Nothing: what it has opened is closed at once."""
        return succeed(None)
