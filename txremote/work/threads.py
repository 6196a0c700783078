"""
A pool of threads: the reactor's own, or a number of its own.

It has a queue of its own in front of Twisted's, so a job that waits can be taken back, the queue
has an end, and many short jobs cost one *batch* in Twisted's pool. A batch runs jobs from the
queue until there are none. In the reactor's pool it goes back to the end of the line from time to
time, since others wait there too: the resolver, say. Results are brought into the reactor
together.

A thread cannot be stopped. A job that is cancelled or times out while it runs is *abandoned*: its
Deferred fails at once, and it goes on.

A job that waits for another one of the same pool holds its thread meanwhile. Where all threads are
held so (`txremote.work.stuck`) one of the jobs that they wait for fails, and the others go on.

Jobs are submitted, cancelled and counted in the reactor's thread. A worker thread only takes a job
out of the queue, which is atomic, and later adds it to those that have ended.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from functools import partial
from time import monotonic
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python import context
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool as TwistedThreadPool

from txremote.errors import JobTimeout, PoolFull
from txremote.eventloop.worker_pool import here
from txremote.refs import forks
from txremote.refs.clock import steady
from txremote.work.netrefs import MAY_BE_REMOTE
from txremote.work.pool import DEFAULT_QUEUE, PoolService, PoolStatistics, log
from txremote.work.ports import Args, Function, IPoolReactor, Kwargs
from txremote.work.running import pools_of, running_pools
from txremote.work.spec import Description
from txremote.work.stuck import StuckWatch
from txremote.work.thread_job import HAS_RUN, RUNS, ThreadJob

#: Seconds after which a batch lets others have the reactor's threads.
SLICE = 0.01

#: Seconds that `ThreadPool.stop` waits for jobs that run.
GRACE = 3.0

# Results that are brought into the reactor in one of its turns.
_MOST_AT_ONCE = 200


class ThreadPool(PoolService):
    """Runs jobs in threads: `size` of its own, or with None those of the reactor's own pool."""

    kind = "threads"
    by_value = False
    can_call_back = True

    def __init__(
        self,
        reactor: IPoolReactor,
        size: int | None = None,
        queue: int = DEFAULT_QUEUE,
        description: str | None = None,
    ) -> None:
        if description is None:
            description = self.kind if size is None else f"{self.kind}:{size}"
        super().__init__(reactor, description, queue)
        # its threads keep no process alive, but a process may outlive a loop beside its reactor
        self.ends_with_reactor = pools_of(reactor) is not running_pools
        self.grace = GRACE  # seconds that its stop waits for jobs that run
        self._size = size
        self._clock = steady(reactor)
        self._jobs: set[ThreadJob] = set()
        self._waiting: OrderedDict[ThreadJob, None] = OrderedDict()
        self._ended: deque[ThreadJob | None] = deque()  # None: a batch that ran none
        self._woken = False
        self._batches = 0
        self._idle: Deferred[None] | None = None
        self._threads: Any = None
        self._canceller = self._cancel  # one bound method for all jobs
        self._watch = StuckWatch(reactor, lambda: list(self._waiting), self._give_up)

    def open(self) -> None:
        """Make the threads ready."""
        if self._size is None:
            self._threads = self._reactor.getThreadPool()
        else:
            # jobs that stop() left behind hold none of these
            self._jobs, self._waiting, self._ended = set(), OrderedDict(), deque()
            self._batches = 0
            self._threads = _DaemonThreads(0, self._size, self.description)
            self._threads.start()
        idle, self._idle = self._idle, None
        if idle is not None:  # it is started before it has stopped: what runs is left behind
            idle.callback(None)

    # -- in the reactor's thread

    def _accept(
        self, function: Function, args: Args, kwargs: Kwargs, timeout: float | None, name: str
    ) -> Deferred[object]:
        waiting = self._waiting
        if len(waiting) >= self._most_queued and (
            len(self._jobs) >= self._most_queued + self._threads.max
        ):
            raise self._full()
        job = ThreadJob(function, args, kwargs, timeout, name, self._canceller)
        deferred = job.deferred
        assert deferred is not None
        for arg in args:
            if type(arg) in MAY_BE_REMOTE:
                job.make_blocking()
                break
        else:
            if kwargs or type(function) in MAY_BE_REMOTE:
                job.make_blocking()
        self._jobs.add(job)
        waiting[job] = None
        self._send_batch()
        return deferred

    def _settle(self) -> None:
        """Do what is to be done when jobs have gone."""
        self._made_room()
        if not self._jobs:
            self._watch.end()

    def _places(self) -> int:
        threads: int = self._threads.max
        return self._most_queued + max(-len(self._waiting), threads - len(self._jobs))

    def _send_batch(self) -> None:
        """Send another batch, unless there are enough: each has a job, or looks for one."""
        batches = self._batches
        if batches >= self._threads.max:
            if self._watch.timer is None:
                self._watch.begin(self._threads)
            return
        if batches >= len(self._jobs):
            return
        self._batches = batches + 1
        # Each job brings the context it was submitted in: the batch's own is
        # not to be that of the first.
        contexts = context.theContextTracker.currentContext().contexts
        contexts.append(context.defaultContextDict)
        try:
            self._threads.callInThread(self._run_batch)
        finally:
            contexts.pop()

    def _give_up(self, job: ThreadJob) -> None:
        """Fail a job that waits, and that all threads wait for."""
        deferred = job.deferred
        if deferred is not None and self._take_back(job):
            job.deferred = None
            problem = (
                f"{job.name}: all threads of {self.description} run jobs that wait for jobs of "
                "this pool, which have no thread to begin in. A job that waits for another should "
                "be a coroutine of the reactor's, or use another pool"
            )
            log.error("{problem}", problem=problem)
            deferred.errback(PoolFull(problem))

    def _batch_over(self) -> None:
        self._batches -= 1
        if self.running:
            self._send_batch()
        if not self._batches and self._idle is not None:
            idle, self._idle = self._idle, None
            idle.callback(None)

    def _bring(self) -> None:
        """Fire the Deferreds of jobs that have ended."""
        self._woken = False  # first, so that a job that ends from now on wakes anew
        ended = self._ended
        for _ in range(_MOST_AT_ONCE):
            if not ended:
                self._settle()
                return
            job = ended.popleft()
            if job is not None:
                self._jobs.remove(job)
            if job is None or job.was_last:
                self._batch_over()  # first, for a callback may submit the next job
            if job is not None:
                self._fire(job)
        self._settle()
        self._wake()

    def _fire(self, job: ThreadJob) -> None:
        result: Any = job.result
        job.result = None
        # as `_count`, without another call for each job (row *threads pool*)
        failed = issubclass(type(result), Failure)
        if failed:
            self._failed += 1
        else:
            self._done += 1
        if job.abandoned:
            how = f" with {result.getErrorMessage()}" if failed else ""
            log.info("the abandoned job {job} has ended{how}", job=job.name, how=how)
        deferred, job.deferred = job.deferred, None
        if deferred is None:  # it has failed before
            return
        if job.timer is not None:
            job.timer.cancel()
            job.timer = None
        if deferred.called:
            log.warn("the Deferred of the job {job} was fired by somebody else", job=job.name)
        else:
            deferred.callback(result)

    def _cancel(self, job: ThreadJob) -> None:
        if job.deferred is None:  # its pool stops just now
            return
        job.deferred = None
        if not self._take_back(job):
            self._abandon(job, "was cancelled")
        self._settle()

    def _take_back(self, job: ThreadJob) -> bool:
        try:
            del self._waiting[job]
        except KeyError:  # a thread has it
            return False
        self._jobs.remove(job)
        return True

    def _abandon(self, job: ThreadJob, why: str) -> None:
        job.stop_time()
        if job.state != HAS_RUN:
            job.abandoned = True
            log.warn(
                "the job {job} {why}, and a thread cannot be stopped: it goes on in {pool}, and "
                "holds its thread until it ends",
                job=job.name,
                why=why,
                pool=self.description,
            )

    def _expire(self, job: ThreadJob) -> None:
        job.timer = None
        deferred = job.deferred
        if deferred is None or job.state == HAS_RUN:  # its result is on its way
            return
        job.deferred = None
        self._abandon(job, f"took longer than {job.timeout:g} s")
        deferred.errback(JobTimeout(f"the job {job.name} took longer than {job.timeout:g} s"))

    def statistics(self) -> PoolStatistics:
        """Return what it is doing."""
        running = [job for job in self._jobs if job.state == RUNS]
        return PoolStatistics(
            workers=self._threads.max if self._threads is not None else 0,
            busy=len(running),
            queued=len(self._waiting),
            done=self._done,
            failed=self._failed,
            abandoned=sum(job.abandoned for job in running),
        )

    # -- the end

    def close(self) -> Deferred[None]:
        """Fail the jobs that wait and run; wait a moment for those that run."""
        self._watch.end()
        left = [job for job in list(self._jobs) if self._take_back(job)]
        while self._ended:
            self._bring()  # these have their results
        for job in self._jobs:
            self._abandon(job, "is in a pool that was stopped")
            left.append(job)
        failing = [(job.name, job.deferred) for job in left]
        for job in left:
            job.deferred = None
        for name, deferred in failing:
            if deferred is not None and not deferred.called:  # else one before has cancelled it
                deferred.errback(self._stopped(name))
        idle = self._idle = Deferred(lambda _idle: None)
        ended = idle.addTimeout(self.grace, self._clock, self._leave_behind)
        if self._size is not None:
            self._threads.end(idle=not self._batches)
        if not self._batches:
            self._idle = None
            idle.callback(None)
        return ended

    def _leave_behind(self, _timed_out: object, _grace: float) -> None:
        self._idle = None
        names = ", ".join(sorted(job.name for job in self._jobs))
        log.warn("{pool} has stopped, and leaves behind: {names}", pool=self, names=names)

    # -- in worker threads

    def _run_batch(self) -> None:
        """Run jobs, which may ask for the loop that they work for."""
        before, here.loop = here.loop, self._reactor
        try:
            self._run_jobs()
        finally:
            here.loop = before

    def _run_jobs(self) -> None:
        """Run jobs until none waits: a batch."""
        waiting, ended = self._waiting, self._ended
        until = monotonic() + SLICE if self._size is None else None
        while True:
            try:
                job, _ = waiting.popitem(False)
            except KeyError:
                break
            job.state = RUNS
            if job.timeout is not None:
                self._reactor.callFromThread(job.count_time, self._clock, self._expire)
            home = forks.here
            job.run()
            if home is not forks.here:
                forks.end()
            job.state = HAS_RUN
            job.was_last = was_last = not waiting
            ended.append(job)
            if not self._woken:
                self._wake()
            if was_last:
                return
            if until is not None and monotonic() > until:
                self._threads.callInThread(self._run_batch)
                return
            del job  # until the next one comes
        ended.append(None)
        if not self._woken:
            self._wake()

    def _wake(self) -> None:
        self._woken = True
        self._reactor.callFromThread(self._bring)


class _DaemonThreads(TwistedThreadPool):
    """Twisted's threads, which do not keep the program alive."""

    # static: a partial binds as a method from Python 3.14 on
    threadFactory = staticmethod(partial(threading.Thread, daemon=True))  # type: ignore[assignment]

    def end(self, *, idle: bool) -> None:
        """End the threads: here if all are idle, for a loop that is closed does nothing later."""
        if idle:
            self.stop()
        else:  # it waits for them, and one may never end
            threading.Thread(target=self.stop, name="txremote stop", daemon=True).start()


def parse(reactor: IPoolReactor, words: Sequence[str], options: Mapping[str, str]) -> ThreadPool:
    """Make a pool of a description's parts, such as ``threads:8:queue=100``."""
    told = Description(ThreadPool.kind, words, options, word="size", names=("queue",))
    size, queue = told.number("size", 1, None), told.number("queue", 0, DEFAULT_QUEUE)
    return ThreadPool(reactor, size, queue, str(told))
