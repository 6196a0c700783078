"""
`Monitor`: what runs in this process, as plain rows.

A program that hosts servers of its own makes one, and tells it what to watch::

    monitor = Monitor(reactor)
    monitor.watch_server(service, "shop")
    monitor.watch_pool(pool)
    monitor.setServiceParent(application)

twistd's hosting makes one for whatever it hosts. All methods are for the reactor's thread, but
for `health`, which any thread may call.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from twisted.application.service import Service as TwistedService
from twisted.internet.defer import Deferred

from txremote.interfaces import IPool
from txremote.levels import Logger
from txremote.monitor.callstats import CallCounts
from txremote.monitor.exported import tables_of
from txremote.monitor.holds import HoldLog
from txremote.monitor.loopwatch import LoopWatch
from txremote.monitor.news import News
from txremote.monitor.reader import Reader
from txremote.monitor.rows import ROWS
from txremote.monitor.snapshots import Certificates
from txremote.monitor.system import resident_memory
from txremote.net.server_service import ServerService
from txremote.peer.observing import timed_requests
from txremote.peer.request import Request
from txremote.refs.clock import Reactor, steady
from txremote.tasks.keeper import TaskKeeper

_log = Logger("txremote")

#: What changes something, and all that `Monitor.ask` can be asked for.
ACTIONS: Final = frozenset({"close_connection", "kill_task", "log_level"})
ASKED: Final = frozenset({"overview", "series", "task_output", "toggle_debug", *ACTIONS, *ROWS})


class Monitor(Reader, TwistedService):
    """
    Watches servers, pools and tasks, as a service of an application.

    Args:
        reactor: The reactor; a `twisted.internet.task.Clock` will do.
        slow: Seconds that a call may hold the event loop; a longer one is logged with its line.
            0: none is.
        can_write: Whether connections may be closed and tasks killed through it.
    """

    def __init__(self, reactor: Reactor, *, slow: float = 0.1, can_write: bool = False) -> None:
        if not (isinstance(slow, (int, float)) and slow >= 0):
            raise ValueError(f"slow is a number of seconds, 0 or more, not {slow!r}")
        Reader.__init__(self, steady(reactor), can_write)
        self.slow = float(slow)
        self._requests = timed_requests(self._stats)
        self._counts = CallCounts()
        call = getattr(reactor, "callFromThread", None)  # which a Clock has not
        self._holds = HoldLog(self._stats, self._clock)
        self._watch: LoopWatch | None = None
        self._make_watch = None
        if call is not None and slow > 0:
            self._make_watch = partial(LoopWatch, call, self.slow, self._holds.report)
        self._news = News(self._clock)

    # -- what it watches

    def watch_server(self, service: ServerService, name: str) -> None:
        """
        Watch a server. Connections that are there already have their calls not counted.

        Raises:
            ValueError: another server has that name.
            RuntimeError: something else makes its requests already, another monitor say.
        """
        if name in self._snapshots.servers:
            raise ValueError(f"a server named {name!r} is watched already")
        if service.make_request is not Request:
            raise RuntimeError(f"the calls of {name!r} are observed already: watch it first")
        service.make_request = self._requests
        self._snapshots.servers[name] = service

    @property
    def servers(self) -> Mapping[str, ServerService]:
        """The servers that are watched, by name."""
        return self._snapshots.servers

    def watch_pool(self, pool: IPool) -> None:
        """Watch a pool."""
        if pool not in self._snapshots.pools:
            self._snapshots.pools.append(pool)

    def watch_tasks(self, console: str, keeper: TaskKeeper) -> None:
        """Watch the tasks of a console. ValueError: another one has that name."""
        if console in self._snapshots.keepers:
            raise ValueError(f"a console named {console!r} is watched already")
        self._snapshots.keepers[console] = keeper

    def watch_certificates(self, certificates: Certificates) -> None:
        """Have a function asked for the certificates of a server."""
        self._snapshots.certificates.append(certificates)

    def note_draining(self) -> None:
        """Note that the process has begun to stop: it is not ready any more."""
        self._draining = True

    # -- its life

    def startService(self) -> None:
        """Begin to measure."""
        super().startService()  # type: ignore[no-untyped-call]
        self._running, self._begun, self._draining = True, True, False
        self._log.start()
        self._counts.begin(self._stats, self._snapshots.count_requests())
        self._exported.remember(self._clock.seconds(), tables_of(self._snapshots.all_connections()))
        self._look_at_certificates()
        self._beats.start(self._stats.adapt, self._add_point)
        self._news.start()
        if self._make_watch is not None:
            self._watch = self._make_watch()
            self._watch.start()

    def stopService(self) -> None:
        """Measure no more. The rows can still be asked for."""
        super().stopService()  # type: ignore[no-untyped-call]
        self._running = False
        if self._watch is not None:
            self._watch.stop()
            self._watch = None
        self._beats.stop()
        self._log.stop()
        self._exported.stop()
        self._news.stop()

    def _add_point(self, now: float) -> None:
        counts = self._counts.take(self._stats, self._snapshots.count_requests())
        self._stats.forget_old()
        tables = tables_of(self._snapshots.all_connections())
        self._exported.remember(now, tables)
        self._open_files = self._descriptors.look()
        self._look_at_certificates()
        keepers = self._snapshots.keepers.values()
        self._series.add(
            time.time(),
            {
                **counts,
                "loop_lag": self._beats.worst,
                "rss": resident_memory(),
                "connections": self._snapshots.count_connections(),
                "exports": sum(map(len, tables)),
                "queued": sum(row.queued for row in self._snapshots.pool_rows()),
                "tasks": sum(not task.done for keeper in keepers for task in keeper.tasks()),
            },
        )
        self._beats.forget_worst()

    def _look_at_certificates(self) -> None:
        try:
            self._certificates.look(self.certificates())
        except Exception:  # of a function that a program has given
            _log.failure("the certificates cannot be looked at")

    def on_news(self, listener: Callable[[], object]) -> Callable[[], None]:
        """
        Have a function called once a second, while the monitor runs.

        Returns:
            A function that takes that back. A listener that raises is dropped.
        """
        return self._news.add(listener)

    # -- actions

    def close_connection(self, number: int, *, by: str) -> bool | Deferred[bool]:
        """
        Close a connection; tell whether there was one.

        Args:
            by: The operator's name, for the log.

        Raises:
            PermissionError: the monitor may not write.
        """
        return self._actions.close_connection(number, by)

    def kill_task(self, console: str, number: int, *, by: str) -> bool | Deferred[bool]:
        """Kill a task; tell whether there was anything to end. Else as `close_connection`."""
        return self._actions.kill_task(console, number, by)

    def log_level(self, written: str | None, *, by: str) -> str:
        """
        Set a level of the log, if one is given: ``LEVEL`` or ``NAMESPACE=LEVEL``.

        Returns:
            The levels from then on, such as ``info, txremote.call=debug``.

        Raises:
            ValueError: there is no such level or namespace.
            PermissionError: warnings would not be logged any more, and the monitor may not write.
        """
        return self._actions.log_level(written, by)

    def toggle_debug(self) -> None:
        """Log events of all levels, or go back to the levels before that: SIGUSR2."""
        self._actions.toggle_debug()

    def ask(self, name: str, *arguments: Any) -> object:
        """
        Return the rows of a name, or do what it says: for those who ask from elsewhere.

        Args:
            name: A name of `ASKED`.
            arguments: Those of the method of that name; what changes something has as its last
                one who does it.

        Returns:
            The method's result; it may be a Deferred.
        """
        if name not in ASKED:
            raise ValueError(f"a monitor is not asked for {name!r}")
        if name in ACTIONS:
            *rest, by = arguments
            return getattr(self, name)(*rest, by=by)
        return getattr(self, name)(*arguments)

    def refresh(self) -> Deferred[None] | None:
        """
        Have the rows be those of now; None: they are. Else they are when the Deferred fires.
        """
        return None

    def number_from(self, first: int) -> None:
        """Number the connections from here on, so that no two processes have the same."""
        self._snapshots.number_from(first)
