"""
A worker process from within: how it ends, and that it does, whatever it is doing.
"""

from __future__ import annotations

import math
import operator
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import pytest_twisted
from twisted.internet.defer import CancelledError

from tests.processes import Program
from tests.work import jobs
from tests.work.child_processes import (
    PYTHON,
    lives,
    outcome_of,
    outcomes_of,
    pid_in,
    running_pool,
    until,
)
from txremote.errors import WorkerDied
from txremote.refs.reference import RemoteReference
from txremote.work.live import live
from txremote.work.plainphase import ANSWERS, PART
from txremote.work.processes import ProcessPool
from txremote.work.worker_protocol import CONFIG, WorkerLimits

#: Seconds in which nothing may be left of a pool whose parent has died.
SOON = 1.0

PARENT = """
import sys
from twisted.internet import reactor
from txremote.work.processes import ProcessPool
from tests.work import jobs

folder, *ways = sys.argv[1:]
pool = ProcessPool(reactor, len(ways) + 1)  # one has nothing to do

def begin(_result):
    for way in ways:
        pool.submit(jobs.hang, (f"{folder}/{way}", way)).addErrback(lambda failure: None)
    print("pids", *(worker.pid for worker in pool._workers.active), flush=True)

pool.start().addCallback(begin)
reactor.run()
print("the end")
"""


def gone(numbers: list[int], seconds: float) -> bool:
    """Tell whether all of some processes are gone in time."""
    deadline = time.monotonic() + seconds
    while any(lives(number) for number in numbers):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def begun(path: Path) -> int:
    """Wait until a job has written a number to a file."""
    deadline = time.monotonic() + 20
    while (number := pid_in(path)) is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return number


@pytest.fixture
def leftovers() -> Iterator[list[int]]:
    """Numbers of processes that are ended after the test, should they be left."""
    numbers: list[int] = []
    yield numbers
    for number in numbers:
        if lives(number):
            psutil.Process(number).kill()


class TestTheParentDies:
    def test_no_child_is_left(self, tmp_path: Path, leftovers: list[int]) -> None:
        """Within a second of a kill -9, whatever the children are doing, C code included."""
        ways = ["sleep", "C code", "deaf", "stubborn"]
        with Program(PYTHON, "-c", PARENT, tmp_path, *ways) as parent:
            leftovers += map(int, parent.wait_for(r"pids( \d+)+\n")[0].split()[1:])
            assert len(leftovers) == 5
            assert {begun(tmp_path / way) for way in ways} < set(leftovers)
            assert all(lives(pid) for pid in leftovers)
            parent.signal(signal.SIGKILL)
            parent.finish()
            assert gone(leftovers, SOON)

    def test_a_reactor_that_ends(self, tmp_path: Path, leftovers: list[int]) -> None:
        """Without stop() no child is left either, and nothing is said about it."""
        with Program(PYTHON, "-W", "error", "-c", PARENT, tmp_path, "sleep") as parent:
            leftovers += map(int, parent.wait_for(r"pids( \d+)+\n")[0].split()[1:])
            begun(tmp_path / "sleep")
            parent.signal(signal.SIGTERM)
            parent.wait_for("the end")
            assert gone(leftovers, 0)
            parent.finish()
            assert parent.output.splitlines()[1:] == ["the end"]


