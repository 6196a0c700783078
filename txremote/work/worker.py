"""
One worker process, as its pool sees it.

A worker is started, told what its parent looks like, and is then *ready*. It
holds some jobs, of which at most one has begun (`txremote.work.tickets`). It
ends for one of two reasons: it was told to, or something happened to it; either
way its pool hears of it once, when the process has been reaped and all that it
had said has been read.
"""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.process import reapAllProcesses
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from txremote.errors import ConnectionLost, DeadReferenceError, NotSendable
from txremote.net.runner import ReactorRunner
from txremote.net.transport import prepare
from txremote.net.workers import WorkerPool
from txremote.peer.connection import Connection
from txremote.peer.imports import ReleaseSweeper
from txremote.service import Service
from txremote.wire.messages import dialect_named
from txremote.work.child import ANSWERS, CONFIG, DONE, FAILED, PART, REQUESTS, TICKETS
from txremote.work.output import RecordReader, level_of
from txremote.work.pickling import load_error, load_result
from txremote.work.pipes import PipeTransport
from txremote.work.tickets import TicketPipe

_log = Logger("txremote.job")


#: The environment variable that tells a child its parent's `sys.path`.
PATH_VARIABLE = "TXREMOTE_PATH"

_PIPE_SIZE = 256 * 1024  # bytes
_LOOK_AGAIN = 0.05  # seconds


class Job:
    """
    A call that a process is to make, once.

    Attributes:
        number: Of the attempt to run it; it grows.
        name: For the log and for errors.
        payload: The call, pickled.
        references: What goes with it by reference.
        timeout: Seconds that it may take, or None.
        deferred: What its caller holds.
        worker: Who has it, or None while it is queued.
    """

    __slots__ = ("deferred", "name", "number", "payload", "references", "timeout", "worker")

    def __init__(
        self,
        name: str,
        payload: bytes,
        references: list[Any],
        timeout: float | None,
        canceller: Callable[[Job, Deferred[Any]], None],
    ) -> None:
        self.number = 0
        self.name = name
        self.payload = payload
        self.references = references
        self.timeout = timeout
        self.worker: Worker | None = None
        # a fired Deferred forgets its canceller, and so the job
        self.deferred: Deferred[Any] = Deferred(partial(canceller, self))


class Owner(Protocol):
    """
    What a worker tells its pool.
    """

    def worker_ready(self, worker: Worker) -> None:
        """
        It has come up, and takes jobs.
        """

    def job_ended(self, worker: Worker, job: Job, result: Any) -> None:
        """
        A job has a result, which may be a Failure.
        """

    def job_timed_out(self, worker: Worker, job: Job) -> None:
        """
        A job has had its time.
        """

    def worker_ended(self, worker: Worker, unbegun: list[Job], begun: list[Job]) -> None:
        """
        It is gone, with these jobs left.
        """


class _Parent(Service):
    """
    What a worker process reaches of its parent without being given it.
    """

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def part(self, data: bytes) -> None:
        """
        Take a part of the result that comes next.
        """
        self.parts.append(data)

    def whole(self, rest: bytes) -> bytes:
        """
        Return a result with the parts of it that came before.
        """
        parts, self.parts = self.parts, []
        return b"".join([*parts, rest]) if parts else rest


