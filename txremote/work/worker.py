"""
One worker, as its pool sees it: a process that jobs are given to.

A worker is started, told what its parent looks like, and is then *ready*. It ends
for one of two reasons: it was told to, or something happened to it; either way its
pool hears of it once, when the process has been reaped and all that it had said has
been read.

Here is what the two say to each other: over a txremote connection of their own a
job goes there, with what is large in parts, and its outcome comes back. The process
itself is `txremote.work.childprocess`'s, and which of its jobs have begun is
`txremote.work.prefetched_jobs`'s.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.logger import Logger
from twisted.python.failure import Failure

from txremote.errors import ConnectionLost, DeadReferenceError, NotSendable
from txremote.eventloop.executor import LoopExecutor
from txremote.eventloop.worker_pool import WorkerPool
from txremote.net.transport import prepare
from txremote.peer.connection import Connection
from txremote.peer.imports import ReleaseSweeper
from txremote.peer.logging import Ration
from txremote.refs.clock import steady
from txremote.service import Service
from txremote.wire.messages import dialect_named
from txremote.work.child import CONFIG, DONE, FAILED, PART
from txremote.work.childprocess import ChildProcess, import_path
from txremote.work.output import level_of
from txremote.work.pickling import load_error, load_result
from txremote.work.pipes import PipeTransport
from txremote.work.prefetched_jobs import Job, PrefetchedJobs

_log = Logger("txremote.job")

#: How much of what a process prints is logged: so many characters in so many seconds, a
#: line being `LINE` more than its text. What is beyond is counted.
MOST_LOGGED = 2_000_000
LOGGED_IN = 10.0
LINE = 100


class Owner(Protocol):
    """What a worker tells its pool."""

    def worker_ready(self, worker: Worker) -> None:
        """It has come up, and takes jobs."""

    def job_ended(self, worker: Worker, job: Job, result: Any) -> None:
        """A job has a result, which may be a Failure."""

    def job_timed_out(self, worker: Worker, job: Job) -> None:
        """A job has had its time."""

    def worker_ended(self, worker: Worker, unbegun: list[Job], begun: list[Job]) -> None:
        """It is gone, with these jobs left."""


class _Parent(Service):
    """What a worker process reaches of its parent without being given it."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def part(self, data: bytes) -> None:
        """Take a part of the result that comes next."""
        self.parts.append(data)

    def whole(self, rest: bytes) -> bytes:
        """Return a result with the parts of it that came before."""
        parts, self.parts = self.parts, []
        return b"".join([*parts, rest]) if parts else rest


@dataclass(frozen=True)
class Limits:
    """
    How a worker is treated.

    Attributes:
        grace: Seconds between TERM and KILL.
        part: Size of the parts of a large value, in bytes.
        start: Seconds that a process has to come up.
    """

    grace: float = 2.0
    part: int = PART
    start: float = 60.0


