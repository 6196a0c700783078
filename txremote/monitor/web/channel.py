"""
HTTP connections that cost little: limits of size, number and time.

Twisted's ``timeout`` counts only between requests, and starts anew with each byte. So here a
request that has begun has `REQUEST_SECONDS` to be there, and a client that does not read its
answer has `READING_SECONDS` to take some of it. Twisted bounds the headers (`AdminChannel` says
by how much); `MOST_BODY` bounds what follows them. Where there are `MOST_CLIENTS`, a new one takes
the place of the oldest that has not shown the token.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any, Final

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel, HTTPFactory, Request

#: Connections at once.
MOST_CLIENTS: Final = 64

#: Bytes of a request behind its headers.
MOST_BODY: Final = 4096

#: Seconds between requests, for a whole request to come, and without reading any of an answer.
IDLE_SECONDS: Final = 75.0
REQUEST_SECONDS: Final = 10.0
READING_SECONDS: Final = 20.0


_DONE: Final = Failure(ConnectionDone())


class AdminChannel(HTTPChannel):
    """
    One connection. ``known`` says whether it has shown the token.

    A request that comes with another behind it, which has not waited for the answer, is the last
    one: the rest is dropped.
    """

    maxHeaders = 100
    totalHeadersSize = 16_384
    abortTimeout = 5

    known = False
    _has_more = False
    factory: ChannelFactory
    _deadline: IDelayedCall | None = None
    _reading: IDelayedCall | None = None

    def dataReceived(self, data: bytes) -> None:
        """Called by the transport; a request's time begins with its first byte."""
        if self._has_more:
            return
        if self._deadline is None and not self._handlingRequest:
            self._deadline = self.factory.clock.callLater(REQUEST_SECONDS, self.abort)
        super().dataReceived(data)  # type: ignore[no-untyped-call]

    def allContentReceived(self) -> None:
        """Called when a request is complete: from now on it may take its time."""
        self._deadline = _cancel(self._deadline)
        if b"".join((self._buffer, *self._dataBuffer)).strip():
            # Twisted would answer hundreds at once, whether the client reads or not
            self._has_more = True
            self._buffer, self._dataBuffer = b"", []
            self.persistent = False
            self.requests[-1].responseHeaders.setRawHeaders(b"Connection", [b"close"])
        super().allContentReceived()  # type: ignore[no-untyped-call]

    def pauseProducing(self) -> None:
        """Called by the transport: more is unread than it cares to hold."""
        if self._reading is None:
            self._reading = self.factory.clock.callLater(READING_SECONDS, self.abort)
        super().pauseProducing()  # type: ignore[no-untyped-call]

    def resumeProducing(self) -> None:
        """Called by the transport: the client reads again."""
        self._reading = _cancel(self._reading)
        super().resumeProducing()  # type: ignore[no-untyped-call]

    def connectionLost(self, reason: Failure = _DONE) -> None:
        """Called by the transport, last of all."""
        self._deadline = _cancel(self._deadline)
        self._reading = _cancel(self._reading)
        self.factory.channels.pop(self, None)
        super().connectionLost(reason)  # type: ignore[no-untyped-call]

    def abort(self) -> None:
        """Drop the client, and what is unsent."""
        transport: Any = self.transport
        transport.abortConnection()

    def too_large(self) -> None:
        """Refuse a request that is too large, without reading the rest of it."""
        sentence = f"a request has at most {MOST_BODY} bytes behind its headers\n"
        head = (
            "HTTP/1.1 413 Content Too Large\r\nContent-Type: text/plain; charset=utf-8\r\n"
            f"Content-Length: {len(sentence)}\r\nConnection: close\r\n\r\n"
        )
        self.write(f"{head}{sentence}".encode())  # type: ignore[no-untyped-call]
        self.loseConnection()  # type: ignore[no-untyped-call]


def _cancel(call: IDelayedCall | None) -> IDelayedCall | None:
    """Take a call back, if there is one; return None, for what has kept it."""
    if call is not None and call.active():
        call.cancel()
    return None


class BoundedRequest(Request):
    """A request whose body is bounded. The ``channel`` is gone once it is answered."""

    channel: AdminChannel
    content: BytesIO
    _refused = False

    def gotLength(self, length: int | None) -> None:
        """Called when the headers are there; with None the length will be seen."""
        self.content = BytesIO()
        if length is not None and length > MOST_BODY:
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:
        """Called with a part of the body."""
        if self._refused:
            return
        if self.content.tell() + len(data) > MOST_BODY:
            self._refuse()
        else:
            self.content.write(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """Called when the whole request is there."""
        if not self._refused:
            super().requestReceived(command, path, version)  # type: ignore[no-untyped-call]

    def _refuse(self) -> None:
        self._refused = True
        self.channel.too_large()


class ChannelFactory(HTTPFactory):
    """
    Makes the connections. For the reactor's thread.

    Args:
        clock: A steady clock, for the limits of time.

    Attributes:
        channels: Those that are open, oldest first.
    """

    noisy = False
    protocol: Callable[[], AdminChannel] = AdminChannel  # type: ignore[assignment]
    request_class: type[BoundedRequest] = BoundedRequest

    def __init__(self, clock: IReactorTime) -> None:
        super().__init__(timeout=IDLE_SECONDS, reactor=clock)
        self.clock = clock
        self.channels: dict[AdminChannel, None] = {}

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Make a connection; None drops the client."""
        if len(self.channels) >= MOST_CLIENTS and not self._make_room():
            return None
        channel: Any = super().buildProtocol(addr)
        channel.requestFactory = self.request_class
        self.channels[channel] = None
        return channel

    def _make_room(self) -> bool:
        oldest = next((each for each in self.channels if not each.known), None)
        if oldest is None:
            return False
        del self.channels[oldest]  # its end may be told later
        oldest.abort()
        return True

    def startFactory(self) -> None:
        """Called when it listens. Twisted's would keep the time of its access log."""

    def stopFactory(self) -> None:
        """Called when it does not listen any more."""

    def log(self, request: Request) -> None:
        """Called when a request was answered: there is no access log."""

    def drop_all(self) -> None:
        """Drop every client."""
        for channel in list(self.channels):
            channel.abort()
