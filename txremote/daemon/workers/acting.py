"""
`CrewActions`: what an operator of several workers may do, done by the worker that has the thing.

A connection belongs to the worker whose last report has it, a task to the keeper of the consoles,
and the levels of the log to all.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred

from txremote.daemon.workers.collector import ReportCollector
from txremote.daemon.workers.control import Control
from txremote.monitor.actions import Actions
from txremote.monitor.rows import plain
from txremote.monitor.snapshots import Snapshots


class CrewActions(Actions):
    """
    The actions. For the reactor's thread.

    Args:
        can_write: See `Actions`.
        collector: Knows the workers and their connections.
    """

    def __init__(self, snapshots: Snapshots, can_write: bool, collector: ReportCollector) -> None:
        super().__init__(snapshots, can_write)
        self._collector = collector

    def close_connection(self, number: int, by: str) -> bool | Deferred[bool]:
        """Close a connection; tell whether there was one. PermissionError."""
        self.check(f"close the connection {number}", by)
        for worker, report in self._collector.reports.items():
            if worker.control is not None and any(r.number == number for r in report.connections):
                return worker.control.do("close_connection", number, by)
        return False

    def kill_task(self, console: str, number: int, by: str) -> bool | Deferred[bool]:
        """Kill a task; tell whether there was anything to end. KeyError, PermissionError."""
        self.check(f"kill the task {number} of {plain(console)}", by)
        return self.keeper(console).do("kill_task", console, number, by)

    def keeper(self, console: str) -> Control:
        """Return the worker that has the consoles. KeyError: none has now."""
        crew = self._collector.crew
        keeper = None if crew is None else crew.keeper
        if keeper is None or keeper.control is None:
            raise KeyError(f"no worker has the console {console!r} now")
        return keeper.control

    def log_level(self, written: str | None, by: str) -> str:
        """Set a level in all workers, if one is given; return the levels. As that of `Actions`."""
        found = super().log_level(written, by)
        self._tell_levels()
        return found

    def toggle_debug(self) -> None:
        """Log events of all levels in all workers, or go back."""
        super().toggle_debug()
        self._tell_levels()

    def _tell_levels(self) -> None:
        crew = self._collector.crew
        for worker in [] if crew is None else crew.alive:
            worker.tell_levels()
