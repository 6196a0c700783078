"""
One worker process, as its pool sees it: coming up, what goes to and fro, its end.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.work import jobs
from tests.work.child_processes import (
    QUICK,
    children,
    descriptors,
    outcome_of,
    outcomes_of,
    running_pool,
    until,
)
from tests.work.doubles import logged, outcome
from txremote import live
from txremote.errors import JobTimeout, WorkerDied
from txremote.work import childprocess, output
from txremote.work.processes import ProcessPool
from txremote.work.tickets import take_ticket
from txremote.work.worker import Job, PrefetchedJobs, Worker
from txremote.work.worker_protocol import WorkerLimits


class TestValues:
    @pytest_twisted.ensureDeferred
    async def test_a_hundred_megabytes(self) -> None:
        """There and back, and the reactor goes on turning meanwhile."""
        value = os.urandom(1 << 20) * 100
        turns: list[float] = []

        def turn() -> None:
            turns.append(time.monotonic())
            nonlocal call
            call = reactor.callLater(0.01, turn)  # type: ignore[attr-defined]

        async with running_pool() as pool:
            call = reactor.callLater(0, turn)  # type: ignore[attr-defined]
            back = await pool.submit(jobs.same, (value,))
            call.cancel()
        assert back == value
        assert len(turns) > 5

    @pytest.mark.parametrize("size", [0, 99, 100, 101, 1000, 12_345])
    @pytest_twisted.ensureDeferred
    async def test_a_value_in_parts(self, parts: ProcessPool, size: int) -> None:
        """A value that is too large for a frame of the wire is cut and put together again."""
        value = os.urandom(size)
        assert await parts.submit(jobs.same, (value,)) == value
        assert await parts.submit(jobs.length, (value,)) == size
        assert await parts.submit(os.urandom, (size,)) is not None

    @pytest_twisted.ensureDeferred
    async def test_many_values_in_parts(self, parts: ProcessPool) -> None:
        """They are not mixed up, and what is live comes with its own."""
        values = [os.urandom(size) for size in range(0, 2000, 50)]
        got = await outcomes_of([parts.submit(jobs.same, (value,)) for value in values])
        assert got == values
        half = live(lambda value: value[: len(value) // 2])
        got = await outcomes_of([parts.submit(jobs.call, (half, value)) for value in values])
        assert got == [value[: len(value) // 2] for value in values]

    @pytest_twisted.ensureDeferred
    async def test_parts_of_what_cannot_be_sent(self, parts: ProcessPool) -> None:
        """They spoil neither the next job nor the next result."""
        value = os.urandom(1000)
        for job in (
            parts.submit(jobs.same, ([value, live("\ud800")],)),
            parts.submit(jobs.call, (lambda: [value, live("\ud800")],)),
        ):
            assert isinstance(await outcome_of(job), ValueError)
            assert await parts.submit(jobs.same, (value,)) == value

    @pytest_twisted.ensureDeferred
    async def test_both_ways_at_once(self) -> None:
        """Neither side waits for the other to read."""
        async with running_pool() as pool:
            values = [os.urandom(1 << 21) for _ in range(8)]
            assert (
                await outcomes_of([pool.submit(jobs.same, (value,)) for value in values]) == values
            )


@pytest_twisted.async_yield_fixture(scope="module")
async def parts() -> Any:
    async with running_pool(limits=WorkerLimits(grace=0.3, part=100)) as pool:
        yield pool


class TestComingUp:
    @pytest.mark.parametrize(
        ("script", "how"),
        [
            ("exit 7", "ended with exit status 7"),
            ("echo 'no such thing' >&2; exit 1", "no such thing"),
            ("kill -9 $$", "was killed by signal 9 (SIGKILL)"),
            ("exec sleep 1000", "did not come up within 0.2 s"),
        ],
    )
    @pytest_twisted.ensureDeferred
    async def test_it_does_not_come_up(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, how: str
    ) -> None:
        """start() and the jobs fail with what became of it; nothing is tried for ever."""
        program = tmp_path / "python"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        found = await self._failing_pool(monkeypatch, str(program))
        assert "the processes of processes:min=2:max=2 do not come up" in found
        assert how in found

    @pytest_twisted.ensureDeferred
    async def test_there_is_nothing_to_start(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The same where no process can be made."""
        assert "/not/there" in await self._failing_pool(monkeypatch, "/not/there")

    async def _failing_pool(self, monkeypatch: pytest.MonkeyPatch, executable: str) -> str:
        monkeypatch.setattr(sys, "executable", executable)
        started: list[Any] = []
        spawn = reactor.spawnProcess  # type: ignore[attr-defined]

        def count(*args: Any, **options: Any) -> Any:
            started.append(args)
            return spawn(*args, **options)

        monkeypatch.setattr(reactor, "spawnProcess", count)
        limits = WorkerLimits(grace=0.1, start=0.2 if "tmp" in executable else 60)
        before = children(), descriptors()
        pool = ProcessPool(reactor, 2, limits=limits)
        with logged() as lines:
            starting = pool.start()
            waiting = pool.submit(jobs.add, (1, 2))
            found = await outcome_of(starting)
            assert isinstance(found, WorkerDied)
            assert any(str(found) in line for line in lines)
            if executable != "/not/there":  # there it waits until that is tried again
                found = await outcome_of(waiting)
                assert isinstance(found, WorkerDied)
                assert str(found).startswith("add: the processes of")
            assert len(started) <= 6
            await pool.stop()
            if not waiting.called:
                waiting.addErrback(lambda _failure: None)
        await until(lambda: (children(), descriptors()) == before)
        return str(found)

    @pytest.mark.parametrize("which", range(6))
    def test_no_descriptor_is_left_of_one_that_cannot_be_made(
        self, monkeypatch: pytest.MonkeyPatch, which: int
    ) -> None:
        """Whatever it is that fails: a pipe, the program, the fork."""
        before = descriptors()
        failing = OSError(24, "Too many open files")
        calls = iter(range(100))

        def sometimes(function: Any) -> Any:
            def call(*args: Any, **options: Any) -> Any:
                if next(calls) == which:
                    raise failing
                return function(*args, **options)

            return call

        monkeypatch.setattr(childprocess.os, "pipe", sometimes(os.pipe))
        monkeypatch.setattr(childprocess.os, "open", sometimes(os.open))
        monkeypatch.setattr(
            reactor, "spawnProcess", lambda *_args, **_options: sometimes(lambda: 1 / 0)()
        )
        with pytest.raises((OSError, ZeroDivisionError)):
            Worker(reactor, ProcessPool(reactor), QUICK)  # type: ignore[arg-type]
        assert descriptors() == before


