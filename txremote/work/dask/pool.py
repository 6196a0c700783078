"""
`DaskPool`: jobs in the workers of a Dask cluster.

The cluster has other users, and this pool starts and ends none of its workers. So:

* A job goes to Dask at once, and Dask decides where and when it runs.
* A job begins once or never, though Dask would begin it again (`txremote.work.dask.remote`).
* A job that has begun cannot be ended: cancelled or over its time it is *abandoned*.
* A job that waits is taken back when it is cancelled. If it begins just then it goes on, and the
  log says so.
* When the scheduler is lost every job is, and the pool has to be started anew.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from txremote.errors import ConnectionLost, JobTimeout, NotPicklable, PoolStopped, WorkerDied
from txremote.refs.awaiting import AwaitableDeferred
from txremote.refs.clock import steady
from txremote.work.dask.link import ClusterLink
from txremote.work.dask.remote import DONE, NOT_MADE, NOT_SENT, RAISED, Outcome
from txremote.work.pickling import dump_job, load_error, load_result, with_remote_traceback
from txremote.work.pool import DEFAULT_QUEUE, PoolService, PoolStatistics, log, name_of
from txremote.work.ports import Args, Function, IPoolReactor, Kwargs
from txremote.work.spec import Description

#: Seconds in which the scheduler has to answer when the pool starts.
TIMEOUT = 10.0

_NOT_IN_KEYS = re.compile(r"[^\w.<>]+")
_NO_PEER = (
    "the job {} has a live() or a reference to another peer's object among its arguments: a Dask "
    "worker is no txremote peer and cannot call it; use a pool of processes or of threads"
)


@dataclass(slots=True, eq=False)
class DaskJob:
    """A job, from `DaskPool.submit` until it has ended."""

    name: str
    timeout: float | None
    deferred: Deferred[object] | None  # None when it has fired
    worker: str = ""  # as long as it waits
    timer: IDelayedCall | None = None


class DaskPool(PoolService):
    """
    Runs jobs in a Dask cluster. For the reactor's thread. ImportError: Dask is not installed.

    Functions and arguments go as to a `txremote.work.processes.ProcessPool`, but nothing goes by
    reference. When the scheduler is lost, jobs fail with `ConnectionLost`.

    Args:
        queue: How many jobs may be under way, running ones included.
        timeout: Seconds in which the scheduler has to answer when it starts.
    """

    kind = "dask"

    def __init__(
        self,
        reactor: IPoolReactor,
        address: str,
        *,
        queue: int = DEFAULT_QUEUE,
        timeout: float = TIMEOUT,
        description: str | None = None,
    ) -> None:
        if importlib.util.find_spec("distributed") is None:
            raise ImportError("a pool of dask needs Dask: pip install 'txremote[dask]'")
        super().__init__(reactor, description or f"{self.kind}:{address}", queue)
        self._address = address
        self._timeout = timeout
        self._jobs: dict[str, DaskJob] = {}
        self._link: ClusterLink | None = None
        self._lost = ""
        self._threads = 0

    def open(self) -> Deferred[None]:
        """Connect to the scheduler. There need be no worker yet."""
        self._lost = ""
        warm = self._warm_up()
        self._link = ClusterLink(self._reactor, self._address, self._timeout, self)
        self._link.start()
        return warm

    def close(self) -> Deferred[None]:
        """Fail the jobs that wait and run, and close the connection."""
        sentence = f"the pool {self.description} was stopped"
        assert self._link is not None
        closed = self._link.stop()
        self._threads = 0
        for job in self._jobs.values():
            if job.worker and job.deferred is not None:
                self._log_abandoned(job.name, "is in a pool that was stopped", job.worker)
        self._fail_all(PoolStopped, sentence)
        self._end_warm_up(PoolStopped(f"{sentence} while it started"))
        return closed

    def link_up(self) -> None:
        """Called when the scheduler is there."""
        self._end_warm_up()

    def link_down(self, why: str) -> None:
        """Called when there is no scheduler, or none any more."""
        self._threads = 0
        if self._warming_up is not None:
            self._lost = f"there is no Dask scheduler at {self._address}: {why}"
            self._fail_all(PoolStopped, self._lost)
            self._end_warm_up(PoolStopped(self._lost))
            return
        self._lost = f"the Dask scheduler at {self._address} was lost: {why}"
        log.error("{pool}: {lost}", pool=self, lost=self._lost)
        self._failed += len(self._jobs)
        self._fail_all(ConnectionLost, f"{self._lost}; it may have run, and is not run again")

    def cluster_has(self, threads: int) -> None:
        """Called with the number of threads that the cluster's workers have."""
        self._threads = threads

    def _fail_all(self, kind: Callable[[str], Exception], sentence: str) -> None:
        while self._jobs:  # one by one: a callback of the first may cancel all others
            job = self._jobs.pop(next(iter(self._jobs)))
            self._fire(job, Failure(kind(f"{job.name}: {sentence}")))

    def _accept(
        self, function: Function, args: Args, kwargs: Kwargs, timeout: float | None, name: str
    ) -> Deferred[object]:
        assert self._link is not None
        if self._lost:
            raise PoolStopped(f"{self._lost}; stop() and start() it to connect anew")
        if len(self._jobs) >= self._most_queued:
            raise self._full()
        payload, references = dump_job(function, tuple(args), dict(kwargs), name, "")
        if references:
            raise NotPicklable(_NO_PEER.format(name))
        # Dask puts those into one group that are alike before the hyphen
        key = f"{_NOT_IN_KEYS.sub('_', name_of(function))}-{uuid4().hex}"
        deferred: Deferred[object] = AwaitableDeferred(partial(self._cancelled, key))
        self._jobs[key] = DaskJob(name, timeout, deferred)
        self._link.submit(key, payload)
        return deferred

    def _places(self) -> int:
        return self._most_queued - len(self._jobs)

    def statistics(self) -> PoolStatistics:
        """Return what it is doing. Its workers are the threads of the cluster's workers."""
        running = [job for job in self._jobs.values() if job.worker]
        return PoolStatistics(
            workers=self._threads,
            busy=len(running),
            queued=len(self._jobs) - len(running),
            done=self._done,
            failed=self._failed,
            abandoned=sum(job.deferred is None for job in running),
        )

    def job_started(self, key: str, worker: str) -> None:
        """Called when a job begins."""
        job = self._jobs.get(key)
        if job is None:
            self._log_abandoned(key, "was cancelled as it began", worker)
            return
        job.worker = worker
        if job.timeout is not None:
            job.timer = steady(self._reactor).callLater(max(0.0, job.timeout), self._expire, job)

    def job_ended(self, key: str, outcome: Outcome) -> None:
        """Called when a job has come back."""
        if key in self._jobs:
            job = self._jobs.pop(key)
            self._count_and_fire(job, _result(job.name, *outcome))

    def job_lost(self, key: str, why: str) -> None:
        """Called when a job will not come back."""
        if key in self._jobs:
            job = self._jobs.pop(key)
            sentence = f"{job.name}: {why}; it is not run again"
            self._count_and_fire(job, Failure(WorkerDied(sentence)))

    def _count_and_fire(self, job: DaskJob, result: object) -> None:
        failure = self._count(result)
        how = f" with {failure.getErrorMessage()}" if failure is not None else ""
        if job.deferred is None:
            log.info("the abandoned job {job} has ended{how}", job=job.name, how=how)
        self._fire(job, result)

    def _fire(self, job: DaskJob, result: object) -> None:
        deferred, job.deferred = job.deferred, None
        self._stop_timer(job)
        if deferred is not None:
            deferred.callback(result)
        self._made_room()

    def _stop_timer(self, job: DaskJob) -> None:
        timer, job.timer = job.timer, None
        if timer is not None and timer.active():
            timer.cancel()

    def _cancelled(self, key: str, _deferred: Deferred[object]) -> None:
        job = self._jobs[key]
        job.deferred = None
        self._stop_timer(job)
        if job.worker:
            self._log_abandoned(job.name, "was cancelled", job.worker)
        else:
            del self._jobs[key]
            assert self._link is not None
            self._link.cancel(key)
        self._made_room()

    def _expire(self, job: DaskJob) -> None:
        why = f"took longer than {job.timeout:g} s"
        self._log_abandoned(job.name, why, job.worker)
        self._fire(job, Failure(JobTimeout(f"the job {job.name} {why}")))

    def _log_abandoned(self, job: str, why: str, worker: str) -> None:
        log.warn(
            "the job {job} {why}, and a thread of a Dask worker cannot be stopped: it goes on in "
            "{worker} until it ends",
            job=job,
            why=why,
            worker=worker,
        )