class TestEndsOfItsOwn:
    @pytest_twisted.ensureDeferred
    async def test_a_job_that_ends_its_process(self) -> None:
        """It fails with what became of the process, and the next job finds another."""
        async with running_pool() as pool:
            for job, args, how in [
                (jobs.leave_at_once, (3,), "ended with exit status 3"),
                (jobs.leave_at_once, (0,), "ended with exit status 0"),
                (jobs.crash, (), "was killed by signal 11 (SIGSEGV)"),
            ]:
                child = await pool.submit(jobs.pid)
                found = await outcome_of(pool.submit(job, args))
                assert isinstance(found, WorkerDied)
                assert str(found) == (
                    f"{job.__name__}: process {child} {how} while it ran the job, "
                    "which is not run again"
                )
                assert await pool.submit(jobs.pid) != child
            assert pool.statistics().failed == 3

    @pytest_twisted.ensureDeferred
    async def test_a_job_that_closes_everything(self) -> None:
        """Its process cannot be reached any more: another takes the next job."""
        async with running_pool() as pool:
            assert isinstance(await outcome_of(pool.submit(jobs.close_everything)), WorkerDied)
            assert await outcome_of(pool.submit(jobs.add, (1, 2))) == 3

    @pytest_twisted.ensureDeferred
    @pytest.mark.parametrize("how", ["a Deferred", "a coroutine"])
    async def test_a_job_that_only_promises(self, how: str) -> None:
        """Nobody would ever keep it: it is told at once, and what to do instead."""
        async with running_pool() as pool:
            found = await outcome_of(pool.submit(jobs.promise, (how,)))
            assert isinstance(found, TypeError)
            assert str(found).startswith(
                f"a job in a process gave {how}: it has to give its result"
            )

    @pytest_twisted.ensureDeferred
    async def test_a_job_that_forks(self) -> None:
        """One answer comes, of the process that was given the job; the other ends."""
        async with running_pool() as pool:
            child = await pool.submit(jobs.pid)
            forked = await outcome_of(pool.submit(jobs.come_back_twice))
            await until(lambda: not lives(forked))
            assert await outcomes_of([pool.submit(jobs.pid) for _ in range(50)]) == [child] * 50

    @pytest_twisted.ensureDeferred
    async def test_an_outsider_ends_an_idle_child(self) -> None:
        """No job is hurt, and another process comes."""
        async with running_pool() as pool:
            for number in (signal.SIGTERM, signal.SIGKILL):
                child = await pool.submit(jobs.pid)
                os.kill(child, number)
                await until(lambda: not lives(child))  # noqa: B023
                other = await outcome_of(pool.submit(jobs.pid))
                assert other not in (child, None)
            assert pool.statistics().failed == 0


class TestWhatAJobHasStarted:
    """A program that a job started ends with the child, not before."""

    async def _program(self, pool: ProcessPool, path: Path, leftovers: list[int]) -> int:
        job = pool.submit(jobs.start_program, (path,))
        job.addErrback(lambda _failure: None)
        program = int(await until(lambda: pid_in(path)))
        leftovers.append(program)
        assert lives(program)
        self.job = job
        return program

    @pytest_twisted.ensureDeferred
    async def test_cancelled(self, tmp_path: Path, leftovers: list[int]) -> None:
        """The job is cancelled."""
        async with running_pool() as pool:
            program = await self._program(pool, tmp_path / "pid", leftovers)
            self.job.cancel()
            await until(lambda: not lives(program))

    @pytest_twisted.ensureDeferred
    async def test_killed(self, tmp_path: Path, leftovers: list[int]) -> None:
        """The child is killed."""
        async with running_pool() as pool:
            (child,) = {worker.pid for worker in pool._workers.active}
            program = await self._program(pool, tmp_path / "pid", leftovers)
            os.kill(child, signal.SIGKILL)
            await until(lambda: not lives(program))

    @pytest_twisted.ensureDeferred
    async def test_stopped(self, tmp_path: Path, leftovers: list[int]) -> None:
        """The pool is stopped, while the job runs or when it is long over."""
        async with running_pool() as pool:
            program = await pool.submit(jobs.start_program, (tmp_path / "first", False))
            leftovers.append(program)
            assert await pool.submit(jobs.add, (1, 2)) == 3
            assert lives(program)
            other = await self._program(pool, tmp_path / "second", leftovers)
        assert not lives(program)
        assert not lives(other)


def test_the_two_ends_hold_nothing_back() -> None:
    """Between two halves of one program no limit of the wire is met."""
    assert CONFIG.max_frame == 0xFFFFFFFF
    assert CONFIG.sync_request_timeout is None
    assert min(CONFIG.max_calls, CONFIG.max_items, CONFIG.max_imports) >= 1 << 31
    assert min(CONFIG.max_unanswered, CONFIG.max_waiting, CONFIG.max_inflated) >= 1 << 31


