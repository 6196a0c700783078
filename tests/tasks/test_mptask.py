"""
Commands in real processes: their output as it comes, and their ends, the hard ones too.
"""

from __future__ import annotations

import gc
import os
import signal
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone

from tests.tasks.task_helpers import arguments, done, states_of, until_output, until_state
from tests.work.child_processes import running_pool
from tests.work.doubles import Reactor, logged
from txremote.tasks.mptask import MPTask, Sink
from txremote.tasks.states import ABORTED, FINISHED, KILLED, RUNNING, SUBMITTED, TOBEKILLED
from txremote.tasks.stepping import LeaveSession, Progress
from txremote.work.pool import PoolService
from txremote.work.processes import ProcessPool
from txremote.work.worker_protocol import WorkerLimits


@pytest_twisted.async_yield_fixture(scope="module")  # type: ignore[untyped-decorator]
async def pool() -> AsyncIterator[ProcessPool]:
    """A pool whose processes are given little time."""
    from twisted.internet import reactor

    pool = ProcessPool(reactor, 0, 2, limits=WorkerLimits(grace=0.5))
    await pool.start()
    yield pool
    await pool.stop()


def begun(pool: Any, function: Callable[..., Any], *args: Any) -> MPTask:
    """Return a task that has been begun."""
    from twisted.internet import reactor

    task = MPTask(*arguments(function, *args, reactor=reactor), pool=pool)
    task.begin()
    return task


# -- commands, which are imported or carried over


def importing(name: str) -> Iterator[Any]:
    print("printed")
    yield f"importing {name}"
    yield Progress(1, 2, "half")
    yield
    yield os.getpid()


def working() -> Iterator[Any]:
    try:
        yield "working"
        while True:
            signal.pause()
    finally:
        print("closing the file")


def stubborn() -> Iterator[Any]:
    yield "stubborn"
    sum(range(10**12))  # C code: Python's handlers of signals do not run


def dying() -> Iterator[Any]:
    yield "dying"
    os.kill(os.getpid(), signal.SIGKILL)


def crashing() -> Iterator[Any]:
    yield "one"
    raise ValueError("a bug")


def leaving() -> None:
    raise LeaveSession


class Container:
    def __init__(self) -> None:
        self.dsn = "before"

    def tell(self) -> str:
        return self.dsn


@pytest_twisted.ensureDeferred
async def test_a_process_command_s_output_streams_back(pool: ProcessPool) -> None:
    """Lines, prints and figures, from another process; SUBMITTED until one takes it."""
    task = begun(pool, importing, "f1")
    states = states_of(task)
    assert repr(task) == "<MPTask 1 [importing f1] SUBMITTED>"
    await done(task)
    assert states == [RUNNING, FINISHED]
    assert task.outlist[:2] == ["printed", "importing f1"]
    assert task.result != os.getpid()
    assert task.outlist[2] == str(task.result)
    assert task.progress == Progress(1, 2, "half")


@pytest_twisted.ensureDeferred
async def test_the_container_is_carried_over_as_it_is_at_submission(pool: ProcessPool) -> None:
    """Later changes are not seen there; a class of __main__ or of a function works, too."""

    class Local(Container):
        pass

    for kind in (Container, Local):
        container = kind()
        container.dsn = "as submitted"
        task = begun(pool, container.tell)
        container.dsn = "later"
        await done(task)
        assert task.outlist == ["as submitted"]


@pytest_twisted.ensureDeferred
async def test_a_killed_process_command(pool: ProcessPool) -> None:
    """TOBEKILLED, then KILLED when the process is gone; finally has run, and was heard."""
    task = begun(pool, working)
    states = states_of(task)
    await until_output(task, "working")
    task.kill()
    assert task.status == TOBEKILLED
    await done(task)
    assert states == [RUNNING, TOBEKILLED, KILLED]
    assert task.outlist == ["working", "closing the file"]
    assert (task.exc, task.result) == (None, None)


@pytest_twisted.ensureDeferred
async def test_a_process_in_c_code_is_killed_the_hard_way(pool: ProcessPool) -> None:
    """TERM is not noticed there; KILL is not asked."""
    task = begun(pool, stubborn)
    await until_output(task, "stubborn")
    task.kill()
    await done(task)
    assert task.status == KILLED


@pytest_twisted.ensureDeferred
async def test_a_kill_before_a_process_takes_it(pool: ProcessPool) -> None:
    """It is KILLED at once, and never runs."""
    busy = [begun(pool, working) for _ in range(2)]
    for task in busy:
        await until_state(task, RUNNING)
    waiting = begun(pool, importing, "f1")
    assert waiting.status == SUBMITTED
    waiting.kill()
    assert waiting.status == KILLED
    for task in busy:
        task.kill()
        await done(task)
    assert waiting.outlist == []


@pytest_twisted.ensureDeferred
async def test_a_process_that_dies_aborts_its_task(pool: ProcessPool) -> None:
    """The error says how it died."""
    task = begun(pool, dying)
    await done(task)
    assert (task.status, task.outlist) == (ABORTED, ["dying"])
    assert "SIGKILL" in task.error