class TestTheEnd:
    @pytest_twisted.ensureDeferred
    async def test_what_was_said_before_the_end(self) -> None:
        """The results of a process that is killed at once are not lost."""
        async with running_pool() as pool:
            child = await pool.submit(jobs.pid)
            for _ in range(4):
                done = [pool.submit(jobs.same, (os.urandom(3000),)) for _ in range(20)]
                done.append(pool.submit(os.kill, (child, signal.SIGKILL)))
                found = await outcomes_of(done)
                assert {type(value) for value in found[:-1]} == {bytes}
                assert isinstance(found[-1], WorkerDied)
                child = await pool.submit(jobs.pid)


@pytest_twisted.ensureDeferred
async def test_of_a_job_that_floods_the_log_the_rest_is_a_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The count comes with the job's end, or with the process's."""
    monkeypatch.setattr(output, "MOST_LOGGED", 5_000)
    monkeypatch.setattr(output, "LOGGED_IN", 3600.0)
    with logged() as lines:
        async with running_pool() as pool:
            await pool.submit(jobs.speak, ("a line\n" * 1_000,))
    said = [line for line in lines if line.endswith(": a line")]
    counts = [line.split("]: ")[1] for line in lines if "were left out" in line]
    assert len(said) == 48
    # the job's own end may cross the last of its output, which is told of at the process's
    assert 1 <= len(counts) <= 2
    left_out = sum(int(count.split()[0]) for count in counts)
    assert 1_000 - len(said) <= left_out <= 1_001 - len(said)


class Hold:
    """Held jobs without a worker, with a clock and a process that takes tickets."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.late: list[str] = []
        self.held = PrefetchedJobs(self, self.clock, lambda job: self.late.append(job.name))  # type: ignore[arg-type]

    def give(self, *numbers: int, timeout: float | None = None) -> list[Job]:
        made = []
        for number in numbers:
            job = Job(f"{number}", b"", [], timeout, lambda *_args: None)
            job.number = number
            made.append(job)
        self.held.add(made)
        self.held.allow(numbers)
        return made

    def load(self, number: int) -> None:
        self.held.loaded(number)

    def begin(self) -> int | None:
        return take_ticket(self.held.tickets.reading_end)


