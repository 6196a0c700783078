"""
`txremote.ServerService`: a server in an application, beside its pools and clients.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.logger import formatEvent
from zope.interface import implementer
from zope.interface.verify import verifyObject

import txremote
from tests.net.servers import DEADLINE, LOOPBACK, Desk, endpoint_of, logged, served, until
from tests.processes import ROOT, Program, free_port, script
from txremote import ClassicService, RemoteClient, ServerService, ServerStopping, connect, exposed
from txremote.peer.request import MakeRequest, Request
from txremote.work import pool_from_string


@pytest_twisted.async_yield_fixture
async def application() -> AsyncIterator[MultiService]:
    """An application that runs; it is stopped at the end."""
    whole = MultiService()
    whole.startService()
    yield whole
    await whole.stopService()


async def client_of(service: ServerService) -> Any:
    """Connect to a service."""
    return await connect(service.addresses[0], timeout=DEADLINE)


def result_of(deferred: Deferred[Any]) -> list[Any]:
    """Return the list that a Deferred's result goes into, an exception as well."""
    found: list[Any] = []
    deferred.addCallbacks(found.append, lambda failure: found.append(failure.value))
    return found


@pytest_twisted.ensureDeferred
async def test_it_serves_from_start_to_stop_and_from_start_to_stop(
    application: MultiService,
) -> None:
    """Under a service that runs, it begins at once; it may be stopped and started again."""
    service = ServerService(LOOPBACK, Desk)
    assert verifyObject(IService, service)
    assert (service.addresses, list(service.connections)) == ([], [])
    service.setServiceParent(application)
    for _ in range(2):
        conn = await client_of(service)
        assert await conn.root.same("hello") == "hello"
        assert [each.peer.port for each in service.connections]
        await service.stopService()
        assert isinstance(await conn.when_disconnected(), Exception)
        assert conn.why_ended == "the peer closed the connection"
        assert (service.addresses, list(service.connections)) == ([], [])
        service.startService()
    await service.disownServiceParent()
    await service.stopService()  # once more is no error
    assert not service.ports


@pytest_twisted.ensureDeferred
async def test_calls_in_flight_end_first(application: MultiService) -> None:
    """Clients are told at once, and new calls refused; with the last call it has ended."""
    desk = Desk()
    service = ServerService(LOOPBACK, desk, drain=DEADLINE)
    service.setServiceParent(application)
    conn, idle = await client_of(service), await client_of(service)
    call = result_of(conn.root.wait())
    await until(lambda: desk.waiting)
    first, second = result_of(application.stopService()), result_of(service.stopService())
    await until(lambda: conn.peer_stopping and idle.closed)
    with pytest.raises(ServerStopping, match="the server is stopping"):
        await conn.root.count()
    assert (call, first, second) == ([], [], [])
    desk.waiting[0].callback("answered")
    await until(lambda: first and second)
    await until(lambda: conn.closed)
    assert call == ["answered"]


@pytest.mark.parametrize("how", ["no drain", "its drain is over", "now"])
@pytest_twisted.ensureDeferred
async def test_a_call_that_does_not_end_is_cut(how: str) -> None:
    """
    After the seconds of ``drain``, or when it is to close at once: it is cancelled, and its caller
    hears why. It is a lost connection for whoever asks whether the call may be repeated.
    """
    desk = Desk()
    drain = {"no drain": 0.0, "its drain is over": 0.05, "now": DEADLINE}[how]
    service = ServerService(LOOPBACK, desk, drain=drain)
    service.startService()
    conn = await client_of(service)
    call = result_of(conn.root.wait())
    await until(lambda: desk.waiting)
    async with logged() as events:
        stopped = service.stopService()
        if how == "now":
            service.close_now()
        await stopped
    assert desk.cancelled == desk.waiting
    await until(lambda: call)
    assert isinstance(call[0], txremote.CallCut) and isinstance(call[0], txremote.ConnectionLost)
    told = "the server is stopping: it has cut this call, which had begun"
    assert str(call[0]).startswith(told)
    assert "Desk is stopping, and cuts 1 call (Desk.wait)" in map(formatEvent, events)


@pytest_twisted.ensureDeferred
async def test_started_again_before_it_has_stopped_it_takes_the_same_port() -> None:
    """Old clients have their answers from what stops, new ones come to what starts."""
    desk = Desk()
    where = f"127.0.0.1:{free_port()}"
    service = ServerService(where, desk, drain=DEADLINE)
    service.startService()
    conn = await client_of(service)
    call = result_of(conn.root.wait())
    await until(lambda: desk.waiting)
    stopped = result_of(service.stopService())
    service.startService()
    await until(lambda: service.ports)
    assert service.addresses == [where]
    assert await (await client_of(service)).root.same(1) == 1
    desk.waiting[0].callback("answered")
    await until(lambda: stopped and call)
    assert call == ["answered"]
    await service.stopService()


