"""
The stream of news: whole at first, then only what has changed, and never too much.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport

from tests.monitor.web.made_up import TOKEN, MadeUpMonitor, row, served
from txremote.monitor import rows
from txremote.monitor.web.channel import AdminChannel
from txremote.monitor.web.events import MOST_STREAMS, SHARE, VIEWS, Streams
from txremote.monitor.web.tables import Choice


class Watching:
    """A page that watches a view; `news` has what it was sent since the last time."""

    def __init__(self, site: Any, view: str, more: str = "") -> None:
        self.transport = StringTransport()
        self.channel: AdminChannel = site.buildProtocol(None)
        self.channel.makeConnection(self.transport)
        head = f"GET /events?view={view}{more} HTTP/1.1\r\nHost: localhost\r\n"
        token = f"Authorization: Bearer {TOKEN.decode()}\r\n\r\n"
        self.channel.dataReceived(f"{head}{token}".encode())

    def news(self) -> list[Any]:
        """Return the news since the last time."""
        lines = self.transport.value().split(b"\n")
        self.transport.clear()
        return [msgspec.json.decode(line[6:]) for line in lines if line.startswith(b"data: ")]


@pytest_twisted.ensureDeferred
async def test_a_page_gets_its_view_whole_and_then_what_has_changed() -> None:
    """A row that is as it was is not sent again; a table in which nothing changed neither."""
    monitor = MadeUpMonitor()
    async with served(monitor) as (site, _client):
        page = Watching(site, "connections")
        [first] = page.news()
        assert first["overview"]["version"] == "1.2.3"
        table = first["tables"]["connections"]
        assert (table["whole"], table["total"], len(table["set"])) == (True, 3, 3)
        monitor.news()
        [same] = page.news()
        assert same["tables"] == {}
        one, two, _three = monitor.tables["connections"]
        busier = msgspec.structs.replace(two, requests=8)
        monitor.tables["connections"] = [one, busier]
        monitor.news()
        [changed] = page.news()
        table = changed["tables"]["connections"]
        assert (table["whole"], table["total"], table["gone"]) == (False, 2, ["3"])
        assert [(key, each["requests"]) for key, each in table["set"]] == [("2", 8)]


@pytest_twisted.ensureDeferred
async def test_points_of_the_plots_are_sent_once() -> None:
    """All of them at first, the new ones after that; only where there are plots."""
    monitor = MadeUpMonitor()
    async with served(monitor) as (site, _client):
        page, other = Watching(site, "overview"), Watching(site, "log")
        [first] = page.news()
        assert first["series"]["at"] == [5.0, 10.0]
        monitor.news()
        assert "series" not in page.news()[0]
        monitor.points = rows.Series(5.0, [10.0, 15.0], {"calls": [None, 2.0]})
        monitor.news()
        assert page.news()[0]["series"] == {"step": 5.0, "at": [15.0], "columns": {"calls": [2.0]}}
        assert all("series" not in each for each in other.news())


@pytest_twisted.ensureDeferred
async def test_a_choice_is_made_by_the_server() -> None:
    """Where a table is too long for the page."""
    async with served(MadeUpMonitor()) as (site, _client):
        [first] = Watching(site, "connections", "&sort=-requests&limit=1&filter=127").news()
        table = first["tables"]["connections"]
        assert (table["total"], [key for key, _row in table["set"]]) == (3, ["2"])


@pytest_twisted.ensureDeferred
async def test_a_page_that_does_not_read_is_sent_no_more_and_dropped() -> None:
    """When it reads again in time, it hears what it has missed."""
    monitor = MadeUpMonitor()
    async with served(monitor) as (site, _client):
        page = Watching(site, "objects")
        page.news()
        page.channel.pauseProducing()
        monitor.tables["objects"] = [row(rows.ObjectRow, class_name="Leak", count=9)]
        monitor.news()
        assert page.news() == []
        page.channel.resumeProducing()
        monitor.news()
        [missed] = page.news()
        assert missed["tables"]["objects"]["set"][0][1]["count"] == 9
        page.channel.connectionLost()
        assert monitor.listeners_to_news == []
        assert len(site.streams) == 0


@pytest_twisted.ensureDeferred
async def test_streams_are_bounded_and_end() -> None:
    """One too many is refused; what a stopped site or a failure ends is ended once."""
    monitor = MadeUpMonitor()
    async with served(monitor) as (site, client):
        pages = [Watching(site, view) for view in (list(VIEWS) * 2)[:MOST_STREAMS]]
        refused = await client.ask("/events")
        assert (refused.code, "close one" in refused.text) == (503, True)
        monitor.overview = lambda: 1 / 0  # type: ignore[assignment, method-assign, return-value]
        monitor.news()
        assert len(site.streams) == 0
        assert all(page.transport.value().endswith(b"0\r\n\r\n") for page in pages)


class SlowRequest:
    """A request whose writing takes some of a timer's seconds."""

    def __init__(self, seconds: float) -> None:
        self.now = 0.0
        self.sent = 0
        self._seconds = seconds

    def write(self, _data: bytes) -> None:
        self.now += self._seconds
        self.sent += 1

    def notifyFinish(self) -> Deferred[None]:
        return Deferred()

    def registerProducer(self, _producer: object, _streaming: bool) -> None: ...


@pytest.mark.parametrize("seconds", [0.001, 0.04, 0.5])
def test_the_pages_take_a_small_share_of_the_loops_time(seconds: float) -> None:
    """Work that takes long is done more rarely; the first news comes at once."""
    monitor = MadeUpMonitor()
    request: Any = SlowRequest(seconds)
    streams = Streams(monitor, lambda: request.now)  # type: ignore[arg-type]
    streams.open(request, "log", Choice())
    request.sent = 0
    for second in range(1, 101):
        request.now = max(request.now, float(second))
        monitor.news()
    assert 0 < request.sent * seconds <= 100 * SHARE + seconds
    assert request.sent >= min(100, int(100 * SHARE / seconds) - 20)
