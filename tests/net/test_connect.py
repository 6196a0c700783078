"""
`txremote.connect`: calling over real sockets, and every way a connection fails.
"""

from __future__ import annotations

import socket
import threading

import pytest
import pytest_twisted
from twisted.internet import ssl
from twisted.internet.defer import CancelledError, Deferred, gatherResults, succeed
from twisted.internet.endpoints import TCP4ClientEndpoint, UNIXClientEndpoint
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.threads import deferToThread

import txremote
from tests.net.servers import (
    DEADLINE,
    LOOPBACK,
    Desk,
    ServingFactory,
    endpoint_of,
    factory_of,
    joined,
    listening,
    logged,
    served,
    until,
)
from txremote import (
    Connection,
    ConnectionLost,
    DeadReferenceError,
    WouldBlockReactor,
    WrongThread,
    async_,
    connect,
)
from txremote.peer import dialling, introduction
from txremote.peer.imports import ReleaseSweeper

pytestmark = pytest.mark.filterwarnings(
    "ignore:Passing pyOpenSSL:DeprecationWarning", "ignore:dump_privatekey:DeprecationWarning"
)


class Scripted(Protocol):
    """A server that does one thing with its first bytes; its factory notes them."""

    def connectionMade(self) -> None:
        self.factory.made.append(self)
        if self.factory.at_once is not None:
            self.transport.write(self.factory.at_once)

    def dataReceived(self, data: bytes) -> None:
        self.factory.heard.append(data)
        if self.factory.answer is not None:
            self.factory.answer(self)

    def connectionLost(self, reason: object) -> None:
        self.factory.lost.append(self)


def scripted(answer=None, at_once=None) -> Factory:
    """Return a factory of such servers."""
    factory = Factory.forProtocol(Scripted)
    factory.noisy = False
    factory.answer, factory.at_once = answer, at_once
    factory.made, factory.heard, factory.lost = [], [], []
    return factory


@pytest.mark.parametrize("kind", ["string", "object", "unix string", "unix object"])
@pytest_twisted.ensureDeferred
async def test_every_kind_of_endpoint(kind, tmp_path):
    """Endpoint strings and endpoint objects, TCP and UNIX, do the same."""
    from twisted.internet import reactor

    path = str(tmp_path / "desk.sock")
    async with served(Desk, f"unix:{path}" if "unix" in kind else LOOPBACK) as port:
        where = {
            "string": lambda: endpoint_of(port),
            "object": lambda: TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port),
            "unix string": lambda: f"unix:{path}",
            "unix object": lambda: UNIXClientEndpoint(reactor, path),
        }[kind]()
        conn = await connect(where)
        assert isinstance(conn, Connection)
        assert conn.is_txremote
        assert await conn.root.same("hello") == "hello"
        await conn.close()


@pytest.mark.parametrize("dialect", ["auto", "5", "6"])
@pytest.mark.parametrize("bound", [False, True])
@pytest_twisted.ensureDeferred
async def test_every_dialect_is_understood_on_one_port(dialect, bound):
    """A txremote server answers in whatever it is asked in."""
    async with served(Desk) as port:
        conn = await connect(
            endpoint_of(port), dialect=dialect, config={"bind_threads": bound}, timeout=DEADLINE
        )
        assert await conn.root.same("hello") == "hello"
        assert await conn.root.call(str.upper, "hello") == "HELLO"
        await conn.close()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"endpoint": "nonsense"}, ValueError, "nonsense"),
        ({"dialect": "7"}, ValueError, "'auto', '6' or '5'"),
        ({"service": dict}, TypeError, "dict is no service"),
        ({"config": {"sync_request_timeot": 3}}, TypeError, "sync_request_timeout"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(arguments, error, words):
    """By an exception that names it, before anything is dialled."""
    with pytest.raises(error, match=words):
        connect(**{"endpoint": "tcp:127.0.0.1:1", **arguments})


# -- what may go wrong while connecting


@pytest_twisted.ensureDeferred
async def test_nobody_there_is_the_endpoints_own_error():
    """ConnectionRefusedError, as from any Twisted client."""
    with socket.socket() as reserved:  # bound and not listening: refused for sure
        reserved.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefusedError):
            await connect(f"tcp:127.0.0.1:{reserved.getsockname()[1]}")