class TestItBeginsWithoutTwisted:
    """Whose import takes most of a start: it comes with the first thing that needs it."""

    @pytest_twisted.ensureDeferred
    async def test_plain_jobs_import_nothing_of_it(self) -> None:
        """Jobs with and without a time-out, and large ones, by the pipe and beside it."""
        async with running_pool() as pool:
            assert await pool.submit(math.factorial, (5,), timeout=60) == 120
            assert await pool.submit(operator.mul, (b"x", 1 << 21)) == b"x" * (1 << 21)
            assert await pool.submit(len, (bytes(1 << 21),)) == 1 << 21
            dear = ("twisted", "zope", "asyncio", "OpenSSL", "ssl", "numpy", "txremote.errors")
            there = f"[name for name in {dear} if name in __import__('sys').modules]"
            held = await pool.submit(eval, (there,))
            assert held == []

    @pytest_twisted.ensureDeferred
    async def test_references_and_plain_jobs_in_any_order(self) -> None:
        """What was sent before the first reference has its outcome, and what comes after it."""
        async with running_pool() as pool:
            heard: list[int] = []
            mixed = [
                pool.submit(map_one, (live(heard.append), n))
                if n % 3 == 2
                else pool.submit(abs, (n,))
                for n in range(12)
            ]
            expected = [None if n % 3 == 2 else n for n in range(12)]
            assert await outcomes_of(mixed) == expected
            assert heard == [2, 5, 8, 11]

    @pytest_twisted.ensureDeferred
    @pytest.mark.parametrize("part", [100, PART])
    async def test_a_plain_job_gives_a_reference(self, part: int) -> None:
        """The job had come as a plain message, and so have those that wait behind it."""
        async with running_pool(limits=WorkerLimits(part=part)) as pool:
            given, *others = [
                pool.submit(living, (["x"] * 300,)),
                *(pool.submit(abs, (n,)) for n in (1, 2)),
            ]
            reference = await given
            assert await reference.count("x") == 300
            assert await outcomes_of(others) == [1, 2]

    @pytest_twisted.ensureDeferred
    async def test_an_outcome_too_long_for_a_message(self) -> None:
        """It comes over the wire, in parts; so does the error of a job, and the next job."""
        async with running_pool(limits=WorkerLimits(part=100)) as pool:
            assert await pool.submit(operator.mul, (b"x", 200_000)) == b"x" * 200_000
        async with running_pool(limits=WorkerLimits(part=100)) as pool:
            found = await outcome_of(pool.submit(fail_with, ("y" * 200_000,)))
            assert isinstance(found, ValueError)
            assert len(str(found)) == 200_000
            assert await pool.submit(len, (b"z" * 200_000,)) == 200_000

    @pytest_twisted.ensureDeferred
    async def test_what_cannot_be_sent_holds_nobody_up(self) -> None:
        """A job waits for its process to become a peer, and its reference cannot go: it fails."""
        async with running_pool() as pool:
            lost = RemoteReference.__new__(RemoteReference)
            found = await outcome_of(pool.submit(map_one, (live(lost), 1)))
            assert isinstance(found, Exception)
            assert await pool.submit(abs, (-3,)) == 3

    @pytest_twisted.ensureDeferred
    async def test_something_else_is_written_into_its_pipe(self) -> None:
        """By a job, into what it has not opened: the process is ended, which says so."""
        async with running_pool() as pool:
            found = await outcome_of(pool.submit(os.write, (ANSWERS, b"\xff" * 64)))
            assert isinstance(found, WorkerDied)
            assert "something has written into its pipe" in str(found)
            assert await pool.submit(abs, (-3,)) == 3

    @pytest_twisted.ensureDeferred
    async def test_a_kill_and_a_cancellation_amid_the_change(self, tmp_path: Path) -> None:
        """A job that waits for the process to be a peer ends once, whatever becomes of that."""
        async with running_pool() as pool:
            for end in ("kill", "cancel"):
                child = await pool.submit(jobs.pid)
                busy = pool.submit(jobs.hang, (str(tmp_path / end), "sleep"))
                await until(lambda: pid_in(tmp_path / end))  # noqa: B023
                waits = pool.submit(map_one, (live(abs), -4))
                if end == "kill":
                    os.kill(child, signal.SIGKILL)
                else:
                    busy.cancel()
                assert isinstance(await outcome_of(busy), (WorkerDied, CancelledError))
                assert await outcome_of(waits) == 4


def living(value: list[str]) -> object:
    """Give a reference to a value."""
    return live(value)


def map_one(function: Callable[[int], object], value: int) -> object:
    """Call a function."""
    return function(value)


def fail_with(text: str) -> None:
    """Raise an error."""
    raise ValueError(text)