@pytest.fixture
def hold() -> Iterator[Hold]:
    hold = Hold()
    yield hold
    hold.held.close()
    hold.held.clear()
    assert not hold.clock.getDelayedCalls()


class TestWhichHaveBegun:
    def test_what_has_not_is_taken_back(self, hold: Hold) -> None:
        """In its order, and it counts as never given."""
        first, second, third = hold.give(1, 2, 3)
        assert hold.begin() == 1
        assert hold.held.take_back() == [second, third]
        assert hold.begin() is None
        assert list(hold.held.jobs.values()) == [first]
        assert hold.held.given == 1
        assert [job.worker for job in (first, second, third)] == [hold, None, None]

    def test_it_is_given_again(self, hold: Hold) -> None:
        """Then it may begin after all, behind what is there."""
        third = hold.give(1, 2, 3)[-1]
        assert hold.begin() == 1
        hold.held.take_back()
        hold.held.give_again([third])
        assert hold.held.given == 2
        assert third.worker is hold  # type: ignore[comparison-overlap]
        assert hold.begin() == 3
        assert list(hold.held.jobs) == [1, 3]

    def test_which_one_runs(self, hold: Hold) -> None:
        """The last that has begun; of those before the outcomes are on their way."""
        first, second, third = hold.give(1, 2, 3)
        assert (hold.begin(), hold.begin()) == (1, 2)
        assert hold.held.take_back() == [third]
        assert [hold.held.runs(job) for job in (first, second, third)] == [False, True, False]
        hold.held.remove(1)
        hold.held.remove(2)
        assert not hold.held.runs(second)

    def test_all_are_let_go(self, hold: Hold) -> None:
        """Nobody has them any more, and no clock is left."""
        made = hold.give(1, 2, timeout=5)
        assert hold.held.first() is made[0]
        assert hold.held.clear() == made
        assert [job.worker for job in made] == [None, None]
        assert hold.held.first() is None
        hold.clock.advance(10)
        assert not hold.late


