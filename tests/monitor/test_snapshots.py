"""The rows of this moment, beside the truth: real servers, clients, pools and tasks."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_twisted
import rpyc
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.threads import deferToThread

from tests.monitor.watched import watched
from tests.net.servers import Desk, until
from txremote import Service, Topic, exposed, stream
from txremote.net.login import portal_for
from txremote.peer.incoming import MOST_ITEMS
from txremote.work import pool_from_string


def peer_of(conn: Any) -> str:
    """Return how the server sees a client."""
    return f"127.0.0.1:{conn.transport.getHost().port}"


@pytest_twisted.ensureDeferred
async def test_a_connection_is_told_as_it_is() -> None:
    async with watched() as here:
        before = time.time()
        conn = await here.client()
        for _ in range(3):
            await conn.root.same(b"x" * 1000)
        held = await conn.root.same
        waiting = conn.root.wait()
        await until(lambda: here.desk.waiting)
        (row,) = here.monitor.connections()
        assert (row.server, row.user, row.peer) == ("shop", None, peer_of(conn))
        assert (row.dialect, row.state) == ("txremote (RPyC 6)", "open")
        assert before - 1 <= row.since <= time.time()
        assert row.requests == conn_of(here).inbound.received >= 5
        assert row.bytes_in is None or row.bytes_in > 3000
        assert (row.running, row.waiting, row.waits_for) == (1, 0, "its calls")
        assert row.exports == 2  # the root, and the method that is held
        assert (row.unsent, row.imports) == (0, 0)
        assert held is not None
        here.desk.waiting[0].callback("done")
        assert await waiting == "done"
        (after,) = here.monitor.connections()
        assert (after.number, after.running, after.waits_for) == (row.number, 0, "")


def conn_of(here: Any) -> Any:
    """Return the only connection of a server."""
    (conn,) = here.service.connections
    return conn


@pytest_twisted.ensureDeferred
async def test_a_stock_client_and_two_clients_of_ours_have_numbers_of_their_own() -> None:
    async with watched() as here:
        await here.client()
        await here.client()
        stock = await deferToThread(rpyc.connect, "127.0.0.1", here.service.ports[0].getHost().port)
        assert await deferToThread(lambda: stock.root.same(1)) == 1
        rows = here.monitor.connections()
        assert [row.number for row in rows] == [1, 2, 3]
        assert [row.dialect for row in rows][2] == "RPyC 6"
        await deferToThread(stock.close)
        await until(lambda: len(here.service.connections) == 2)
        await here.client()
        assert [row.number for row in here.monitor.connections()] == [1, 2, 4]


@pytest_twisted.ensureDeferred
async def test_the_user_and_the_login_that_is_waited_for_are_told() -> None:
    name = "bob\x1b[31m"
    checker = InMemoryUsernamePasswordDatabaseDontUse(**{name: b"secret"})
    async with watched(portal_for(Desk(), [checker])) as here:
        conn = await here.client()
        (row,) = here.monitor.connections()
        assert (row.user, row.waits_for) == (None, "login")
        await conn.root.login(name, "secret")
        (row,) = here.monitor.connections()
        assert (row.user, row.waits_for) == ("bob [31m", "")
        (listener,) = here.monitor.listeners()
        assert listener.login


@pytest_twisted.ensureDeferred
async def test_a_listener_tells_where_it_is_and_whom_it_has_turned_away() -> None:
    async with watched(switches={"max_connections": 1}) as here:
        await here.client()
        with pytest.raises(Exception, match="max_connections"):
            await here.client()
        (row,) = here.monitor.listeners()
        assert (row.server, row.address) == ("shop", here.service.addresses[0])
        assert (row.tls, row.login, row.connections, row.refused_total) == (False, False, 1, 1)


class Sender(Service):
    """Has what is sent for as long as its reader wants, and calls that others wait for."""

    exposed_news = Topic("news")

    def __init__(self) -> None:
        self.more: Deferred[Any] = Deferred()

    @exposed
    async def ticks(self) -> AsyncIterator[int]:
        """Give two numbers, then wait."""
        yield 1
        yield 2
        await Deferred()

    @exposed
    def numbers(self) -> Iterator[int]:
        """Give numbers without an end."""
        return iter(range(1 << 60))

    @exposed
    def later(self) -> Deferred[Any]:
        """Give what the test says."""
        return self.more

    @exposed
    async def read(self, items: Any) -> None:
        """Read a stream of the client's."""
        async for _item in items:
            pass