def _result(name: str, kind: str, *about: Any) -> Any:
    """Return a job's result, or its Failure, of the parts of its outcome."""
    if kind == DONE:
        try:
            return load_result(about[0], (), name)
        except NotPicklable as problem:
            return Failure(problem)
    if kind == RAISED:
        return load_error(*about, name=name)
    if kind == NOT_MADE:
        error = NotPicklable(f"the job {name} cannot be made in the worker {about[0]}")
        return with_remote_traceback(error, about[1])
    if kind == NOT_SENT:
        error = NotPicklable(f"the result of the job {name} cannot be sent back: {about[0]}")
        return with_remote_traceback(error, about[1])
    return Failure(WorkerDied(f"{name}: {about[0]}; it is not run again"))


def parse(reactor: IPoolReactor, words: Sequence[str], options: Mapping[str, str]) -> DaskPool:
    """Make a pool of a description's parts: ``dask:tcp://host:8786:timeout=5:queue=1000``."""
    told = Description(DaskPool.kind, words, options, word="address", names=("queue", "timeout"))
    if not words:
        raise ValueError(f"{str(told)!r} says no scheduler: dask:tcp://HOST:8786")
    queue, timeout = told.number("queue", 1, DEFAULT_QUEUE), told.number("timeout", 1, TIMEOUT)
    try:
        return DaskPool(reactor, words[0], queue=queue, timeout=timeout, description=str(told))
    except ImportError as problem:
        raise ValueError(str(problem)) from problem
