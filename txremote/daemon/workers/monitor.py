"""
`WorkersMonitor`: the monitor of the supervisor, which adds its workers up.

Its rows are sums of the workers' last reports. `ReportCollector` asks for those every few seconds,
which the plots, the health and systemd need, and once a second while somebody looks; whoever asks
by HTTP or over the wire gets new ones. An operator's acts are done by the workers: `CrewActions`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from msgspec import structs
from twisted.internet.defer import Deferred

from txremote.daemon.workers import sums
from txremote.daemon.workers.acting import CrewActions
from txremote.daemon.workers.collector import ReportCollector
from txremote.daemon.workers.reports import Totals, stats_of
from txremote.levels import Logger
from txremote.monitor.fresh import when_fresh
from txremote.monitor.health import STUCK_AFTER
from txremote.monitor.monitor import Monitor
from txremote.monitor.rows import (
    CallRow,
    CertificateRow,
    ConnectionRow,
    Health,
    ListenerRow,
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


class WorkersMonitor(Monitor):
    """
    The rows of all workers. For the reactor's thread, but `health`.

    Args:
        reactor: The reactor.
        can_write: See `Monitor`.
    """

    def __init__(self, reactor: Reactor, *, can_write: bool) -> None:
        super().__init__(reactor, slow=0, can_write=can_write)
        self.collector = ReportCollector(self._clock, self._added_up)
        self._crew_actions = CrewActions(self._snapshots, can_write, self.collector)
        self._actions = self._crew_actions
        self._was_complete = False

    def _added_up(self, totals: Totals) -> None:
        self._stats = stats_of(totals)

    def refresh(self) -> Deferred[None] | None:
        """Ask all workers for their rows, unless that was done just now; see `Monitor.refresh`."""
        return self.collector.refresh()

    # -- the rows

    @property
    def _state(self) -> ServingState:
        if self._begun and not self._running:
            return "stopped"
        if self._draining:
            return "draining"
        crew = self.collector.crew
        if crew is not None and crew.complete:
            self._was_complete = True
        serves = crew is not None and bool(crew.serving)
        return "serving" if self._running and self._was_complete and serves else "starting"

    def overview(self) -> Overview:
        """Return the server as a whole."""
        own = super().overview()
        crew, totals = self.collector.crew, self.collector.totals
        rows = [report.overview for report in self.collector.reports.values()]
        return structs.replace(
            own,
            state=self._state,
            connections=sum(row.connections for row in rows),
            calls_total=totals.calls,
            calls_failed=self._stats.failed(),
            calls_running=sum(row.calls_running for row in rows),
            calls_per_second=sum(row.calls_per_second for row in rows),
            p50=max((row.p50 for row in rows if row.p50 is not None), default=None),
            p99=max((row.p99 for row in rows if row.p99 is not None), default=None),
            loop_lag=max((row.loop_lag for row in rows), default=0.0),
            rss=own.rss + sum(row.rss for row in rows),
            open_files=own.open_files + sum(row.open_files for row in rows),
            threads=own.threads + sum(row.threads for row in rows),
            cpu=own.cpu + totals.cpu,
            workers=0 if crew is None else len(crew.serving),
            streams_sent=sum(row.streams_sent for row in rows),
            streams_read=sum(row.streams_read for row in rows),
        )

    def listeners(self) -> list[ListenerRow]:
        """Return the servers."""
        return sums.listeners(self.collector.numbered(), self.collector.totals.refused)

    def connections(self) -> list[ConnectionRow]:
        """Return the open connections of all workers, the oldest first."""
        return sums.connections(self.collector.numbered())

    def calls(self) -> list[CallRow]:
        """Return the calls under way, the oldest first."""
        return sums.calls(self.collector.numbered())

    def slowest(self) -> list[SlowCall]:
        """Return the slowest calls of the last five minutes, the slowest first."""
        return sums.slowest(self.collector.numbered())

    def objects(self) -> list[ObjectRow]:
        """Return the exported objects by class, the most frequent first."""
        return sums.objects(self.collector.numbered())

    def topics(self) -> list[TopicRow]:
        """Return the topics, of each worker its part."""
        return sums.topics(self.collector.numbered())

    def topic_totals(self) -> tuple[TopicTotals, ...]:
        """Return what topics have counted in all workers, by name."""
        return self.collector.totals.topics

    def pools(self) -> list[PoolRow]:
        """Return the pools: of each, the sum of all workers'."""
        return sums.pools(self.collector.numbered())

    def tasks(self) -> list[TaskRow]:
        """Return the tasks that consoles remember."""
        return sums.tasks(self.collector.numbered())

    def certificates(self) -> list[CertificateRow]:
        """Return the certificates of the servers."""
        return sums.certificates(self.collector.numbered())

    def health(self) -> Health:
        """Return whether it works, and whether it should be sent clients. Any thread."""
        silent = self._beats.heart.silent_for
        state = self._state
        stuck = sorted(worker.number for worker in list(self.collector.stuck))
        crew = self.collector.crew
        serving = [] if crew is None else crew.serving
        all_stuck = bool(serving) and all(worker in self.collector.stuck for worker in serving)
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
        def add() -> None:
            overview = self.overview()
            self._series.add(
                time.time(),
                {
                    **self._counts.take(self._stats, self.collector.totals.calls),
                    "loop_lag": overview.loop_lag,
                    "rss": overview.rss,
                    "connections": overview.connections,
                    "exports": sum(row.count for row in self.objects()),
                    "queued": sum(row.queued for row in self.pools()),
                    "tasks": sum(row.ended is None for row in self.tasks()),
                },
            )

        when_fresh(self, add)

    def on_news(self, listener: Callable[[], object]) -> Callable[[], None]:
        """Have a function called once a second, when the rows are there; see `Monitor.on_news`."""

        def look() -> None:
            told = when_fresh(self, listener)
            if isinstance(told, Deferred):
                told.addErrback(partial(_log.failure, "a listener to the monitor failed"))

        return super().on_news(look)

    def task_output(
        self, console: str, number: int, since: int = 0
    ) -> TaskOutput | Deferred[TaskOutput]:
        """Return a task's kept lines from a number on. KeyError: there is no such task."""
        return self._crew_actions.keeper(console).do("task_output", console, number, since)
