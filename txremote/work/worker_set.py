"""
`WorkerSet`: the processes of a pool, and how many of them there are.

How many there ought to be is arithmetic, and `Size` does it. A process that has been given its
share of jobs (*recycle*) counts as gone, so that its successor comes up while it does the last of
them. Processes may not come up at all, since the interpreter is broken or no descriptor is left:
after some failures in a row the set rests for a while, and the pool fails the jobs that wait.

A worker is *active* for as long as it may take jobs, and then *ending* until its process has gone.
`txremote.work.job_queue.JobQueue` gives jobs to active workers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from txremote.refs.clock import steady
from txremote.work.worker import Worker

#: How many processes may fail to come up, one after the other, before the jobs
#: that wait for one fail.
MOST_FAILED_STARTS = 3

#: Seconds until it is tried again then.
REST = 5.0

#: Seconds after which a process more than the least ends, where ``idle=`` says nothing.
IDLE = 20.0


@dataclass(frozen=True)
class Size:
    """How many processes a pool has, and for how long. ValueError: the numbers make no sense."""

    least: int = 1  # are kept, busy or not
    most: int = 1
    idle: float = IDLE  # seconds after which one more than the least ends
    recycle: int | None = None  # after how many jobs one is replaced

    def __post_init__(self) -> None:
        if self.least < 0 or self.most < max(self.least, 1):
            raise ValueError(
                f"a pool of {self.least} to {self.most} processes: min= is at most max="
            )

    def lacking(self, count: int, coming: int, waiting: int) -> int:
        """Return how many processes to start, with `count` there, `coming` of them not up yet."""
        return max(0, self.least - count, min(self.most - count, waiting - coming))

    def spent(self, given: int) -> bool:
        """Tell whether a process is to be replaced after that many jobs."""
        return self.recycle is not None and given >= self.recycle

    def room(self, held: int, given: int, ahead: int) -> int:
        """Return how many jobs more a process may be given, out of `ahead` at a time."""
        room = ahead - held
        return room if self.recycle is None else min(room, self.recycle - given)


class WorkerSetEvents(Protocol):
    """The pool, as its worker set needs it."""

    def waiting(self) -> int:
        """Return how many jobs wait for a process."""

    def worker_free(self, worker: Worker) -> None:
        """A worker that was ready before there was a place for it may take jobs now."""

    def none_comes_up(self, why: str) -> None:
        """Processes cannot be started, and no more are for a while."""


class WorkerSet:
    """The workers of one pool. For the reactor's thread. `spawn` may raise OSError."""

    def __init__(
        self,
        reactor: IReactorTime,
        size: Size,
        spawn: Callable[[], Worker],
        events: WorkerSetEvents,
    ) -> None:
        self.size = size
        self.active: set[Worker] = set()  # take jobs, or will
        self.hungry: set[Worker] = set()  # want some now
        self.ending: set[Worker] = set()
        self.idle_since: dict[Worker, float] = {}
        self.lost = 0  # how many have ended unasked
        self._clock = steady(reactor)
        self._spawn = spawn
        self._events = events
        self._open = False
        self._spare: list[Worker] = []  # until those that they are to replace have gone
        self._shrinking: IDelayedCall | None = None
        self._resting: IDelayedCall | None = None
        self._failed_starts = 0

    def open(self) -> None:
        """Start the least number."""
        self._open = True
        self._failed_starts = 0
        self.grow()

    def close(self) -> None:
        """Start none any more, and send none away: the pool ends them all."""
        self._open = False
        for timer in (self._shrinking, self._resting):
            if timer is not None:
                timer.cancel()
        self._shrinking = self._resting = None

    def grow(self) -> None:
        """Start processes: the least number, and more where jobs wait."""
        while self._spare and self._working() < self.size.most:
            self._events.worker_free(self._spare.pop())
        while self._open and self._resting is None and self._lacking():
            try:
                worker = self._spawn()
            except OSError as problem:  # no descriptor or no process left
                self.start_failed(f"cannot start: {problem}")
            else:
                self.active.add(worker)

    def _lacking(self) -> int:
        fresh = [worker for worker in self.active if not self.size.spent(worker.held.given)]
        coming = sum(not worker.ready for worker in fresh)
        return self.size.lacking(len(fresh), coming, self._events.waiting())

    def ready(self) -> int:
        """Return how many have come up."""
        return sum(worker.ready for worker in self.active)

    def _working(self) -> int:
        """Return how many have come up and may take jobs, or do the last of theirs."""
        return self.ready() - len(self._spare)

    def came_up(self, worker: Worker) -> bool:
        """Tell whether a ready worker may take jobs, or has to wait for its predecessor's end."""
        self._failed_starts = 0
        if self._working() > self.size.most:
            self._spare.append(worker)
            return False
        return True

    def start_failed(self, why: str) -> None:
        """Note that a worker has not come up. After some in a row rest for a while."""
        self._failed_starts += 1
        if self._failed_starts < MOST_FAILED_STARTS:
            return
        self._failed_starts = 0
        if self._resting is None:
            self._resting = self._clock.callLater(REST, self._rested)
        self._events.none_comes_up(why)

    def _rested(self) -> None:
        self._resting = None
        self.grow()

    def dismiss(self, worker: Worker) -> None:
        """Let a worker go that has nothing to do."""
        self.mark_ending(worker)
        worker.retire()

    def mark_ending(self, worker: Worker) -> None:
        """Note that a worker takes no more jobs, and ends."""
        self._forget(worker)
        self.ending.add(worker)

    def remove(self, worker: Worker) -> bool:
        """Forget a worker whose process has gone, and tell whether it was to end."""
        self._forget(worker)
        expected = worker in self.ending
        self.lost += self._open and not expected
        self.ending.discard(worker)
        return expected

    def _forget(self, worker: Worker) -> None:
        self.active.discard(worker)
        self.hungry.discard(worker)
        if worker in self._spare:
            self._spare.remove(worker)
        self.idle_since.pop(worker, None)

    def mark_idle(self, worker: Worker) -> None:
        """Note that a worker has nothing to do: it may go, if that lasts."""
        if len(self.active) > self.size.least:
            self.idle_since[worker] = self._clock.seconds()
            if self._shrinking is None:
                self._shrinking = self._clock.callLater(self.size.idle, self._shrink)

    def _shrink(self) -> None:
        self._shrinking = None
        now = self._clock.seconds()
        for worker, since in list(self.idle_since.items()):
            if len(self.active) <= self.size.least:
                self.idle_since.clear()
            elif since + self.size.idle <= now:  # as below: rounding is not to bring it here again
                self.dismiss(worker)
        self.grow()  # a spare one has a place now
        if self.idle_since:
            left = min(self.idle_since.values()) + self.size.idle - now
            self._shrinking = self._clock.callLater(max(0.0, left), self._shrink)