@pytest_twisted.ensureDeferred
async def test_a_crash_in_a_process_is_the_task_s(pool: ProcessPool) -> None:
    """With the exception itself, and the traceback from there."""
    task = begun(pool, crashing)
    await done(task)
    assert (task.status, task.error) == (ABORTED, "ValueError: a bug")
    assert "in crashing" in task.traceback
    assert task.traceback.count("  File ") == 1


@pytest_twisted.ensureDeferred
async def test_a_wish_to_leave_comes_back(pool: ProcessPool) -> None:
    """From a process, too."""
    task = begun(pool, leaving)
    await done(task)
    assert (task.status, task.wants_exit) == (FINISHED, True)


@pytest_twisted.ensureDeferred
async def test_a_container_that_cannot_be_carried_over(pool: ProcessPool) -> None:
    """The task is ABORTED at once, and names what it was."""
    task = begun(pool, importing, threading.Lock())
    assert task.status == ABORTED
    assert task.error.startswith("NotPicklable: ")


@pytest_twisted.ensureDeferred
async def test_a_pool_that_does_not_run() -> None:
    """The task is ABORTED with the pool's sentence."""
    from twisted.internet import reactor

    task = begun(ProcessPool(reactor, 0, 1), importing, "f1")
    assert task.status == ABORTED
    assert task.error.startswith("PoolStopped: ")


class Threads(PoolService):
    """A pool whose jobs are not copied."""

    by_value = False


class CannotCallBack(PoolService):
    """A pool whose jobs cannot reach what they are given by reference."""


class Broken(PoolService):
    """A pool with a bug."""

    can_call_back = True

    def submit(self, *_job: Any, **_name: Any) -> Deferred[Any]:
        raise KeyError("a bug of the pool's")


@pytest.mark.parametrize(
    ("pool_kind", "sentence"),
    [
        (Threads, "ValueError: process commands need a pool of processes, not threads:4"),
        (
            CannotCallBack,
            "ValueError: process commands need a pool whose jobs can call back, and those of "
            "threads:4 cannot: use a pool of processes",
        ),
        (Broken, 'KeyError: "a bug of the pool\'s"'),
    ],
)
def test_a_pool_that_will_not_do(pool_kind: type[PoolService], sentence: str) -> None:
    """The task is ABORTED, and nobody else is concerned."""
    task = begun(pool_kind(Reactor(), "threads:4"), importing, "f1")
    assert (task.status, task.error) == (ABORTED, sentence)


class ByHand(PoolService):
    """A pool whose jobs a test answers."""

    can_call_back = True

    def submit(self, *_job: Any, **_name: Any) -> Deferred[Any]:
        self.cancelled: list[Any] = []
        self.job: Deferred[Any] = Deferred(self.cancelled.append)
        return self.job


class ToProcess:
    """The connection to a process, which has gone or has not."""

    def __init__(self, gone: bool = False) -> None:
        self.gone = gone

    def when_disconnected(self) -> Deferred[Any]:
        return succeed(ConnectionDone()) if self.gone else Deferred()


def test_a_kill_that_crosses_the_process_s_death() -> None:
    """The connection is lost before the pool tells of it: the task does not wait for that again."""
    pool = ByHand(Reactor(), "hand")
    task = begun(pool, importing)
    task.job_began(connection := ToProcess())  # type: ignore[arg-type]
    connection.gone = True
    task.kill()
    assert len(pool.cancelled) == 1
    assert task.status == KILLED


@pytest_twisted.ensureDeferred
async def test_a_process_keeps_nothing_of_the_tasks_that_it_has_run() -> None:
    """It may run for weeks, and the tasks are forgotten."""
    async with running_pool() as pool:
        task = begun(pool, importing, "f1")
        await done(task)
        left = weakref.ref(task)
        pid, task = task.result, begun(pool, importing, "f2")
        await done(task)
        gc.collect()
        assert task.result == pid
        assert left() is None


def test_a_kill_that_crosses_the_command_s_end() -> None:
    """The command has ended: its outcome is waited for, or thrown away, and nothing hangs."""
    pool = ByHand(Reactor(), "hand")
    task = begun(pool, importing)
    task.job_began(ToProcess())  # type: ignore[arg-type]
    task.job_ended()
    task.kill()
    assert pool.cancelled == []
    pool.job.callback((FINISHED, 3, False))
    assert (task.status, task.result) == (FINISHED, 3)

    task = begun(pool, importing)
    task.job_began(ToProcess())  # type: ignore[arg-type]
    task.kill()
    assert task.status == TOBEKILLED
    task.job_ended()
    assert task.status == KILLED


def test_a_sink_outlives_its_task_in_peace() -> None:
    """Late reports of a process that is being ended are dropped."""
    task = begun(ByHand(Reactor(), "hand"), importing)
    sink = Sink(task)
    sink.line("heard")
    sink.close()
    sink.line("not heard")
    sink.progressed(1, 2, "")
    sink.failed("")
    sink.ended()
    with pytest.raises(RuntimeError, match="was killed"):
        sink.began()
    assert task.outlist == ["heard"]


@pytest_twisted.ensureDeferred
async def test_nothing_is_logged_of_all_this(pool: ProcessPool) -> None:
    """A process that is ended on purpose is no warning."""
    with logged() as log:
        task = begun(pool, working)
        await until_output(task, "working")
        task.kill()
        await done(task)
    assert log == []
