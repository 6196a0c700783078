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
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from txremote.errors import JobTimeout, NotPicklable, PoolFull, PoolStopped, WorkerDied
from txremote.interfaces import IPool
from txremote.work.pickling import dump_job
from txremote.work.pool import DEFAULT_QUEUE, PoolService, PoolStatistics, name_of
from txremote.work.running import running_pools
from txremote.work.spec import Description
from txremote.work.worker import Job, Limits, Worker

_log = Logger("txremote")

#: How many jobs a worker holds, the one that it runs included.
AHEAD = 32

#: How many processes may fail to come up, one after the other, before the jobs
#: that wait for one fail.
MOST_FAILED_STARTS = 3

#: Seconds until it is tried again then.
REST = 5.0

#: Seconds after which a process more than the least ends, where ``idle=`` says nothing.
IDLE = 20.0


@implementer(IPool)
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
    by_value = True

    def __init__(
        self,
        reactor: Any,
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
        if least < 0 or most < max(least, 1):
            raise ValueError(f"a pool of {least} to {most} processes: min= is at most max=")
        super().__init__(description or f"processes:min={least}:max={most}")
        self._reactor = reactor
        self._least = least
        self._most = most
        self._idle = idle
        self._recycle = recycle
        self._most_queued = queue
        self._limits = limits or Limits()
        self._queue: OrderedDict[Job, None] = OrderedDict()
        self._workers: set[Worker] = set()  # those that take jobs, or will
        self._ending: set[Worker] = set()
        self._hungry: set[Worker] = set()
        self._spare: list[Worker] = []
        self._idle_since: dict[Worker, float] = {}
        self._shrinking: Any = None
        self._resting: Any = None
        self._failed_starts = 0
        self._number = 0
        self._done = self._failed = self._killed = 0
        self._warm: Deferred[None] | None = None
        self._closings: list[tuple[set[Worker], Deferred[None]]] = []
        self._trigger: Any = None

    # -- its life

    def open(self) -> Deferred[None]:
        """
        Start the least number of processes.
        """
        self._trigger = self._reactor.addSystemEventTrigger("before", "shutdown", self._shut_down)
        self._failed_starts = 0
        warm: Deferred[None] = Deferred()
        self._warm = warm
        self._grow()
        self._tell_if_warm()
        return warm

    def close(self) -> Deferred[None]:
        """
        Fail what waits and runs, and end every process.
        """
        if self._trigger is not None:
            self._reactor.removeSystemEventTrigger(self._trigger)
            self._trigger = None
        for timer in (self._shrinking, self._resting):
            if timer is not None:
                timer.cancel()
        self._shrinking = self._resting = None
        self._fail_warm(PoolStopped(f"{self.description} was stopped while it started"))
        left = list(self._queue)
        self._queue.clear()
        for worker in list(self._workers):
            left += worker.jobs.values()
            if worker.ready and not worker.jobs:
                worker.retire()
            else:
                worker.jobs.clear()
                worker.end("was stopped with its pool")
            self._leave(worker)
        for job in left:
            self._fail(job, PoolStopped(f"{job.name}: the pool {self.description} was stopped"))
        gone: Deferred[None] = Deferred()
        if self._ending:  # it may be started again before they are gone
            self._closings.append((set(self._ending), gone))
        else:
            gone.callback(None)
        return gone

    def _shut_down(self) -> Deferred[None]:
        self._trigger = None  # it cannot be taken back any more
        return running_pools.after_use(self.stop)

    def _tell_if_warm(self) -> None:
        ready = sum(worker.ready for worker in self._workers)
        if self._warm is not None and ready >= self._least:
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

    def submit(
        self,
        function: Callable[..., Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        name: str | None = None,
    ) -> Deferred[Any]:
        """
        Run a call in one of the processes; see `txremote.interfaces.IPool`.

        The function goes by reference where it can be imported, else by value,
        and so do the arguments, as they are now; `live` ones and references to
        other peers' objects go by reference.
        """
        if not self.running:
            return fail(PoolStopped(f"the pool {self.description} does not run: start() it"))
        nearly = self._most_queued - AHEAD * len(self._workers)
        if len(self._queue) >= nearly and self._waiting() >= self._most_queued:
            return fail(
                PoolFull(
                    f"{self._most_queued} jobs wait for the pool {self.description} already "
                    "(option queue=)"
                )
            )
        name = name or name_of(function)
        if not name.isascii():  # it travels, and may have been a file's
            name = name.encode("utf-8", "replace").decode()
        try:
            payload, references = dump_job(function, tuple(args), dict(kwargs or {}), name)
        except NotPicklable as problem:
            return fail(problem)
        job = Job(name, payload, references, timeout, self._cancelled)
        self._queue[job] = None
        if self._hungry:
            self._dispatch()
        if len(self._workers) < self._most:
            self._grow()
        return job.deferred

    def statistics(self) -> PoolStatistics:
        """
        Return what the pool is doing.
        """
        ended = sum(not worker.ready for worker in self._ending)  # the others just go
        return PoolStatistics(
            workers=sum(worker.ready for worker in self._workers) + len(self._ending),
            busy=sum(bool(worker.jobs) for worker in self._workers) + ended,
            queued=self._waiting(),
            done=self._done,
            failed=self._failed,
            killed=self._killed,
        )

    def _waiting(self) -> int:
        return len(self._queue) + sum(max(0, len(w.jobs) - 1) for w in self._workers)

    def _fail(self, job: Job, error: Exception) -> None:
        if not job.deferred.called:
            job.deferred.errback(error)

    def _dispatch(self) -> None:
        """
        Give the jobs that wait to the workers that want some, a fair share each.
        """
        queue, hungry = self._queue, self._hungry
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
            self._idle_since.pop(worker, None)
            worker.give(jobs)
            if self._recycle is not None and worker.given >= self._recycle:
                self._grow()  # its successor, in time

    def _room(self, worker: Worker) -> int:
        room = AHEAD - len(worker.jobs)
        return room if self._recycle is None else min(room, self._recycle - worker.given)

    def _steal(self) -> None:
        """
        Have jobs that wait behind others run by a worker that is idle.

        Half of them, so that they are not all sent to and fro; and who had them
        is given no more until it has ended one, for it may be busy for long.
        """
        for busy in sorted(self._workers, key=_load, reverse=True):
            if len(busy.jobs) < 2:
                return
            back = busy.take_back()
            if back:  # else all that it holds have begun, and their outcomes are on the way
                kept = len(back) // 2
                busy.give_again(back[:kept])
                self._put_back(back[kept:])
                self._hungry.discard(busy)
                self._dispatch()
                return

    def _put_back(self, jobs: list[Job]) -> None:
        for job in reversed(jobs):
            self._queue[job] = None
            self._queue.move_to_end(job, last=False)

    def job_ended(self, worker: Worker, job: Job, result: Any) -> None:
        """
        Called by a worker with a job's result.
        """
        if isinstance(result, Failure):
            self._failed += 1
        else:
            self._done += 1
        if len(worker.jobs) <= AHEAD // 2:
            self._feed(worker)
        if not job.deferred.called:
            job.deferred.callback(result)

    def _feed(self, worker: Worker) -> None:
        """
        Give a worker jobs, if there are any; else it may rest, or go.
        """
        if worker in self._workers and worker.ready:
            if self._room(worker) > 0:
                self._hungry.add(worker)
                self._dispatch()
            if not worker.jobs:
                self._nothing_to_do(worker)

    def _nothing_to_do(self, worker: Worker) -> None:
        if self._recycle is not None and worker.given >= self._recycle:
            self._leave(worker)
            worker.retire()
            self._grow()
            return
        if len(self._workers) > 1:
            self._steal()
        if not worker.jobs and len(self._workers) > self._least:
            self._idle_since[worker] = self._reactor.seconds()
            if self._shrinking is None:
                self._shrinking = self._reactor.callLater(self._idle, self._shrink)

    def _cancelled(self, job: Job, _deferred: Deferred[Any]) -> None:
        if job.worker is None:
            self._queue.pop(job, None)
        elif self._end_job(job.worker, job, f"was ended when {job.name} was cancelled", True):
            self._killed += 1

    def job_timed_out(self, worker: Worker, job: Job) -> None:
        """
        Called by a worker when a job has had its time.
        """
        if self._end_job(worker, job, f"was ended when {job.name} was over its time", False):
            self._killed += 1
            problem = f"{job.name} took longer than {job.timeout:g} s and was ended"
            self._fail(job, JobTimeout(problem))

    def _end_job(self, worker: Worker, job: Job, why: str, cancelled: bool) -> bool:
        """
        End a job that a worker holds.

        Returns:
            Whether it was running; then its worker is ended. If not, either its
            outcome is on its way, or it has not begun: then it never will if it
            was cancelled, and still may if it only seemed to be over its time.
        """
        back = worker.take_back()
        if worker.runs(job):
            self._put_back(back)
            del worker.jobs[job.number]
            self._leave(worker)
            worker.end(why)
            self._grow()
            self._dispatch()
            return True
        worker.give_again([one for one in back if not (cancelled and one is job)])
        if not worker.jobs:
            self._feed(worker)
        return False

    # -- workers

    def _grow(self) -> None:
        """
        Start processes: the least number, and more where jobs wait.
        """
        if self._spare and sum(worker.ready for worker in self._workers) <= self._most:
            self._feed(self._spare.pop())
        if not self.running or self._resting is not None:
            return
        waiting = self._waiting()
        fresh = [w for w in self._workers if self._recycle is None or w.given < self._recycle]
        count = len(fresh)
        coming = sum(not worker.ready for worker in fresh)
        while count < self._least or (count < self._most and waiting > coming):
            try:
                worker = Worker(self._reactor, self, self._limits)
            except OSError as problem:  # no descriptor or no process left
                self._start_failed(f"cannot start: {problem}")
                if self._resting is not None:
                    return
                continue
            self._workers.add(worker)
            count += 1
            coming += 1

    def worker_ready(self, worker: Worker) -> None:
        """
        Called by a worker that has come up.
        """
        self._failed_starts = 0
        if sum(other.ready for other in self._workers) > self._most:
            self._spare.append(worker)  # until the one that it is to replace has gone
        else:
            self._feed(worker)
        self._tell_if_warm()

    def worker_ended(self, worker: Worker, unbegun: list[Job], begun: list[Job]) -> None:
        """
        Called by a worker whose process has gone.
        """
        expected = worker in self._ending
        self._ending.discard(worker)
        self._leave(worker, gone=True)
        self._put_back(unbegun)
        for job in begun:
            self._failed += 1
            problem = f"{job.name}: process {worker.pid} {worker.why} while it ran the job"
            self._fail(job, WorkerDied(f"{problem}, which is not run again"))
        if not expected and not begun:
            _log.warn("process {pid} of {pool} {why}", pid=worker.pid, pool=self, why=worker.why)
        self._tell_if_gone(worker)
        if not self.running:
            return
        if not expected and not worker.came_up:
            self._start_failed("\n".join([f"process {worker.pid} {worker.why}", *worker.tail]))
        else:
            self._dispatch()
        self._grow()

    def _start_failed(self, why: str) -> None:
        """
        Count it. After some in a row rest for a while, and let nobody wait.
        """
        self._failed_starts += 1
        if self._failed_starts < MOST_FAILED_STARTS:
            return
        self._failed_starts = 0
        if self._resting is None:
            self._resting = self._reactor.callLater(REST, self._rested)
        problem = f"the processes of {self.description} do not come up: {why}"
        _log.error("{problem}", problem=problem)
        self._fail_warm(WorkerDied(problem))
        if any(worker.came_up for worker in self._workers):
            return  # those that are there will do the jobs
        queue, self._queue = self._queue, OrderedDict()
        for job in queue:
            self._failed += 1
            self._fail(job, WorkerDied(f"{job.name}: {problem}"))

    def _rested(self) -> None:
        self._resting = None
        self._grow()

    def _leave(self, worker: Worker, gone: bool = False) -> None:
        self._workers.discard(worker)
        self._hungry.discard(worker)
        if worker in self._spare:
            self._spare.remove(worker)
        self._idle_since.pop(worker, None)
        if not gone:
            self._ending.add(worker)

    def _shrink(self) -> None:
        """
        Let processes go that have had nothing to do for long.
        """
        self._shrinking = None
        now = self._reactor.seconds()
        for worker, since in list(self._idle_since.items()):
            if len(self._workers) <= self._least:
                self._idle_since.clear()
            elif now - since >= self._idle:
                self._leave(worker)
                worker.retire()
        if self._idle_since:
            left = min(self._idle_since.values()) + self._idle - now
            self._shrinking = self._reactor.callLater(max(0.0, left), self._shrink)


def _load(worker: Worker) -> int:
    return len(worker.jobs)


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
