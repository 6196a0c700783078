"""
A worker process of a process pool; `txremote.work.childprocess` starts it.

It is a txremote peer over two pipes that it inherits, and offers its parent one object, the
`JobReceiver`. Jobs run one after the other in the main thread, each after its ticket was taken
(`txremote.work.tickets`). It ends when its parent closes the pipe or is gone, and by TERM, which
raises `Terminated` in the job, so that its ``finally`` runs. It leads a process group, so
processes that its jobs start end with it, unless its parent is killed outright.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from types import FrameType
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from txremote.blocking.channel import PipeChannel
from txremote.blocking.channel_io import ChannelIO
from txremote.blocking.connection import BlockingConnection
from txremote.blocking.factory import accept
from txremote.blocking.inbox import Inbox, PendingAnswer
from txremote.peer import inbound
from txremote.refs.netref import is_netref
from txremote.refs.sharing import Unshared
from txremote.service import Service
from txremote.wire.exceptions import safe_repr
from txremote.work.buffers import LEAST, Buffers
from txremote.work.netrefs import settled
from txremote.work.output import RecordStream, RecordWriter, send_logs
from txremote.work.pickling import JobCall, Terminated, dump_error, dump_result, load_job
from txremote.work.running import running_pools
from txremote.work.sharedmemory import MOST_AHEAD, Place, SharedMemory
from txremote.work.tickets import take_ticket
from txremote.work.worker_protocol import (
    ANSWERS,
    CONFIG,
    DONE,
    DROPPED,
    FAILED,
    LARGE_JOBS,
    LARGE_RESULTS,
    PART,
    REQUESTS,
    TICKETS,
)

_RETRY = 0.005  # seconds
_LOOK_AGAIN = 250  # milliseconds
_OWN_THREADS = 2  # the main one, and the one that watches the parent


@dataclass(slots=True, eq=False)
class ReceivedJob:
    """A job that has not run yet."""

    number: int
    name: str
    timed: bool  # whether the parent wants to know when it begins
    payload: bytes | Place
    references: tuple[object, ...]
    reply: Deferred[object] = field(default_factory=Unshared)


class JobReceiver(Service):
    """The object that the parent gives jobs to."""

    def __init__(self) -> None:
        self.part_size = PART
        self._jobs: dict[int, ReceivedJob] = {}
        self._parts: dict[int, list[bytes]] = {}
        # A thread that a job has left running serves the connection, too, while it
        # waits for a call of its own.
        self._lock = threading.Lock()
        self._wanted: tuple[int, Callable[[], None]] | None = None

    def prepare(self, path: tuple[str, ...], level: int, part: int, nice: int) -> int:
        """Take over the parent's `sys.path`, level of `logging` and size of parts, in bytes."""
        _be_nice(nice)
        sys.path[:] = path
        send_logs(WRITER.send, level)
        self.part_size = part
        return os.getpid()

    def part(self, number: int, data: bytes) -> None:
        """Take a part of the payload of a job that is to come."""
        self._parts.setdefault(number, []).append(data)

    def submit(
        self, number: int, name: str, timed: bool, payload: bytes | Place, *references: Any
    ) -> Deferred[object]:
        """Take a job; answer (DONE, payload, *references), (FAILED, *dump_error()), (DROPPED,)."""
        if self._parts and isinstance(payload, bytes):
            payload = b"".join([*self._parts.pop(number, []), payload])
        job = ReceivedJob(number, name, timed, payload, references)
        with self._lock:
            self._jobs[number] = job
            wanted = self._wanted
        if wanted is not None and wanted[0] == number:
            wanted[1]()
        return job.reply

    def take(
        self, number: int, arrived: Callable[[], None]
    ) -> tuple[ReceivedJob | None, list[ReceivedJob]]:
        """Return a job and drop those before it. Calls `arrived`, in any thread, if it is late."""
        with self._lock:
            job = self._jobs.pop(number, None)
            self._wanted = None if job is not None else (number, arrived)
            dropped = []
            while self._jobs:
                first = next(iter(self._jobs))
                if first > number:
                    break
                dropped.append(self._jobs.pop(first))
        if job is not None and self._parts:  # of jobs that could not be sent in the end
            self._parts = {n: parts for n, parts in self._parts.items() if n > number}
        return job, dropped


