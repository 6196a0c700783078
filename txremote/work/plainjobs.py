"""
The parts of a job in a process that need nothing of Twisted: importing that takes most of the time
in which a worker process starts. All that is more than plain is done by `txremote.work.pickling`.
"""

from __future__ import annotations

import pickle
import sys
import threading
from collections.abc import Callable
from types import CoroutineType
from typing import Any, Final

from txremote.work.arrowslices import MARK as ARROW
from txremote.work.buffers import Buffers
from txremote.work.reducers import are_registered, dumps as reducing_dumps
from txremote.work.sharedmemory import Place

PROTOCOL: Final = 5

#: Its names mean something else in another process.
MAIN: Final = b"__main__"

JobCall = tuple[Callable[..., object], tuple[object, ...], dict[str, object]]
Reply = tuple[object, ...]


class Terminated(BaseException):
    """The parent wants this job to end. No Exception, so that no job catches it by mistake."""


class ReceivedJob:
    """
    A job that has not run yet.

    Attributes:
        timed: Whether the parent wants to know when it begins.
        answer: Takes its reply, where that is an answer of the wire; else None.
    """

    __slots__ = ("answer", "name", "number", "payload", "references", "timed")

    def __init__(
        self,
        number: int,
        name: str,
        timed: bool,
        payload: bytes | Place | None,
        references: tuple[object, ...] = (),
        answer: Any = None,
    ) -> None:
        self.number = number
        self.name = name
        self.timed = timed
        self.payload = payload
        self.references = references
        self.answer = answer


class JobDesk:
    """The jobs that have arrived. Any thread."""

    def __init__(self) -> None:
        self._jobs: dict[int, ReceivedJob] = {}
        # A thread that a job has left running serves the connection, too, while it
        # waits for a call of its own.
        self._lock = threading.Lock()
        self._wanted: tuple[int, Callable[[], None]] | None = None

    def add(self, job: ReceivedJob) -> None:
        """Take a job in."""
        with self._lock:
            self._jobs[job.number] = job
            wanted = self._wanted
        if wanted is not None and wanted[0] == job.number:
            wanted[1]()

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
        return job, dropped


def plain_dumps(value: object, take: Callable[[pickle.PickleBuffer], bool] | None) -> bytes:
    """Pickle a value in the fastest way, whatever it holds. It raises what any object may."""
    dumps = reducing_dumps if are_registered() else pickle.dumps
    return dumps(value, PROTOCOL, buffer_callback=take)


def plain_result(value: object, buffers: Buffers | None) -> bytes | None:
    """Return a result as bytes, or None if it takes more than `plain_dumps`."""
    try:
        payload = plain_dumps(value, None if buffers is None else buffers.take)
        if MAIN not in payload and not (buffers and ARROW in payload):
            return payload
    except Exception:  # any object's own code; another way may know better
        pass
    if buffers:
        buffers.clear()
    return None


def is_promise(result: object) -> bool:
    """Tell whether a result is a Deferred or a coroutine, which is closed."""
    defer = sys.modules.get("twisted.internet.defer")  # without it there are no Deferreds
    # This looks at the result's __class__, which may be a property and fail: here,
    # and not in the Deferred that the result goes into, which looks at it too.
    if isinstance(result, CoroutineType):
        result.close()
        return True
    return defer is not None and isinstance(result, defer.Deferred)
