"""
`ProcessPool`: jobs in child processes, each of them a txremote peer over pipes.

A child holds the job that it runs and a few more, so that it need not wait for its parent between
two short ones; those that have not begun can be taken back (`txremote.work.tickets`). So:

* A job is begun once, or never.
* A job that is cancelled before it has begun never runs. One that runs, or is over its time, is
  ended with its process, by TERM, and by KILL after a grace.
* When a process dies the job that it ran fails, and no other.

`txremote.work.job_queue` gives the jobs that wait to the workers, and `txremote.work.worker_set`
decides how many of those there are.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from twisted.internet.defer import Deferred

from txremote.errors import JobTimeout, PoolStopped, WorkerDied
from txremote.levels import Logger
from txremote.work.buffers import LEAST, Buffers
from txremote.work.initializer import InitializerFunction
from txremote.work.job_queue import AHEAD, JobQueue
from txremote.work.pickling import dump_job
from txremote.work.pool import DEFAULT_QUEUE, PoolService, PoolStatistics
from txremote.work.ports import Args, Function, IPoolReactor, Kwargs
from txremote.work.prefetched import Job
from txremote.work.running import refuse_in_import
from txremote.work.sharedmemory import SharedMemory, Stored
from txremote.work.spec import Description
from txremote.work.surroundings import (
    Surroundings,
    check_seconds,
    env_of,
    initializer_of,
    nice_of,
)
from txremote.work.worker import Worker
from txremote.work.worker_protocol import WorkerLimits
from txremote.work.worker_set import IDLE, Size, WorkerSet

_log = Logger("txremote")


class ProcessPool(PoolService):
    """
    Runs jobs in child processes. For the reactor's thread. ValueError: the numbers make no sense.

    A function goes to its process by name if it can be imported, else by value, and so do the
    arguments, as they are now; `live` ones and references to other peers' objects go by reference.

    Args:
        least: How many processes are kept, busy or not.
        most: How many there may be.
        idle: Seconds after which a process more than the least ends, if it has nothing to do.
        recycle: After how many jobs a process is replaced by a new one; None for never.
        queue: How many jobs may wait.
        initializer: A function without arguments, or its dotted name, that each process calls
            before its first job; where it fails the process has not come up.
        env: Variables of the environment for the processes, beside those of this one.
        cwd: Their working directory; it is on no path by which modules are found.
        nice: How much nicer they are than this process, in the operating system's steps.
        import_timeout: Seconds that a job with a time-out has to be loaded, which imports what
            it needs, before its own time begins.
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
        initializer: InitializerFunction | str | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        nice: int = 0,
        import_timeout: float = WorkerLimits.imports,
        limits: WorkerLimits | None = None,
        description: str | None = None,
    ) -> None:
        most = max(least, 1) if most is None else most
        size = Size(least, most, idle, recycle)
        super().__init__(reactor, description or f"processes:min={least}:max={most}", queue)
        self.large_jobs: SharedMemory | None = None  # while it runs, if the system has such files
        surroundings = Surroundings(env or {}, None if cwd is None else os.fspath(cwd), nice)
        setting_up = None if initializer is None else initializer_of(initializer)
        seconds = check_seconds("import_timeout", import_timeout)
        limits = replace(limits or WorkerLimits(), imports=seconds)
        spawn = partial(Worker, reactor, self, limits, surroundings, setting_up)
        self._workers = WorkerSet(reactor, size, spawn, self)
        self._queue = JobQueue(self._workers)
        self._import_timeout = seconds
        self._closings: list[tuple[set[Worker], Deferred[None]]] = []

    def start(self) -> Deferred[None]:
        """Start it. RuntimeError: a worker process imports a module that does this."""
        refuse_in_import()
        return super().start()

    def open(self) -> Deferred[None]:
        """Start the least number of processes."""
        warm = self._warm_up()
        self.large_jobs = SharedMemory.create()
        self._workers.open()
        self._fire_if_warm()
        return warm

    def close(self) -> Deferred[None]:
        """Fail the jobs that wait and run, and end every process."""
        self._workers.close()
        self._end_warm_up(PoolStopped(f"{self.description} was stopped while it started"))
        left = self._queue.clear()
        for worker in list(self._workers.active):
            if worker.ready and not worker.held.jobs:
                self._workers.dismiss(worker)
            else:
                # those that have not begun never do, though their process may take its time
                left += [*worker.held.take_back(), *worker.held.clear()]
                worker.end("was stopped with its pool")
                self._workers.mark_ending(worker)
        for job in left:
            job.fail(self._stopped(job.name))
        if self.large_jobs is not None:  # what still ends has it open itself
            self.large_jobs.close()
        gone: Deferred[None] = Deferred()
        if self._workers.ending:  # it may be started again before they are gone
            self._closings.append((set(self._workers.ending), gone))
        else:
            gone.callback(None)
        return gone

    def _fire_if_warm(self) -> None:
        if self._workers.ready() >= self._workers.size.least:
            self._end_warm_up()

    def _fire_if_gone(self, worker: Worker) -> None:
        for closing in list(self._closings):
            left, gone = closing
            left.discard(worker)
            if not left:
                self._closings.remove(closing)
                gone.callback(None)

    # -- jobs

    def _accept(
        self, function: Function, args: Args, kwargs: Kwargs, timeout: float | None, name: str
    ) -> Deferred[object]:
        if self._queue.is_full(self._most_queued):
            raise self._full()
        if not name.isascii():  # it travels, and may have been a file's
            name = name.encode("utf-8", "replace").decode()
        payload, references = self._dump(function, tuple(args), dict(kwargs), name)
        job = Job(name, payload, references, timeout, self._cancelled)
        self._queue.put(job)
        if len(self._workers.active) < self._workers.size.most:
            self._workers.grow()
        return job.deferred

    def _dump(
        self, function: Function, args: tuple[object, ...], kwargs: dict[str, object], name: str
    ) -> tuple[bytes | Stored, list[object]]:
        buffers = Buffers()
        payload, references = dump_job(function, args, kwargs, name, buffers=buffers)
        if buffers or len(payload) >= LEAST:
            memory = self.large_jobs
            place = None if memory is None else memory.put([payload, *buffers])
            if memory is not None and place is not None:
                return Stored(memory, place), references
            if buffers:
                payload, references = dump_job(function, args, kwargs, name)
        return payload, references

    def _places(self) -> int:
        return self._most_queued - self._queue.waiting()

    def statistics(self) -> PoolStatistics:
        """Return what it is doing."""
        workers = self._workers
        ended = sum(not worker.ready for worker in workers.ending)  # the others just go
        return PoolStatistics(
            workers=workers.ready() + len(workers.ending),
            busy=sum(bool(worker.held.jobs) for worker in workers.active) + ended,
            queued=self._queue.waiting(),
            done=self._done,
            failed=self._failed,
            killed=self._killed,
            restarted=workers.lost,
        )

    def job_ended(self, worker: Worker, job: Job, result: object) -> None:
        """Called by a worker with a job's result."""
        self._count(result)
        if type(job.payload) is Stored:
            job.forget()
        if len(worker.held.jobs) <= AHEAD // 2:
            self._queue.feed(worker)
        if not job.deferred.called:
            job.deferred.callback(result)
        if self._line is not None:
            self._line.move_up()

    def _cancelled(self, job: Job, _deferred: Deferred[object]) -> None:
        if job.held is not None:
            job.held.cancelled(job)  # which calls `job_cancelled`
            return
        self._queue.drop(job)
        job.forget()
        self._made_room()

    def job_cancelled(self, worker: Worker, job: Job) -> None:
        """Called by a worker when a job that it holds was cancelled."""
        if self._end_job(worker, job, f"was ended when {job.name} was cancelled", True):
            self._killed += 1
        self._made_room()

    def job_timed_out(self, worker: Worker, job: Job) -> None:
        """Called by a worker when a job's time is up."""
        if self._end_job(worker, job, f"was ended when {job.name} was over its time", False):
            self._killed += 1
            problem = f"{job.name} took longer than {job.timeout:g} s and was ended"
            if not job.loaded:
                problem = (
                    f"{job.name} was ended, since what it imports was not loaded within "
                    f"{self._import_timeout:g} s (option import_timeout=)"
                )
            job.fail(JobTimeout(problem))
        self._made_room()

    def _end_job(self, worker: Worker, job: Job, why: str, cancelled: bool) -> bool:
        """
        End a job that a worker holds, and tell whether it was running; then its worker is ended.

        If not, its outcome is on its way, or it has not begun: then it never will if it was
        cancelled, and still may if it only seemed to be over its time.
        """
        held = worker.held
        back = held.take_back()
        if held.runs(job):
            self._queue.put_back(back)
            held.remove(job.number)
            self._workers.mark_ending(worker)
            worker.end(why)
            self._workers.grow()
            self._queue.share_out()
            return True
        held.give_again([one for one in back if not (cancelled and one is job)])
        if cancelled and job in back:
            job.forget()
        if not held.jobs:
            self._queue.feed(worker)
        return False

    # -- workers

    def worker_ready(self, worker: Worker) -> None:
        """Called by a worker that has come up."""
        if self._workers.came_up(worker):
            self._queue.feed(worker)
        self._fire_if_warm()
        self._made_room()

    def worker_ended(self, worker: Worker, unbegun: list[Job], begun: list[Job]) -> None:
        """Called by a worker whose process has gone."""
        expected = self._workers.remove(worker)
        self._queue.put_back(unbegun)
        for job in begun:
            self._failed += 1
            problem = f"{job.name}: process {worker.pid} {worker.why} while it ran the job"
            job.fail(WorkerDied(f"{problem}, which is not run again"))
        if not expected:
            _log.warn(
                "process {pid} of {pool} {why}{meanwhile}",
                pid=worker.pid,
                pool=self,
                why=worker.why,
                meanwhile="".join(f" while it ran {job.name}" for job in begun),
            )
        self._fire_if_gone(worker)
        if not self.running:
            return
        if not expected and not worker.came_up:
            why = "\n".join([f"process {worker.pid} {worker.why}", *worker.tail])
            self._workers.start_failed(why)
        else:
            self._queue.share_out()
        self._workers.grow()

    def waiting(self) -> int:
        """Return how many jobs wait for a worker. Called by the worker set."""
        return self._queue.waiting()

    def worker_free(self, worker: Worker) -> None:
        """Called by the worker set when a spare worker takes the place of another."""
        self._queue.feed(worker)

    def none_comes_up(self, why: str) -> None:
        """Called by the worker set when processes cannot be started: fail the jobs that wait."""
        problem = f"the processes of {self.description} do not come up: {why}"
        _log.error("{problem}", problem=problem)
        self._end_warm_up(WorkerDied(problem))
        if any(worker.came_up for worker in self._workers.active):
            return  # those that are there will do the jobs
        for job in self._queue.clear():
            if not job.deferred.called:  # else a callback of one before has cancelled it
                self._failed += 1
                job.fail(WorkerDied(f"{job.name}: {problem}"))


def parse(reactor: IPoolReactor, words: Sequence[str], options: Mapping[str, str]) -> ProcessPool:
    """Make a pool of a description's parts: ``processes:4``, ``processes:min=2:max=8:idle=20``."""
    names = (
        *("min", "max", "idle", "recycle", "queue", "grace"),
        *("init", "import_timeout", "env", "cwd", "nice"),
    )
    told = Description(ProcessPool.kind, words, options, word="count", names=names)
    count, given = told.number("count", 1, None), {"min", "max"} & options.keys()
    if count is None and not given:
        count = os.cpu_count()
    return ProcessPool(
        reactor,
        told.number("min", 0, count or 1),
        told.number("max", 1, count),
        idle=told.seconds("idle", IDLE),
        recycle=told.number("recycle", 1, None),
        queue=told.number("queue", 1, DEFAULT_QUEUE),
        initializer=told.text("init"),
        env=told.read("env", env_of, None),
        cwd=told.text("cwd"),
        nice=told.read("nice", nice_of, 0),
        import_timeout=told.seconds("import_timeout", WorkerLimits.imports),
        limits=WorkerLimits(grace=told.seconds("grace", WorkerLimits.grace)),
        description=str(told),
    )
