"""
`WorkersMonitor`: the monitor of the supervisor, which adds its workers up.

It asks each worker for its rows every few seconds, which the plots, the health and systemd need,
and once a second while somebody looks; whoever asks by HTTP or over the wire gets rows that are
newer than `FRESH`. A worker that does not answer keeps its last rows; after `STUCK_AFTER` seconds
it counts as stuck, which is told in the health. The counts of a worker are kept when it ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from msgspec import structs
from twisted.internet.defer import Deferred, DeferredList

from txremote.daemon.workers import sums
from txremote.daemon.workers.control import Control
from txremote.daemon.workers.crew import Crew
from txremote.daemon.workers.process import WorkerProcess
from txremote.daemon.workers.reports import Report, Totals, add_totals, stats_of
from txremote.levels import Logger
from txremote.monitor.callstats import CallStats, percentile
from txremote.monitor.fresh import when_fresh
from txremote.monitor.health import STUCK_AFTER
from txremote.monitor.monitor import Monitor
from txremote.monitor.rows import (
    CallRow,
    CertificateRow,
    ConnectionRow,
    Health,
    ListenerRow,
    MethodRow,
    ObjectRow,
    Overview,
    PoolRow,
    ServingState,
    SlowCall,
    TaskOutput,
    TaskRow,
    TopicRow,
)
from txremote.monitor.topics import TopicTotals
from txremote.refs.clock import Reactor

_log = Logger("txremote.workers")

#: Seconds for which rows are taken for those of now.
FRESH: Final = 0.5


class WorkersMonitor(Monitor):
    """
    The rows of all workers. For the reactor's thread, but `health`.

    Args:
        reactor: The reactor.
        can_write: See `Monitor`.
    """

    def __init__(self, reactor: Reactor, *, can_write: bool) -> None:
        super().__init__(reactor, slow=0, can_write=can_write)
        self._crew: Crew | None = None
        self._reports: dict[WorkerProcess, Report] = {}
        self._heard: dict[WorkerProcess, float] = {}
        self._stuck: set[WorkerProcess] = set()
        self._past = Totals()
        self._totals = Totals()
        self._asked: float | None = None
        self._asking: Deferred[Any] | None = None
        self._waiting: list[Deferred[None]] = []
        self._was_complete = False

    def watch_crew(self, crew: Crew) -> None:
        """Watch these workers."""
        self._crew = crew

    def worker_ended(self, worker: WorkerProcess) -> None:
        """Keep what a worker had counted: it has ended."""
        report = self._reports.pop(worker, None)
        self._heard.pop(worker, None)
        self._stuck.discard(worker)
        if report is not None:
            self._past = add_totals(self._past, report.totals)
            self._add_up()

    def last_report(self, worker: WorkerProcess, report: Report) -> None:
        """Take in the rows of a worker that is about to end."""
        self._reports[worker] = report
        self._add_up()

    # -- asking the workers

    def refresh(self) -> Deferred[None] | None:
        """Ask all workers for their rows, unless that was done just now; see `Monitor.refresh`."""
        now = self._clock.seconds()
        if self._crew is None or (self._asked is not None and now - self._asked < FRESH):
            return None
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        if self._asking is None:
            asked: list[Deferred[Any]] = [
                self._ask_worker(worker, worker.control)
                for worker in self._crew.alive
                if worker.control is not None
            ]
            self._asking = DeferredList(asked)
            self._asking.addCallback(self._all_told)
        return waiting

    def _ask_worker(self, worker: WorkerProcess, control: Control) -> Deferred[Any]:
        self._heard.setdefault(worker, self._clock.seconds())

        def told(report: Report) -> None:
            if worker in self._heard:  # else it has ended meanwhile
                self._reports[worker] = report
                self._heard[worker] = self._clock.seconds()
                self._stuck.discard(worker)

        return control.report().addCallbacks(told, lambda _failure: self._not_told(worker))

    def _not_told(self, worker: WorkerProcess) -> None:
        since = self._heard.get(worker)
        if since is None or worker in self._stuck:
            return
        silent = self._clock.seconds() - since
        if silent >= STUCK_AFTER:
            self._stuck.add(worker)
            said = "worker {worker} (process {process}) has not answered for {s:.0f} s"
            _log.warn(said, **worker.named, s=silent)

    def _all_told(self, _answers: object) -> None:
        self._asking = None
        self._asked = self._clock.seconds()
        self._add_up()
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.called:
                each.callback(None)

    def _add_up(self) -> None:
        totals = self._past
        for report in self._reports.values():
            totals = add_totals(totals, report.totals)
        self._totals = totals
        self._stats = stats_of(totals)

    def _numbered(self) -> list[tuple[int, Report]]:
        return [(worker.number, report) for worker, report in self._reports.items()]

    # -- the rows

    @property
    def _state(self) -> ServingState:
        if self._begun and not self._running:
            return "stopped"
        if self._draining:
            return "draining"
        crew = self._crew
        if crew is not None and crew.complete:
            self._was_complete = True
        serves = crew is not None and bool(crew.serving)
        return "serving" if self._running and self._was_complete and serves else "starting"

    def overview(self) -> Overview:
        """Return the server as a whole."""
        own = super().overview()
        rows = [report.overview for report in self._reports.values()]
        return structs.replace(
            own,
            state=self._state,
            connections=sum(row.connections for row in rows),
            calls_total=self._totals.calls,
            calls_failed=self._stats.failed(),
            calls_running=sum(row.calls_running for row in rows),
            calls_per_second=sum(row.calls_per_second for row in rows),
            p50=max((row.p50 for row in rows if row.p50 is not None), default=None),
            p99=max((row.p99 for row in rows if row.p99 is not None), default=None),
            loop_lag=max((row.loop_lag for row in rows), default=0.0),
            rss=own.rss + sum(row.rss for row in rows),
            open_files=own.open_files + sum(row.open_files for row in rows),
            threads=own.threads + sum(row.threads for row in rows),
            cpu=own.cpu + self._totals.cpu,
            workers=0 if self._crew is None else len(self._crew.serving),
            streams_sent=sum(row.streams_sent for row in rows),
            streams_read=sum(row.streams_read for row in rows),
        )

    def listeners(self) -> list[ListenerRow]:
        """Return the servers."""
        return sums.listeners(self._numbered(), self._totals.refused)

    def connections(self) -> list[ConnectionRow]:
        """Return the open connections of all workers, the oldest first."""
        return sums.connections(self._numbered())

    def calls(self) -> list[CallRow]:
        """Return the calls under way, the oldest first."""
        return sums.calls(self._numbered())

    @property
    def stats(self) -> CallStats:
        """The counts of all calls since the beginning."""
        return self._stats

    def slowest(self) -> list[SlowCall]:
        """Return the slowest calls of the last five minutes, the slowest first."""
        return sums.slowest(self._numbered())

    def methods(self) -> list[MethodRow]:
        """Return the methods that were called, the most called first."""
        return self._stats.rows()

    def objects(self) -> list[ObjectRow]:
        """Return the exported objects by class, the most frequent first."""
        return sums.objects(self._numbered())

    def topics(self) -> list[TopicRow]:
        """Return the topics, of each worker its part."""
        return sums.topics(self._numbered())

    def topic_totals(self) -> tuple[TopicTotals, ...]:
        """Return what topics have counted in all workers, by name."""
        return self._totals.topics

    def pools(self) -> list[PoolRow]:
        """Return the pools: of each, the sum of all workers'."""
        return sums.pools(self._numbered())

    def tasks(self) -> list[TaskRow]:
        """Return the tasks that consoles remember."""
        return sums.tasks(self._numbered())

    def certificates(self) -> list[CertificateRow]:
        """Return the certificates of the servers."""
        return sums.certificates(self._numbered())

    def health(self) -> Health:
        """Return whether it works, and whether it should be sent clients. Any thread."""
        silent = self._heart.silent_for
        state = self._state
        stuck = sorted(worker.number for worker in list(self._stuck))
        serving = [] if self._crew is None else self._crew.serving
        all_stuck = bool(serving) and all(worker in self._stuck for worker in serving)
        healthy = silent < STUCK_AFTER and not all_stuck
        reasons = []
        if silent >= STUCK_AFTER:
            reasons.append(f"the event loop has not turned for {silent:.0f} s")
        if stuck:
            reasons.append(f"no answer from worker {', '.join(map(str, stuck))}")
        if state == "draining":
            reasons.append("the server is stopping")
        elif state == "stopped":
            reasons.append("the server has stopped")
        elif state == "starting":
            reasons.append("not all workers serve yet" if serving else "no worker serves")
        return Health(healthy=healthy, ready=healthy and state == "serving", reasons=tuple(reasons))

    # -- its life

    def _add_point(self, now: float) -> None:
        when_fresh(self, self._add_sums)

    def _add_sums(self) -> None:
        buckets, failed, calls = self._stats.buckets(), self._stats.failed(), self._totals.calls
        new = [max(0, b - a) for a, b in zip(self._last_buckets, buckets, strict=True)]
        overview = self.overview()
        self._series.add(
            time.time(),
            {
                "calls": max(0, calls - self._last_calls),
                "failed": max(0, failed - self._last_failed),
                "p50": percentile(new, 0.5),
                "p99": percentile(new, 0.99),
                "loop_lag": overview.loop_lag,
                "rss": overview.rss,
                "connections": overview.connections,
                "exports": sum(row.count for row in self.objects()),
                "queued": sum(row.queued for row in self.pools()),
                "tasks": sum(row.ended is None for row in self.tasks()),
            },
        )
        self._last_buckets, self._last_failed, self._last_calls = buckets, failed, calls

    def on_news(self, listener: Callable[[], object]) -> Callable[[], None]:
        """Have a function called once a second, when the rows are there; see `Monitor.on_news`."""

        def look() -> None:
            told = when_fresh(self, listener)
            if isinstance(told, Deferred):
                told.addErrback(partial(_log.failure, "a listener to the monitor failed"))

        return super().on_news(look)

    # -- actions: each is the worker's that has the thing

    def task_output(
        self, console: str, number: int, since: int = 0
    ) -> TaskOutput | Deferred[TaskOutput]:
        """Return a task's kept lines from a number on. KeyError: there is no such task."""
        return self._keeper(console).do("task_output", console, number, since)

    def kill_task(self, console: str, number: int, *, by: str) -> bool | Deferred[bool]:
        """Kill a task; tell whether there was anything to end."""
        self._actions.check(f"kill the task {number} of {console}", by)
        return self._keeper(console).do("kill_task", console, number, by)

    def _keeper(self, console: str) -> Control:
        keeper = None if self._crew is None else self._crew.keeper
        if keeper is None or keeper.control is None:
            raise KeyError(f"no worker has the console {console!r} now")
        return keeper.control

    def close_connection(self, number: int, *, by: str) -> bool | Deferred[bool]:
        """Close a connection; tell whether there was one."""
        self._actions.check(f"close the connection {number}", by)
        for worker, report in self._reports.items():
            if worker.control is not None and any(r.number == number for r in report.connections):
                return worker.control.do("close_connection", number, by)
        return False

    def log_level(self, written: str | None, *, by: str) -> str:
        """Set a level of the log in all workers; see `Monitor.log_level`."""
        found = super().log_level(written, by=by)
        self._tell_levels()
        return found

    def toggle_debug(self) -> None:
        """Log events of all levels in all workers, or go back."""
        super().toggle_debug()
        self._tell_levels()

    def _tell_levels(self) -> None:
        for worker in [] if self._crew is None else self._crew.alive:
            worker.tell_levels()
