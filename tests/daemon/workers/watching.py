"""
The monitor of workers that are made up, and answer as a test says.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from tests.daemon.workers.made_up import report, row
from txremote.daemon.workers.monitor import WorkersMonitor
from txremote.daemon.workers.reports import Report, Totals
from txremote.levels import levels
from txremote.monitor.rows import ListenerRow, Overview, TopicRow
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
    monitor.collector.crew = Crew(*workers)  # type: ignore[assignment]
    monitor.startService()
    monitor.refresh()
    return monitor, clock
