"""
A reactor client against servers of unmodified RPyC: all that a program does,
what goes over the wire meanwhile, and how the server's dialect is found.
"""

from __future__ import annotations

import gc
import struct
import sys
import zlib
from typing import Any, NamedTuple

import pytest
import pytest_twisted
from rpyc.core import brine
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import clientFromString
from twisted.internet.threads import deferToThread

import txremote.blocking
from tests.conftest import STOCK_SERVERS as SERVERS
from tests.interop.peer_processes import Program
from tests.interop.reactor_client import check as checks, run_check
from txremote import ConnectionLost, connect
from txremote.peer import dialling
from txremote.wire.consts import (
    HANDLE_CALL,
    HANDLE_CALLATTR,
    HANDLE_DEL,
    HANDLE_GETROOT,
    HANDLE_HELLO,
    HANDLE_INSPECT,
    HANDLE_PING,
)


class Recorded:
    """A client endpoint that notes what is written to each connection it makes."""

    def __init__(self, description: str) -> None:
        from twisted.internet import reactor

        self._inner = clientFromString(reactor, description)
        self.dialled: list[list[bytes]] = []

    async def _connect(self, factory: Any) -> Any:
        conn = await self._inner.connect(factory)
        written: list[bytes] = []
        self.dialled.append(written)

        noting = [True]

        def through(write: Any) -> Any:
            def noted(*args: Any) -> None:
                if noting[0]:
                    written.append(args[-1])  # the data; a transport may stand before it
                before, noting[0] = noting[0], False  # one way may lead to another
                try:
                    write(*args)
                finally:
                    noting[0] = before

            return noted

        conn.transport.write = through(conn.transport.write)
        for way in ("separate", "now"):  # that lead around write()
            if getattr(conn.outbox, way) is not None:
                setattr(conn.outbox, way, through(getattr(conn.outbox, way)))
        return conn

    def connect(self, factory: Any) -> Deferred[Any]:
        """Connect, and note from then on."""
        return Deferred.fromCoroutine(self._connect(factory))


class Sent(NamedTuple):
    """A request that was written, as RPyC's own brine reads it."""

    dialect: str
    bound: bool
    handler: int


def requests(written: list[bytes]) -> list[Sent]:
    """Return the requests in what was written."""
    data = b"".join(written)
    found = []
    while data:
        length, compressed = struct.unpack_from("!LB", data)
        payload, end, data = data[5 : 5 + length], data[5 + length], data[6 + length :]
        assert end == 0x0A
        if compressed:
            payload = zlib.decompress(payload)
        bound = payload[0] == 0
        if bound:
            payload = payload[16:]
        if payload[0] == 0x12:
            kind, _seq, args = brine.load(payload)
        else:
            kind, (_seq, args) = payload[0], brine.load(payload[1:])
        if kind == 1:
            found.append(Sent("5" if payload[0] == 0x12 else "6", bound, args[0]))
    return found


@pytest.fixture(scope="module")
def endpoints(stock_servers):
    """Where the stock servers are, and how to configure a client: name -> (endpoint, config)."""
    return {name: (stock.endpoint, stock.config) for name, stock in stock_servers.items()}


class Run(NamedTuple):
    """What came of all checks against one server."""

    failures: dict[str, str]
    sent: list[list[Sent]]


async def _run(server: str, description: str, config: dict[str, Any]) -> Run:
    failures = {}
    endpoint = Recorded(description)
    # RPyC 5's thread pool says nothing at all to a client that speaks RPyC 6
    dialect = "5" if server == "5.3.1 ThreadPoolServer" else "auto"
    if "ThreadPoolServer" in server:
        # RPyC's own thread pool may take 0.1 s to notice a request, so it gets
        # all the checks at once, each over a connection of its own
        conns = await gatherResults(
            [connect(endpoint, config=config, dialect=dialect) for _ in checks]
        )
        whys = await gatherResults(
            [
                Deferred.fromCoroutine(run_check(conn, name))
                for conn, name in zip(conns, checks, strict=True)
            ]
        )
        failures = dict(zip(checks, whys, strict=True))
        await gatherResults([conn.close() for conn in conns])
    else:
        conn = await connect(endpoint, config=config, dialect=dialect)
        for name in checks:
            failures[name] = await run_check(conn, name)
        await conn.close()
    return Run(failures, [requests(written) for written in endpoint.dialled])


