"""
A worker process of a pool as a txremote peer: what a job or a result with references needs.

It offers its parent one object, the `JobReceiver`. `txremote.work.child` imports this when it is
needed first, for Twisted comes with it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from txremote.blocking.channel import PipeChannel
from txremote.blocking.channel_io import ChannelIO
from txremote.blocking.factory import accept
from txremote.blocking.inbox import Inbox, PendingAnswer
from txremote.errors import NotSendable
from txremote.refs.sharing import Unshared
from txremote.service import Service
from txremote.work.pickling import dump_error
from txremote.work.plainjobs import JobDesk, ReceivedJob, Reply
from txremote.work.plainphase import ANSWERS, DROPPED, FAILED, PART, REQUESTS
from txremote.work.sharedmemory import Place
from txremote.work.worker_protocol import CONFIG

_RETRY = 0.005  # seconds


class JobReceiver(Service):
    """The object that the parent gives jobs to."""

    def __init__(self, desk: JobDesk) -> None:
        self._desk = desk
        self._parts: dict[int, list[bytes]] = {}

    def part(self, number: int, data: bytes) -> None:
        """Take a part of the payload of a job that is to come."""
        self._parts.setdefault(number, []).append(data)

    def submit(
        self, number: int, name: str, timed: bool, payload: bytes | Place, *references: Any
    ) -> Deferred[object]:
        """Take a job; answer (DONE, payload, *references), (FAILED, *dump_error()), (DROPPED,)."""
        if self._parts and isinstance(payload, bytes):
            payload = b"".join([*self._parts.pop(number, []), payload])
        answer = Unshared()
        self._desk.add(ReceivedJob(number, name, timed, payload, references, answer))
        return answer

    def drop(self, number: int) -> None:
        """Expect a job no more whose ticket is out: it could not be sent."""
        self._parts.pop(number, None)
        self._desk.add(ReceivedJob(number, "", False, None))

    def forget_until(self, number: int) -> None:
        """Forget the parts of jobs that could not be sent in the end."""
        if self._parts:
            self._parts = {n: parts for n, parts in self._parts.items() if n > number}


class PeerLink:
    """The connection to the parent."""

    def __init__(self, desk: JobDesk, part_size: int = PART) -> None:
        self._desk = desk
        self._part_size = part_size
        self._receiver = JobReceiver(desk)
        self._conn = accept(PipeChannel(REQUESTS, ANSWERS), self._receiver, CONFIG)
        self._main = threading.get_ident()
        #: The functions that TERM must not leave half done.
        self.whole: tuple[Callable[..., object], ...] = (
            *(ChannelIO.flush, Inbox.take, ChannelIO.read_available),
            *(PeerLink._answer, PeerLink._send_loaded, PeerLink._tell),
        )

    def fileno(self) -> int:
        """Return the descriptor that is readable when something comes."""
        return self._conn.fileno()

    def serve(self) -> bool:
        """Take in what has come, and tell whether that was anything. EOFError: it is closed."""
        return bool(self._conn.serve(0))

    def find(self, number: int) -> ReceivedJob:
        """Wait for a job. EOFError: it never comes."""
        pump = self._conn._pump
        while True:
            waiter = PendingAnswer()
            job, dropped = self._desk.take(number, partial(self._wake, waiter))
            for one in dropped:
                if one.answer is not None:
                    self._answer(one, (DROPPED,))
            if job is not None:
                self._receiver.forget_until(number)
                return job
            if not pump.run_until(waiter, None):
                raise EOFError

    def _wake(self, waiter: PendingAnswer) -> None:
        if threading.get_ident() == self._main:
            waiter.done = True
        else:
            self._conn._pump.interrupt(waiter)

    def loaded(self, number: int) -> None:
        """Have the parent count a job's time from now on: what it needs has been imported."""
        self._conn.root  # noqa: B018  # is fetched once
        self._send_loaded(number)

    def _send_loaded(self, number: int) -> None:
        with self._conn._pump.lock:
            self._call_root("loaded", number).addErrback(_ignored)
        self._flush()

    def _call_root(self, name: str, *args: object) -> Deferred[Any]:
        protocol = self._conn.protocol
        root = protocol._root
        assert root is not None
        called: Deferred[Any] = protocol.outbound.call(root, (name,), args, {})
        return called

    def reply(self, job: ReceivedJob, reply: Reply) -> bool:
        """Send off an outcome: only then may the next ticket be taken."""
        status, payload, *rest = reply
        if isinstance(payload, bytes) and status != FAILED:
            reply = status, self._send_parts(payload), *rest
        if job.answer is not None:
            self._answer(job, reply)
        else:
            self._conn.root  # noqa: B018  # is fetched once
            problem = self._tell(job.number, reply)
            if problem is not None:
                self._tell(job.number, (FAILED, *dump_error(problem)))
        return True

    def _send_parts(self, payload: bytes) -> bytes:
        """Send all but the last part of a payload, and return that."""
        size = self._part_size
        start = 0
        while len(payload) - start > size:
            self._conn.root.part(payload[start : start + size])
            start += size
        return payload[start:] if start else payload

    def _answer(self, job: ReceivedJob, reply: Reply) -> None:
        with self._conn._pump.lock:
            job.answer.callback(self._conn.from_netrefs(reply))
        self._flush()

    def _tell(self, number: int, reply: Reply) -> BaseException | None:
        """Tell of a job that came as a plain message. Return why that cannot be sent, if so."""
        with self._conn._pump.lock:
            told = self._call_root("outcome", number, *self._conn.from_netrefs(reply))
            problem: Any = told.result if told.called else None
            told.addErrback(_ignored)
        self._flush()
        unsendable = isinstance(problem, Failure) and problem.check(NotSendable)
        return problem.value if unsendable else None

    def _flush(self) -> None:
        io = self._conn._pump.io
        io.flush()
        while io.transport.out and not self._conn.closed:  # a thread of a job's is sending
            time.sleep(_RETRY)
            io.flush()


def _ignored(_failure: Failure) -> None:
    return None  # of a lost connection the main loop hears
