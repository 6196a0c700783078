"""
`ProcessPool`: jobs in child processes, each of them a txremote peer over pipes.

Children are started by ``reactor.spawnProcess`` from a clean interpreter, ahead
of the work. A child holds the job that it runs and a few more, so that it need
not wait for its parent between two short ones; what it has not begun can be
taken back at any time, with certainty (`txremote.work.tickets`). From that
follow the pool's rules:

* a job is begun once, or never;
* a job that is cancelled before it has begun never runs; one that runs is ended
  with its process;
* when a process dies the job that it ran fails, and no other;
* no job waits behind another while a worker is idle.

A job that is over its time is ended as a cancelled one is. A process is ended by
TERM, and by KILL after a grace; its successor is started at once.

This is where a job begins and ends for its caller. How many processes there are is
`txremote.work.worker_set`'s, and which job goes to which `txremote.work.dispatch`'s; one
of them, with the jobs that it holds, is a `txremote.work.worker`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from txremote.errors import JobTimeout, PoolStopped, WorkerDied
from txremote.work.dispatch import AHEAD, Dispatch
from txremote.work.pickling import dump_job
from txremote.work.pool import DEFAULT_QUEUE, PoolService, PoolStatistics
from txremote.work.ports import IPoolReactor
from txremote.work.prefetched_jobs import Job
from txremote.work.running import refuse_in_import
from txremote.work.spec import Description
from txremote.work.worker import Limits, Worker
from txremote.work.worker_set import IDLE, Size, WorkerSet

_log = Logger("txremote")


class ProcessPool(PoolService):
    """
    Runs jobs in child processes. For the reactor's thread.

    Args:
        reactor: The reactor.
        least: How many processes are kept, busy or not.
        most: How many there may be.
        idle: Seconds after which a process more than the least ends, if it has
            nothing to do.
        recycle: After how many jobs a process is replaced by a new one; None for
            never.
        queue: How many jobs may wait.
        limits: How a process is treated.
        description: What `pool_from_string` made it of.

    Raises:
        ValueError: the numbers make no sense.
    """

    kind = "processes"
    by_value = can_call_back = preferred = True

    def __init__(
        self,
        reactor: IPoolReactor,
        least: int = 1,
        most: int | None = None,
        *,
        idle: float = IDLE,
        recycle: int | None = None,
        queue: int = DEFAULT_QUEUE,
        limits: Limits | None = None,
        description: str | None = None,
    ) -> None:
        most = max(least, 1) if most is None else most
        size = Size(least, most, idle, recycle)
        super().__init__(reactor, description or f"processes:min={least}:max={most}", queue)
        self._limits = limits or Limits()
        self._staff = WorkerSet(reactor, size, partial(Worker, reactor, self, self._limits), self)
        self._dispatch = Dispatch(self._staff)
        self._warm: Deferred[None] | None = None
        self._closings: list[tuple[set[Worker], Deferred[None]]] = []

    # -- its life

    def start(self) -> Deferred[None]:
        """
        Start it; see `txremote.interfaces.IPool`.

        Raises:
            RuntimeError: a worker process imports a module that does this.
        """
        refuse_in_import()
        return super().start()

    def open(self) -> Deferred[None]:
        """Start the least number of processes."""
        warm: Deferred[None] = Deferred()
        self._warm = warm
        self._staff.open()
        self._tell_if_warm()
        return warm

    def close(self) -> Deferred[None]:
        """Fail what waits and runs, and end every process."""
        self._staff.close()
        self._fail_warm(PoolStopped(f"{self.description} was stopped while it started"))
        left = self._dispatch.clear()
        for worker in list(self._staff.workers):
            if worker.ready and not worker.held.jobs:
                self._staff.dismiss(worker)
            else:
                left += worker.held.clear()
                worker.end("was stopped with its pool")
                self._staff.leave(worker)
        for job in left:
            job.fail(PoolStopped(f"{job.name}: the pool {self.description} was stopped"))
        gone: Deferred[None] = Deferred()
        if self._staff.ending:  # it may be started again before they are gone
            self._closings.append((set(self._staff.ending), gone))
        else:
            gone.callback(None)
        return gone

    def _tell_if_warm(self) -> None:
        if self._warm is not None and self._staff.ready() >= self._staff.size.least:
            warm, self._warm = self._warm, None
            warm.callback(None)

    def _fail_warm(self, error: Exception) -> None:
        if self._warm is not None:
            warm, self._warm = self._warm, None
            warm.errback(error)

    def _tell_if_gone(self, worker: Worker) -> None:
        for closing in list(self._closings):
            left, gone = closing
            left.discard(worker)
            if not left:
                self._closings.remove(closing)
                gone.callback(None)

    # -- jobs

    def _accept(
        self,
        function: Callable[..., Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        timeout: float | None,
        name: str,
    ) -> Deferred[Any]:
        if self._dispatch.is_full(self._most_queued):
            raise self._full()
        if not name.isascii():  # it travels, and may have been a file's
            name = name.encode("utf-8", "replace").decode()
        payload, references = dump_job(function, tuple(args), dict(kwargs), name)
        job = Job(name, payload, references, timeout, self._cancelled)
        self._dispatch.put(job)
        if len(self._staff.workers) < self._staff.size.most:
            self._staff.grow()
        return job.deferred

    def statistics(self) -> PoolStatistics:
        """Return what the pool is doing."""
        staff = self._staff
        ended = sum(not worker.ready for worker in staff.ending)  # the others just go
        return PoolStatistics(
            workers=staff.ready() + len(staff.ending),
            busy=sum(bool(worker.held.jobs) for worker in staff.workers) + ended,
            queued=self._dispatch.waiting(),
            done=self._done,
            failed=self._failed,
            killed=self._killed,
        )

    def job_ended(self, worker: Worker, job: Job, result: Any) -> None:
        """Called by a worker with a job's result."""
        self._count(result)
        if len(worker.held.jobs) <= AHEAD // 2:
            self._dispatch.feed(worker)
        if not job.deferred.called:
            job.deferred.callback(result)

    def _cancelled(self, job: Job, _deferred: Deferred[Any]) -> None:
        if job.worker is None:
            self._dispatch.drop(job)
        elif self._end_job(job.worker, job, f"was ended when {job.name} was cancelled", True):
            self._killed += 1

    def job_timed_out(self, worker: Worker, job: Job) -> None:
        """Called by a worker when a job has had its time."""
        if self._end_job(worker, job, f"was ended when {job.name} was over its time", False):
            self._killed += 1
            problem = f"{job.name} took longer than {job.timeout:g} s and was ended"
            job.fail(JobTimeout(problem))

    def _end_job(self, worker: Worker, job: Job, why: str, cancelled: bool) -> bool:
        """
        End a job that a worker holds.

        Returns:
            Whether it was running; then its worker is ended. If not, either its
            outcome is on its way, or it has not begun: then it never will if it
            was cancelled, and still may if it only seemed to be over its time.
        """
        held = worker.held
        back = held.take_back()
        if held.runs(job):
            self._dispatch.put_back(back)
            held.remove(job.number)
            self._staff.leave(worker)
            worker.end(why)
            self._staff.grow()
            self._dispatch.share_out()
            return True
        held.give_again([one for one in back if not (cancelled and one is job)])
        if not held.jobs:
            self._dispatch.feed(worker)
        return False

    # -- workers

    def worker_ready(self, worker: Worker) -> None:
        """Called by a worker that has come up."""
        if self._staff.came_up(worker):
            self._dispatch.feed(worker)
        self._tell_if_warm()

    def worker_ended(self, worker: Worker, unbegun: list[Job], begun: list[Job]) -> None:
        """Called by a worker whose process has gone."""
        expected = self._staff.gone(worker)
        self._dispatch.put_back(unbegun)
        for job in begun:
            self._failed += 1
            problem = f"{job.name}: process {worker.pid} {worker.why} while it ran the job"
            job.fail(WorkerDied(f"{problem}, which is not run again"))
        if not expected and not begun:
            _log.warn("process {pid} of {pool} {why}", pid=worker.pid, pool=self, why=worker.why)
        self._tell_if_gone(worker)
        if not self.running:
            return
        if not expected and not worker.came_up:
            why = "\n".join([f"process {worker.pid} {worker.why}", *worker.tail])
            self._staff.start_failed(why)
        else:
            self._dispatch.share_out()
        self._staff.grow()

    def waiting(self) -> int:
        """Called by the staff: return how many jobs wait for a worker."""
        return self._dispatch.waiting()

    def worker_free(self, worker: Worker) -> None:
        """Called by the staff when a worker may take jobs that has come up before."""
        self._dispatch.feed(worker)

    def none_comes_up(self, why: str) -> None:
        """Called by the staff when processes cannot be started: let nobody wait."""
        problem = f"the processes of {self.description} do not come up: {why}"
        _log.error("{problem}", problem=problem)
        self._fail_warm(WorkerDied(problem))
        if any(worker.came_up for worker in self._staff.workers):
            return  # those that are there will do the jobs
        for job in self._dispatch.clear():
            self._failed += 1
            job.fail(WorkerDied(f"{job.name}: {problem}"))


def parse(reactor: Any, words: Sequence[str], options: Mapping[str, str]) -> ProcessPool:
    """
    Make a pool of a description (`txremote.interfaces.IPoolKind.parse`):
    ``processes``, ``processes:4``, ``processes:min=2:max=8:idle=20:recycle=500``.

    Raises:
        ValueError: it makes no sense.
    """
    names = ("min", "max", "idle", "recycle", "queue", "grace")
    told = Description(ProcessPool.kind, words, options, word="count", names=names)
    count, least, most = told.number("count", 1), told.number("min", 0), told.number("max", 1)
    if count is least is most is None:
        count = os.cpu_count()
    idle, grace, queue = told.seconds("idle"), told.seconds("grace"), told.number("queue", 1)
    return ProcessPool(
        reactor,
        (count or 1) if least is None else least,
        count if most is None else most,
        idle=IDLE if idle is None else idle,
        recycle=told.number("recycle", 1),
        queue=DEFAULT_QUEUE if queue is None else queue,
        limits=Limits() if grace is None else Limits(grace=grace),
        description=str(told),
    )
