"""
The function that sets up each process of a pool before its first job.
"""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from tests.work import jobs
from tests.work.child_processes import (
    QUICK,
    children,
    lives,
    outcome_of,
    outcomes_of,
    pid_in,
    running_pool,
    until,
)
from tests.work.doubles import logged
from txremote.errors import NotPicklable, WorkerDied
from txremote.refs.clock import steady
from txremote.work.initializer import initialize
from txremote.work.pickling import Terminated
from txremote.work.processes import ProcessPool
from txremote.work.worker_protocol import WorkerLimits

JOBS = jobs.__name__


class TestAProcessIsSetUp:
    @pytest_twisted.ensureDeferred
    async def test_before_its_first_job(self, tmp_path: Path) -> None:
        """Once, in each: also those that take the place of one that was killed, or recycled."""
        path = tmp_path / "marks"
        pool = ProcessPool(
            reactor,
            2,
            recycle=40,
            limits=QUICK,
            initializer=f"{JOBS}.set_up",
            env={"TXREMOTE_MARKS": str(path)},
        )
        pool.start().addErrback(lambda _failure: None)
        try:
            cold = [pool.submit(jobs.set_up_here, (number,)) for number in range(100)]
            found = await outcomes_of(cold)
            assert [set_up for _pid, set_up in found] == [[pid] for pid, _set_up in found]
            victim = (await pool.submit(jobs.set_up_here))[0]
            os.kill(victim, signal.SIGKILL)
            await until(lambda: not lives(victim))
            pid, set_up = await outcome_of(pool.submit(jobs.set_up_here))
            assert [pid] == set_up != [victim]
            ran = {pid for pid, _set_up in found} | {victim, pid}
            marks = jobs.marks(str(path))
            assert ran <= set(marks)
            assert len(marks) == len(set(marks))
        finally:
            await pool.stop()

    @pytest_twisted.ensureDeferred
    async def test_by_any_callable(self) -> None:
        """One that cannot be imported goes by value, as the function of a job does."""
        value = "set"

        def setting() -> None:
            os.environ["TXREMOTE_VALUE"] = value

        async with running_pool(initializer=setting) as pool:
            assert await pool.submit(os.getenv, ("TXREMOTE_VALUE",)) == "set"

    @pytest_twisted.ensureDeferred
    async def test_whose_first_process_is_killed_meanwhile(self, tmp_path: Path) -> None:
        """No job is hurt: another process takes its place, and is set up."""
        path = tmp_path / "pid"
        options = {"initializer": jobs.hang_when_first, "env": {"TXREMOTE_MARKS": str(path)}}
        pool = ProcessPool(reactor, limits=QUICK, **options)  # type: ignore[arg-type]
        with logged() as lines:
            starting = pool.start()
            waiting = pool.submit(jobs.set_up_here)
            victim = await until(lambda: pid_in(path))
            assert not starting.called
            os.kill(victim, signal.SIGKILL)
            await outcome_of(starting)
            pid, set_up = await outcome_of(waiting)
            await pool.stop()
        assert [pid] == set_up != [victim]
        said = "was killed by signal 9 (SIGKILL) while its initializer hang_when_first ran"
        assert [line for line in lines if line.endswith(said)]


class TestAProcessIsNotSetUp:
    @pytest_twisted.ensureDeferred
    async def test_its_traceback_is_told(self) -> None:
        """In the log, by start() and by the jobs that wait, which never run; and it rests."""
        before = children()
        pool = ProcessPool(reactor, 2, limits=QUICK, initializer=jobs.fail_to_set_up)
        with logged() as lines:
            starting = pool.start()
            waiting = pool.submit(jobs.same, (1,))
            problem = await outcome_of(starting)
            assert isinstance(problem, WorkerDied)
            text = str(problem)
            assert "was ended: its initializer fail_to_set_up failed: LookupError" in text
            assert "no settings" in text
            assert "about to fail" in text
            assert "in fail_to_set_up" in text  # the traceback
            assert text in str(await outcome_of(waiting))
            assert text in "\n".join(lines)
            assert any("initializer fail_to_set_up [" in line for line in lines)
            await pool.stop()
        await until(lambda: children() <= before)

    @pytest_twisted.ensureDeferred
    async def test_it_takes_too_long(self, tmp_path: Path) -> None:
        """The limit of coming up counts it, and the error says what did not end."""
        path = tmp_path / "pid"
        limits = WorkerLimits(grace=0.3, start=4321.0)
        options = {"initializer": jobs.hang_when_first, "env": {"TXREMOTE_MARKS": str(path)}}
        pool = ProcessPool(reactor, limits=limits, **options)  # type: ignore[arg-type]
        with logged() as lines:
            starting = pool.start()
            slow = await until(lambda: pid_in(path))
            clock: Any = steady(reactor)  # type: ignore[arg-type]
            late = clock.seconds() + 4000
            (limit,) = [call for call in clock.getDelayedCalls() if call.getTime() > late]
            limit.reset(0)
            assert await outcome_of(starting) is None  # the next one does it
            assert not lives(slow)
            await pool.stop()
        said = "did not come up within 4321 s while its initializer hang_when_first ran"
        assert [line for line in lines if line.endswith(said)]

    def test_it_cannot_be_sent(self) -> None:
        """The pool cannot be made."""
        lock = threading.Lock()

        def take() -> None:
            lock.acquire()

        with pytest.raises(NotPicklable, match=r"the initializer .*take cannot be sent to a pro"):
            ProcessPool(reactor, initializer=take)

    @pytest.mark.parametrize(
        ("given", "error", "said"),
        [
            ("django", ValueError, "'django' is no initializer: it is a dotted name"),
            ("", ValueError, "is no initializer"),
            ("a.b c", ValueError, "'a.b c' is no initializer"),
            (3, TypeError, "initializer= takes a callable or its dotted name, not 3"),
        ],
    )
    def test_it_is_none(self, given: Any, error: type[Exception], said: str) -> None:
        """The pool cannot be made."""
        with pytest.raises(error, match=said):
            ProcessPool(reactor, initializer=given)

    @pytest.mark.parametrize(
        ("given", "error", "said"),
        [
            ("no_such_module.set_up", ImportError, "no module 'no_such_module' is on the path"),
            (f"{JOBS}.no_such_name", ImportError, f"'{JOBS}' has no 'no_such_name'"),
            (f"{JOBS}.SET_UP", TypeError, f"{JOBS}.SET_UP is no function but a list"),
            (f"{JOBS}.set_up_later", TypeError, "it gave a coroutine, which nobody waits for"),
            (Deferred, TypeError, "it gave a Deferred, which nobody waits for"),
            (lambda: jobs.leave(3), RuntimeError, r"it raised SystemExit\(3\)"),
            (jobs.interrupt, RuntimeError, "it raised KeyboardInterrupt"),
            (jobs.recurse, RecursionError, "maximum recursion depth"),
            (lambda: jobs.throw(Terminated()), Terminated, "^$"),
        ],
    )
    def test_it_fails(self, given: Any, error: type[Exception], said: str) -> None:
        """In a sentence that says how."""
        with pytest.raises(error, match=said):
            initialize(given)