@pytest.fixture(scope="module")
def runs(endpoints):
    """All checks against all servers, at the same time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dialling, "PATIENCE", 30.0)  # together they may take more than a second
        running = [
            Deferred.fromCoroutine(_run(server, *endpoints[server])).addTimeout(60, _reactor())
            for server in SERVERS
        ]
        return dict(zip(SERVERS, pytest_twisted.blockon(gatherResults(running)), strict=True))


def _reactor() -> Any:
    from twisted.internet import reactor

    return reactor


@pytest.mark.parametrize("name", checks)
@pytest.mark.parametrize("server", SERVERS)
def test_what_a_reactor_client_does(runs, server, name):
    """Each check of reactor_client.py, against each server."""
    why = runs[server].failures[name]
    assert not why, why


@pytest.mark.parametrize("server", SERVERS)
def test_hello_is_all_that_a_stock_server_hears_of_our_own(runs, server):
    """One PING that is a HELLO right behind GETROOT, and no number that is not RPyC's."""
    for sent in runs[server].sent:
        handlers = [request.handler for request in sent]
        assert handlers[:2] == [HANDLE_GETROOT, HANDLE_PING][: len(handlers)]
        assert max(handlers, default=0) < HANDLE_HELLO


_LOGGING = """
import logging, rpyc
from rpyc.utils.server import ThreadedServer
logging.basicConfig(level=logging.DEBUG)
class Shop(rpyc.Service):
    def exposed_price(self): return 1.25
server = ThreadedServer(Shop, hostname="127.0.0.1")
server._listen()
print("port", server.port, flush=True)
server.start()
"""


@pytest.mark.parametrize("version", ["6.0.2", "5.3.1"])
@pytest_twisted.ensureDeferred
async def test_a_stock_server_logs_no_exception_of_our_clients(version, rpyc5):
    """At any level: RPyC's own classic server logs what is of level debug, too."""
    env = {"PYTHONPATH": str(rpyc5)} if version == "5.3.1" else {}
    server = Program([sys.executable, "-c", _LOGGING], env=env)
    try:
        port = int(server.wait_for(r"port (\d+)")[0][1])
        conn = await connect(f"tcp:127.0.0.1:{port}")
        assert await conn.root.price() == 1.25
        await conn.close()

        def in_a_script():
            with txremote.blocking.connect("127.0.0.1", port) as conn:
                return conn.root.price()

        assert await deferToThread(in_a_script) == 1.25
        # "auto" has dialled a server of RPyC 5 twice, in two dialects
        await deferToThread(server.wait_for, "goodbye", count=2)
        assert "KeyError" not in server.output
        assert version == "5.3.1" or "Traceback" not in server.output, server.output
    finally:
        server.kill()


@pytest.mark.parametrize("server", SERVERS)
def test_inspect_is_never_needed(runs, server):
    """References to objects of any class are made without asking about it."""
    total = [request.handler for sent in runs[server].sent for request in sent]
    assert len(total) > 100
    assert HANDLE_INSPECT not in total


# for the one that is left out see test_auto_finds_the_dialect_of_a_thread_pool_of_rpyc_5
@pytest.mark.parametrize("server", [name for name in SERVERS if name != "5.3.1 ThreadPoolServer"])
def test_auto_finds_the_dialect_of_the_server(runs, server):
    """A server of RPyC 5 is dialled twice, and then spoken to in its own tongue."""
    dialects = [{request.dialect for request in sent} for sent in runs[server].sent]
    tries = len(dialects) // 2 if server.startswith("5") else len(dialects)
    if server.startswith("5"):
        assert dialects.count({"6"}) == dialects.count({"5"}) == tries
    else:
        assert dialects.count({"6"}) == tries
    bound = {request.bound for sent in runs[server].sent for request in sent}
    assert bound == {"bind_threads" in server}


