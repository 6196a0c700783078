"""
The monitor of the supervisor: sums, what is kept of workers that have ended, and silence.
"""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from tests.daemon.workers.made_up import report, row
from txremote.daemon.workers.monitor import FRESH, WorkersMonitor
from txremote.daemon.workers.reports import Report, Totals
from txremote.levels import levels
from txremote.monitor.health import STUCK_AFTER
from txremote.monitor.metrics import exposition
from txremote.monitor.rows import ConnectionRow, ListenerRow, Overview, TopicRow
from txremote.monitor.topics import TopicTotals


class Worker:
    """A worker that answers as the test says: its own control, too."""

    def __init__(self, number: int, told: Report | None) -> None:
        self.number = number
        self.told = told
        self.done: list[Any] = []
        self.control = self
        self.named = {"worker": number, "process": 100 + number}

    def tell_levels(self) -> None:
        """Note the levels of the moment."""
        self.done.append(levels.told())

    def report(self) -> Deferred[Report]:
        """Answer, or do not."""
        return fail(RuntimeError("no answer")) if self.told is None else succeed(self.told)

    def do(self, *what: object) -> Deferred[bool]:
        """Note what is to be done."""
        self.done.append(what)
        return succeed(True)


class Crew:
    """Workers that serve."""

    def __init__(self, *workers: Worker) -> None:
        self.alive = self.serving = list(workers)
        self.complete = True
        self.keeper = workers[0]


def told(calls: int, **fields: object) -> Report:
    """Return a worker's report."""
    overview = row(Overview, state="serving", connections=1, calls_total=calls, p99=0.1 * calls)
    overview = replace(overview, streams_sent=2, streams_read=1)
    counts = (TopicTotals("news", published=calls),)
    totals = Totals(calls=calls, cpu=float(calls), refused={"Shop": calls}, topics=counts)
    rows = [row(ListenerRow, server="Shop", connections=1)]
    news = [row(TopicRow, name="news", published=calls, subscribers=1, bus="joined")]
    return report(overview=overview, totals=totals, listeners=rows, topics=news, **fields)


def watching(*workers: Worker, can_write: bool = True) -> tuple[WorkersMonitor, Clock]:
    """Return a running monitor of workers, which has asked them."""
    clock = Clock()
    monitor = WorkersMonitor(clock, can_write=can_write)  # type: ignore[arg-type]
    monitor.watch_crew(Crew(*workers))  # type: ignore[arg-type]
    monitor.startService()
    monitor.refresh()
    return monitor, clock


def test_figures_are_sums_and_those_of_a_worker_that_has_ended_stay() -> None:
    """Counters never go back, which Prometheus takes for a restart."""
    one, two = Worker(1, told(2)), Worker(2, told(5))
    monitor, _clock = watching(one, two)
    overview = monitor.overview()
    assert (overview.connections, overview.calls_total, overview.workers) == (2, 7, 2)
    assert overview.p99 == 0.5 and overview.cpu >= 7.0
    assert (overview.streams_sent, overview.streams_read) == (4, 2)
    assert [(each.worker, each.published) for each in monitor.topics()] == [(1, 2), (2, 5)]
    assert monitor.listeners()[0].refused_total == 7
    assert b"txremote_workers 2.0" in exposition(monitor)[1]
    monitor.last_report(two, replace(told(6)))  # type: ignore[arg-type]
    monitor.worker_ended(two)  # type: ignore[arg-type]
    overview = monitor.overview()
    assert (overview.connections, overview.calls_total) == (1, 8)
    assert monitor.listeners()[0].refused_total == 8
    _kind, page = exposition(monitor)
    assert b'txremote_refused_connections_total{server="Shop"} 8.0' in page
    assert b'txremote_topic_published_events_total{topic="news"} 8.0' in page
    assert b'txremote_topic_subscribers{topic="news"} 1.0' in page
    assert b'txremote_topic_bus_joined{topic="news"} 1.0' in page
    monitor.stopService()


def test_rows_are_asked_for_once_for_all_who_want_them_now() -> None:
    """And again when they are older."""
    one = Worker(1, told(2))
    monitor, clock = watching(one)
    assert monitor.refresh() is None
    clock.advance(FRESH)
    one.told = told(3)
    refreshed = monitor.refresh()
    assert refreshed is not None and refreshed.called
    assert monitor.overview().calls_total == 3
    monitor.stopService()


def test_a_worker_that_does_not_answer_is_told_of_and_all_are_unhealthy() -> None:
    """One alone leaves the server healthy: the others serve."""
    one, two = Worker(1, told(2)), Worker(2, told(5))
    monitor, clock = watching(one, two)
    assert monitor.health().ready
    two.told = None
    for _step in range(12):
        clock.advance(STUCK_AFTER / 10)
        monitor.refresh()
    health = monitor.health()
    assert health.healthy and health.ready and health.reasons == ("no answer from worker 2",)
    one.told = None
    for _step in range(12):
        clock.advance(STUCK_AFTER / 10)
        monitor.refresh()
    health = monitor.health()
    assert not health.healthy and health.reasons == ("no answer from worker 1, 2",)
    one.told = told(2)
    clock.advance(FRESH)
    monitor.refresh()
    assert monitor.health().healthy
    monitor.note_draining()
    assert not monitor.health().ready
    monitor.stopService()


def test_what_an_operator_does_is_done_by_the_worker_that_has_it() -> None:
    """A connection by its number, a task by the keeper; the log's level by all."""
    rows = [row(ConnectionRow, number=2_000_001)]
    one, two = Worker(1, told(2)), Worker(2, told(5, connections=rows))
    monitor, _clock = watching(one, two)
    monitor.close_connection(2_000_001, by="ann")
    assert two.done == [("close_connection", 2_000_001, "ann")]
    assert monitor.close_connection(1, by="ann") is False
    monitor.kill_task("console", 3, by="ann")
    assert one.done == [("kill_task", "console", 3, "ann")]
    monitor.stopService()
    monitor, _clock = watching(one, two, can_write=False)
    with pytest.raises(PermissionError):
        monitor.close_connection(2_000_001, by="ann")
    monitor.stopService()


def test_levels_of_the_log_are_told_to_all_workers() -> None:
    """Set or toggled; an operator who only asks changes nothing."""
    one, two = Worker(1, told(2)), Worker(2, told(5))
    monitor, _clock = watching(one, two)
    try:
        levels.begin(False)
        assert monitor.log_level("txremote.call=warn", by="ann") == "info, txremote.call=warn"
        monitor.toggle_debug()
    finally:
        levels.reset()
        monitor.stopService()
    written = ["txremote=info", "txremote.call=warn"]
    assert one.done == two.done == [(written, False), (written, True)]


def test_points_of_the_plots_are_those_of_all_workers() -> None:
    """Each few seconds, what is new since the point before."""
    one, two = Worker(1, told(2)), Worker(2, told(5))
    monitor, clock = watching(one, two)
    clock.pump([0.5] * 11)
    one.told = told(12)
    clock.pump([0.5] * 11)
    assert monitor.series().columns["calls"][-1] == 10.0
    assert monitor.series().columns["connections"][-1] == 2.0
    monitor.stopService()
