"""
A worker process of a process pool; `txremote.work.childprocess` starts it.

It reads from one pipe that it inherits and writes to another, first the plain messages of
`txremote.work.plainphase`, for which it imports nothing of Twisted. When more is needed it becomes
a txremote peer (`txremote.work.childpeer`). Jobs run one after the other in the main thread, each
after its ticket was taken (`txremote.work.tickets`). It ends when its parent closes the pipe or is
gone, and by TERM (`txremote.work.child_end`). It leads a process group, so processes that its jobs
start end with it, unless its parent is killed outright.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Protocol

from txremote.work import plainphase
from txremote.work.buffers import LEAST, Buffers
from txremote.work.child_end import WHOLE, end_with
from txremote.work.hidden import OwnPathFinder
from txremote.work.plainjobs import (
    JobCall,
    JobDesk,
    ReceivedJob,
    Reply,
    Terminated,
    is_promise,
    plain_result,
)
from txremote.work.plainphase import (
    ANSWERS,
    DONE,
    FAILED,
    LARGE_JOBS,
    LARGE_RESULTS,
    PART,
    REQUESTS,
    TICKETS,
    this_process,
)
from txremote.work.records import RecordStream, RecordWriter, send_logs
from txremote.work.sharedmemory import MOST_AHEAD, SharedMemory
from txremote.work.tickets import take_ticket

_LOOK_AGAIN = 250  # milliseconds
_OWN_THREADS = 2  # the main one, and the one that watches the parent
_READ_SIZE = 1 << 16  # bytes


class Link(Protocol):
    """The way to the parent."""

    def fileno(self) -> int:
        """Return the descriptor that is readable when something comes."""

    def serve(self) -> bool:
        """Take in what has come, and tell whether that was anything. EOFError: it is closed."""

    def find(self, number: int) -> ReceivedJob | None:
        """Wait for a job; None if it comes over the other link. EOFError: it never comes."""

    def loaded(self, number: int) -> None:
        """Have the parent count a job's time from now on: what it needs has been imported."""

    def reply(self, job: ReceivedJob, reply: Reply) -> bool:
        """Send off an outcome; False if this link cannot. Only then the next ticket is taken."""


WRITER = RecordWriter(1)


class PlainLink:
    """The plain messages. For the main thread."""

    def __init__(self, desk: JobDesk) -> None:
        self.peer = False  # whether the parent has said that it is to be a peer
        self.part_size = PART
        self._desk = desk
        self._messages = plainphase.Messages(PART)
        self._poll = select.poll()
        self._poll.register(REQUESTS, select.POLLIN)

    def fileno(self) -> int:
        """Return the descriptor that is readable when something comes."""
        return REQUESTS

    def serve(self, wait: bool = False) -> bool:
        """Take in what has come, and tell whether that was anything. EOFError: it is closed."""
        if not self._poll.poll(None if wait else 0):
            return False
        if not _read(self._messages):
            raise EOFError
        while not self.peer and (message := self._messages.next()) is not None:
            self._received(message)
        return not self.peer

    def _received(self, message: plainphase.Message) -> None:
        kind, *rest = message
        if kind == plainphase.JOB:
            self._desk.add(ReceivedJob(*rest))
        elif kind == plainphase.PREPARE:
            self._prepare(*rest)
        elif kind == plainphase.PEER:
            self.peer = True

    def _prepare(
        self, path: list[str], level: int, part: int, nice: int, hidden: list[str]
    ) -> None:
        if hidden:
            sys.meta_path.insert(0, OwnPathFinder(hidden))
        sys.path[:] = path
        self.part_size = part
        send_logs(WRITER.send, level)
        try:
            _be_nice(nice)
        except OSError as problem:
            self.send(plainphase.NOT_READY, str(problem))
        else:
            self.send(plainphase.READY)

    def find(self, number: int) -> ReceivedJob | None:
        """Wait for a job; None if it comes over the other link. EOFError: it never comes."""
        while True:
            job, _dropped = self._desk.take(number, _nothing)
            if job is not None or self.peer:
                return job
            self.serve(wait=True)

    def loaded(self, number: int) -> None:
        """Have the parent count a job's time from now on: what it needs has been imported."""
        self.send(plainphase.LOADED, number)

    def reply(self, job: ReceivedJob, reply: Reply) -> bool:
        """Send off an outcome; False if this link cannot. Only then the next ticket is taken."""
        return self.send(plainphase.OUTCOME, job.number, *reply)

    def send(self, *message: object) -> bool:
        """Send a message; False if it holds more than plain values, or too much."""
        packed = plainphase.pack(message, self.part_size)
        if packed is not None:
            _write(packed)
        return packed is not None

    def need_peer(self) -> None:
        """Have the parent say that this is to be a peer. EOFError: it is gone."""
        if not self.peer:
            self.send(plainphase.NEED_PEER)
        while not self.peer:
            self.serve(wait=True)


