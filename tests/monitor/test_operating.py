"""
Operators over the wire: who is let in, what they get, and that nobody else gets it.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import pytest_twisted
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.internet import reactor
from twisted.internet.defer import maybeDeferred

from tests.peer.pairs import logged
from txremote import Connection, ServerService, Service, connect, exposed, get_remote
from txremote.levels import levels
from txremote.monitor.asking import operations
from txremote.monitor.monitor import Monitor
from txremote.monitor.operating import Operations, Operators, pairs
from txremote.monitor.rows import ROWS
from txremote.net.client_login import log_in
from txremote.net.login import portal_for
from txremote.wire.consts import HANDLE_OPERATIONS


class Board(Service):
    """Where users leave things for each other."""

    left: Any = None

    @exposed
    def leave(self, thing: Any) -> None:
        type(self).left = thing

    @exposed
    def take(self) -> Any:
        return self.left


class Watched(Monitor):
    """A monitor that notes in which thread it is asked."""

    asked: set[int] = set()

    def overview(self) -> Any:
        self.asked.add(threading.get_ident())
        return super().overview()


class Office:
    """Two servers in one process: ann is an operator of the first, bob of the second."""

    def __init__(self, can_write: bool, threaded: bool) -> None:
        self.monitor = Watched(reactor, can_write=can_write)
        self.servers = {}
        for name, operator in (("first", "ann"), ("second", "bob"), ("third", None)):
            users = InMemoryUsernamePasswordDatabaseDontUse(ann=b"sesame", bob=b"hunter2")
            server = ServerService(
                "tcp:0:interface=127.0.0.1",
                portal_for(Board, [users]),
                threaded_service=threaded,
                drain=0,
            )
            if operator is not None:
                server.offer_operations(Operators([operator], self.monitor, reactor))
            self.monitor.watch_server(server, name)
            self.servers[name] = server
        self.stack = AsyncExitStack()

    async def client(self, server: str, user: str | None = None) -> Connection:
        """Return a connection, perhaps one that has logged in."""
        connection = await connect(self.servers[server].addresses[0])
        self.stack.push_async_callback(connection.close)
        if user is not None:
            await log_in(connection, user, {"ann": "sesame", "bob": "hunter2"}[user])
        return connection


@asynccontextmanager
async def office(can_write: bool = False, threaded: bool = False) -> AsyncIterator[Office]:
    """Start the servers, and stop them."""
    made = Office(can_write, threaded)
    services: list[Any] = [made.monitor, *made.servers.values()]
    for service in services:
        service.startService()
    try:
        async with made.stack:
            yield made
    finally:
        levels.reset()
        for service in services:
            await maybeDeferred(service.stopService)


@pytest_twisted.ensureDeferred
async def test_an_operator_has_all_that_the_monitor_has() -> None:
    """As rows, of every kind."""
    async with office() as made:
        client = await made.client("first", "ann")
        there = await operations(client)
        overview = await there.overview()
        assert (overview.state, overview.can_write) == ("serving", False)
        found = {kind: await there.rows(kind) for kind in ROWS}
        assert all(type(row) is ROWS[kind] for kind, rows in found.items() for row in rows)
        assert [(row.server, row.user) for row in found["connections"]] == [("first", "ann")]
        assert [row.server for row in found["listeners"]] == ["first", "second", "third"]
        assert set((await there.series()).columns) >= {"calls", "rss"}
        names = {name for name in vars(Operations) if not name.startswith("_")}
        assert names == {"overview", "series", "task_output", "close_connection", "kill_task"} | {
            *("log_level", *ROWS)
        }


@pytest.mark.parametrize(
    "server, user, why",
    [
        ("first", None, "operators log in first"),
        ("first", "bob", "'bob' is no operator here"),
        ("second", "ann", "'ann' is no operator here"),
        ("third", "ann", "nobody is an operator here: twistd txremote --operators"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_others_are_refused(server: str, user: str | None, why: str) -> None:
    """Also those who ask though the server has not said that it has operators."""
    async with office() as made:
        client = await made.client(server, user)
        with pytest.raises(PermissionError, match=why):
            await client.request(HANDLE_OPERATIONS)
        with pytest.raises(PermissionError, match="operators"):
            await operations(client)
        assert ("operations" in client.features) is (server != "third")


@pytest_twisted.ensureDeferred
async def test_operations_that_are_handed_on_are_of_no_use() -> None:
    """They are one connection's, whoever has a reference to them."""
    async with office(can_write=True) as made:
        ann = await made.client("first", "ann")
        bob = await made.client("first", "bob")
        mine = await ann.request(HANDLE_OPERATIONS)
        await ann.root.leave(mine)
        his = await bob.root.take()
        for call in (his.overview, his.connections, lambda: his.close_connection(1)):
            with pytest.raises(PermissionError, match="for another connection"):
                await call()
        for name in ("_monitor", "_connection", "_user", "__class__", "__dict__"):
            with pytest.raises(AttributeError):
                await get_remote(mine, name)
        assert (await mine.overview()).connections == 2