@pytest_twisted.ensureDeferred
async def test_a_server_that_says_nothing_is_a_timeout():
    """TimeoutError when the given time is over, and the connection is closed."""
    from twisted.internet import reactor

    factory = scripted()
    async with listening(factory) as port:
        started = reactor.seconds()
        with pytest.raises(TimeoutError, match=r"no RPyC answer .* within 0\.2 s"):
            await connect(endpoint_of(port), timeout=0.2)
        assert 0.2 <= reactor.seconds() - started < 5
        await until(lambda: factory.lost == factory.made)


@pytest_twisted.ensureDeferred
async def test_a_busy_server_changes_nothing_that_a_connection_can_do(monkeypatch):
    """It answers a second connection before the first, whose dialect goes on all the same."""
    from twisted.internet import reactor

    monkeypatch.setattr(dialling, "PATIENCE", 0.01)
    serving = ServingFactory(reactor, Desk)
    first, seconds = scripted(), []

    def one_after_the_other(addr):
        if not first.made:
            return Factory.buildProtocol(first, addr)
        seconds.append(serving.buildProtocol(addr))
        return seconds[-1]

    busy = Factory()
    busy.noisy, busy.buildProtocol = False, one_after_the_other
    async with listening(busy) as port:
        connecting = connect(endpoint_of(port), timeout=DEADLINE)
        await until(lambda: seconds and seconds[0].features)
        served_late = serving.buildProtocol(None)
        served_late.makeConnection(first.made[0].transport)
        first.made[0].dataReceived = served_late.dataReceived
        served_late.dataReceived(b"".join(first.heard))
        conn = await connecting
        older = await connect(endpoint_of(port), dialect="5", timeout=DEADLINE)
        assert conn.outbox.dialect.name == "6"
        assert await conn.root.same("hello") == "hello"
        assert conn.features == older.features
        await conn.close()
        await older.close()


@pytest_twisted.ensureDeferred
async def test_a_machine_that_does_not_answer_is_a_timeout():
    """TimeoutError too where not even TCP gets through."""
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)  # room for one, which the kernel rounds up a little
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        with pytest.raises(TimeoutError, match="no RPyC answer"):
            await connect(f"tcp:127.0.0.1:{full.getsockname()[1]}", timeout=0.3)


@pytest_twisted.ensureDeferred
async def test_giving_up_closes_what_was_opened():
    """Cancelling the Deferred of connect() leaves no connection behind."""
    factory = scripted()
    async with listening(factory) as port:
        connecting = connect(endpoint_of(port))
        await until(lambda: factory.heard)
        connecting.cancel()
        with pytest.raises(CancelledError):
            await connecting
        await until(lambda: factory.lost == factory.made)


@pytest.mark.parametrize("how", ["loseConnection", "abortConnection"])
@pytest_twisted.ensureDeferred
async def test_a_server_that_hangs_up_on_us(how):
    """ConnectionLost at once; "auto" does not dial again for that."""
    factory = scripted(lambda server: getattr(server.transport, how)())
    async with listening(factory) as port:
        with pytest.raises(ConnectionLost):
            await connect(endpoint_of(port), timeout=DEADLINE)
        assert len(factory.made) == 1