def _read(messages: plainphase.Messages) -> bool:
    """Read what there is; False at the end. For TERM, it is not to be cut."""
    data = os.read(REQUESTS, _READ_SIZE)
    messages.feed(data)
    return bool(data)


def _write(data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(ANSWERS, view) :]
        except OSError:
            raise EOFError from None


WHOLE.update((_read.__code__, _write.__code__))


def _nothing() -> None:
    return None


class Child:
    """The main loop."""

    def __init__(
        self,
        tickets: int,
        large_jobs: SharedMemory | None = None,
        large_results: SharedMemory | None = None,
    ) -> None:
        self._desk = JobDesk()
        self._plain = PlainLink(self._desk)
        self._link: Link = self._plain
        self._tickets = tickets
        self._large_jobs = large_jobs
        self._large_results = large_results
        self._pid = os.getpid()

    def run(self) -> None:
        """Run jobs until the parent has gone."""
        poll = select.poll()
        poll.register(self._link.fileno(), select.POLLIN)
        poll.register(self._tickets, select.POLLIN)
        try:
            while True:
                number = take_ticket(self._tickets)
                if number is not None:
                    self._run(self._find(number))
                    continue
                while self._link.serve():
                    continue
                if self._plain.peer and self._link is self._plain:
                    self._become_peer()
                    continue
                # a thread that a job has left might have read our message
                alone = threading.active_count() <= _OWN_THREADS
                poll.poll(None if alone else _LOOK_AGAIN)
        except EOFError:
            return

    def _find(self, number: int) -> ReceivedJob:
        job = self._link.find(number)
        if job is None:
            self._become_peer()
            job = self._link.find(number)
            assert job is not None
        return job

    def _become_peer(self) -> None:
        self._plain.need_peer()
        self._plain.send(plainphase.PEER)
        # Twisted is imported by this, and all that jobs do without
        from txremote.work.childpeer import PeerLink

        self._link = PeerLink(self._desk, self._plain.part_size)
        WHOLE.update(function.__code__ for function in self._link.whole)

    def _run(self, job: ReceivedJob) -> None:
        if job.payload is None:
            return  # it could not be sent in the end
        WRITER.job = job.name
        try:
            function, args, kwargs = self._load(job)
            if job.timed:
                self._link.loaded(job.number)
            result = function(*args, **kwargs)
            function = args = kwargs = None  # type: ignore[assignment]  # free what they hold
            if not _is_netref(result) and is_promise(result):
                raise TypeError(
                    f"a job in a process gave a {type(result).__name__}: it has to give its result "
                    "itself, and asynchronous code belongs in the reactor's thread"
                )
            reply: Reply = (DONE, *self._dump(result, job))
            result = None
        except Terminated:
            raise
        except Exception as error:
            self._returned(job)
            reply = _failed(error)
        except BaseException as error:  # sys.exit() in a job is no end of its parent
            self._returned(job)
            reply = _ended(job.name, error)
        self._leave_if_forked()
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, RecordStream) and not stream.finish():
                _open_streams()
        WRITER.job = ""
        if (len(reply) > 2 and reply[0] == DONE) or not self._link.reply(job, reply):
            if self._link is self._plain:
                self._become_peer()
            self._link.reply(job, reply)

    def _leave_if_forked(self) -> None:
        if os.getpid() != self._pid:
            os._exit(0)  # the job has forked, and come back twice

    def _load(self, job: ReceivedJob) -> JobCall:
        payload, references = job.payload, job.references
        job.payload, job.references = b"", ()
        body: bytes | memoryview
        buffers: Sequence[memoryview]
        if isinstance(payload, bytes):
            body, buffers = payload, []
        else:
            assert self._large_jobs is not None and payload is not None
            body, buffers = self._large_jobs.take(payload)
        if references:
            from txremote.work.pickling import load_job

            return load_job(body, references, job.name, buffers)
        try:
            call: JobCall = pickle.loads(body, buffers=buffers)
            return call
        except Exception as problem:  # imports and constructors: any code
            from txremote.work.pickling import cannot_be_made

            raise cannot_be_made(body, job.name, problem) from problem

    def _returned(self, job: ReceivedJob) -> None:
        """Tell that a job has done its work, if its outcome takes an import."""
        if job.timed and self._link is self._plain and os.getpid() == self._pid:
            self._plain.send(plainphase.RETURNED, job.number)

    def _dump(self, result: object, job: ReceivedJob) -> tuple[object, ...]:
        buffers = Buffers()
        payload, references = self._pickled(result, job, buffers)
        if buffers or len(payload) >= LEAST:
            self._leave_if_forked()
            memory = self._large_results
            place = None if memory is None else memory.put([payload, *buffers])
            if place is not None:
                return place, *references
            if buffers:
                payload, references = self._pickled(result, job, None)
        return payload, *references

    def _pickled(
        self, result: object, job: ReceivedJob, buffers: Buffers | None
    ) -> tuple[bytes, list[object]]:
        payload = plain_result(result, buffers)
        if payload is not None:
            return payload, []
        self._returned(job)
        from txremote.work.pickling import dump_result

        return dump_result(result, job.name, buffers)


