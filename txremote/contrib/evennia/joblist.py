"""
The jobs that the game's `run_async` has begun, and how far they are.

A job tells of its progress by `progress`, or by going through `tracked`, which works in threads and
in processes, and does nothing in a function that is called as it is::

    def count(rooms):
        for room in tracked(rooms, text="counting"):
            ...

The list is kept in the Server, by its reactor's thread: `jobs`, with the jobs that wait or run and
the last ones that have ended.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import count
from typing import Final, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from txremote.errors import JobTimeout, PoolStopped

T = TypeVar("T")

#: Kinds of messages from a job to the Server.
STARTED: Final = "started"
PROGRESS: Final = "progress"

WAITING, RUNNING, DONE, FAILED, KILLED = "waiting", "running", "done", "failed", "killed"

#: Seconds between two messages about the progress of one job, at least.
INTERVAL: Final = 0.1

#: Most characters of a job's words that are listed.
LONGEST: Final = 300

#: Jobs that have ended and are still listed.
KEPT: Final = 20


class JobKilled(Exception):
    """Raised by `progress` in a thread whose job was killed: nothing else can stop a thread."""


class Reporter:
    """
    Sends what a job tells of itself. One for each job, in its thread or process.

    Args:
        tell: Called with a kind of message and its parts, in the job's thread.

    Attributes:
        send: That function.
    """

    def __init__(self, tell: Callable[..., object]) -> None:
        self.send = tell
        self._last = 0.0
        tell(STARTED)

    def progress(self, done: float, of: float | None, text: str) -> None:
        """Send it, unless another was sent just now and this one is not the last."""
        now = time.monotonic()
        if now - self._last >= INTERVAL or done == of:
            self._last = now
            self.send(PROGRESS, done, of, text)


_reporter: ContextVar[Reporter | None] = ContextVar("txremote_game_job", default=None)


@contextmanager
def reporting(reporter: Reporter) -> Iterator[None]:
    """Have `progress` go to a reporter while a job runs. In the job's thread."""
    token = _reporter.set(reporter)
    try:
        yield
    finally:
        _reporter.reset(token)


def current_reporter() -> Reporter | None:
    """Return the reporter of the job that this thread runs, if it runs one."""
    return _reporter.get()


def progress(done: float, of: float | None = None, text: str = "") -> None:
    """
    Tell how far the job is that calls this.

    Args:
        done: How much is done, in any unit.
        of: Of how much; None if that is not known.
        text: A few words for the list of jobs.

    Raises:
        JobKilled: this job runs in a thread, and was killed.
        TypeError, ValueError: `done` or `of` is no number.

    For the job's own thread; elsewhere it does nothing. It may be called as often as one likes: it
    is sent ten times a second at most.
    """
    reporter = _reporter.get()
    if reporter is not None:
        # what is shown later to somebody else goes wrong here, if it does
        reporter.progress(float(done), None if of is None else float(of), str(text)[:LONGEST])


def tracked(items: Iterable[T], of: int | None = None, text: str = "") -> Iterator[T]:
    """
    Go through some items, and tell the list of jobs of each.

    Args:
        items: Anything to go through.
        of: How many there are; None: its length, if it has one.
        text: A few words for the list of jobs.
    """
    if of is None and isinstance(items, Sized):
        of = len(items)
    done = -1
    for done, item in enumerate(items):
        progress(done, of, text)
        yield item
    progress(done + 1, done + 1, text)


@dataclass(eq=False)
class GameJob:
    """
    A job that `run_async` has begun.

    Attributes:
        number: Its number in this Server, which is shown to people.
        name: The function's, or the source's first line.
        who: For whom it is done: an object or account of the game's; None if that is not known.
        where: The description of its pool.
        since: When it was begun, in seconds since the epoch.
        state: WAITING, RUNNING, DONE, FAILED or KILLED.
        done, of, text: Its progress; `done` is None as long as it has told of none.
        seconds: How long it took, of one that has ended.
        error: Why it has failed, in a line.
        outcome: The Deferred of its result; None when it has ended: a failure in a Deferred is
            logged when nobody holds that any more.
    """

    number: int
    name: str
    who: object
    where: str
    outcome: Deferred[object] | None
    since: float = field(default_factory=time.time)
    state: str = WAITING
    done: float | None = None
    of: float | None = None
    text: str = ""
    seconds: float | None = None
    error: str = ""

    def told(self, kind: str, *about: object) -> None:
        """
        Take a message of the job's. In the reactor's thread, or in the job's own.

        Raises:
            JobKilled: it runs in a thread, and was killed.
        """
        if self.state in (DONE, FAILED, KILLED):
            if kind == PROGRESS:
                raise JobKilled(f"the job {self.number}, {self.name}, was killed")
            return
        self.state = RUNNING
        if kind == PROGRESS:
            self.done, self.of, self.text = about  # type: ignore[assignment]

    def kill(self) -> bool:
        """
        End it: its callbacks hear of a CancelledError.

        Returns:
            Whether it had not ended. A process is ended with it, and one in a thread goes on
            until it calls `progress`.
        """
        if self.outcome is None or self.outcome.called:
            return False
        self.outcome.cancel()
        return True

    def ended(self, result: object) -> None:
        """Note how it has ended."""
        self.outcome = None
        self.seconds = max(0.0, time.time() - self.since)
        self.state = DONE
        if isinstance(result, Failure):
            cut = result.check(CancelledError, JobTimeout, PoolStopped) is not None
            self.state = KILLED if cut else FAILED
            # str() of an error is any code; its caller is still to hear of it
            words = " ".join(result.getErrorMessage()[:LONGEST].split())
            self.error = type(result.value).__name__ + (f": {words}" if words else "")


class JobList:
    """The jobs of this Server. For the reactor's thread."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._unended: dict[int, GameJob] = {}
        self._ended: deque[GameJob] = deque(maxlen=KEPT)

    def begin(self, name: str, who: object, where: str, outcome: Deferred[object]) -> GameJob:
        """Enter a job."""
        job = GameJob(next(self._numbers), name, who, where, outcome)
        self._unended[job.number] = job
        return job

    def end(self, job: GameJob, result: object) -> None:
        """Note that a job has ended, with a result or a Failure."""
        job.ended(result)
        if self._unended.pop(job.number, None) is not None:
            self._ended.append(job)

    def unended(self) -> list[GameJob]:
        """Return the jobs that wait or run, oldest first."""
        return list(self._unended.values())

    def ended(self) -> list[GameJob]:
        """Return the last jobs that have ended, oldest first."""
        return list(self._ended)

    def find(self, number: int) -> GameJob | None:
        """Return a job by its number, if it is still listed."""
        return self._unended.get(number) or next(
            (job for job in self._ended if job.number == number), None
        )


#: The list of this process.
jobs = JobList()
