"""
`Reader`: the rows that a monitor tells, from what it watches and has measured.

It measures nothing itself; `txremote.monitor.monitor` does. The methods are for the reactor's
thread, but for `health`, which any thread may call.
"""

from __future__ import annotations

import os
import threading
import time

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from txremote.monitor.actions import Actions
from txremote.monitor.callstats import CallStats
from txremote.monitor.certificates import CertificateWatch
from txremote.monitor.exported import ExportedObjects, tables_of
from txremote.monitor.health import health_of, state_of
from txremote.monitor.heartbeat import Heartbeat
from txremote.monitor.recentlog import RecentLog
from txremote.monitor.rows import (
    CallRow,
    CertificateRow,
    ConnectionRow,
    Health,
    ListenerRow,
    LogRow,
    MethodRow,
    ObjectRow,
    Overview,
    PoolRow,
    Series,
    SlowCall,
    TaskOutput,
    TaskRow,
    TopicRow,
)
from txremote.monitor.series import STEP, SeriesKeeper
from txremote.monitor.snapshots import Snapshots
from txremote.monitor.system import (
    DescriptorWatch,
    most_descriptors,
    open_descriptors,
    resident_memory,
)
from txremote.monitor.topics import TopicTotals, TopicWatch
from txremote.versions import build_text, own_version, python_text


class Reader:
    """
    The rows that a monitor tells. All methods are for the reactor's thread, but `health`.

    Args:
        clock: The clock of the connections and the tasks.
        can_write: See `Monitor`.
    """

    def __init__(self, clock: IReactorTime, can_write: bool) -> None:
        self._clock = clock
        self._started = time.time()
        self._snapshots = Snapshots(clock)
        self._actions = Actions(self._snapshots, can_write)
        self._stats = CallStats()
        self._exported = ExportedObjects(clock)
        self._series = SeriesKeeper()
        self._topics = TopicWatch()
        self._log = RecentLog()
        self._beats = Heartbeat(clock)
        self._descriptors = DescriptorWatch()
        self._certificates = CertificateWatch()
        self._open_files = 0
        self._running, self._begun, self._draining = False, False, False

    def overview(self) -> Overview:
        """Return the process as a whole."""
        calls, snapshots = self._series.latest("calls"), self._snapshots
        used = os.times()
        streams_sent, streams_read = snapshots.count_streams()
        return Overview(
            version=own_version(),
            build=build_text(),
            pid=os.getpid(),
            python=python_text(),
            started=self._started,
            uptime=max(0.0, time.time() - self._started),
            state=state_of(self._running, self._begun, self._draining, snapshots.servers),
            connections=snapshots.count_connections(),
            calls_total=snapshots.count_requests(),
            calls_failed=self._stats.failed(),
            calls_running=snapshots.count_calls(),
            calls_per_second=(calls or 0.0) / STEP,
            p50=self._series.latest("p50"),
            p99=self._series.latest("p99"),
            loop_lag=self._beats.lag,
            rss=resident_memory(),
            open_files=self._open_files or open_descriptors(),
            max_files=most_descriptors(),
            threads=threading.active_count(),
            can_write=self._actions.can_write,
            cpu=used.user + used.system,
            streams_sent=streams_sent,
            streams_read=streams_read,
        )

    def listeners(self) -> list[ListenerRow]:
        """Return the servers."""
        return self._snapshots.listeners()

    def connections(self) -> list[ConnectionRow]:
        """Return the open connections, the oldest of each server first."""
        return self._snapshots.connections()

    def calls(self) -> list[CallRow]:
        """Return the calls under way, the oldest first."""
        return self._snapshots.calls()

    @property
    def stats(self) -> CallStats:
        """The counts of all calls since the beginning."""
        return self._stats

    def slowest(self) -> list[SlowCall]:
        """Return the slowest calls of the last five minutes, the slowest first."""
        return self._stats.slowest()

    def methods(self) -> list[MethodRow]:
        """Return the methods that were called, the most called first."""
        return self._stats.rows()

    def objects(self) -> list[ObjectRow]:
        """Return the exported objects by class, the most frequent first."""
        return self._exported.rows(
            self._clock.seconds(), tables_of(self._snapshots.all_connections())
        )

    def topics(self) -> list[TopicRow]:
        """Return the topics, by name; of very many those with the most subscribers."""
        return self._topics.rows()

    def topic_totals(self) -> tuple[TopicTotals, ...]:
        """Return what topics had counted in all when they were looked at last, by name."""
        return self._topics.totals

    def pools(self) -> list[PoolRow]:
        """Return the pools."""
        return self._snapshots.pool_rows()

    def tasks(self) -> list[TaskRow]:
        """Return the tasks that consoles remember."""
        return self._snapshots.task_rows()

    def task_output(
        self, console: str, number: int, since: int = 0
    ) -> TaskOutput | Deferred[TaskOutput]:
        """Return a task's kept lines from a number on. KeyError: there is no such task."""
        return self._snapshots.task_output(console, number, since)

    def certificates(self) -> list[CertificateRow]:
        """Return the certificates of the servers."""
        return [row for each in self._snapshots.certificates for row in each()]

    def log(self) -> list[LogRow]:
        """Return the last warnings and errors, oldest first."""
        return self._log.rows()

    def log_totals(self) -> dict[str, int]:
        """Return how many warnings and errors there were, by level."""
        return dict(self._log.totals)

    def series(self) -> Series:
        """Return the figures of the last hour."""
        return self._series.series()

    def health(self) -> Health:
        """Return whether it works, and whether it should be sent clients. Any thread."""
        servers = self._snapshots.servers
        state = state_of(self._running, self._begun, self._draining, servers)
        return health_of(state, self._beats.heart, servers)