def _failed(error: BaseException) -> Reply:
    from txremote.work.pickling import dump_error

    return FAILED, *dump_error(error)


def _ended(name: str, error: BaseException) -> Reply:
    from txremote.wire.exceptions import safe_repr

    plain = RuntimeError(f"the job {name} raised {safe_repr(error)}")
    plain.__cause__ = error
    return _failed(plain)


def _is_netref(result: object) -> bool:
    netref = sys.modules.get("txremote.refs.netref")  # without it there are none
    return netref is not None and bool(netref.is_netref(result))


def _be_nice(steps: int) -> None:
    if steps:
        try:
            os.nice(steps)
        except OSError as problem:
            raise PermissionError(f"nice={steps} of the pool: {problem.strerror}") from None


def _open_streams() -> None:
    sys.stdout = RecordStream(WRITER, "stdout", 1)
    sys.stderr = RecordStream(WRITER, "stderr", 2)


def main() -> int:
    """Work for the parent whose number is the only argument, and return the exit status."""
    this_process.is_worker = True
    parent = int(sys.argv[1])
    os.setpgid(0, 0)
    end_with(parent)
    for descriptor in (REQUESTS, ANSWERS, TICKETS, LARGE_JOBS, LARGE_RESULTS):
        os.set_inheritable(descriptor, False)  # not for what the jobs start
    _open_streams()
    jobs = SharedMemory.inherited(LARGE_JOBS)
    results = SharedMemory.inherited(LARGE_RESULTS, MOST_AHEAD)
    try:
        Child(TICKETS, jobs, results).run()
    except Terminated:
        return 128 + signal.SIGTERM
    return 0
