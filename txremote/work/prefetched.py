"""
`PrefetchedJobs`: the jobs that one worker holds, which of them have begun, and their time.

A worker is given jobs ahead of its work, and runs them in the order of their numbers. The tickets
(`txremote.work.tickets`) tell which have begun:

* A job that is taken back has not begun, and never will unless it is given again.
* When all that can be has been taken back, only the last job that is left can be running; the
  outcomes of the others are on their way.
* Outcomes come in order, so the first job runs, or is about to, and time is counted for it alone:
  of a job with a time-out the process says when it is loaded, which may import a lot, and that
  has a limit of its own. When the time is up, the outcome may be on its way, or the job not begun;
  `PrefetchedJobs.runs` tells.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from txremote.refs.awaiting import AwaitableDeferred
from txremote.work.sharedmemory import Stored
from txremote.work.tickets import TicketPipe
from txremote.work.worker_protocol import WorkerLimits


class Job:
    """A call that a process is to make, once."""

    __slots__ = (
        *("deferred", "held", "loaded", "name", "number"),
        *("payload", "references", "timeout"),
    )

    def __init__(
        self,
        name: str,
        payload: bytes | Stored,
        references: list[object],
        timeout: float | None,
        canceller: Callable[[Job, Deferred[object]], None],
    ) -> None:
        self.number = 0  # of the attempt to run it; each attempt has a greater one
        self.name = name
        self.payload = payload
        self.references = references
        self.timeout = timeout
        self.loaded = False  # whether its time is counted, if it has a time-out
        self.held: PrefetchedJobs | None = None  # by a worker, and where
        # a fired Deferred forgets its canceller, and so the job
        self.deferred: Deferred[object] = AwaitableDeferred(partial(canceller, self))

    def forget(self) -> None:
        """Let go of its arguments: it has ended, or never begins."""
        if isinstance(self.payload, Stored):
            self.payload.release()
        self.payload, self.references = b"", []

    def fail(self, error: Exception) -> None:
        """Fail its Deferred, unless that has fired."""
        if not self.deferred.called:
            self.deferred.errback(error)


class PrefetchedJobs:
    """
    The jobs that one worker holds, oldest first. For the reactor's thread. To be closed.

    Args:
        timed_out: Called with a job whose time is up.
        cancelled: Called with a job that is held, and that its caller has cancelled.
        imports: Seconds for what a job with a time-out imports.
    """

    def __init__(
        self,
        clock: IReactorTime,
        timed_out: Callable[[Job], None],
        cancelled: Callable[[Job], None],
        imports: float = WorkerLimits.imports,
    ) -> None:
        self.jobs: dict[int, Job] = {}
        self.given = 0
        self.tickets = TicketPipe()
        self.cancelled = cancelled
        self._clock = clock
        self._timed_out = timed_out
        self._imports = imports
        self._timer: IDelayedCall | None = None
        self._timed: Job | None = None

    def add(self, jobs: Sequence[Job]) -> None:
        """Hold numbered jobs, behind the others. They may not begin yet."""
        held = self.jobs
        for job in jobs:
            job.held = self
            held[job.number] = job

    def allow(self, numbers: Sequence[int]) -> None:
        """Let added jobs begin."""
        self.given += len(numbers)
        self.tickets.put(numbers)
        self._time_first()

    def remove(self, number: int) -> None:
        """Forget a job that has ended."""
        del self.jobs[number]
        if self._timed is not None or self.jobs:
            self._time_first()

    def take_back(self) -> list[Job]:
        """Take back the jobs that have not begun, in their order."""
        back = []
        for number in sorted(self.tickets.take_back()):
            job = self.jobs.pop(number, None)
            if job is not None:
                job.held = None
                back.append(job)
        self.given -= len(back)
        self._time_first()
        return back

    def give_again(self, jobs: Sequence[Job]) -> None:
        """Let jobs begin that were just taken back, after all."""
        self.add(jobs)
        self.allow([job.number for job in jobs])

    def runs(self, job: Job) -> bool:
        """Tell whether a job runs, when all unbegun ones are back; else its outcome is coming."""
        return bool(self.jobs) and next(reversed(self.jobs)) == job.number

    def first(self) -> Job | None:
        """Return the job that is about to run, or runs; None if none is held."""
        return next(iter(self.jobs.values())) if self.jobs else None

    def loaded(self, number: int) -> None:
        """Count a job's time from now on: its process has imported what it needs."""
        job, timer = self._timed, self._timer
        if job is None or timer is None or job.number != number:
            return  # it was cancelled, or is over its time
        job.loaded = True
        timer.cancel()
        self._time(job, job.timeout)

    def returned(self, number: int) -> None:
        """Count a job's time no more: it is over, though its outcome takes an import."""
        job, timer = self._timed, self._timer
        if job is not None and timer is not None and job.number == number:
            timer.cancel()
            self._time(job, self._imports)

    def clear(self) -> list[Job]:
        """Forget all jobs, and return them."""
        left = list(self.jobs.values())
        for job in left:
            job.held = None
        self.jobs.clear()
        self._time_first()
        return left

    def close(self) -> None:
        """Close the descriptors."""
        self.tickets.close()

    def _time_first(self) -> None:
        first = next(iter(self.jobs.values())) if self.jobs else None
        if first is self._timed:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = self._timed = None
        if first is not None and first.timeout is not None:
            self._time(first, self._imports)

    def _time(self, job: Job, seconds: float | None) -> None:
        assert seconds is not None
        self._timed = job
        self._timer = self._clock.callLater(max(0.0, seconds), self._time_is_up)

    def _time_is_up(self) -> None:
        job, self._timer, self._timed = self._timed, None, None
        assert job is not None
        self._timed_out(job)
