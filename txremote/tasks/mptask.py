"""
`MPTask`: a task whose command runs in a process of a pool.

The job is `txremote.tasks.commandjob.run_command`, which gets the command, pickled with its
container as that is at this moment, and a `Sink` by reference, for its lines and progress. When a
task is killed its job is cancelled, and the pool ends the process by TERM and then by KILL. The
task is KILLED when the process has gone: when the connection has ended that the first report came
by. That may be before the kill, for of a process that dies the pool tells a moment later.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.python.failure import Failure

from txremote.peer.context import CalledConnection, current_call
from txremote.service import exposed
from txremote.tasks.commandjob import run_command
from txremote.tasks.states import ABORTED, KILLED, RUNNING, TOBEKILLED
from txremote.tasks.stepping import Progress, TaskOutcome, traceback_of
from txremote.tasks.task import Submission, Task
from txremote.work.live import live


class Sink:
    """The part of its task that a command in a process can reach."""

    def __init__(self, task: MPTask) -> None:
        self._task: MPTask | None = task

    @exposed
    def began(self) -> None:
        """The command begins."""
        if self._task is None:
            raise RuntimeError("the task was killed")
        self._task.job_began(current_call().connection)

    @exposed
    def line(self, text: str) -> None:
        """The command has put out a line."""
        if self._task is not None:
            self._task._put_out([text])

    @exposed
    def progressed(self, done: float, total: float | None, text: str) -> None:
        """The command has yielded a `Progress`."""
        if self._task is not None:
            self._task._show(Progress(done, total, text))

    @exposed
    def failed(self, traceback: str) -> None:
        """The command has raised an exception, which is the job's; this is its traceback."""
        if self._task is not None:
            self._task.traceback = traceback

    @exposed
    def ended(self) -> None:
        """The command has ended by itself; its outcome comes next."""
        if self._task is not None:
            self._task.job_ended()

    def close(self) -> None:
        """Take no more reports."""
        self._task = None


def check_pool(pool: Any) -> None:
    """Refuse (ValueError) a pool whose jobs run here, or cannot reach a `Sink` from elsewhere."""
    if not pool.by_value:
        raise ValueError(f"process commands need a pool of processes, not {pool.description}")
    if not getattr(pool, "can_call_back", False):
        raise ValueError(
            "process commands need a pool whose jobs can call back, and those of "
            f"{pool.description} cannot: use a pool of processes"
        )


class MPTask(Task):
    """A task whose command runs in a process of a pool that has been started."""

    def __init__(self, submission: Submission, pool: Any) -> None:
        super().__init__(submission)
        self._pool = pool
        self._sink = Sink(self)
        self._job: Deferred[Any] | None = None
        self._connection: CalledConnection | None = None  # to its process, while it runs
        self._has_outcome = False

    def begin(self) -> None:
        """Submit the job. The state is SUBMITTED until a process takes it."""
        call, self._call = self._call, None
        try:
            check_pool(self._pool)
        except ValueError as problem:
            self._fail(problem)
            return
        name = f"task {self.no} [{' '.join(self.arglist)}]"
        # the pool may be anybody's
        job = maybeDeferred(self._pool.submit, run_command, (call, live(self._sink)), name=name)
        self._job = job
        job.addCallbacks(self._returned, self._failed)

    def job_began(self, connection: CalledConnection) -> None:
        """Note that the command begins, in the process behind a connection."""
        self._connection = connection
        self._move(RUNNING)

    def job_ended(self) -> None:
        """Note that the command has ended by itself."""
        self._has_outcome = True
        if self.status == TOBEKILLED:  # too late, but its result is dropped
            self._end(TaskOutcome(KILLED))

    def _withdraw(self) -> None:
        job, self._job = self._job, None
        if job is not None:
            job.cancel()

    def _interrupt(self) -> None:
        if self._job is not None and not self._has_outcome:
            self._job.cancel()

    def _returned(self, returned: tuple[str, object, bool]) -> None:
        if not self.done:
            status, result, wants_exit = returned
            self._end(TaskOutcome(status, result, wants_exit=wants_exit))

    def _failed(self, failure: Failure) -> None:
        if self.done or self._job is None:
            return
        if self.status == TOBEKILLED and failure.check(CancelledError):
            assert self._connection is not None  # it ran, and its process is being ended
            # not asked before: a process may run thousands of tasks, and would keep them all
            self._connection.when_disconnected().addBoth(self._is_gone)
            return
        assert isinstance(failure.value, Exception)  # a job gives nothing else
        self._fail(failure.value)

    def _fail(self, error: Exception) -> None:
        text = self.traceback or traceback_of(error)
        self._end(TaskOutcome(ABORTED, None, error, text))

    def _is_gone(self, _reason: object) -> None:
        if self.status == TOBEKILLED:
            self._end(TaskOutcome(KILLED))

    def _end(self, outcome: TaskOutcome) -> None:
        self._sink.close()
        self._job = self._connection = None
        super()._end(outcome)
