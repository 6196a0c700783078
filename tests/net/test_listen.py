"""
`txremote.listen`: serving over real sockets in the tests' own reactor.
"""

from __future__ import annotations

import re
import socket

import pytest
import pytest_twisted
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ServerEndpoint, UNIXServerEndpoint
from twisted.internet.error import CannotListenError, ConnectionDone
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import Clock
from twisted.logger import LogLevel, formatEvent
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

import txremote
from tests.net.servers import DEADLINE, LOOPBACK, Desk, endpoint_of, joined, logged, served, until
from txremote import ConnectionConfig, ConnectionLost, RemoteProtocolError, connect, listen
from txremote.net.listen import ServingFactory
from txremote.testing import MemoryTransport


@pytest.mark.parametrize("kind", ["name", "string", "object", "unix string", "unix object"])
@pytest_twisted.ensureDeferred
async def test_every_kind_of_endpoint(kind, tmp_path):
    """Endpoint strings and endpoint objects, TCP and UNIX, do the same."""
    from twisted.internet import reactor

    path = str(tmp_path / "desk.sock")
    where = {
        "name": "127.0.0.1:0",
        "string": LOOPBACK,
        "object": TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1"),
        "unix string": f"unix:{path}",
        "unix object": UNIXServerEndpoint(reactor, path),
    }[kind]
    async with served(Desk, where) as port:
        assert verifyObject(IListeningPort, port)
        conn = await connect(endpoint_of(port))
        assert await conn.root.same("hello") == "hello"
        assert ("UNIXAddress" if "unix" in kind else "127.0.0.1") in (await conn.root.peer())[0]
        await conn.close()


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: listen(18861, Desk), "no place to listen: 18861. It is 'HOST:PORT'"),
        (lambda: listen("127.0.0.1", Desk), "no place to listen: '127.0.0.1'. It is 'HOST:PORT'"),
        (lambda: connect(18861), "no server's name: 18861. It is 'HOST:PORT'"),
        (lambda: txremote.RemoteClient(18861), "no server's name: 18861. It is 'HOST:PORT'"),
    ],
)
def test_anything_else_is_refused_with_the_right_forms(make, told):
    """In `listen`, `connect` and `RemoteClient` alike."""
    with pytest.raises((TypeError, ValueError), match=re.escape(told)):
        make()


@pytest_twisted.ensureDeferred
async def test_a_class_serves_each_client_an_instance_of_its_own():
    """What one client does is not seen by another."""
    async with served(Desk) as port:
        one, two = await gatherResults([connect(endpoint_of(port)) for _ in range(2)])
        assert [await one.root.count() for _ in range(3)] == [1, 2, 3]
        assert await two.root.count() == 1
        await gatherResults([one.close(), two.close()])


@pytest_twisted.ensureDeferred
async def test_an_instance_is_shared_by_all_clients():
    """It is told of every connection."""
    desk = Desk()
    async with served(desk) as port:
        one, two = await gatherResults([connect(endpoint_of(port)) for _ in range(2)])
        assert [await one.root.count(), await two.root.count(), desk.asked] == [1, 2, 2]
        assert len(desk.conns) == 2
        await gatherResults([one.close(), two.close()])


@pytest_twisted.ensureDeferred
async def test_the_service_hears_when_its_client_leaves():
    """on_disconnect is called with the connection, which is closed by then."""
    desk = Desk()
    async with joined(desk) as conn:
        [theirs] = desk.conns
        assert not theirs.closed
        await conn.close()
        assert await desk.left is theirs
        assert theirs.closed


@pytest_twisted.ensureDeferred
async def test_a_service_that_cannot_be_made_costs_its_client_only():
    """The client is dropped, the log says why, the next one is served."""

    class Moody(txremote.Service):
        made = 0

        def __init__(self) -> None:
            Moody.made += 1
            if Moody.made == 1:
                raise RuntimeError("not in the mood")

        exposed_answer = 42

    async with logged() as events, served(Moody) as port:
        with pytest.raises(ConnectionLost):
            await connect(endpoint_of(port))
        conn = await connect(endpoint_of(port))
        assert await conn.root.answer == 42
        await conn.close()
    [failure] = [event["log_failure"] for event in events if "log_failure" in event]
    assert "not in the mood" in str(failure.value)


