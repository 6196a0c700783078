"""
The limits of the admin site's clients: bytes, connections and time.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from txremote.monitor.web import channel as limits
from txremote.monitor.web.channel import AdminChannel, BoundedRequest, ChannelFactory

HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n"


class Echo(BoundedRequest):
    """Answers with the size of the body, and as many bytes as the path says."""

    def process(self) -> None:
        size = int(self.path[1:] or b"0")
        body = b"%d" % len(self.content.read()) + b"x" * size
        self.responseHeaders.setRawHeaders(b"Content-Length", [b"%d" % len(body)])
        self.write(body)
        self.finish()


class Transport(StringTransport):
    """Notes when it is dropped."""

    dropped = False

    def abortConnection(self) -> None:
        self.dropped = True
        self.disconnecting = True


class Server(ChannelFactory):
    """A server by a clock of the test's."""

    request_class = Echo

    def __init__(self) -> None:
        self.hands = Clock()
        super().__init__(self.hands)

    def client(self) -> tuple[AdminChannel, Transport]:
        """Return a connection of a new client."""
        channel, transport = self.buildProtocol(None), Transport()
        channel.makeConnection(transport)
        return channel, transport


def test_a_request_that_trickles_in_is_dropped() -> None:
    """However often a byte comes, it has ten seconds in all; the next request has them again."""
    server = Server()
    channel, transport = server.client()
    channel.dataReceived(HEAD + b"\r\n")
    server.hands.advance(limits.REQUEST_SECONDS + 1)
    assert (b"200 OK" in transport.value(), transport.dropped) == (True, False)
    for byte in HEAD[: int(limits.REQUEST_SECONDS) - 1]:
        channel.dataReceived(bytes([byte]))
        server.hands.advance(1)
        assert not transport.dropped
    server.hands.advance(2)
    assert transport.dropped


def test_an_idle_client_is_let_go() -> None:
    """With its connection nothing is kept."""
    server = Server()
    channel, transport = server.client()
    server.hands.advance(limits.IDLE_SECONDS + 1)
    assert transport.disconnecting
    channel.connectionLost()
    assert not server.channels
    server.hands.advance(limits.IDLE_SECONDS)
    assert not server.hands.getDelayedCalls()


def test_a_client_that_does_not_read_is_dropped() -> None:
    """One that reads a little in time is not."""
    server = Server()
    channel, transport = server.client()
    channel.pauseProducing()
    server.hands.advance(limits.READING_SECONDS - 1)
    channel.resumeProducing()
    channel.pauseProducing()
    server.hands.advance(limits.READING_SECONDS - 1)
    assert not transport.dropped
    server.hands.advance(2)
    assert transport.dropped
    channel.connectionLost()


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        (b"Content-Length: 4096\r\n", b"x" * 4096, b"200 OK"),
        (b"Content-Length: 4097\r\n", b"", b"413 Content Too Large"),
        (b"Content-Length: 99999999999999\r\n", b"", b"413 Content Too Large"),
        (b"Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\n0\r\n\r\n", b"200 OK"),
        (
            b"Transfer-Encoding: chunked\r\n",
            b"1000\r\n" + b"x" * 4096 + b"\r\n1\r\nx\r\n0\r\n\r\n",
            b"413 Content Too Large",
        ),
        (b"X: y\r\n" * 101, b"", b"400 Bad Request"),
        (b"X: " + b"y" * 17_000 + b"\r\n", b"", b""),
        (b"X: " + b"y" * 9_000 + b"\r\nY: " + b"y" * 9_000 + b"\r\n", b"", b"400 Bad Request"),
    ],
)
def test_sizes(headers: bytes, body: bytes, status: bytes) -> None:
    """A request that is too large is refused before it is there, once, and the client is let go."""
    channel, transport = Server().client()
    channel.dataReceived(b"POST / HTTP/1.1\r\nHost: localhost\r\n" + headers + b"\r\n" + body)
    said: Any = transport.value()
    assert said.startswith(b"HTTP/1.1 " + status if status else b"")
    assert said.count(b"HTTP/1.1") == bool(status)
    assert transport.disconnecting is (status != b"200 OK")
    channel.connectionLost()


@pytest.mark.parametrize(
    "request_",
    [
        HEAD + b"\r\n",
        HEAD.replace(b"GET", b"POST") + b"Content-Length: 1\r\n\r\nx",
        HEAD.replace(b"GET", b"POST") + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
    ],
)
def test_requests_that_come_before_the_answer_are_not_answered(request_: bytes) -> None:
    """A stranger that does not read would have the server make answers without end."""
    channel, transport = Server().client()
    channel.dataReceived(request_ * 500)
    channel.dataReceived(request_ * 500)
    said: Any = transport.value()
    assert said.count(b"HTTP/1.1 200") == 1
    assert b"\r\nConnection: close\r\n" in said
    assert transport.disconnecting
    channel.connectionLost()


def test_the_oldest_stranger_makes_room() -> None:
    """So strangers cannot keep those out who know the token; who has shown it stays."""
    server = Server()
    clients = [server.client() for _ in range(limits.MOST_CLIENTS)]
    clients[0][0].known = True
    server.client()
    assert [transport.dropped for _channel, transport in clients[:3]] == [False, True, False]
    for channel in server.channels:
        channel.known = True
    assert server.buildProtocol(None) is None
    server.drop_all()
    assert all(transport.dropped for _channel, transport in clients)
