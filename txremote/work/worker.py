"""
One worker of a process pool: its process, the link to it, the jobs that it holds.

However it ends, its pool is told once, when the process has been reaped and all that it had sent
has been read. The parts of its life have modules of their own:

* how its process begins and ends: `txremote.work.childprocess`, and `ComingUp` for what lies
  between the start and the first job;
* the jobs that it holds, which of them have begun, and their time: `PrefetchedJobs`;
* their way into the process: `JobSender`, over a `WorkerLink`. Replies come back here, as plain
  messages or as answers of a peer, large results in parts or in shared memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred, TimeoutError as DeferredTimeout
from twisted.python.failure import Failure

from txremote.errors import ConnectionLost, DeadReferenceError
from txremote.eventloop.executor import LoopExecutor
from txremote.eventloop.worker_pool import WorkerPool
from txremote.net.transport import prepare
from txremote.peer.connection import Connection
from txremote.peer.imports import ReleaseSweeper
from txremote.refs.clock import steady
from txremote.service import Service
from txremote.wire.messages import dialect_named
from txremote.work.childprocess import ChildProcess
from txremote.work.coming_up import ComingUp, NotSetUp
from txremote.work.job_sender import JobSender, ignored
from txremote.work.output import OutputLog
from txremote.work.pickling import load_error, load_result
from txremote.work.pipes import PipeTransport
from txremote.work.plainphase import DONE, FAILED, INITIALIZER
from txremote.work.ports import IPoolReactor
from txremote.work.prefetched import Job, PrefetchedJobs
from txremote.work.sharedmemory import Place, SharedMemory
from txremote.work.surroundings import LIKE_PARENT, Initializer, Surroundings
from txremote.work.worker_protocol import CONFIG, WorkerLimits
from txremote.work.workerlink import WorkerLink


class WorkerEvents(Protocol):
    """The events of a worker, for its pool."""

    large_jobs: SharedMemory | None  # the file that large jobs are in, if there is one

    def worker_ready(self, worker: Worker) -> None:
        """It has come up, and takes jobs."""

    def job_ended(self, worker: Worker, job: Job, result: object) -> None:
        """A job has a result, which may be a Failure."""

    def job_timed_out(self, worker: Worker, job: Job) -> None:
        """A job's time is up."""

    def job_cancelled(self, worker: Worker, job: Job) -> None:
        """The caller of a job that the worker holds has cancelled it."""

    def worker_ended(self, worker: Worker, unbegun: list[Job], begun: list[Job]) -> None:
        """Its process has gone, and left these jobs."""


class _Results:
    """The results of one process as they come: whole, in parts, or in memory. To be closed."""

    def __init__(self) -> None:
        self.memory: SharedMemory | None = None  # if the system has such files
        self._parts: list[bytes] = []

    def part(self, data: bytes) -> None:
        """Take a part of the result that comes next."""
        self._parts.append(data)

    def forget_parts(self) -> None:
        """Forget the parts of a result whose rest does not come."""
        self._parts = []

    def load(self, payload: bytes | Place, references: list[object], name: str) -> object:
        """Return a job's result, by its last part or its place. It raises what goes wrong."""
        if isinstance(payload, bytes):
            parts, self._parts = self._parts, []
            return load_result(b"".join([*parts, payload]) if parts else payload, references, name)
        memory = self.memory
        assert memory is not None
        try:
            body, buffers = memory.take(payload)
            return load_result(body, references, name, buffers)
        finally:
            memory.free_until(payload)

    def close(self) -> None:
        """Close the memory."""
        if self.memory is not None:
            self.memory.close()


class _Parent(Service):
    """The root of the connection on the parent's side: the process calls these."""

    def __init__(
        self,
        part: Callable[[bytes], None],
        loaded: Callable[[int], None],
        outcome: Callable[..., None],
    ) -> None:
        self.part = part
        self.loaded = loaded
        self.outcome = outcome  # of a job that went as a plain message