@pytest_twisted.ensureDeferred
async def test_on_connect_that_fails_drops_its_client_only():
    """As a constructor that fails does."""

    class Picky(txremote.Service):
        seen = 0

        def on_connect(self, conn: object) -> None:
            Picky.seen += 1
            if Picky.seen == 1:
                raise RuntimeError("not you")

        exposed_answer = 42

    async with logged() as events, served(Picky) as port:
        with pytest.raises(ConnectionLost):
            await connect(endpoint_of(port))
        conn = await connect(endpoint_of(port))
        assert await conn.root.answer == 42
        await conn.close()
    assert any("not you" in str(event["log_failure"]) for event in events if "log_failure" in event)


@pytest_twisted.ensureDeferred
async def test_a_taken_port_is_the_endpoints_own_error():
    """CannotListenError, as from any Twisted server."""
    async with served(Desk) as port:
        with pytest.raises(CannotListenError):
            await listen(f"tcp:{port.getHost().port}:interface=127.0.0.1", Desk)


@pytest.mark.parametrize(
    ("where", "root", "config", "error", "words"),
    [
        ("nonsense", Desk, None, ValueError, "nonsense"),
        (LOOPBACK, dict, None, TypeError, "dict is no service"),
        (LOOPBACK, Desk, {"allow_public_attr": True}, TypeError, "allow_public_attrs"),
        (LOOPBACK, Desk, {"max_frame": 0}, ValueError, "max_frame"),
        (LOOPBACK, Desk, 3, TypeError, "mapping"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(where, root, config, error, words):
    """By an exception that names it, before anything listens."""
    with pytest.raises(error, match=words):
        listen(where, root, config=config)


@pytest.mark.parametrize(
    "config", [{"allow_public_attrs": True}, ConnectionConfig(allow_public_attrs=True)]
)
@pytest_twisted.ensureDeferred
async def test_switches_are_a_mapping_or_a_config(config):
    """RPyC's names, in a dict as in RPyC or in a ConnectionConfig."""

    class Open(txremote.Service):
        public = "for all"

    async with joined(Open, config=config) as conn:
        assert await conn.root.public == "for all"
    async with joined(Open) as conn:
        with pytest.raises(AttributeError):
            await conn.root.public


@pytest_twisted.ensureDeferred
async def test_a_client_that_vanishes_cancels_what_it_asked_for():
    """Nobody would get the answer, so nobody goes on working on it."""
    desk = Desk()
    async with joined(desk) as conn:
        calls = [conn.root.wait() for _ in range(3)]
        await until(lambda: len(desk.waiting) == 3)
        conn.transport.abortConnection()
        for call in calls:
            with pytest.raises(ConnectionLost):
                await call
        await desk.left
        assert desk.cancelled == desk.waiting


@pytest_twisted.ensureDeferred
async def test_cancelling_a_call_cancels_it_at_the_server():
    """At once for the caller; the server's Deferred is cancelled too."""
    from twisted.internet.defer import CancelledError

    desk = Desk()
    async with joined(desk) as conn:
        call = conn.root.wait()
        await until(lambda: desk.waiting)
        call.cancel()
        with pytest.raises(CancelledError):
            await call
        await until(lambda: desk.cancelled)
        assert await conn.root.count() == 1


@pytest_twisted.ensureDeferred
async def test_slow_calls_of_one_connection_run_side_by_side():
    """Ten of 0.2 s each end together after 0.2 s, and quick ones overtake them."""
    from twisted.internet import reactor

    async with joined(Desk) as conn:
        started = reactor.seconds()
        slow = gatherResults([conn.root.sleep(0.2) for _ in range(10)])
        assert await conn.root.count() == 1
        assert not slow.called
        assert await slow == ["slept"] * 10
        assert 0.2 <= reactor.seconds() - started < 1.5


@pytest_twisted.ensureDeferred
async def test_the_server_may_call_its_client_first():
    """Through conn.root, what the client offers; asked for at its first use."""

    class Offer(txremote.Service):
        exposed_name = "ann"

    desk = Desk()
    async with served(desk) as port:
        conn = await connect(endpoint_of(port), service=Offer)
        assert await desk.conns[0].root.name == "ann"
        await conn.close()


@pytest_twisted.ensureDeferred
async def test_a_message_that_is_too_long_costs_its_call_only():
    """The error names the option; the connection goes on, and so do others."""
    async with joined(Desk, config={"max_frame": 10_000}) as conn:
        with pytest.raises(RemoteProtocolError, match="max_frame"):
            await conn.root.same(bytes(20_000))
        assert await conn.root.same(bytes(9_000)) == bytes(9_000)


def _small_buffers(transport: object) -> None:
    """Make the kernel hold little, so that a peer that does not read is felt."""
    for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        transport.getHandle().setsockopt(socket.SOL_SOCKET, option, 65536)


@pytest_twisted.ensureDeferred
async def test_two_long_messages_that_cross_do_not_stick():
    """
    Both sides send 8 MiB at the same time, more than any buffer between them
    holds; neither waits for the other to read first.
    """
    desk = Desk()
    async with joined(desk) as conn:
        [theirs] = desk.conns
        for end in (conn, theirs):
            _small_buffers(end.transport)
        up, down = b"u" * (8 << 20), b"d" * (8 << 20)
        await conn.root.keep(len)
        asked = [conn.root.same(up), desk.kept(down), conn.root.same(up), desk.kept(down)]
        assert await gatherResults(asked) == [up, 8 << 20, up, 8 << 20]


@pytest_twisted.ensureDeferred
async def test_a_peer_that_does_not_read_is_dropped_and_others_live():
    """Past max_unsent bytes it is disconnected; memory is not the server's risk."""
    desk = Desk()
    async with served(desk, config={"max_unsent": 1 << 20}) as port:
        lazy = await connect(endpoint_of(port))
        await lazy.root.same("known")  # its calls wait for nothing that it would have to read
        other = await connect(endpoint_of(port))
        _small_buffers(desk.conns[0].transport)
        _small_buffers(lazy.transport)
        lazy.transport.pauseProducing()
        gone: Deferred[object] = desk.conns[0].when_disconnected()
        calls = [lazy.root.blob(1 << 20) for _ in range(20)]
        await gone
        assert await other.root.same("alive") == "alive"
        lazy.transport.resumeProducing()
        lost = 0
        for call in calls:
            try:
                await call
            except ConnectionLost:
                lost += 1
        assert lost >= 10
        await other.close()


@pytest_twisted.ensureDeferred
async def test_a_peer_that_breaks_the_protocol_is_dropped_and_others_live():
    """The log says who it was and what was wrong."""
    async with logged() as events, served(Desk) as port:
        bad, good = await gatherResults([connect(endpoint_of(port)) for _ in range(2)])
        bad.transport.write(b"\x00\x00\x00\x03\x00abc\n")
        await bad.when_disconnected()
        assert await good.root.same("alive") == "alive"
        await good.close()
    assert any("broke the protocol" in (event.get("log_format") or "") for event in events)


@pytest_twisted.ensureDeferred
async def test_a_thousand_that_break_the_protocol_are_a_few_lines_of_the_log():
    """One for the first, and a number for those of the next seconds."""
    async with logged() as events, served(Desk) as port:
        good = await connect(endpoint_of(port))
        for _ in range(50):
            bad = await connect(endpoint_of(port))
            bad.transport.write(b"\x00\x00\x00\x03\x00abc\n")
            await bad.when_disconnected()
        await good.close()
    above = [event for event in events if event["log_level"] > LogLevel.debug]
    assert len([event for event in above if "protocol" in (event.get("log_format") or "")]) == 1
    assert len(above) <= 10


@pytest_twisted.ensureDeferred
async def test_a_client_that_says_nothing_holds_nobody_up():
    """Nothing is sent to it before it has shown what it speaks."""
    from twisted.internet.endpoints import clientFromString
    from twisted.internet.protocol import Factory, Protocol

    class Silent(Protocol):
        heard = b""

        def dataReceived(self, data: bytes) -> None:
            self.heard += data

    from twisted.internet import reactor

    async with served(Desk) as port:
        endpoint = clientFromString(reactor, endpoint_of(port))
        silent = await endpoint.connect(Factory.forProtocol(Silent))
        conn = await connect(endpoint_of(port))
        assert await conn.root.same("alive") == "alive"
        assert silent.heard == b""
        silent.transport.loseConnection()
        await conn.close()


@pytest_twisted.ensureDeferred
async def test_close_all_ends_every_connection():
    """What a server does at its end: all clients are told, none stays."""
    async with served(Desk) as port:
        conns = await gatherResults([connect(endpoint_of(port)) for _ in range(5)])
        assert len(port.factory.connections) == 5
        await port.factory.close_all()
        await gatherResults([conn.when_disconnected() for conn in conns])
        assert not port.factory.connections


@pytest_twisted.ensureDeferred
async def test_each_connection_is_an_event_when_it_ends():
    """One, with who it was, for how long, how many requests it made, and why it ended."""
    async with logged() as events, served(Desk) as port:
        conn = await connect(endpoint_of(port))
        mine = conn.transport.getHost()
        await conn.root.same("a")
        await conn.root.same("b")
        await conn.close()
        lost = await connect(endpoint_of(port))
        lost.transport.abortConnection()
        await until(lambda: not port.factory.connections)
    gone = [event for event in events if "{who} left" in (event.get("log_format") or "")]
    assert gone[0]["why"] == "the peer closed the connection"
    assert "lost" in gone[1]["why"]
    where = f"127.0.0.1:{mine.port}"
    assert (gone[0]["peer"], gone[0]["requests"], gone[0]["user"]) == (where, 2, None)
    ordinary, cut = [formatEvent(event) for event in gone]
    assert re.fullmatch(rf"{where} left after \d+\.\d s, 2 requests", ordinary)
    assert re.fullmatch(r"\S+ left after \d+\.\d s, 0 requests: .*lost.*", cut)
    assert 0 <= gone[0]["seconds"] < DEADLINE
    assert {(event["log_namespace"], event["log_level"].name) for event in gone} == {
        ("txremote.connection", "info")
    }


@pytest_twisted.ensureDeferred
async def test_drop_all_ends_every_connection_at_once():
    """Even of clients that read nothing."""
    async with served(Desk) as port:
        conns = await gatherResults([connect(endpoint_of(port)) for _ in range(3)])
        conns[0].transport.pauseProducing()
        port.factory.drop_all()
        await until(lambda: not port.factory.connections)
        conns[0].transport.resumeProducing()
        await gatherResults([conn.when_disconnected() for conn in conns])


@pytest_twisted.ensureDeferred
async def test_a_service_that_opens_everything_is_not_listened_for_off_loopback():
    """Whether the config says so or the service does; and the error names the option."""

    class Open(Desk):
        def connection_config(self, config):
            return config.replace(allow_all_attrs=True)

    for root, config in ((Desk, {"access": "classic"}), (Open(), None)):
        with pytest.raises(ValueError, match=r"option allow_all_attrs.*loopback"):
            await listen("tcp:0", root, config=config)
    async with served(Desk, config={"access": "classic"}) as port:  # on loopback
        assert port.getHost().host == "127.0.0.1"


def test_addresses_are_counted_as_they_were_when_they_came():
    """Behind a proxy (haproxy:) the peer's address changes meanwhile; no count is left."""
    clock = Clock()
    factory = ServingFactory(clock, Desk, {"max_per_address": 2})
    for _ in range(5):
        conn = factory.buildProtocol(IPv4Address("TCP", "10.0.0.1", 1))
        conn.makeConnection(MemoryTransport(IPv4Address("TCP", "10.9.9.9", 1)))
        assert conn in factory.connections
        conn.connectionLost(Failure(ConnectionDone()))
    assert not factory.limits.hosts
    assert not factory.connections
    assert clock.getDelayedCalls() == []


class Adder(txremote.Service):
    """A service that says nothing of values itself."""

    @txremote.exposed
    def total(self, numbers: list[int]) -> int:
        return sum(numbers)

    @txremote.exposed
    async def ask(self, client: object) -> object:
        return txremote.value(await client.twice([1, 2]))  # type: ignore[attr-defined]


class Twice(txremote.Service):
    """A client's."""

    @txremote.exposed
    def twice(self, numbers: list[int]) -> list[int]:
        return [number * 2 for number in numbers]


@pytest_twisted.ensureDeferred
async def test_either_side_may_have_its_annotations_read():
    """By an argument of listen() and of connect()."""
    port = await listen(LOOPBACK, Adder, values=True)
    service = Twice()
    conn = await connect(endpoint_of(port), service=service, values=True)
    try:
        assert await conn.root.total([1, 2]) == 3
        with pytest.raises(txremote.WrongValue, match="numbers: expected"):
            await conn.root.total(5)
        assert await conn.root.ask(service) == [2, 4]
    finally:
        await conn.close()
        await port.stopListening()
