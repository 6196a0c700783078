"""
What is done to a transport: TCP's options, and how each kind is written to.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_twisted
import rpyc
from twisted.internet.endpoints import clientFromString, serverFromString
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.threads import deferToThread
from zope.interface import implementer

from tests.net.servers import LOOPBACK, Desk, endpoint_of, joined, listening, served, until
from tests.processes import Program as Command
from txremote import Service, connect, exposed, stream
from txremote.eventloop.tcp import KEEPALIVE_IDLE, USER_TIMEOUT
from txremote.net.transport import is_tls, prepare
from txremote.testing import MemoryTransport

needs_linux = pytest.mark.skipif(
    not hasattr(socket, "TCP_USER_TIMEOUT"), reason="these options are Linux's"
)


_STOCK_SERVER = """\
import rpyc
from rpyc.utils.server import ThreadedServer

server = ThreadedServer(rpyc.VoidService, hostname="127.0.0.1")
server._listen()
print("port", server.port, flush=True)
server.start()
"""


class Bytes(Protocol):
    """Keeps what it is sent."""

    heard = b""

    def connectionMade(self) -> None:
        self.factory.made.append(self)

    def dataReceived(self, data: bytes) -> None:
        self.heard += data


class Album(Service):
    """Gives streams of bytes, and reads one."""

    @exposed
    def pictures(self, count: int) -> Any:
        return stream(_pictures(count))

    @exposed
    async def total(self, pictures: Any) -> int:
        total = 0
        async for picture in pictures:
            total += len(picture)
        return total


def _pictures(count: int) -> Iterator[bytes]:
    for number in range(count):
        yield bytes([number % 251]) * (number * 7919 % 100_000)


@pytest.mark.parametrize("compress", [False, True])
@pytest_twisted.ensureDeferred
async def test_streams_of_bytes_arrive_whole_both_ways_while_calls_go_on(compress: bool) -> None:
    """Frames that are sent in parts, of which a socket takes a piece, and read in large reads."""
    async with joined(Album(), config={"compress": compress}) as conn:
        before = conn.transport.bufferSize
        total = conn.root.total(stream(_pictures(300)))
        number = 0
        async for picture, expected in _zipped(conn.root.pictures(300), _pictures(300)):
            assert picture == expected
            number += 1
            if number % 50 == 0:
                await conn.root.total(stream([b"between"]))
        assert number == 300
        assert await total == sum(map(len, _pictures(300)))
        assert conn.transport.bufferSize == before


async def _zipped(ours: Any, theirs: Iterator[bytes]) -> AsyncIterator[tuple[bytes, bytes]]:
    async for picture in ours:
        yield picture, next(theirs)


def _factory() -> Factory:
    factory = Factory.forProtocol(Bytes)
    factory.noisy = False
    factory.made = []
    return factory


@pytest_twisted.ensureDeferred
async def test_small_messages_do_not_wait_for_nagle():
    """TCP_NODELAY is set on both sides."""
    desk = Desk()
    async with joined(desk) as conn:
        for end in (conn, desk.conns[0]):
            handle = end.transport.getHandle()
            assert handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@needs_linux
@pytest.mark.parametrize("side", ["client", "server"])
@pytest_twisted.ensureDeferred
async def test_so_is_a_stock_peer_which_is_never_asked_otherwise(side):
    """The sockets to RPyC's own clients and servers have the same options."""

    def options(connection) -> list[int]:
        handle = connection.transport.getHandle()
        return [
            handle.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
            handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
            handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT),
        ]

    expected = [1, KEEPALIVE_IDLE, USER_TIMEOUT]
    if side == "client":
        async with served(Desk) as port:
            client = await deferToThread(rpyc.connect, "127.0.0.1", port.getHost().port)
            await deferToThread(lambda: client.root.same(1))
            [connection] = port.factory.connections
            assert not connection.is_txremote
            assert options(connection) == expected
            await deferToThread(client.close)
        return
    with Command(sys.executable, "-c", _STOCK_SERVER) as server:
        found = await deferToThread(server.wait_for, r"port (\d+)")
        connection = await connect(f"tcp:127.0.0.1:{found[1]}")
        assert not connection.is_txremote
        assert options(connection) == expected
        await connection.close()