class Worker:
    """
    One worker. All methods are for the reactor's thread.

    Args:
        reactor: The reactor.
        owner: Who hears of it.
        limits: How it is treated.

    Attributes:
        held: The jobs that it holds.
        ready: Whether it takes jobs.
        came_up: Whether it ever did.
        ending: Whether it has been told to end.
        why: How it ended, or why it was told to, in words.
        tail: The last lines that it printed; of one that did not come up they
            say why.

    Raises:
        OSError: no descriptor or no process is left.
    """

    def __init__(self, reactor: Any, owner: Owner, limits: Limits) -> None:
        self._reactor = reactor
        self._owner = owner
        self._limits = limits
        self.ready = self.came_up = self.ending = False
        self.tail: deque[str] = deque(maxlen=10)
        self.why = ""
        self._clock = steady(reactor)
        self._ration = Ration(MOST_LOGGED, LOGGED_IN)
        self.held = PrefetchedJobs(self, self._clock, self._time_is_up)
        self._process = ChildProcess(reactor, self._printed, self._exited)
        self._parent = _Parent()
        self._connection = Connection(
            self._parent,
            executor=LoopExecutor(reactor, WorkerPool()),
            config=CONFIG,
            dialect=dialect_named("6", False),
            clock=steady(reactor),
            sweeper=ReleaseSweeper(steady(reactor)),
            prepare=prepare,
        )
        self._start()

    def __repr__(self) -> str:
        state = "ending" if self.ending else "ready" if self.ready else "starting"
        return f"<Worker {self.pid} {state}, {len(self.held.jobs)} jobs>"

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    # -- starting

    def _start(self) -> None:
        with ExitStack() as undo:
            undo.callback(self.held.close)
            answers, requests = self._process.start(self.held.tickets.reading_end)
            undo.pop_all()
        self._pipes = PipeTransport(self._reactor, self._connection, answers, requests)
        self._pipes.open()
        self._connection.when_disconnected().addCallback(lambda _why: self._process.look())
        coming_up = Deferred.fromCoroutine(self._come_up())
        coming_up.addTimeout(self._limits.start, steady(self._reactor))
        coming_up.addErrback(self._did_not_come_up)

    async def _come_up(self) -> None:
        await self._connection.introduce()
        await self._connection.root.prepare(
            import_path(),
            logging.getLogger().getEffectiveLevel(),
            self._limits.part,
        )
        if not self.ending:
            self.ready = self.came_up = True
            self._owner.worker_ready(self)

    def _did_not_come_up(self, failure: Failure) -> None:
        if failure.check(DeferredTimeout):
            self.end(f"did not come up within {self._limits.start:g} s")
        else:
            if not failure.check(ConnectionLost):  # it has ended; how, `_exited` tells
                self.tail.append(str(failure.value))
            self.end("")

    # -- jobs

    def give(self, jobs: Sequence[Job]) -> None:
        """Give it jobs, with their numbers, behind those that it has."""
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
        for job, problem in unsent:  # at last, for it is told to anybody
            if held.jobs.get(job.number) is job:
                held.remove(job.number)
                self._owner.job_ended(self, job, problem)

    def _send(self, job: Job) -> Failure | None:
        connection = self._connection
        root: Any = connection._root
        payload, part = job.payload, self._limits.part
        start = 0
        while len(payload) - start > part:
            piece = payload[start : start + part]
            connection.outbound.call(root, ("part",), (job.number, piece), {}).addErrback(_ignored)
            start += part
        if start:
            payload = payload[start:]
        arguments = (job.number, job.name, payload, *job.references)
        answer = connection.outbound.call(root, ("submit",), arguments, {})
        if not answer.called:
            told = (job, job.number)
            answer.addCallbacks(self._answered, self._unanswered, told, {}, told)
            return None
        problem = answer.result
        answer.addErrback(_ignored)
        # where the connection is lost it is all for `_exited` to tell
        return problem if isinstance(problem, Failure) and problem.check(NotSendable) else None

    def _answered(self, reply: Any, job: Job, number: int) -> None:
        held = self.held
        if held.jobs.get(number) is not job:
            return  # it was taken back
        status, *rest = reply
        if status == DONE:
            payload, *references = rest
            try:
                result = load_result(self._parent.whole(payload), references, job.name)
            except Exception:
                result = Failure()
        elif status == FAILED:
            result = load_error(*rest)
        else:
            return
        held.remove(number)
        self._tell_left_out()
        self._owner.job_ended(self, job, result)

    def _unanswered(self, failure: Failure, job: Job, number: int) -> None:
        # a result that cannot be sent; of a lost connection `_exited` tells
        self._parent.parts = []
        lost = failure.check(ConnectionLost, DeadReferenceError, CancelledError)
        if not lost and self.held.jobs.get(number) is job:
            self.held.remove(number)
            self._owner.job_ended(self, job, failure)

    def _time_is_up(self, job: Job) -> None:
        self._owner.job_timed_out(self, job)

    # -- what it prints

    def _printed(self, record: dict[str, str]) -> None:
        text = record["text"]
        name = record.get("job")
        if name is None and (job := self.held.first()) is not None:
            name = job.name
        self.tail.append(text)
        if not self._ration.allows(LINE + len(text), self._clock.seconds()):
            return
        self._tell_left_out()
        _log.emit(
            level_of(record),
            "{job} [{pid}]: {text}",
            job=name or "a worker process",
            pid=self.pid,
            text=text,
            logger=record.get("logger", record.get("stream")),
        )

    def _tell_left_out(self) -> None:
        """Log how many lines were not, if there were any."""
        count = self._ration.told()
        if count:
            _log.warn(
                "a worker process [{pid}]: {count} lines of output were left out",
                pid=self.pid,
                count=count,
            )

    # -- the end

    def retire(self) -> None:
        """Let it go, with nothing to do any more: it ends by itself."""
        self.ending = True
        self._connection.close().addErrback(_ignored)
        self._process.kill_in(self._limits.grace)

    def end(self, why: str) -> None:
        """
        End it, with what it runs: TERM, and KILL after the grace.

        Args:
            why: For errors.
        """
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
        self._tell_left_out()
        unbegun = self.held.take_back()
        begun = self.held.clear()
        self.held.close()
        self.why = self.why or how
        self._owner.worker_ended(self, unbegun, begun)


def _ignored(failure: Failure) -> None:
    failure.trap(Exception, CancelledError)
