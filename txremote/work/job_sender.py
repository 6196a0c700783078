"""
`JobSender`: the way of a worker's jobs into its process.

A job goes as a plain message (`txremote.work.plainphase`) until the process is a peer, and then as
a request over the worker's own connection, with a large payload in parts. The process becomes a
peer when a job has something that goes by reference or is too large for a message, or when the
process itself needs one. That takes an import of Twisted there: jobs that are sent meanwhile wait
here, and those of them that were taken back are not sent.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from txremote.errors import ConnectionLost, NotSendable
from txremote.work import plainphase
from txremote.work.plainphase import INITIALIZER
from txremote.work.prefetched import Job, PrefetchedJobs
from txremote.work.sharedmemory import Place, Stored
from txremote.work.workerlink import WorkerLink


class SenderEvents(Protocol):
    """The worker, as what sends its jobs needs it."""

    def job_answered(self, reply: Any, job: Job, number: int) -> None:
        """The process has replied to a job that was sent under this number."""

    def job_unanswered(self, failure: Failure, job: Job, number: int) -> None:
        """A job could not be sent, or its result cannot be."""

    def end(self, why: str) -> None:
        """No jobs can be sent any more."""


class JobSender:
    """
    Sends jobs to one process. For the reactor's thread.

    Args:
        held: The jobs that the worker holds.
        part: Longest payload of a request, in bytes.
    """

    def __init__(
        self, link: WorkerLink, held: PrefetchedJobs, part: int, events: SenderEvents
    ) -> None:
        self._link = link
        self._held = held
        self._part = part
        self._events = events
        self._unsent: list[tuple[Job, int]] | None = None  # until the process is a peer

    def send(self, job: Job) -> Failure | None:
        """Send a job, or keep it until that can be; return what is in the way."""
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
        if not failure.check(ConnectionLost, CancelledError):  # the end of the process tells of it
            why = f"was ended, for no objects can be passed to it: {failure.value}"
            self._events.end(why)

    async def _become_peer(self) -> None:
        connection = await self._link.become_peer()
        await connection.introduce()
        waiting, self._unsent = self._unsent or [], None
        unsent = []
        for job, number in waiting:
            if number == INITIALIZER or self._held.jobs.get(number) is job:
                problem = self._send_to_peer(job)
                if problem is not None:
                    root: Any = connection._root
                    connection.outbound.call(root, ("drop",), (number,), {}).addErrback(ignored)
                    unsent.append((job, number, problem))
        for job, number, problem in unsent:  # last, for it calls any code
            self._events.job_unanswered(problem, job, number)

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
            about, events = (job, job.number), self._events
            answer.addCallbacks(events.job_answered, events.job_unanswered, about, {}, about)
            return None
        problem = answer.result
        answer.addErrback(ignored)
        # of a lost connection the end of the process tells
        return problem if isinstance(problem, Failure) and problem.check(NotSendable) else None

    def _send_parts(self, number: int, payload: bytes) -> bytes:
        """Send all but the last part of a payload, and return that."""
        connection = self._link.peer
        assert connection is not None
        outbound, part = connection.outbound, self._part
        root: Any = connection._root
        start = 0
        while len(payload) - start > part:
            piece = payload[start : start + part]
            outbound.call(root, ("part",), (number, piece), {}).addErrback(ignored)
            start += part
        return payload[start:] if start else payload


def ignored(failure: Failure) -> None:
    """Pass over a failure that the end of the process tells of, too."""
    failure.trap(Exception, CancelledError)
