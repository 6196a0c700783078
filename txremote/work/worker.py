"""
One worker of a process pool: its process, the connection to it, the jobs that it holds.

However it ends, its pool is told once, when the process has been reaped and all that it had sent
has been read. It is given jobs ahead of its work, and runs them in the order of their numbers. A
job is a message of `txremote.work.plainphase`, or, once the process is a peer, a request over the
worker's own connection, with large values in parts. Jobs that are sent while the process becomes
one wait here. The tickets (`txremote.work.tickets`) tell the pool which jobs have begun:

* A job that is taken back has not begun, and never will unless it is given again.
* When all that can be has been taken back, only the last job that is left can be running; the
  outcomes of the others are on their way.
* Outcomes come in order, so the first job runs, or is about to, and time is counted for it alone:
  of a job with a time-out the process says when it is loaded, which may import a lot, and that
  has a limit of its own. When the time is up, the outcome may be on its way, or the job not begun;
  `PrefetchedJobs.runs` tells.

An initializer (`txremote.work.surroundings`) is job number 0, which the pool does not know of: with
its outcome the worker has come up, or has not.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred, TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from txremote.errors import ConnectionLost, DeadReferenceError, NotSendable
from txremote.eventloop.executor import LoopExecutor
from txremote.eventloop.worker_pool import WorkerPool
from txremote.net.transport import prepare
from txremote.peer.connection import Connection
from txremote.peer.imports import ReleaseSweeper
from txremote.refs.awaiting import AwaitableDeferred
from txremote.refs.clock import steady
from txremote.service import Service
from txremote.wire.messages import dialect_named
from txremote.wire.naming import sentence
from txremote.work import plainphase
from txremote.work.childprocess import ChildProcess, import_path
from txremote.work.hidden import hidden_names
from txremote.work.output import OutputLog
from txremote.work.pickling import load_error, load_result
from txremote.work.pipes import PipeTransport
from txremote.work.plainphase import DONE, FAILED, INITIALIZER
from txremote.work.ports import IPoolReactor
from txremote.work.sharedmemory import Place, SharedMemory, Stored
from txremote.work.surroundings import LIKE_PARENT, Initializer, Surroundings
from txremote.work.tickets import TicketPipe
from txremote.work.worker_protocol import CONFIG, WorkerLimits
from txremote.work.workerlink import WorkerLink


class Job:
    """A call that a process is to make, once."""

    __slots__ = (
        *("deferred", "loaded", "name", "number"),
        *("payload", "references", "timeout", "worker"),
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
        self.worker: Worker | None = None  # that holds it
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
    """The jobs that one worker holds, oldest first. For the reactor's thread. To be closed."""

    def __init__(
        self,
        worker: Worker,
        clock: IReactorTime,
        timed_out: Callable[[Job], None],
        imports: float = WorkerLimits.imports,
    ) -> None:
        self.jobs: dict[int, Job] = {}
        self.given = 0
        self.tickets = TicketPipe()
        self._worker = worker
        self._clock = clock
        self._timed_out = timed_out
        self._imports = imports
        self._timer: IDelayedCall | None = None
        self._timed: Job | None = None

    def add(self, jobs: Sequence[Job]) -> None:
        """Hold numbered jobs, behind the others. They may not begin yet."""
        worker, held = self._worker, self.jobs
        for job in jobs:
            job.worker = worker
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
                job.worker = None
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
            job.worker = None
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


class WorkerEvents(Protocol):
    """The events of a worker, for its pool."""

    large_jobs: SharedMemory | None  # the file that large jobs are in, if there is one

    def worker_ready(self, worker: Worker) -> None:
        """It has come up, and takes jobs."""

    def job_ended(self, worker: Worker, job: Job, result: object) -> None:
        """A job has a result, which may be a Failure."""

    def job_timed_out(self, worker: Worker, job: Job) -> None:
        """A job's time is up."""

    def worker_ended(self, worker: Worker, unbegun: list[Job], begun: list[Job]) -> None:
        """Its process has gone, and left these jobs."""


class _Parent(Service):
    """The root of the connection on the parent's side: takes results in parts."""

    def __init__(self, loaded: Callable[[int], None], outcome: Callable[..., None]) -> None:
        self.parts: list[bytes] = []
        self.loaded = loaded
        self.outcome = outcome  # of a job that went as a plain message

    def part(self, data: bytes) -> None:
        """Take a part of the result that comes next."""
        self.parts.append(data)

    def whole(self, rest: bytes) -> bytes:
        """Return a result with the parts of it that came before."""
        parts, self.parts = self.parts, []
        return b"".join([*parts, rest]) if parts else rest


