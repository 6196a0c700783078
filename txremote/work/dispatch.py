"""
`Dispatch`: the jobs of a pool that wait, and how they get to its workers.

Jobs wait in a queue, in the order in which they came, and go from there to the
workers that are *hungry*. A worker holds the job that it runs and some more, so
that it need not wait for its parent between two short ones. The rules:

* What waits is shared by those that are hungry, and the one that has the least is
  given first.
* No job waits behind another while a worker is idle: one that has nothing to do
  gets half of what the one with the most has not begun. Who had it is given no more
  until it has ended a job, for it may be busy for long.
* What is taken back goes to the head of the queue, in its old order. Each attempt
  has a number of its own, and numbers grow (`txremote.work.tickets`).

How many workers there are is `txremote.work.worker_set`'s, and what becomes of a job
that has ended, or is not wanted any more, `txremote.work.processes`'s.
"""

from __future__ import annotations

from collections import OrderedDict

from txremote.work.prefetched_jobs import Job
from txremote.work.worker import Worker
from txremote.work.worker_set import WorkerSet

#: How many jobs a worker holds, the one that it runs included.
AHEAD = 32


class Dispatch:
    """
    The queue of one pool. For the reactor's thread.

    Args:
        staff: The workers.
    """

    def __init__(self, staff: WorkerSet) -> None:
        self._staff = staff
        self._queue: OrderedDict[Job, None] = OrderedDict()
        self._number = 0

    # -- what waits

    def put(self, job: Job) -> None:
        """Have a job done by the first that can."""
        self._queue[job] = None
        if self._staff.hungry:
            self.share_out()

    def put_back(self, jobs: list[Job]) -> None:
        """Have jobs done that were taken back, before all others."""
        for job in reversed(jobs):
            self._queue[job] = None
            self._queue.move_to_end(job, last=False)

    def drop(self, job: Job) -> None:
        """Forget a job that no worker has."""
        self._queue.pop(job, None)

    def clear(self) -> list[Job]:
        """Forget all of them, and return them."""
        left = list(self._queue)
        self._queue.clear()
        return left

    def waiting(self) -> int:
        """
        Return how many jobs have not begun, as far as is known: those in the queue,
        and all but the first that each worker holds.
        """
        ahead = sum(max(0, len(worker.held.jobs) - 1) for worker in self._staff.workers)
        return len(self._queue) + ahead

    def is_full(self, most: int) -> bool:
        """Tell whether so many jobs wait; quickly if they do not by far."""
        nearly = most - AHEAD * len(self._staff.workers)
        return len(self._queue) >= nearly and self.waiting() >= most

    # -- who does it

    def share_out(self) -> None:
        """Give the jobs that wait to the workers that want some, a fair share each."""
        queue, staff = self._queue, self._staff
        hungry = staff.hungry
        while queue and hungry:
            worker = min(hungry, key=_load) if len(hungry) > 1 else next(iter(hungry))
            if not worker.ready:  # it is just being found dead
                hungry.discard(worker)
                continue
            room = self._room(worker)
            share = min(room, -(-len(queue) // len(hungry)))
            jobs = []
            for _ in range(share):
                job = queue.popitem(last=False)[0]
                self._number += 1
                job.number = self._number
                jobs.append(job)
            if share == room:
                hungry.discard(worker)
            staff.busy(worker)
            worker.give(jobs)
            if staff.size.spent(worker.held.given):
                staff.grow()  # its successor, in time

    def feed(self, worker: Worker) -> None:
        """Give a worker jobs, if there are any; else it may rest, or go."""
        if worker in self._staff.workers and worker.ready:
            if self._room(worker) > 0:
                self._staff.hungry.add(worker)
                self.share_out()
            if not worker.held.jobs:
                self._nothing_to_do(worker)

    def _nothing_to_do(self, worker: Worker) -> None:
        if self._staff.size.spent(worker.held.given):
            self._staff.dismiss(worker)
            self._staff.grow()
            return
        if len(self._staff.workers) > 1:
            self._steal()
        if not worker.held.jobs:
            self._staff.idle(worker)

    def _room(self, worker: Worker) -> int:
        held = worker.held
        return self._staff.size.room(len(held.jobs), held.given, AHEAD)

    def _steal(self) -> None:
        """
        Have jobs that wait behind others run by a worker that is idle.

        Half of them, so that they are not all sent to and fro; and who had them
        is given no more until it has ended one, for it may be busy for long.
        """
        for busy in sorted(self._staff.workers, key=_load, reverse=True):
            if len(busy.held.jobs) < 2:
                return
            back = busy.held.take_back()
            if back:  # else all that it holds have begun, and their outcomes are on the way
                kept = len(back) // 2
                busy.held.give_again(back[:kept])
                self.put_back(back[kept:])
                self._staff.hungry.discard(busy)
                self.share_out()
                return


def _load(worker: Worker) -> int:
    return len(worker.held.jobs)