class TestItsTime:
    def test_time_is_that_of_the_first(self, hold: Hold) -> None:
        """A job that waits behind it has its whole time when it is its turn."""
        hold.give(1, 2, timeout=5)
        hold.load(1)
        hold.clock.advance(4)
        hold.held.remove(1)
        hold.load(2)
        hold.clock.advance(4.9)
        assert not hold.late
        hold.clock.advance(0.2)
        assert hold.late == ["2"]

    def test_it_is_told_once(self, hold: Hold) -> None:
        """And of a job that has ended never."""
        hold.give(1, timeout=5)
        hold.load(1)
        hold.give(2)
        hold.clock.advance(4)
        hold.held.remove(1)
        hold.clock.advance(1000)
        assert not hold.late
        hold.held.remove(2)
        hold.give(3, timeout=-1)
        hold.load(3)
        hold.clock.advance(0)
        hold.clock.advance(1000)
        assert hold.late == ["3"]

    def test_it_ends_when_the_job_has_returned(self, hold: Hold) -> None:
        """What its process has to import for the outcome has the other limit."""
        hold.give(1, 2, timeout=5)
        hold.load(1)
        hold.held.returned(2)  # it is not its turn
        hold.clock.advance(4)
        hold.held.returned(1)
        hold.clock.advance(59)
        assert not hold.late
        hold.clock.advance(2)
        assert hold.late == ["1"]
        hold.held.returned(1)

    def test_it_begins_when_the_job_is_loaded(self, hold: Hold) -> None:
        """Until then there is another limit, for what it has to import."""
        slow, stuck = hold.give(1, 2, timeout=5)
        hold.clock.advance(59)
        hold.load(2)  # it is not its turn
        hold.load(1)
        hold.clock.advance(4)
        assert not hold.late
        hold.clock.advance(2)
        assert hold.late == ["1"]
        hold.load(1)  # when it is over already
        hold.held.remove(1)
        hold.clock.advance(59)
        assert hold.late == ["1"]
        hold.clock.advance(2)
        assert hold.late == ["1", "2"]
        assert (slow.loaded, stuck.loaded) == (True, False)

    @pytest_twisted.ensureDeferred
    async def test_what_a_job_imports_is_not_counted(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """But has a limit of its own, which its error names."""
        (tmp_path / "slow_module.py").write_text(
            "import os, time\n"
            "time.sleep(float(os.environ.get('SLOW', 0)))\n"
            "def work():\n    return 1\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        module = import_module("slow_module")
        async with running_pool(import_timeout=0.3, env={"SLOW": "1000"}) as pool:
            found = await outcome_of(pool.submit(module.work, timeout=2000))
            assert isinstance(found, JobTimeout)
            assert str(found) == (
                "work was ended, since what it imports was not loaded within 0.3 s (option "
                "import_timeout=)"
            )
            assert pool.statistics().killed == 1
        async with running_pool(env={"SLOW": "1.5"}) as pool:
            assert await outcome_of(pool.submit(module.work, timeout=1)) == 1

    @pytest_twisted.ensureDeferred
    async def test_time_is_counted_from_the_start(self) -> None:
        """A job that waits behind others has its whole time."""
        async with running_pool() as pool:
            waiting = [pool.submit(jobs.nap, (0.1, n), timeout=0.5) for n in range(8)]
            assert await outcomes_of(waiting) == list(range(8))

    @pytest_twisted.ensureDeferred
    async def test_out_of_time(self, tmp_path: Path) -> None:
        """Only that job fails; the others are run by the next process, and once."""
        async with running_pool() as pool:
            path = str(tmp_path / "marks")
            before = [pool.submit(jobs.mark, (path, n)) for n in range(3)]
            late = pool.submit(jobs.nap, (1000,), timeout=0.2)
            after = [pool.submit(jobs.mark, (path, n), timeout=10) for n in range(3, 6)]
            found = await outcome_of(late)
            assert isinstance(found, JobTimeout)
            assert isinstance(found, TimeoutError)
            assert str(found) == "nap took longer than 0.2 s and was ended"
            assert await outcomes_of([*before, *after]) == list(range(6))
            assert sorted(jobs.marks(path)) == list(range(6))
            statistics = pool.statistics()
            assert (statistics.done, statistics.failed, statistics.killed) == (6, 0, 1)

    @pytest.mark.parametrize("seconds", [0, -1])
    @pytest_twisted.ensureDeferred
    async def test_no_time_at_all(self, seconds: float) -> None:
        """A job that may take none is ended as soon as it has begun."""
        async with running_pool() as pool:
            found = await outcome_of(pool.submit(jobs.nap, (1000,), timeout=seconds))
            assert isinstance(found, JobTimeout)
            assert await pool.submit(jobs.add, (1, 2), timeout=10) == 3


def test_its_caller_is_told_once() -> None:
    """A failure after its end does not matter any more."""
    cancelled: list[Any] = []

    def cancel(job: Job, deferred: Deferred[Any]) -> None:
        cancelled.append((job, deferred))

    job = Job("job", b"", [], None, cancel)
    found = outcome(job.deferred)
    job.fail(WorkerDied("one"))
    job.fail(WorkerDied("two"))
    job.deferred.cancel()
    assert [str(error) for error in found] == ["one"]
    assert not cancelled
    other = Job("other", b"", [], None, cancel)
    found = outcome(other.deferred)
    other.deferred.cancel()
    assert cancelled == [(other, other.deferred)]
    assert len(found) == 1
