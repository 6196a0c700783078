"""
`ComingUp`: the way of a worker's process to its first job.

The process is sent its settings, and says when it is ready. If there is an initializer
(`txremote.work.surroundings`) it is then sent as job number 0, which the pool does not know of:
with its reply the worker has come up, or has not.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from twisted.python.failure import Failure

from txremote.wire.naming import sentence
from txremote.work.childprocess import import_path
from txremote.work.hidden import hidden_names
from txremote.work.job_sender import JobSender
from txremote.work.pickling import load_error
from txremote.work.plainphase import FAILED, INITIALIZER
from txremote.work.prefetched import Job
from txremote.work.surroundings import Initializer, Surroundings
from txremote.work.tickets import TicketPipe
from txremote.work.workerlink import WorkerLink


class NotSetUp(Exception):
    """A worker's initializer has failed: a sentence, and the traceback."""

    def __init__(self, problem: str, traceback: str) -> None:
        super().__init__(problem)
        self.traceback = traceback


class ComingUp:
    """
    Prepares one process. For the reactor's thread.

    Args:
        part: Longest payload of a message, in bytes.
        wanted: Tells whether the process is still to come up.
    """

    def __init__(
        self,
        link: WorkerLink,
        sender: JobSender,
        tickets: TicketPipe,
        part: int,
        wanted: Callable[[], bool],
    ) -> None:
        self.at = ""  # which part it is at, for the end of a sentence
        self._link = link
        self._sender = sender
        self._tickets = tickets
        self._part = part
        self._wanted = wanted
        self._initializer: Job | None = None  # while it runs

    async def run(self, surroundings: Surroundings, initializer: Initializer | None) -> None:
        """
        Prepare the process, as far as it is wanted.

        Raises:
            NotReady: It could not take its settings.
            NotSetUp: Its initializer has failed.
            ConnectionLost: It has gone.
        """
        level = logging.getLogger().getEffectiveLevel()
        path = [str.__str__(entry) for entry in import_path(surroundings.cwd)]
        hidden = hidden_names(path)
        await self._link.prepare(path, level, self._part, surroundings.nice, hidden)
        if initializer is not None and self._wanted():
            await self._set_up(initializer)

    async def _set_up(self, initializer: Initializer) -> None:
        self.at = f" while its {initializer.name} ran"
        payload, references = initializer.pickled
        job = Job(initializer.name, payload, list(references), None, lambda _job, _given: None)
        self._initializer = job
        self._tickets.put([INITIALIZER])
        self._sender.send(job)
        reply: Any = await job.deferred
        status, *rest = reply
        self._initializer = None
        self.at = ""
        if status == FAILED:
            problem = load_error(*rest)
            assert problem.value is not None
            why = f"its {initializer.name} failed: {sentence(problem.value)}"
            raise NotSetUp(why, rest[-1].rstrip())

    def answered(self, reply: Any) -> None:
        """Take the initializer's reply."""
        job = self._initializer
        if job is not None and not job.deferred.called:
            job.deferred.callback(reply)

    def unanswered(self, failure: Failure) -> None:
        """Note that the initializer will have no reply; nothing if none runs."""
        job = self._initializer
        if job is not None and not job.deferred.called:
            job.deferred.errback(failure)
