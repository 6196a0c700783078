"""
`PrefetchedJobs`: the jobs that one worker holds, and what is known of each.

A worker is given jobs ahead of its work, and takes them in the order of their
numbers. Its process says nothing when it begins one; still its pool knows, by the
tickets (`txremote.work.tickets`), all that it has to know:

* What is taken back has not begun, and never will unless it is given again.
* When all that can be has been taken back, what is left has begun. Of that only
  the last can run; of the others the outcome is on its way.
* Since outcomes come in order, the first is the one that runs, as far as is known
  here, or is about to. So time is counted for the first alone: a job that waits
  behind others has its whole time. Its clock may run out when it has ended and
  nobody knows yet, or has not begun; whoever is told looks which it is.

How a job gets to the process, and its outcome back, is `txremote.work.worker`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from txremote.work.tickets import TicketPipe

if TYPE_CHECKING:
    from txremote.work.worker import Worker


class Job:
    """
    A call that a process is to make, once.

    Attributes:
        number: Of the attempt to run it; it grows.
        name: For the log and for errors.
        payload: The call, pickled.
        references: What goes with it by reference.
        timeout: Seconds that it may take, or None.
        deferred: What its caller holds.
        worker: Who has it, or None while it is queued.
    """

    __slots__ = ("deferred", "name", "number", "payload", "references", "timeout", "worker")

    def __init__(
        self,
        name: str,
        payload: bytes,
        references: list[Any],
        timeout: float | None,
        canceller: Callable[[Job, Deferred[Any]], None],
    ) -> None:
        self.number = 0
        self.name = name
        self.payload = payload
        self.references = references
        self.timeout = timeout
        self.worker: Worker | None = None
        # a fired Deferred forgets its canceller, and so the job
        self.deferred: Deferred[Any] = Deferred(partial(canceller, self))

    def fail(self, error: Exception) -> None:
        """Tell its caller, if it was not told anything yet."""
        if not self.deferred.called:
            self.deferred.errback(error)


class PrefetchedJobs:
    """
    What one worker holds. For the reactor's thread. To be closed.

    Args:
        worker: Whose jobs they are.
        clock: Where time comes from.
        timed_out: Called with a job that has had its time.

    Attributes:
        jobs: Them, by number, in order.
        given: How many the worker has begun, or holds.
        tickets: Says which have begun.
    """

    def __init__(self, worker: Worker, clock: Any, timed_out: Callable[[Job], None]) -> None:
        self.jobs: dict[int, Job] = {}
        self.given = 0
        self.tickets = TicketPipe()
        self._worker = worker
        self._clock = clock
        self._timed_out = timed_out
        self._timer: Any = None
        self._timed: Job | None = None

    def add(self, jobs: Sequence[Job]) -> None:
        """Hold jobs, with their numbers, behind the others. They may not begin yet."""
        worker, held = self._worker, self.jobs
        for job in jobs:
            job.worker = worker
            held[job.number] = job

    def allow(self, numbers: Sequence[int]) -> None:
        """Let jobs begin that were added."""
        self.given += len(numbers)
        self.tickets.put(numbers)
        self._watch_first()

    def remove(self, number: int) -> None:
        """Let go of a job that has ended."""
        del self.jobs[number]
        if self._timed is not None or self.jobs:
            self._watch_first()

    def take_back(self) -> list[Job]:
        """Take back the jobs that have not begun, in their order."""
        back = []
        for number in sorted(self.tickets.take_back()):
            job = self.jobs.pop(number, None)
            if job is not None:
                job.worker = None
                back.append(job)
        self.given -= len(back)
        self._watch_first()
        return back

    def give_again(self, jobs: Sequence[Job]) -> None:
        """Let jobs begin that were just taken back, after all."""
        self.add(jobs)
        self.allow([job.number for job in jobs])

    def runs(self, job: Job) -> bool:
        """
        Tell whether a job is the one that runs, when all that had not begun have
        been taken back. If it is not, its outcome is on its way.
        """
        return bool(self.jobs) and next(reversed(self.jobs)) == job.number

    def first(self) -> Job | None:
        """Return the job that is about to run, or runs; None if none is held."""
        return next(iter(self.jobs.values())) if self.jobs else None

    def clear(self) -> list[Job]:
        """Let go of all, and return them."""
        left = list(self.jobs.values())
        for job in left:
            job.worker = None
        self.jobs.clear()
        self._watch_first()
        return left

    def close(self) -> None:
        """Give the descriptors back."""
        self.tickets.close()

    def _watch_first(self) -> None:
        first = next(iter(self.jobs.values())) if self.jobs else None
        if first is self._timed:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = self._timed = None
        if first is not None and first.timeout is not None:
            self._timed = first
            seconds = max(0.0, first.timeout)
            self._timer = self._clock.callLater(seconds, self._time_is_up, first)

    def _time_is_up(self, job: Job) -> None:
        self._timer = self._timed = None
        self._timed_out(job)