class _NotSetUp(Exception):
    """A worker's initializer has failed."""


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
        self._at = ""  # the part of coming up that it is at
        self._large_results: SharedMemory | None = None
        self.ready = self.came_up = self.ending = False
        self.tail: deque[str] = deque(maxlen=10)  # of its output: why it did not come up
        self.why = ""  # how it ended, or why it was told to
        clock = steady(reactor)
        self._output = OutputLog(clock)
        timed_out = partial(events.job_timed_out, self)
        self.held = PrefetchedJobs(self, clock, timed_out, limits.imports)
        self._process = ChildProcess(reactor, self._printed, self._exited, surroundings)
        self._parent = _Parent(self.held.loaded, self.job_outcome)
        self._link = WorkerLink(self, limits.part, self._connect)
        self._unsent: list[tuple[Job, int]] | None = None  # until the process is a peer
        self._setting_up: Job | None = None
        self._start()

    def _connect(self) -> Connection:
        clock = steady(self._reactor)
        return Connection(
            self._parent,
            executor=LoopExecutor(self._reactor, WorkerPool()),
            config=CONFIG,
            dialect=dialect_named("6", False),
            clock=clock,
            sweeper=ReleaseSweeper(clock),
            prepare=prepare,
        )

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
            undo.callback(self._close_memory)
            self._large_results = SharedMemory.create()
            tickets = self.held.tickets.reading_end
            memory = self._events.large_jobs, self._large_results
            answers, requests = self._process.start(tickets, *memory)
            undo.pop_all()
        self._pipes = PipeTransport(self._reactor, self._link, answers, requests)
        self._pipes.open()
        coming_up = Deferred.fromCoroutine(self._come_up())
        coming_up.addTimeout(self._limits.start, steady(self._reactor))
        coming_up.addErrback(self._did_not_come_up)

    async def _come_up(self) -> None:
        level = logging.getLogger().getEffectiveLevel()
        around = self._surroundings
        path = [str.__str__(entry) for entry in import_path(around.cwd)]
        hidden = hidden_names(path)
        await self._link.prepare(path, level, self._limits.part, around.nice, hidden)
        if self._initializer is not None and not self.ending:
            await self._set_up(self._initializer)
        if not self.ending:
            self.ready = self.came_up = True
            self._events.worker_ready(self)

    async def _set_up(self, initializer: Initializer) -> None:
        self._at = f" while its {initializer.name} ran"
        payload, references = initializer.pickled
        job = Job(initializer.name, payload, list(references), None, lambda _job, _given: None)
        self._setting_up = job
        self.held.tickets.put([INITIALIZER])
        self._send(job)
        reply: Any = await job.deferred
        status, *rest = reply
        self._setting_up = None
        self._at = ""
        if status == FAILED:
            problem = load_error(*rest)
            assert problem.value is not None
            self.tail.append(rest[-1].rstrip())  # the traceback
            raise _NotSetUp(f"its {initializer.name} failed: {sentence(problem.value)}")

    def _did_not_come_up(self, failure: Failure) -> None:
        if failure.check(DeferredTimeout):
            self.end(f"did not come up within {self._limits.start:g} s{self._at}")
        elif failure.check(_NotSetUp):
            self.end(f"was ended: {failure.value}")
        else:
            if not failure.check(ConnectionLost):  # then `_exited` says how it has ended
                self.tail.append(str(failure.value))
            self.end("")

    def give(self, jobs: Sequence[Job]) -> None:
        """Give it numbered jobs, behind those that it has."""
        held = self.held
        held.add(jobs)
        numbers = []
        unsent = []
        for job in jobs:
            problem = self._send(job)
            if problem is None:
                numbers.append(job.number)
            else:
                unsent.append((job, problem))
        held.allow(numbers)
        for job, problem in unsent:  # last, for it calls any code
            if held.jobs.get(job.number) is job:
                held.remove(job.number)
                self._events.job_ended(self, job, problem)

    def _send(self, job: Job) -> Failure | None:
        link = self._link
        if link.plain and not job.references:
            payload = job.payload.place if isinstance(job.payload, Stored) else job.payload
            timed = job.timeout is not None
            if link.send(plainphase.JOB, job.number, job.name, timed, payload):
                return None
        if link.plain:
            self.peer_needed()
        if self._unsent is None:
            return self._send_to_peer(job)
        self._unsent.append((job, job.number))
        return None

    def peer_needed(self) -> None:
        """Have the process become a peer: what is sent waits until it is."""
        if self._link.plain:
            self._unsent = []
            becoming = Deferred.fromCoroutine(self._become_peer())
            becoming.addErrback(self._no_peer)

    def _no_peer(self, failure: Failure) -> None:
        if not failure.check(ConnectionLost, CancelledError):  # of which `_exited` tells
            self.end(f"was ended, for no objects can be passed to it: {failure.value}")

    async def _become_peer(self) -> None:
        connection = await self._link.become_peer()
        await connection.introduce()
        waiting, self._unsent = self._unsent or [], None
        unsent = []
        for job, number in waiting:
            if number == INITIALIZER or self.held.jobs.get(number) is job:
                problem = self._send_to_peer(job)
                if problem is not None:
                    root: Any = connection._root
                    connection.outbound.call(root, ("drop",), (number,), {}).addErrback(_ignored)
                    unsent.append((job, number, problem))
        for job, number, problem in unsent:  # last, for it calls any code
            self._unanswered(problem, job, number)

    def _send_to_peer(self, job: Job) -> Failure | None:
        connection = self._link.peer
        assert connection is not None
        root: Any = connection._root
        payload: bytes | Place
        if isinstance(job.payload, Stored):
            payload = job.payload.place
        else:
            payload = self._send_parts(job.number, job.payload)
        arguments = (job.number, job.name, job.timeout is not None, payload, *job.references)
        answer = connection.outbound.call(root, ("submit",), arguments, {})
        if not answer.called:
            about = (job, job.number)
            answer.addCallbacks(self._answered, self._unanswered, about, {}, about)
            return None
        problem = answer.result
        answer.addErrback(_ignored)
        # of a lost connection `_exited` tells
        return problem if isinstance(problem, Failure) and problem.check(NotSendable) else None

    def _send_parts(self, number: int, payload: bytes) -> bytes:
        """Send all but the last part of a payload, and return that."""
        connection = self._link.peer
        assert connection is not None
        outbound, part = connection.outbound, self._limits.part
        root: Any = connection._root
        start = 0
        while len(payload) - start > part:
            piece = payload[start : start + part]
            outbound.call(root, ("part",), (number, piece), {}).addErrback(_ignored)
            start += part
        return payload[start:] if start else payload

    def _answered(self, reply: Any, job: Job, number: int) -> None:
        held = self.held
        if number == INITIALIZER and not job.deferred.called:
            job.deferred.callback(reply)
        if held.jobs.get(number) is not job:
            return  # it was taken back, or its process is being ended
        status, *rest = reply
        if status == DONE:
            payload, *references = rest
            try:
                result = self._load(payload, references, job.name)
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
        job = self._setting_up if number == INITIALIZER else self.held.jobs.get(number)
        if job is not None:
            self._answered(reply, job, number)

    def job_loaded(self, number: int) -> None:
        """Count a job's time from now on."""
        self.held.loaded(number)

    def job_returned(self, number: int) -> None:
        """Count a job's time no more."""
        self.held.returned(number)

    def link_lost(self) -> None:
        """Look after the process: it ends, or has ended."""
        if self._setting_up is not None:
            lost = Failure(ConnectionLost("the process has gone"))
            self._unanswered(lost, self._setting_up, INITIALIZER)
        self._process.look()

    def nonsense(self, why: str) -> None:
        """End the process, which has written what is no message."""
        self.end(f"was ended: something has written into its pipe ({why})")

    def _load(self, payload: bytes | Place, references: list[object], name: str) -> object:
        if isinstance(payload, bytes):
            return load_result(self._parent.whole(payload), references, name)
        memory = self._large_results
        assert memory is not None
        try:
            body, buffers = memory.take(payload)
            return load_result(body, references, name, buffers)
        finally:
            memory.free_until(payload)

    def _close_memory(self) -> None:
        if self._large_results is not None:
            self._large_results.close()

    def _unanswered(self, failure: Failure, job: Job, number: int) -> None:
        # a result that cannot be sent; of a lost connection `_exited` tells
        self._parent.parts = []
        if number == INITIALIZER and not job.deferred.called:
            job.deferred.errback(failure)
        lost = failure.check(ConnectionLost, DeadReferenceError, CancelledError)
        if not lost and self.held.jobs.get(number) is job:
            self.held.remove(number)
            self._events.job_ended(self, job, failure)

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
            self._link.peer.close().addErrback(_ignored)
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
        self._close_memory()
        self._output.tell_left_out(self.pid)
        unbegun = self.held.take_back()
        begun = self.held.clear()
        self.held.close()
        self.why = self.why or how + self._at
        self._events.worker_ended(self, unbegun, begun)


def _ignored(failure: Failure) -> None:
    failure.trap(Exception, CancelledError)