@pytest_twisted.ensureDeferred
async def test_a_port_that_is_taken_is_told_at_once(application: MultiService) -> None:
    """By whatever starts it; and it may be started when the port is free."""
    async with served(Desk) as port:
        service = ServerService(f"127.0.0.1:{port.getHost().port}", Desk)
        with pytest.raises(CannotListenError):
            service.setServiceParent(application)
        assert not service.running
    service.startService()
    assert service.ports
    await service.stopService()


@implementer(IStreamServerEndpoint)
class Late:
    """An endpoint that finds out later whether it can listen."""

    def __init__(self) -> None:
        self.answer: Deferred[Any] = Deferred()

    def listen(self, factory: object) -> Deferred[Any]:
        return self.answer


@pytest_twisted.ensureDeferred
async def test_an_endpoint_that_fails_later_is_in_the_log() -> None:
    """By its description, with the reason; one that is stopped meanwhile fails in silence."""
    late = Late()
    service = ServerService(late, Desk)
    service.privilegedStartService()
    async with logged() as events:
        late.answer.errback(OSError("no such network"))
    [event] = [each for each in events if "log_failure" in each]
    assert "cannot listen on {what}" in event["log_format"]
    assert "no such network" in str(event["log_failure"].value)
    await service.stopService()
    late.answer = Deferred()
    async with logged() as events:
        service.startService()
        await service.stopService()
    assert not events