@needs_linux
@pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")
@pytest_twisted.ensureDeferred
async def test_tls_is_tuned_as_tcp_is_and_written_frame_by_frame(certificate):
    """The options are those of the socket below; writes go around the aggregator."""
    from twisted.internet import reactor

    where = "ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}".format(**certificate)
    factory = _factory()
    async with listening(factory, where) as port:
        client = clientFromString(
            reactor, f"tls:127.0.0.1:{port.getHost().port}:trustRoots={certificate['folder']}"
        )
        one = await client.connect(_factory())
        assert is_tls(one.transport)
        writing = prepare(one.transport)
        assert writing.separate is not None
        assert writing.now is None
        handle = one.transport.transport.getHandle()  # TLS's own is no socket
        assert handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == USER_TIMEOUT
        writing.separate(b"one record")
        await until(lambda: factory.made and factory.made[0].heard == b"one record")
        one.transport.loseConnection()


@implementer(IPushProducer)
class Producer:
    """Notes whether it is to wait."""

    paused = False

    def pauseProducing(self):
        self.paused = True

    def resumeProducing(self):
        self.paused = False

    def stopProducing(self):
        pass


@pytest.mark.parametrize("kind", ["tcp", "unix"])
@pytest_twisted.ensureDeferred
async def test_it_sends_without_waiting_for_the_reactor(kind, tmp_path):
    """What is written is in the socket when now() returns, behind what was before."""
    from twisted.internet import reactor

    where = LOOPBACK if kind == "tcp" else f"unix:{tmp_path / 'bytes.sock'}"
    factory = _factory()
    async with listening(factory, where) as port:
        one = await clientFromString(reactor, endpoint_of(port)).connect(_factory())
        await until(lambda: factory.made)
        [other] = factory.made
        writing = prepare(one.transport)
        assert writing.separate is None
        assert writing.now is not None
        writing.now(one.transport, b"now")
        other.transport.doRead()  # by hand: the reactor has not had a turn
        assert other.heard == b"now"
        one.transport.write(b", first")
        writing.now(one.transport, b", second")  # not past what waits
        await until(lambda: other.heard == b"now, first, second")
        one.transport.loseConnection()
        writing.now(one.transport, b"too late")  # harmless then
        await until(lambda: not one.transport.connected)
        writing.now(one.transport, b"too late")


@pytest.mark.parametrize("kind", ["tcp", "unix"])
@pytest_twisted.ensureDeferred
async def test_long_memory_is_sent_in_its_turn_and_not_copied(kind, tmp_path):
    """It is what the transport sends from; what comes before and after it stays there."""
    from twisted.internet import reactor

    where = LOOPBACK if kind == "tcp" else f"unix:{tmp_path / 'bytes.sock'}"
    factory = _factory()
    memory = memoryview(bytes(range(256)) * 10_000)
    async with listening(factory, where) as port:
        one = await clientFromString(reactor, endpoint_of(port)).connect(_factory())
        await until(lambda: factory.made)
        [other] = factory.made
        now = prepare(one.transport).now
        producer = Producer()
        one.transport.registerProducer(producer, True)
        now(one.transport, memory)
        assert one.transport.dataBuffer.obj is memory.obj
        assert producer.paused
        now(one.transport, b"after")
        now(one.transport, memory)  # behind something: copied
        one.transport.write(b"end")
        expected = bytes(memory) + b"after" + bytes(memory) + b"end"
        await until(lambda: len(other.heard) == len(expected))
        assert other.heard == expected
        assert not producer.paused
        one.transport.unregisterProducer()
        one.transport.loseConnection()
        now(one.transport, memory)  # harmless then
        await until(lambda: not one.transport.connected)
        now(one.transport, memory)


@pytest_twisted.ensureDeferred
async def test_it_leaves_a_broken_connection_to_the_reactor():
    """It raises nothing; connectionLost comes as it always does."""
    from twisted.internet import reactor

    factory = _factory()
    port = await serverFromString(reactor, LOOPBACK).listen(factory)
    one = await clientFromString(reactor, endpoint_of(port)).connect(_factory())
    await until(lambda: factory.made)
    now = prepare(one.transport).now
    factory.made[0].transport.abortConnection()
    await until(lambda: not factory.made[0].transport.connected)
    assert now is not None
    for _ in range(3):
        now(one.transport, b"into the void")
    await until(lambda: not one.transport.connected)
    await port.stopListening()


def test_a_transport_that_is_no_socket_is_left_as_it_is():
    """One in memory has no options, sends nothing at once and merges as it likes."""
    writing = prepare(MemoryTransport())
    assert writing.separate is None
    assert writing.now is None
    assert not is_tls(MemoryTransport())
