"""
`ReportCollector`: the last report of each worker, and the sum of what all have counted.

It asks all workers at once, for everybody who wants rows newer than `FRESH`. A worker that does not
answer keeps its last report; after `STUCK_AFTER` seconds it counts as stuck, which is told in the
log and in the health. The counts of a worker are kept when it ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime

from txremote.daemon.workers.control import Control
from txremote.daemon.workers.crew import Crew
from txremote.daemon.workers.process import WorkerProcess
from txremote.daemon.workers.reports import Report, Totals, add_totals
from txremote.levels import Logger
from txremote.monitor.health import STUCK_AFTER

_log = Logger("txremote.workers")

#: Seconds for which rows are taken for those of now.
FRESH: Final = 0.5


class ReportCollector:
    """
    Asks workers for their rows. For the reactor's thread.

    Args:
        added_up: Called with the sum when that may have changed.

    Attributes:
        crew: The workers, once there are any.
        reports: The last report of each.
        stuck: Those that have not answered for long. Another thread may take a copy.
        totals: The counts of all, and of those that have ended.
    """

    def __init__(self, clock: IReactorTime, added_up: Callable[[Totals], object]) -> None:
        self.crew: Crew | None = None
        self.reports: dict[WorkerProcess, Report] = {}
        self.stuck: set[WorkerProcess] = set()
        self.totals = Totals()
        self._clock = clock
        self._added_up = added_up
        self._heard: dict[WorkerProcess, float] = {}
        self._past = Totals()
        self._asked: float | None = None
        self._asking: Deferred[Any] | None = None
        self._waiting: list[Deferred[None]] = []

    def numbered(self) -> list[tuple[int, Report]]:
        """Return the reports, each with the number of its worker."""
        return [(worker.number, report) for worker, report in self.reports.items()]

    def worker_ended(self, worker: WorkerProcess) -> None:
        """Keep what a worker had counted: it has ended."""
        report = self.reports.pop(worker, None)
        self._heard.pop(worker, None)
        self.stuck.discard(worker)
        if report is not None:
            self._past = add_totals(self._past, report.totals)
            self._add_up()

    def last_report(self, worker: WorkerProcess, report: Report) -> None:
        """Take in the rows of a worker that is about to end, unless it was killed meanwhile."""
        if self.crew is not None and worker in self.crew.alive:  # else it was counted at its end
            self.reports[worker] = report
            self._add_up()

    def refresh(self) -> Deferred[None] | None:
        """Ask all workers for their rows, unless that was done just now; see `Monitor.refresh`."""
        now = self._clock.seconds()
        if self.crew is None or (self._asked is not None and now - self._asked < FRESH):
            return None
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        if self._asking is None:
            asked: list[Deferred[Any]] = [
                self._ask_worker(worker, worker.control)
                for worker in self.crew.alive
                if worker.control is not None
            ]
            self._asking = DeferredList(asked)
            self._asking.addCallback(self._all_told)
        return waiting

    def _ask_worker(self, worker: WorkerProcess, control: Control) -> Deferred[Any]:
        self._heard.setdefault(worker, self._clock.seconds())

        def told(report: Report) -> None:
            if worker in self._heard:  # else it has ended meanwhile
                self.reports[worker] = report
                self._heard[worker] = self._clock.seconds()
                self.stuck.discard(worker)

        return control.report().addCallbacks(told, lambda _failure: self._not_told(worker))

    def _not_told(self, worker: WorkerProcess) -> None:
        since = self._heard.get(worker)
        if since is None or worker in self.stuck:
            return
        silent = self._clock.seconds() - since
        if silent >= STUCK_AFTER:
            self.stuck.add(worker)
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
        for report in self.reports.values():
            totals = add_totals(totals, report.totals)
        self.totals = totals
        self._added_up(totals)