WRITER = RecordWriter(1)


class Child:
    """The main loop."""

    def __init__(
        self,
        conn: BlockingConnection,
        receiver: JobReceiver,
        tickets: int,
        large_jobs: SharedMemory | None = None,
        large_results: SharedMemory | None = None,
    ) -> None:
        self._conn = conn
        self._receiver = receiver
        self._tickets = tickets
        self._large_jobs = large_jobs
        self._large_results = large_results
        self._poll = select.poll()
        self._poll.register(conn.fileno(), select.POLLIN)
        self._poll.register(tickets, select.POLLIN)
        self._main = threading.get_ident()
        self._pid = os.getpid()

    def run(self) -> None:
        """Run jobs until the parent has gone."""
        try:
            while True:
                number = take_ticket(self._tickets)
                if number is not None:
                    self._run(self._find(number))
                    continue
                while self._conn.serve(0):
                    continue
                # a thread that a job has left might have read our message
                alone = threading.active_count() <= _OWN_THREADS
                self._poll.poll(None if alone else _LOOK_AGAIN)
        except EOFError:
            return

    def _find(self, number: int) -> ReceivedJob:
        pump = self._conn._pump
        while True:
            waiter = PendingAnswer()
            job, dropped = self._receiver.take(number, partial(self._wake, waiter))
            for one in dropped:
                self._reply(one, (DROPPED,))
            if job is not None:
                return job
            if not pump.run_until(waiter, None):
                raise EOFError

    def _wake(self, waiter: PendingAnswer) -> None:
        if threading.get_ident() == self._main:
            waiter.done = True
        else:
            self._conn._pump.interrupt(waiter)

    def _run(self, job: ReceivedJob) -> None:
        WRITER.job = job.name
        try:
            function, args, kwargs = self._load(job)
            if job.timed:
                self._tell_loaded(job.number)
            result = function(*args, **kwargs)
            function = args = kwargs = None  # type: ignore[assignment]  # free what they hold
            if not is_netref(result):
                settled(result, "process")
            reply = (DONE, *self._dump(result, job.name))
            result = None
        except Terminated:
            raise
        except Exception as error:
            reply = (FAILED, *dump_error(error))
        except BaseException as error:  # sys.exit() in a job is no end of its parent
            plain = RuntimeError(f"the job {job.name} raised {safe_repr(error)}")
            plain.__cause__ = error
            reply = (FAILED, *dump_error(plain))
        self._leave_if_forked()
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, RecordStream) and not stream.finish():
                _open_streams()
        WRITER.job = ""
        self._reply(job, reply)

    def _tell_loaded(self, number: int) -> None:
        """Have the parent count a job's time from now on: what it needs has been imported."""
        self._conn.root  # noqa: B018  # is fetched once
        self._send_loaded(number)

    def _send_loaded(self, number: int) -> None:
        protocol = self._conn.protocol
        root = protocol._root
        assert root is not None
        with self._conn._pump.lock:
            told = protocol.outbound.call(root, ("loaded",), (number,), {})
            told.addErrback(_ignored)
        self._flush()

    def _leave_if_forked(self) -> None:
        if os.getpid() != self._pid:
            os._exit(0)  # the job has forked, and come back twice

    def _load(self, job: ReceivedJob) -> JobCall:
        payload, references = job.payload, job.references
        job.payload, job.references = b"", ()
        if isinstance(payload, bytes):
            return load_job(payload, references, job.name)
        assert self._large_jobs is not None
        body, buffers = self._large_jobs.take(payload)
        return load_job(body, references, job.name, buffers)

    def _dump(self, result: object, name: str) -> tuple[object, ...]:
        buffers = Buffers()
        payload, references = dump_result(result, name, buffers)
        if buffers or len(payload) >= LEAST:
            self._leave_if_forked()
            memory = self._large_results
            place = None if memory is None else memory.put([payload, *buffers])
            if place is not None:
                return place, *references
            if buffers:
                payload, references = dump_result(result, name)
        return self._send_parts(payload), *references

    def _send_parts(self, payload: bytes) -> bytes:
        """Send all but the last part of a payload, and return that."""
        size = self._receiver.part_size
        start = 0
        while len(payload) - start > size:
            self._conn.root.part(payload[start : start + size])
            start += size
        return payload[start:] if start else payload

    def _reply(self, job: ReceivedJob, reply: tuple[object, ...]) -> None:
        """Answer, and see that the answer has left: only then may the next ticket be taken."""
        pump = self._conn._pump
        with pump.lock:
            job.reply.callback(self._conn.from_netrefs(reply))
        self._flush()

    def _flush(self) -> None:
        io = self._conn._pump.io
        io.flush()
        while io.transport.out and not self._conn.closed:  # a thread of a job's is sending
            time.sleep(_RETRY)
            io.flush()