@pytest.mark.parametrize("server", ["6.0.2 ThreadedServer", "5.3.1 ThreadedServer"])
@pytest_twisted.ensureDeferred
async def test_a_stock_server_gets_every_reference_back(endpoints, server):
    """In the end its table holds its service and nothing else."""
    description, config = endpoints[server]
    conn = await connect(description, config=config)
    kept = [await conn.root.plain(), *await conn.root.baskets(50), await conn.root.numbers(3)]
    kept.append(await conn.root.same(kept[0]))
    assert await conn.root.held() == 53
    assert kept
    del kept
    gc.collect()
    end = _reactor().seconds() + 20
    while await conn.root.held() > 1:
        assert _reactor().seconds() < end
    await conn.close()


@pytest_twisted.ensureDeferred
async def test_what_is_called_is_held_until_the_answer(endpoints):
    """
    A reference that is dropped while its call is under way is given back after
    the answer: a server with several threads might serve the DEL first.
    """
    description, config = endpoints["6.0.2 ThreadedServer"]
    endpoint = Recorded(description)
    conn = await connect(endpoint, config=config)
    later, listed = await conn.root.later, await conn.root.numbers(1)
    call = later(0.15, listed)
    del later, listed
    gc.collect()
    same = await call
    assert requests(endpoint.dialled[0])[-1].handler == HANDLE_CALL
    assert await same[0] == 0
    later = requests(endpoint.dialled[0])
    assert [request.handler for request in later[-2:]] == [HANDLE_DEL, HANDLE_CALLATTR]
    await conn.close()


@pytest_twisted.ensureDeferred
async def test_auto_finds_the_dialect_of_a_thread_pool_of_rpyc_5(endpoints):
    """Its ThreadPoolServer logs what it cannot read, and waits for more."""
    description, config = endpoints["5.3.1 ThreadPoolServer"]
    conn = await connect(description, config=config, timeout=15)
    assert await conn.root.add(2, 3) == 5
    await conn.close()


@pytest.mark.parametrize("server", ["5.3.1 ThreadPoolServer", "5.3.1 ThreadedServer"])
@pytest_twisted.ensureDeferred
async def test_a_script_finds_the_dialect_as_well(endpoints, server):
    """txremote.blocking.connect has no dialect to give, and needs none."""
    description, _config = endpoints[server]
    port = int(description.rpartition(":")[2])

    def script() -> int:
        conn = txremote.blocking.connect("127.0.0.1", port)
        try:
            return conn.root.add(2, 3)
        finally:
            conn.close()

    assert await deferToThread(script) == 5


@pytest.mark.parametrize("server", ["6.0.2 ThreadedServer", "5.3.1 ThreadedServer", "5.3.1 TLS"])
@pytest_twisted.ensureDeferred
async def test_an_explicit_dialect_is_dialled_once(endpoints, server):
    """Who knows the server's version saves the second dialling."""
    description, config = endpoints[server]
    endpoint = Recorded(description)
    conn = await connect(endpoint, config=config, dialect=server[0])
    assert await conn.root.add(2, 3) == 5
    assert not conn.is_txremote
    await conn.close()
    assert len(endpoint.dialled) == 1
    assert {request.dialect for request in requests(endpoint.dialled[0])} == {server[0]}


@pytest.mark.parametrize("server", ["6.0.2 ThreadedServer", "5.3.1 ThreadedServer"])
@pytest_twisted.ensureDeferred
async def test_a_wrong_explicit_dialect_fails_with_a_sentence(endpoints, server):
    """It says what the server speaks and what it was spoken to in."""
    right, wrong = server[0], {"5": "6", "6": "5"}[server[0]]
    description, config = endpoints[server]
    endpoint = Recorded(description)
    with pytest.raises(ConnectionLost) as caught:
        await connect(endpoint, config=config, dialect=wrong)
    sentence = f"the peer speaks RPyC {right}, and was spoken to in RPyC {wrong}"
    assert sentence in str(caught.value)
    assert len(endpoint.dialled) == 1