@pytest.mark.parametrize(
    ("says", "shown"),
    [
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 400"),
        (b"\x15\x02\x01\x00\x02\x02\x46", "x15"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_server_of_another_protocol_is_told_from_rpyc(says, shown):
    """The error says that what came is no RPyC, and shows how it starts."""
    factory = scripted(lambda server: server.transport.write(says))
    async with listening(factory) as port:
        with pytest.raises(ConnectionLost, match="no RPyC") as caught:
            await connect(endpoint_of(port), timeout=DEADLINE)
        assert shown in str(caught.value)
        assert len(factory.made) == 1


@pytest.mark.parametrize(
    "banner", [b"220 mail.example.org ESMTP ready\r\n", b"SSH-2.0-OpenSSH_9.6\r\n"]
)
@pytest_twisted.ensureDeferred
async def test_a_server_that_speaks_first_is_told_from_rpyc(banner):
    """Mail and SSH servers greet; no RPyC server does."""
    async with listening(scripted(at_once=banner)) as port:
        with pytest.raises(ConnectionLost, match="no RPyC"):
            await connect(endpoint_of(port), timeout=DEADLINE)


@pytest_twisted.ensureDeferred
async def test_an_untrusted_certificate_is_an_error(certificate):
    """A tls: endpoint without our CA refuses the server, and says so."""
    where = "ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}".format(**certificate)
    async with logged(), served(Desk, where) as port:
        with pytest.raises(Exception, match=r"certificate|SSL|verify") as caught:
            await connect(f"tls:127.0.0.1:{port.getHost().port}", timeout=DEADLINE)
        assert not isinstance(caught.value, TimeoutError)


# -- TLS


def _tls_client(port: object, certificate: dict[str, str]) -> str:
    return f"tls:127.0.0.1:{port.getHost().port}:trustRoots={certificate['folder']}"


@pytest_twisted.ensureDeferred
async def test_over_tls_frames_stay_separate_until_the_peer_is_known(certificate, monkeypatch):
    """
    HELLO goes out after the answer to GETROOT, and each frame is a record of its
    own; once both are known to be txremote, frames may share a record.
    """
    from twisted.protocols.tls import TLSMemoryBIOProtocol

    records: list[tuple[object, bytes]] = []
    write = TLSMemoryBIOProtocol.write

    def noted(self: object, data: bytes) -> None:
        records.append((self.factory, data))
        write(self, data)

    monkeypatch.setattr(TLSMemoryBIOProtocol, "write", noted)
    where = "ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}".format(**certificate)
    async with served(Desk, where) as port:
        conn = await connect(_tls_client(port, certificate), timeout=DEADLINE)
        # GETROOT, its answer, HELLO, its answer: one frame each
        assert [who is factory_of(port) for who, _data in records] == [False, True, False, True]
        assert [_frames(data) for _who, data in records] == [1, 1, 1, 1]
        assert b"cancel" in records[2][1]
        records.clear()
        answers = await gatherResults([conn.root.same(number) for number in range(50)])
        assert answers == list(range(50))
        assert len(records) < 50
        assert sum(_frames(data) for _who, data in records) == 100
        assert (await conn.root.peer())[1] is False  # no client certificate was asked for
        await conn.close()


def _frames(data: bytes) -> int:
    found = 0
    while data:
        data = data[6 + int.from_bytes(data[:4]) :]
        found += 1
    return found


@pytest_twisted.ensureDeferred
async def test_a_server_over_tls_sends_a_stock_client_one_frame_a_record(certificate, monkeypatch):
    """A client that has not said HELLO may be RPyC, which would not see the second."""
    from twisted.protocols.tls import TLSMemoryBIOProtocol

    records: list[tuple[object, bytes]] = []
    write = TLSMemoryBIOProtocol.write

    def noted(self: object, data: bytes) -> None:
        records.append((self.factory, data))
        write(self, data)

    def no_hello(conn: Connection) -> Deferred[Connection]:
        return succeed(conn)

    monkeypatch.setattr(TLSMemoryBIOProtocol, "write", noted)
    monkeypatch.setattr(introduction, "_say_hello", no_hello)
    monkeypatch.setattr(introduction, "_greet_older", lambda conn: conn)
    where = "ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}".format(**certificate)
    async with served(Desk, where) as port:
        conn = await connect(_tls_client(port, certificate), timeout=DEADLINE)
        assert not conn.is_txremote
        await gatherResults([conn.root.same(number) for number in range(50)])
        answers = [_frames(data) for who, data in records if who is factory_of(port)]
        assert answers == [1] * 51
        await conn.close()


@pytest_twisted.ensureDeferred
async def test_the_client_certificate_is_known_to_the_service(certificate):
    """current_call().peer_certificate, where the server asks for one."""
    from twisted.internet import reactor
    from twisted.internet.endpoints import SSL4ClientEndpoint, SSL4ServerEndpoint

    with open(certificate["key"]) as key, open(certificate["certificate"]) as own:
        mine = ssl.PrivateCertificate.loadPEM(key.read() + own.read())
    ca = ssl.Certificate.loadPEM(mine.dumpPEM())
    where = SSL4ServerEndpoint(reactor, 0, mine.options(ca), interface="127.0.0.1")
    async with served(Desk, where) as port:
        options = ssl.optionsForClientTLS("localhost", trustRoot=ca, clientCertificate=mine)
        conn = await connect(
            SSL4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port, options),
            timeout=DEADLINE,
        )
        assert (await conn.root.peer())[1] is True
        await conn.close()


# -- threads


@pytest_twisted.ensureDeferred
async def test_a_call_from_another_thread_is_refused():
    """WrongThread, at once, with a sentence that says what to do; nothing is sent."""
    async with joined(Desk) as conn:
        with pytest.raises(WrongThread, match="async_"):
            await deferToThread(lambda: conn.root.same(1))
        with pytest.raises(WrongThread):
            await deferToThread(lambda: conn.request(1, "data"))
        assert await conn.root.count() == 1


@pytest_twisted.ensureDeferred
async def test_async_may_be_called_from_any_thread():
    """And its result waited for there, with or without a time-out."""

    def work() -> list[object]:
        assert threading.current_thread() is not threading.main_thread()
        results = [async_(conn.root.same)(number) for number in range(20)]
        values = [result.value for result in results]
        slow = txremote.timed(conn.root.wait, 0.05)()
        try:
            slow.wait()
        except txremote.AsyncResultTimeout:
            values.append("expired")
        return values

    async with joined(Desk) as conn:
        assert await deferToThread(work) == [*range(20), "expired"]


@pytest_twisted.ensureDeferred
async def test_waiting_in_the_reactors_thread_is_refused():
    """It would stop the reactor that has to fetch the result."""
    async with joined(Desk) as conn:
        result = async_(conn.root.same)(1)
        with pytest.raises(WouldBlockReactor, match="await"):
            result.value
        assert await result == 1
        assert result.value == 1


# -- the end


@pytest_twisted.ensureDeferred
async def test_closing_is_a_clean_end_on_both_sides():
    """close() fires when the connection has ended; calls after it fail at once."""
    desk = Desk()
    async with served(desk) as port:
        conn = await connect(endpoint_of(port))
        [theirs] = desk.conns
        root = conn.root
        both = gatherResults([conn.when_disconnected(), theirs.when_disconnected()])
        assert isinstance(await conn.close(), ConnectionDone)
        assert conn.closed
        assert [type(how) for how in await both] == [ConnectionDone, ConnectionDone]
        with pytest.raises(DeadReferenceError, match="closed"):
            await root.same(1)
        await conn.close()  # once more does no harm


@pytest_twisted.ensureDeferred
async def test_a_call_in_flight_ends_with_the_connection():
    """With ConnectionLost, whoever closes."""
    desk = Desk()
    async with served(desk) as port:
        for closes in ("client", "server"):
            conn = await connect(endpoint_of(port))
            call = conn.root.wait()
            await until(lambda: desk.waiting)
            desk.waiting.clear()
            await (conn if closes == "client" else desk.conns[-1]).close()
            with pytest.raises(ConnectionLost, match="closed the connection"):
                await call
            await conn.when_disconnected()


@pytest_twisted.ensureDeferred
async def test_references_die_with_their_connection():
    """Each later use fails; none is sent on some other connection."""
    async with served(Desk) as port:
        conn = await connect(endpoint_of(port))
        root, method = conn.root, await conn.root.same
        conn.transport.abortConnection()
        await conn.when_disconnected()
        for use in (root.same(1), method(1), txremote.get_remote(root, "same"), conn.ping()):
            with pytest.raises(DeadReferenceError):
                await use
        assert "Desk" in repr(root)


@pytest_twisted.ensureDeferred
async def test_many_connections_that_hold_references_share_a_timer():
    """Ten thousand that do nothing keep no processor busy; what is dropped is given back."""
    from twisted.internet import reactor

    def sweepers():
        timers = [getattr(call.func, "__self__", None) for call in reactor.getDelayedCalls()]
        return {timer for timer in timers if type(timer) is ReleaseSweeper}

    before = sweepers()
    desk = Desk()
    async with served(desk) as port:
        connections = [await connect(endpoint_of(port)) for _ in range(100)]
        assert len(sweepers() - before) <= 2  # that of the listener is the other
        held = [await conn.root.same for conn in connections]
        tables = [conn._tables.exports for conn in desk.conns]
        assert {len(table) for table in tables} == {2}
        held.clear()
        await until(lambda: {len(table) for table in tables} == {1})
        await gatherResults([conn.close() for conn in connections])
    assert sweepers() <= before