@pytest_twisted.ensureDeferred
async def test_arguments_are_exactly_what_they_should_be() -> None:
    """A reference in the place of a number would be asked in the reactor's thread."""
    async with office(can_write=True) as made:
        client = await made.client("first", "ann")
        there = await client.request(HANDLE_OPERATIONS)
        for call in (
            lambda: there.close_connection([1]),
            lambda: there.close_connection(True),
            lambda: there.kill_task(1, 1),
            lambda: there.task_output("console", "1"),
            lambda: there.log_level(5),
        ):
            with pytest.raises(TypeError, match=r" is an? (int|str)$"):
                await call()
        with pytest.raises(ValueError, match="no level 'loud'"):
            await there.log_level("loud")


@pytest.mark.parametrize("can_write", [True, False])
@pytest_twisted.ensureDeferred
async def test_connections_are_closed_where_that_is_allowed(can_write: bool) -> None:
    """And the log says who has done it."""
    async with office(can_write) as made:
        there = await operations(await made.client("first", "ann"))
        other = await made.client("second", "bob")
        [number] = [row.number for row in await there.rows("connections") if row.user == "bob"]
        with logged() as log:
            if can_write:
                assert await there.close_connection(number)
                await other.when_disconnected()
                assert not await there.close_connection(number)
            else:
                with pytest.raises(PermissionError, match="--admin-write"):
                    await there.close_connection(number)
        assert "ann" in log.text()
        assert other.closed is can_write


@pytest_twisted.ensureDeferred
async def test_the_level_of_the_log_is_set_and_who_did_it_is_logged() -> None:
    """Even if nothing of that level is logged any more."""
    async with office(can_write=True) as made:
        there = await operations(await made.client("first", "ann"))
        with logged() as log:
            assert await there.log_level("error") == "error"
            assert await there.log_level() == "error"
        assert "ann has set the log's level: error" in log.text()


@pytest_twisted.ensureDeferred
async def test_only_who_may_write_keeps_warnings_from_the_log() -> None:
    """More may be logged by every operator."""
    async with office() as made:
        there = await operations(await made.client("first", "ann"))
        before = await there.log_level()
        for level in ("error", "txremote.call=critical"):
            with pytest.raises(PermissionError, match="--admin-write"):
                await there.log_level(level)
        assert await there.log_level() == before
        assert await there.log_level("txremote.call=warn") == f"{before}, txremote.call=warn"


@pytest_twisted.ensureDeferred
async def test_a_threaded_service_s_monitor_is_asked_in_the_reactor() -> None:
    """Where it belongs; the connection's own requests run in another thread."""
    async with office(threaded=True) as made:
        made.monitor.asked.clear()
        there = await operations(await made.client("first", "ann"))
        assert (await there.overview()).connections == 1
        with pytest.raises(PermissionError, match="--admin-write"):
            await there.close_connection(1)
        assert made.monitor.asked == {threading.get_ident()}


def test_a_stock_peer_gets_tuples() -> None:
    """A row is its fields' names and values."""
    row = ROWS["objects"]("shop.Shop", 2, 0.5, 1)
    assert pairs([row]) == (
        (("class_name", "shop.Shop"), ("count", 2), ("growth_per_minute", 0.5), ("holders", 1)),
    )
    assert pairs({"at": [1.0, None]}) == (("at", (1.0, None)),)