class Worker:
    """One worker. For the reactor's thread. OSError: no descriptor or no process is left."""

    def __init__(
        self,
        reactor: IPoolReactor,
        events: WorkerEvents,
        limits: WorkerLimits,
        surroundings: Surroundings = LIKE_PARENT,
        initializer: Initializer | None = None,
    ) -> None:
        self._reactor = reactor
        self._events = events
        self._limits = limits
        self._surroundings = surroundings
        self._initializer = initializer
        self._results = _Results()
        self.ready = self.came_up = self.ending = False
        self.tail: deque[str] = deque(maxlen=10)  # of its output: why it did not come up
        self.why = ""  # how it ended, or why it was told to
        clock = steady(reactor)
        self._output = OutputLog(clock)
        timed_out = partial(events.job_timed_out, self)
        cancelled = partial(events.job_cancelled, self)
        self.held = PrefetchedJobs(clock, timed_out, cancelled, limits.imports)
        self._process = ChildProcess(reactor, self._printed, self._exited, surroundings)
        root = _Parent(self._results.part, self.held.loaded, self.job_outcome)
        self._link = WorkerLink(self, limits.part, partial(_connection, reactor, root))
        self._sender = JobSender(self._link, self.held, limits.part, self)
        self._coming_up = ComingUp(
            self._link, self._sender, self.held.tickets, limits.part, lambda: not self.ending
        )
        self._start()

    def __repr__(self) -> str:
        state = "ending" if self.ending else "ready" if self.ready else "starting"
        return f"<Worker {self.pid} {state}, {len(self.held.jobs)} jobs>"

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def _start(self) -> None:
        with ExitStack() as undo:
            undo.callback(self.held.close)
            undo.callback(self._results.close)
            self._results.memory = SharedMemory.create()
            tickets = self.held.tickets.reading_end
            memory = self._events.large_jobs, self._results.memory
            answers, requests = self._process.start(tickets, *memory)
            undo.pop_all()
        self._pipes = PipeTransport(self._reactor, self._link, answers, requests)
        self._pipes.open()
        coming_up = Deferred.fromCoroutine(
            self._coming_up.run(self._surroundings, self._initializer)
        )
        coming_up.addCallback(self._came_up)
        coming_up.addTimeout(self._limits.start, steady(self._reactor))
        coming_up.addErrback(self._did_not_come_up)

    def _came_up(self, _nothing: None) -> None:
        if not self.ending:
            self.ready = self.came_up = True
            self._events.worker_ready(self)

    def _did_not_come_up(self, failure: Failure) -> None:
        if failure.check(DeferredTimeout):
            self.end(f"did not come up within {self._limits.start:g} s{self._coming_up.at}")
        elif isinstance(failure.value, NotSetUp):
            self.tail.append(failure.value.traceback)
            self.end(f"was ended: {failure.value}")
        else:
            if not failure.check(ConnectionLost):  # then `_exited` says how it has ended
                self.tail.append(str(failure.value))
            self.end("")

    def give(self, jobs: Sequence[Job]) -> None:
        """Give it numbered jobs, behind those that it has."""
        held, send = self.held, self._sender.send
        held.add(jobs)
        numbers = []
        unsent = []
        for job in jobs:
            problem = send(job)
            if problem is None:
                numbers.append(job.number)
            else:
                unsent.append((job, problem))
        held.allow(numbers)
        for job, problem in unsent:  # last, for it calls any code
            if held.jobs.get(job.number) is job:
                held.remove(job.number)
                self._events.job_ended(self, job, problem)

    def job_answered(self, reply: Any, job: Job, number: int) -> None:
        """Take the reply to a job."""
        held = self.held
        if held.jobs.get(number) is not job:
            if number == INITIALIZER:
                self._coming_up.answered(reply)
            return  # it was taken back, or its process is being ended
        status, *rest = reply
        if status == DONE:
            payload, *references = rest
            try:
                result = self._results.load(payload, references, job.name)
            except Exception:
                result = Failure()
        elif status == FAILED:
            result = load_error(*rest, name=job.name)
        else:
            return
        held.remove(number)
        if self._output.ration.left_out:
            self._output.tell_left_out(self.pid)
        self._events.job_ended(self, job, result)

    def job_outcome(self, number: int, *reply: Any) -> None:
        """Take the reply to a job that went as a plain message."""
        job = self.held.jobs.get(number)
        if job is not None:
            self.job_answered(reply, job, number)
        elif number == INITIALIZER:
            self._coming_up.answered(reply)

    def job_unanswered(self, failure: Failure, job: Job, number: int) -> None:
        """Take a failure in place of a job's reply: the job or its result cannot be sent."""
        self._results.forget_parts()
        if number == INITIALIZER:
            self._coming_up.unanswered(failure)
        # of a lost connection `_exited` tells
        lost = failure.check(ConnectionLost, DeadReferenceError, CancelledError)
        if not lost and self.held.jobs.get(number) is job:
            self.held.remove(number)
            self._events.job_ended(self, job, failure)

    def job_loaded(self, number: int) -> None:
        """Count a job's time from now on."""
        self.held.loaded(number)

    def job_returned(self, number: int) -> None:
        """Count a job's time no more."""
        self.held.returned(number)

    def peer_needed(self) -> None:
        """Have the process become a peer."""
        self._sender.peer_needed()

    def link_lost(self) -> None:
        """Look after the process: it ends, or has ended."""
        self._coming_up.unanswered(Failure(ConnectionLost("the process has gone")))
        self._process.look()

    def nonsense(self, why: str) -> None:
        """End the process, which has written what is no message."""
        self.end(f"was ended: something has written into its pipe ({why})")

    def _printed(self, record: dict[str, str]) -> None:
        self.tail.append(record["text"])
        first = self.held.first()
        self._output.write(record, first.name if first is not None else "", self.pid)

    def retire(self) -> None:
        """Close its connection when it has nothing to do any more: it ends by itself."""
        self.ending = True
        if self._link.peer is None:
            self._pipes.loseConnection()  # type: ignore[no-untyped-call]
        else:
            self._link.peer.close().addErrback(ignored)
        self._process.kill_in(self._limits.grace)

    def end(self, why: str) -> None:
        """End it, with the job that it runs: TERM, and KILL after the grace."""
        if self.ending and self._process.doomed:
            return
        self.ending = True
        self.ready = False
        self.why = why
        self._process.terminate(self._limits.grace)

    def _exited(self, how: str) -> None:
        self.ending = True
        self.ready = False
        self._pipes.drain()
        self._process.bury()
        self._results.close()
        self._output.tell_left_out(self.pid)
        unbegun = self.held.take_back()
        begun = self.held.clear()
        self.held.close()
        self.why = self.why or how + self._coming_up.at
        self._events.worker_ended(self, unbegun, begun)


def _connection(reactor: IPoolReactor, root: _Parent) -> Connection:
    """Return a connection for the pipes to a process that becomes a peer."""
    clock = steady(reactor)
    return Connection(
        root,
        executor=LoopExecutor(reactor, WorkerPool()),
        config=CONFIG,
        dialect=dialect_named("6", False),
        clock=clock,
        sweeper=ReleaseSweeper(clock),
        prepare=prepare,
    )