@pytest_twisted.ensureDeferred
async def test_streams_and_calls_that_wait_for_others_are_told_as_they_are() -> None:
    """
    Rows say how much has been sent, and why no more is; and that calls which use results of others
    wait for these.
    """
    never: Deferred[Any] = Deferred()

    async def endless() -> AsyncIterator[int]:
        yield 1
        await never

    async with watched(Sender()) as here:
        conn = await here.client()
        ticks, numbers = aiter(conn.root.ticks()), aiter(conn.root.numbers())
        events = aiter(conn.root.news.subscribe())
        assert [await anext(ticks), await anext(numbers)] == [1, 0]
        reading = conn.root.read(stream(endless()))
        event = ensureDeferred(anext(events))
        await until(lambda: any(row.method == "events of news" for row in here.monitor.calls()))
        Sender.exposed_news.publish("hello")
        assert await event == "hello"
        used = conn.root.later().strip()
        await until(lambda: len(here.monitor.calls()) == 6)
        rows = {row.method: row for row in here.monitor.calls()}
        assert rows.keys() == {
            *("stream of Sender.ticks", "stream of range_iterator", "events of news"),
            *("Sender.read", "Sender.later", "(a result).strip"),
        }
        one = rows["stream of Sender.ticks"]
        assert (one.items, one.waits_for, one.waiting) == (2, "", False)
        assert one.bytes_out is not None and 10 < one.bytes_out < 50
        full = rows["stream of range_iterator"]
        assert (full.items, full.waits_for) == (MOST_ITEMS, "its reader")
        topic = rows["events of news"]
        assert (topic.items, topic.bytes_out, topic.waits_for) == (1, None, "")
        waits = rows["(a result).strip"]
        assert (waits.waiting, waits.waits_for) == (True, "results of other calls")
        assert rows["Sender.later"].items is None
        overview = here.monitor.overview()
        assert (overview.streams_sent, overview.streams_read, overview.calls_running) == (2, 1, 6)
        (connection,) = here.monitor.connections()
        assert (connection.running, connection.waiting) == (5, 1)
        here.desk.more.callback(" x ")
        assert await used == "x"
        for each in (ticks, numbers, events):
            await each.aclose()
        never.callback(None)
        await reading
        await until(lambda: not here.monitor.calls())
        # how long they took says nothing of the server
        assert not [row for row in here.monitor.methods() if "tream" in row.method]
        assert here.monitor.overview().streams_sent == 0


@pytest_twisted.ensureDeferred
async def test_a_pool_is_told_as_it_is() -> None:
    from twisted.internet import reactor

    async with watched() as here:
        await here.pool.submit(int, ("7",))
        with pytest.raises(ValueError, match="seven"):
            await here.pool.submit(int, ("seven",))
        stopped = pool_from_string("threads:3", reactor)
        here.monitor.watch_pool(stopped)
        here.monitor.watch_pool(stopped)
        row, other = here.monitor.pools()
        assert (row.name, row.kind, row.state) == ("threads:2", "threads", "running")
        assert (row.workers, row.busy, row.queued) == (here.pool.statistics().workers, 0, 0)
        assert (row.done, row.failed, row.killed, row.restarted) == (1, 1, 0, 0)
        assert (other.name, other.state) == ("threads:3", "stopped")


@pytest_twisted.ensureDeferred
async def test_a_task_is_told_as_it_is_and_its_output_can_be_followed() -> None:
    async with watched() as here:
        before = time.time()
        said = here.submit("says one t\x1bwo")
        halfway = here.submit("halfway")
        await said.when_done()
        await until(lambda: halfway.progress is not None)
        row, other = here.monitor.tasks()
        assert (row.console, row.number, row.command) == ("desk", said.no, "says one t wo")
        assert (row.status, row.lines, row.progress_text) == ("FINISHED", 2, "")
        assert row.started is not None
        assert row.ended is not None
        assert before - 1 <= row.submitted <= row.started <= row.ended <= time.time() + 1
        assert (other.status, other.done_count, other.total) == ("RUNNING", 5, 10)
        assert (other.progress_text, other.ended) == ("half  way", None)
        output = here.monitor.task_output("desk", said.no)
        assert (output.first, output.lines, output.next, output.ended) == (
            0,
            ["one", "t wo"],
            2,
            True,
        )
        assert here.monitor.task_output("desk", said.no, 1).lines == ["t wo"]
        assert here.monitor.task_output("desk", said.no, 99).lines == []
        for console, number in (("desk", 99), ("desk", -1), ("nobody's", said.no)):
            with pytest.raises(KeyError, match="has no task"):
                here.monitor.task_output(console, number)
