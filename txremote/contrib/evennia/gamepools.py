"""
A pool as the game's jobs use it: each job is listed, and has the game as it is.

Any pool is used so. In a thread a job finds a database connection that works, and leaves no
transaction. In a process it begins with empty caches, and what it has changed of the game is read
again in the Server before its callbacks run. When the server stops, jobs that have not ended fail
while their callers can still be told. For the reactor's thread.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, cast

from twisted.internet.defer import CancelledError, Deferred, fail, maybeDeferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from txremote.contrib.evennia import changes, database, messages, travelling
from txremote.contrib.evennia.in_worker import BEGIN, run_job
from txremote.contrib.evennia.joblist import GameJob, Reporter, jobs, reporting
from txremote.contrib.evennia.runtime import RELOADING, runtime
from txremote.errors import JobTimeout, PoolStopped
from txremote.interfaces import IPool
from txremote.levels import Logger
from txremote.refs.awaiting import AwaitableDeferred
from txremote.refs.clock import steady
from txremote.work.live import live
from txremote.work.pool import name_of
from txremote.work.ports import Args, Function, IPoolReactor, Kwargs

_log = Logger("txremote.game")

#: Seconds after which the worker of a killed job has gone for certain.
_GONE: Final = 5.0


class GamePool:
    """
    A pool, as it is used for one job of the game.

    Args:
        reactor: The reactor.
        pool: The pool; None: each job fails, with `problem`.
        who: For whom the job is done, for the list of jobs.
        problem: Why there is no pool.
    """

    def __init__(
        self, reactor: IPoolReactor, pool: IPool | None, who: object = None, problem: str = ""
    ) -> None:
        self._reactor = reactor
        self._pool = pool
        self._who = who
        self._problem = problem
        self.by_value = pool is None or pool.by_value
        self.can_call_back = pool is None or getattr(pool, "can_call_back", pool.by_value)
        self.description = "none" if pool is None else pool.description

    def submit(
        self,
        function: Function,
        args: Args = (),
        kwargs: Kwargs | None = None,
        timeout: float | None = None,
        name: str | None = None,
    ) -> Deferred[Any]:
        """Run a job; see `txremote.interfaces.IPool`."""
        name = name or name_of(function)
        if runtime.stopping:
            return fail(PoolStopped(f"{name}: {RELOADING}"))
        if self._pool is None:
            return fail(RuntimeError(self._problem))
        _end_with_the_server()
        outcome: Deferred[object] = AwaitableDeferred(lambda _outcome: inner.cancel())
        job = jobs.begin(name, self._who, self.description, outcome)
        if self.by_value:
            travelling.install()
            in_process = _ProcessJob(self._reactor, job)
            wrapped = partial(run_job, BEGIN, live(in_process.told), function)
            end: _ThreadJob = in_process
        else:
            end = _ThreadJob(job)
            wrapped = partial(_run_in_thread, job.told, function)
        inner: Deferred[Any] = maybeDeferred(
            self._pool.submit, wrapped, args, kwargs, timeout, name
        )
        inner.addBoth(end.ended)
        return outcome


class _ThreadJob:
    """The end of a job in a thread."""

    def __init__(self, job: GameJob) -> None:
        self._job = job

    def ended(self, result: object) -> None:
        """Hand its result on, unless its caller was told of another end."""
        outcome = self._job.outcome
        jobs.end(self._job, result)
        if outcome is not None and not outcome.called:
            outcome.callback(result)


class _ProcessJob(_ThreadJob):
    """The end of a job in a process, and what it changes of the game."""

    def __init__(self, reactor: IPoolReactor, job: GameJob) -> None:
        super().__init__(job)
        self._reactor = reactor
        self._rows: set[changes.Row] = set()
        self._over = False
        self._again: IDelayedCall | None = None

    def told(self, kind: str, *about: object) -> None:
        """Take a message of the job's."""
        if kind == messages.MESSAGE:
            (payload,) = about
            messages.deliver(cast(bytes, payload))
            return
        if kind != changes.CHANGED:
            self._job.told(kind, *about)
            return
        label, number = about
        self._rows.add((str(label), number))
        if self._over:
            self._look_later()

    def ended(self, result: object) -> None:
        """Have the Server's objects read again what it has changed, and hand its result on."""
        self._over = True
        self._refresh()
        if isinstance(result, Failure) and result.check(CancelledError, JobTimeout):
            self._look_later()  # its worker has a moment left
        super().ended(result)

    def _look_later(self) -> None:
        if self._again is None:
            self._again = steady(self._reactor).callLater(_GONE, self._look_again)

    def _look_again(self) -> None:
        self._again = None
        self._refresh()

    def _refresh(self) -> None:
        try:
            if self._rows:
                changes.refresh(self._rows)
        except Exception:  # the database, or any code of the game's
            _log.failure("what the job {job} has changed was not read again", job=self._job.name)


def _run_in_thread(
    tell: Callable[..., object], function: Callable[..., Any], /, *args: object, **kwargs: object
) -> Any:
    """Run a job of the game's in a thread of the Server."""
    database.refresh_connections()
    with reporting(Reporter(tell)), database.clean():
        return function(*args, **kwargs)


_ends: list[bool] = []


def _end_with_the_server() -> None:
    """Have the jobs that have not ended fail before the Server stops."""
    if not _ends:
        _ends.append(True)
        runtime.at_stop(_end_all)


def _end_all(why: str) -> None:
    for job in jobs.unended():
        outcome = job.outcome
        failure = Failure(PoolStopped(f"{job.name}: {why}"))
        if outcome is not None and not outcome.called:
            jobs.end(job, failure)
            outcome.errback(failure)