def _be_nice(steps: int) -> None:
    if steps:
        try:
            os.nice(steps)
        except OSError as problem:
            raise PermissionError(f"nice={steps} of the pool: {problem.strerror}") from None


def _die_with_parent(parent: int) -> None:
    """Have this process end when its parent does, whatever it is doing."""
    if sys.platform == "linux":
        import ctypes

        set_death_signal = 1  # PR_SET_PDEATHSIG
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)
        if os.getppid() != parent:  # it died before that
            os._exit(1)

    def watch() -> None:
        # a pipe's writing end is in error when nobody holds the other end
        poll = select.poll()
        poll.register(ANSWERS, 0)
        poll.poll()
        while os.getppid() == parent:  # it closes its files first of all
            time.sleep(_RETRY)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, name="txremote parent watch", daemon=True).start()


def _terminate(_number: int, frame: FrameType | None) -> None:
    """Raise `Terminated` in the job, but not in the middle of a message: then a moment later."""
    while frame is not None:
        code = frame.f_code
        if code in _WHOLE or code.co_filename.startswith(_STATE):
            # The kernel's timer: a thread would mostly get to send a signal while this one waits in
            # a system call, which is always in the middle of a message.
            signal.signal(signal.SIGALRM, _terminate)
            signal.setitimer(signal.ITIMER_REAL, _RETRY)
            return
        frame = frame.f_back
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # finally's own time
    if signal.getsignal(signal.SIGALRM) is _terminate:
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
    raise Terminated


# The functions that must not be left half done. They wait for nothing but a full pipe.
_WHOLE = frozenset(
    function.__code__
    for function in (
        *(ChannelIO.flush, Inbox.take, ChannelIO.read_available),
        *(Child._reply, Child._send_loaded),
    )
)
_STATE = os.path.join(os.path.dirname(inbound.__file__), "")


def _ignored(_failure: Failure) -> None:
    return None  # of a lost connection the main loop hears


def _open_streams() -> None:
    sys.stdout = RecordStream(WRITER, "stdout", 1)
    sys.stderr = RecordStream(WRITER, "stderr", 2)


def main() -> int:
    """Work for the parent whose number is the only argument, and return the exit status."""
    running_pools.in_worker = True
    parent = int(sys.argv[1])
    os.setpgid(0, 0)
    _die_with_parent(parent)
    signal.signal(signal.SIGTERM, _terminate)
    for descriptor in (REQUESTS, ANSWERS, TICKETS, LARGE_JOBS, LARGE_RESULTS):
        os.set_inheritable(descriptor, False)  # not for what the jobs start
    _open_streams()
    receiver = JobReceiver()
    jobs = SharedMemory.inherited(LARGE_JOBS)
    results = SharedMemory.inherited(LARGE_RESULTS, MOST_AHEAD)
    conn = accept(PipeChannel(REQUESTS, ANSWERS), receiver, CONFIG)
    try:
        Child(conn, receiver, TICKETS, jobs, results).run()
    except Terminated:
        return 128 + signal.SIGTERM
    return 0