class _Output(ProcessProtocol):
    """
    Hears what the process prints, and of its end.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._readers = {
            1: RecordReader("stdout", worker._printed),
            2: RecordReader("stderr", worker._printed),
        }

    def connectionMade(self) -> None:
        # Twisted may find it dead before spawnProcess returns
        process: Any = self.transport
        self._worker.pid = process.pid

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        self._readers[childFD].feed(data)

    def processExited(self, reason: Failure) -> None:
        self._worker.reaped = True
        # The reactor may have more to tell in this turn of descriptors that are
        # then closed, and whose numbers are then somebody else's.
        self._worker._reactor.callLater(0, self._worker._exited, reason)

    def processEnded(self, reason: Failure) -> None:
        for reader in self._readers.values():
            reader.end()


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
    One process. All methods are for the reactor's thread.

    Args:
        reactor: The reactor.
        owner: Who hears of it.
        limits: How it is treated.

    Attributes:
        pid: Its number.
        ready: Whether it takes jobs.
        came_up: Whether it ever did.
        reaped: Whether the process has gone, and its number may be another's.
        ending: Whether it has been told to end.
        given: How many jobs it has begun, or holds.
        jobs: Those that it holds, by number, in order.
        tail: The last lines that it printed; of one that did not come up they
            say why.
    """

    def __init__(self, reactor: Any, owner: Owner, limits: Limits) -> None:
        self._reactor = reactor
        self._owner = owner
        self._limits = limits
        self.pid = 0
        self.ready = self.came_up = self.reaped = False
        self.ending = False
        self.given = 0
        self.jobs: dict[int, Job] = {}
        self.tail: deque[str] = deque(maxlen=10)
        self.why = ""
        self._timer: Any = None
        self._timed: Job | None = None
        self._killing: Any = None
        self._looking: Any = None
        self._tickets = TicketPipe()
        self._parent = _Parent()
        self._connection = Connection(
            self._parent,
            runner=ReactorRunner(reactor, WorkerPool()),
            config=CONFIG,
            dialect=dialect_named("6", False),
            clock=reactor,
            sweeper=ReleaseSweeper(reactor),
            prepare=prepare,
        )
        self._start()

    def __repr__(self) -> str:
        state = "ending" if self.ending else "ready" if self.ready else "starting"
        return f"<Worker {self.pid} {state}, {len(self.jobs)} jobs>"

    # -- starting

    def _start(self) -> None:
        with ExitStack() as ours, ExitStack() as theirs:
            ours.callback(self._tickets.close)
            quiet = os.open(os.devnull, os.O_RDWR)
            theirs.callback(os.close, quiet)
            child_reads, parent_writes = _pipe(theirs, ours)
            parent_reads, child_writes = _pipe(ours, theirs)
            for descriptor in (parent_writes, parent_reads):
                _widen(descriptor)
            self._reactor.spawnProcess(
                _Output(self),
                sys.executable,
                [sys.executable, *_options(), "-c", _START, str(os.getpid())],
                env={**os.environ, PATH_VARIABLE: os.pathsep.join(_path())},
                childFDs={
                    0: quiet,
                    1: "r",
                    2: "r",
                    REQUESTS: child_reads,
                    ANSWERS: child_writes,
                    TICKETS: self._tickets.reading_end,
                },
            )
            ours.pop_all()  # they stay open
        self._pipes = PipeTransport(self._reactor, self._connection, parent_reads, parent_writes)
        self._pipes.open()
        self._connection.when_disconnected().addCallback(self._look)
        coming_up = Deferred.fromCoroutine(self._come_up())
        coming_up.addTimeout(self._limits.start, self._reactor)
        coming_up.addErrback(self._did_not_come_up)

    async def _come_up(self) -> None:
        await self._connection.introduce()
        await self._connection.root.prepare(
            _path(),
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

    def give(self, jobs: Iterable[Job]) -> None:
        """
        Give it jobs, with their numbers, behind those that it has.
        """
        numbers = []
        unsent = []
        for job in jobs:
            job.worker = self
            self.jobs[job.number] = job
            problem = self._send(job)
            if problem is None:
                numbers.append(job.number)
            else:
                unsent.append((job, problem))
        self.given += len(numbers)
        self._tickets.put(numbers)
        self._watch_first()
        for job, problem in unsent:  # at last, for it is told to anybody
            if self.jobs.get(job.number) is job:
                self._done(job, job.number, problem)

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
        if self.jobs.get(number) is not job:
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
        self._done(job, number, result)

    def _unanswered(self, failure: Failure, job: Job, number: int) -> None:
        # a result that cannot be sent; of a lost connection `_exited` tells
        self._parent.parts = []
        lost = failure.check(ConnectionLost, DeadReferenceError, CancelledError)
        if not lost and self.jobs.get(number) is job:
            self._done(job, number, failure)

    def _done(self, job: Job, number: int, result: Any) -> None:
        del self.jobs[number]
        if self._timed is not None or self.jobs:
            self._watch_first()
        self._owner.job_ended(self, job, result)

    def take_back(self) -> list[Job]:
        """
        Take back the jobs that have not begun, in their order.
        """
        back = []
        for number in sorted(self._tickets.take_back()):
            job = self.jobs.pop(number, None)
            if job is not None:
                job.worker = None
                back.append(job)
        self.given -= len(back)
        self._watch_first()
        return back

    def give_again(self, jobs: list[Job]) -> None:
        """
        Let it begin jobs that were just taken back, after all.
        """
        for job in jobs:
            job.worker = self
            self.jobs[job.number] = job
        self.given += len(jobs)
        self._tickets.put([job.number for job in jobs])
        self._watch_first()

    def runs(self, job: Job) -> bool:
        """
        Tell whether a job is the one that runs, when all that had not begun have
        been taken back. If it is not, its outcome is on its way.
        """
        return bool(self.jobs) and next(reversed(self.jobs)) == job.number

    def _watch_first(self) -> None:
        """
        Start the clock of the job that is about to run, or runs.
        """
        first = next(iter(self.jobs.values())) if self.jobs else None
        if first is self._timed:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = self._timed = None
        if first is not None and first.timeout is not None:
            self._timed = first
            seconds = max(0.0, first.timeout)
            self._timer = self._reactor.callLater(seconds, self._time_is_up, first)

    def _time_is_up(self, job: Job) -> None:
        self._timer = self._timed = None
        self._owner.job_timed_out(self, job)

    # -- what it prints

    def _printed(self, record: dict[str, str]) -> None:
        text = record["text"]
        name = record.get("job")
        if name is None and self.jobs:
            name = next(iter(self.jobs.values())).name
        self.tail.append(text)
        _log.emit(
            level_of(record),
            "{job} [{pid}]: {text}",
            job=name or "a worker process",
            pid=self.pid,
            text=text,
            logger=record.get("logger", record.get("stream")),
        )

    # -- the end

    def retire(self) -> None:
        """
        Let it go, with nothing to do any more: it ends by itself.
        """
        self.ending = True
        self._connection.close().addErrback(_ignored)
        self._kill_in(self._limits.grace)

    def end(self, why: str) -> None:
        """
        End it, with what it runs: TERM, and KILL after the grace.

        Args:
            why: For errors.
        """
        if self.ending and self._killing is not None:
            return
        self.ending = True
        self.ready = False
        self.why = why
        self._signal(signal.SIGTERM)
        self._kill_in(self._limits.grace)

    def _kill_in(self, seconds: float) -> None:
        self._killing = self._reactor.callLater(seconds, self._kill)

    def _kill(self) -> None:
        self._killing = None
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self.reaped:
            return
        for kill in (os.killpg, os.kill):  # it may not lead its group yet
            try:
                kill(self.pid, number)
            except (ProcessLookupError, PermissionError):
                continue
            return

    def _look(self, _how: Any = None) -> None:
        """
        Look whether the process has gone, until it has. SIGCHLD tells that, too, but
        not where uvloop has the signals, and not to a reactor in a thread.
        """
        self._looking = None
        reapAllProcesses()
        if not self.reaped:
            self._looking = self._reactor.callLater(_LOOK_AGAIN, self._look)

    def _exited(self, reason: Failure) -> None:
        self.ending = True
        self.ready = False
        self._pipes.drain()
        for timer in (self._killing, self._looking):
            if timer is not None:
                timer.cancel()
        self._killing = self._looking = None
        unbegun = self.take_back()
        begun = list(self.jobs.values())
        self.jobs.clear()
        self._watch_first()
        self._tickets.close()
        # what a job has started does not outlive its process
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        self.why = self.why or _how(reason)
        self._owner.worker_ended(self, unbegun, begun)


def _pipe(reads: ExitStack, writes: ExitStack) -> tuple[int, int]:
    """
    Return a new pipe's reading and writing end, each to be closed by its owner.
    """
    reading, writing = os.pipe()
    reads.callback(os.close, reading)
    writes.callback(os.close, writing)
    return reading, writing


# What the child runs. Where its parent finds modules comes last until all that it
# needs itself is there: a file in the working directory may be called random.py.
_START = (
    f"import os, sys; sys.path += os.environ.pop({PATH_VARIABLE!r}).split(os.pathsep); "
    "from txremote.work.child import main; sys.exit(main())"
)


def _options() -> list[str]:
    """
    Return the options of this interpreter, such as ``-O`` and ``-X utf8``, for another
    one: as `multiprocessing` hands them on. And ``-P``: no file of the working directory
    is to be imported before the parent's path is known.
    """
    return ["-P", *subprocess._args_from_interpreter_flags()]  # type: ignore[attr-defined]


def _path() -> tuple[str, ...]:
    return tuple(entry for entry in sys.path if isinstance(entry, str))  # others are ignored


def _widen(pipe: int) -> None:
    """
    Let a pipe hold more: large values then go with fewer turns.
    """
    set_size = getattr(fcntl, "F_SETPIPE_SZ", None)  # Linux
    if set_size is not None:
        try:
            fcntl.fcntl(pipe, set_size, _PIPE_SIZE)
        except OSError:  # this user's pipes hold as much as they may
            return


def _ignored(failure: Failure) -> None:
    failure.trap(Exception, CancelledError)


def _how(reason: Failure) -> str:
    error: Any = reason.value
    if isinstance(error, ProcessTerminated) and error.signal is not None:
        try:
            name = signal.Signals(error.signal).name
        except ValueError:  # a real-time signal
            name = "a signal"
        return f"was killed by signal {error.signal} ({name})"
    if isinstance(error, ProcessDone):
        return "ended with exit status 0"
    return f"ended with exit status {getattr(error, 'exitCode', None)}"