WRONG: dict[str, tuple[type[Exception], str, Any]] = {
    "no place": (TypeError, "no place to listen: 18861", lambda: ServerService(18861, Desk)),
    "no service": (TypeError, "service", lambda: ServerService(LOOPBACK, 5)),
    "no switch": (TypeError, "nosuch", lambda: ServerService(LOOPBACK, Desk, config={"nosuch": 1})),
    "no time": (ValueError, "drain is a number", lambda: ServerService(LOOPBACK, Desk, drain=-1)),
    "everybody": (
        ValueError,
        "a classic service gives whoever connects this whole account",
        lambda: ServerService("tcp:0", ClassicService).startService(),
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_mistakes_are_sentences(name: str) -> None:
    """When it is made, but for an address that strangers reach."""
    kind, told, make = WRONG[name]
    with pytest.raises(kind, match=told):
        make()


class Relay(txremote.Service):
    """Uses a pool and a client when it is told to."""

    def __init__(self, pool: Any, client: Any) -> None:
        self.go: Deferred[None] = Deferred()
        self.begun = False
        self._pool = pool
        self._client = client

    @exposed
    async def work(self) -> tuple[object, object]:
        """Begin, wait, and use both."""
        self.begun = True
        await self.go
        five = await txremote.run_async(divmod, 5, 1, pool=self._pool)
        return five, await self._client.root.same("hello")


@pytest.mark.parametrize("first", ["server", "pool", "client"])
@pytest_twisted.ensureDeferred
async def test_calls_that_end_have_their_pools_and_clients_to_the_last(first: str) -> None:
    """In one application, in whatever order these were added."""
    async with served(Desk) as port:
        pool = pool_from_string("threads:1")
        client = RemoteClient(endpoint_of(port))
        relay = Relay(pool, client)
        service = ServerService(LOOPBACK, relay, drain=DEADLINE)
        parts: dict[str, Any] = {"server": service, "pool": pool, "client": client}
        whole = MultiService()
        for part in (parts.pop(first), *parts.values()):
            part.setServiceParent(whole)
        whole.startService()
        conn = await client_of(service)
        call = result_of(conn.root.work())
        await until(lambda: relay.begun)
        stopped = result_of(whole.stopService())
        await until(lambda: conn.peer_stopping)
        relay.go.callback(None)
        await until(lambda: stopped)
        await until(lambda: call)
        assert call == [((5, 0), "hello")]
        assert not (pool.running or client.running)


class Caller(txremote.Service):
    """Has a client of its own for each call, and closes it."""

    def __init__(self, where: str) -> None:
        self.go: Deferred[None] = Deferred()
        self.begun = False
        self._where = where

    @exposed
    async def work(self) -> object:
        """Begin, wait, and ask."""
        client = RemoteClient(self._where)
        client.startService()
        self.begun = True
        await self.go
        try:
            return await client.root.same("hello")
        finally:
            await client.stopService()


@pytest_twisted.ensureDeferred
async def test_a_call_may_stop_a_client_of_its_own_while_the_server_waits_for_it() -> None:
    """It is no part of the application, so it waits for nobody."""
    async with served(Desk) as port:
        caller = Caller(endpoint_of(port))
        service = ServerService(LOOPBACK, caller, drain=DEADLINE)
        service.startService()
        conn = await client_of(service)
        call = result_of(conn.root.work())
        await until(lambda: caller.begun)
        stopped = service.stopService()
        caller.go.callback(None)
        await stopped
        await until(lambda: call)
        assert call == ["hello"]


TAC = """
import time
from twisted.application.service import Application
from tests.services import LATER
from txremote import ConsoleService, RemoteClient, ServerService, Service, exposed, run_async
from txremote.peer.request import MakeRequest, Request
from txremote.work import pool_from_string

class Front(Service):
    @exposed
    async def slow(self):
        began = await client.root.began()
        return began, await run_async(time.sleep, LATER, pool=pool)

class Back(Service):
    @exposed
    def began(self):
        print("begun", flush=True)
        return "begun"

class Stock:
    commands = ["fill"]
    def fill(self, what): return what

application = Application("shop")
pool = pool_from_string("processes:1")
client = RemoteClient("unix:back.sock")
for part in (
    ServerService("127.0.0.1:0", Front, drain=20),
    ServerService("unix:back.sock", Back),
    ConsoleService(Stock, endpoints=["unix:console.sock"]),
    pool,
    client,
):
    part.setServiceParent(application)
"""


@pytest_twisted.ensureDeferred
async def test_in_a_tac_file(tmp_path: Path) -> None:
    """A real twistd, with all that an application may have, is told to stop during a call."""
    tac = tmp_path / "shop.tac"
    tac.write_text(TAC, "utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = (script("twistd"), "-n", "--pidfile=", "-y", tac)
    with Program(*command, cwd=tmp_path, env=environment) as program:
        where = program.wait_for(r"txremote serves on (127\S+)")[1]
        conn = await connect(where, timeout=DEADLINE)
        call = result_of(conn.root.slow())
        await until(lambda: "begun" in program.output)
        program.signal(signal.SIGTERM)
        await until(lambda: conn.peer_stopping)
        await until(lambda: call)
        assert call == [("begun", None)]
        await conn.when_disconnected()
        assert program.finish() in (0, -signal.SIGTERM)
        assert "Traceback" not in program.output
        assert "Server Shut Down." in program.output
        assert [path.name for path in tmp_path.iterdir() if path.suffix != ".tac"] == []


PROGRAM = """
from twisted.internet import reactor
from txremote import ServerService, Service, exposed

class Root(Service):
    @exposed
    def stop(self):
        reactor.callLater(0, reactor.stop)
        return "stopping"

server = ServerService("127.0.0.1:0", Root)
server.startService()
print("serves on", *server.addresses, flush=True)
reactor.run()
print("ended", flush=True)
"""


@pytest_twisted.ensureDeferred
async def test_clients_of_a_program_that_just_stops_its_reactor_are_told_so() -> None:
    """Nobody calls ``stopService`` there."""
    with Program(sys.executable, "-c", PROGRAM) as program:
        conn = await connect(program.wait_for(r"serves on (\S+)")[1], timeout=DEADLINE)
        assert await conn.root.stop() == "stopping"
        await conn.when_disconnected()
        assert conn.why_ended == "the peer closed the connection"
        assert conn.peer_stopping
        assert program.finish() == 0
        assert program.output.endswith("ended\n")


def noting(made: list[str], name: str, make: MakeRequest) -> MakeRequest:
    """Return a maker of requests that notes its name, and calls the one before it."""

    def maker(*about: Any) -> Request:
        made.append(name)
        return make(*about)

    return maker


@pytest_twisted.ensureDeferred
async def test_a_maker_of_requests_is_kept_from_one_start_to_the_next() -> None:
    service = ServerService(LOOPBACK, Desk)
    made: list[str] = []
    for name in ("first", "second"):
        service.make_request = noting(made, name, service.make_request)
    for _ in range(2):
        service.startService()
        client = await client_of(service)
        await client.root
        del made[:]
        assert await client.root.same(1) == 1
        assert made == ["second", "first"]
        await client.close()
        await service.stopService()
