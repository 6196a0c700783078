"""
`JobQueue`: the jobs of a pool of processes that wait, and their way to its workers.

Jobs wait in order, and are shared by the workers that are *hungry*, the one with the least first.
A worker holds the job that it runs and a few more, so that it need not wait for its parent between
two short ones. No job waits behind another while a worker is idle: such a worker gets half of the
jobs that the one with the most has not begun. That one is given no more until it has ended a job.
"""

from __future__ import annotations

from collections import OrderedDict

from txremote.work.prefetched import Job
from txremote.work.worker import Worker
from txremote.work.worker_set import WorkerSet

#: How many jobs a worker holds, the one that it runs included.
AHEAD = 32


class JobQueue:
    """The jobs of one pool that wait, and their way to its workers. For the reactor's thread."""

    def __init__(self, workers: WorkerSet) -> None:
        self._workers = workers
        self._queue: OrderedDict[Job, None] = OrderedDict()
        self._number = 0

    def put(self, job: Job) -> None:
        """Have a job done by the first worker that can."""
        self._queue[job] = None
        if self._workers.hungry:
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
        """Forget all jobs, and return them."""
        left = list(self._queue)
        self._queue.clear()
        return left

    def waiting(self) -> int:
        """Return how many jobs have not begun: the queue's, and all but each worker's first."""
        ahead = sum(max(0, len(worker.held.jobs) - 1) for worker in self._workers.active)
        return len(self._queue) + ahead

    def is_full(self, most: int) -> bool:
        """Tell whether `most` jobs wait; quickly if they do not by far."""
        nearly = most - AHEAD * len(self._workers.active)
        return len(self._queue) >= nearly and self.waiting() >= most

    def share_out(self) -> None:
        """Give the jobs that wait to the hungry workers, a fair share each."""
        queue, workers = self._queue, self._workers
        hungry, size = workers.hungry, workers.size
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
            workers.idle_since.pop(worker, None)
            worker.give(jobs)
            if size.recycle is not None and size.spent(worker.held.given):
                workers.grow()  # its successor, in time

    def feed(self, worker: Worker) -> None:
        """Give a worker jobs, if there are any; else it may rest, or go."""
        workers = self._workers
        if worker in workers.active and worker.ready:
            if self._room(worker) > 0:
                workers.hungry.add(worker)
                if self._queue:
                    self.share_out()
            if not worker.held.jobs:
                self._rest(worker)

    def _room(self, worker: Worker) -> int:
        """Return how many jobs more a worker may be given."""
        held, size = worker.held, self._workers.size
        if size.recycle is None:
            return AHEAD - len(held.jobs)
        return size.room(len(held.jobs), held.given, AHEAD)

    def _rest(self, worker: Worker) -> None:
        workers = self._workers
        if workers.size.recycle is not None and workers.size.spent(worker.held.given):
            workers.dismiss(worker)
            workers.grow()
            return
        if len(workers.active) > 1:
            self._steal()
        if not worker.held.jobs:
            workers.mark_idle(worker)

    def _steal(self) -> None:
        """Give an idle worker half of the jobs that wait behind another's: not all, to and fro."""
        for busy in sorted(self._workers.active, key=_load, reverse=True):
            if len(busy.held.jobs) < 2:
                return
            back = busy.held.take_back()
            if back:  # else all that it holds have begun, and their outcomes are on the way
                kept = len(back) // 2
                busy.held.give_again(back[:kept])
                self.put_back(back[kept:])
                self._workers.hungry.discard(busy)
                self.share_out()
                return


def _load(worker: Worker) -> int:
    return len(worker.held.jobs)
