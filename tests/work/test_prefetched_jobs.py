"""
The jobs that a worker holds: which have begun, and whose time it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.work import jobs
from tests.work.child_processes import all_told, crew, told
from tests.work.doubles import outcome
from txremote.errors import JobTimeout, WorkerDied
from txremote.work.prefetched_jobs import Job, PrefetchedJobs
from txremote.work.tickets import take_ticket


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
        """What waits behind it has its whole time when it is its turn."""
        hold.give(1, 2, timeout=5)
        hold.clock.advance(4)
        hold.held.remove(1)
        hold.clock.advance(4.9)
        assert not hold.late
        hold.clock.advance(0.2)
        assert hold.late == ["2"]

    def test_it_is_told_once(self, hold: Hold) -> None:
        """And of a job that has ended never."""
        hold.give(1, timeout=5)
        hold.give(2)
        hold.clock.advance(4)
        hold.held.remove(1)
        hold.clock.advance(1000)
        assert not hold.late
        hold.held.remove(2)
        hold.give(3, timeout=-1)
        hold.clock.advance(0)
        hold.clock.advance(1000)
        assert hold.late == ["3"]

    @pytest_twisted.ensureDeferred
    async def test_time_is_counted_from_the_start(self) -> None:
        """A job that waits behind others has its whole time."""
        async with crew() as pool:
            waiting = [pool.submit(jobs.nap, (0.1, n), timeout=0.5) for n in range(8)]
            assert await all_told(waiting) == list(range(8))

    @pytest_twisted.ensureDeferred
    async def test_out_of_time(self, tmp_path: Path) -> None:
        """Only that job fails; the others are run by the next process, and once."""
        async with crew() as pool:
            path = str(tmp_path / "marks")
            before = [pool.submit(jobs.mark, (path, n)) for n in range(3)]
            late = pool.submit(jobs.nap, (1000,), timeout=0.2)
            after = [pool.submit(jobs.mark, (path, n), timeout=10) for n in range(3, 6)]
            found = await told(late)
            assert isinstance(found, JobTimeout)
            assert isinstance(found, TimeoutError)
            assert str(found) == "nap took longer than 0.2 s and was ended"
            assert await all_told([*before, *after]) == list(range(6))
            assert sorted(jobs.marks(path)) == list(range(6))
            statistics = pool.statistics()
            assert (statistics.done, statistics.failed, statistics.killed) == (6, 0, 1)

    @pytest.mark.parametrize("seconds", [0, -1])
    @pytest_twisted.ensureDeferred
    async def test_no_time_at_all(self, seconds: float) -> None:
        """A job that may take none is ended as soon as it has begun."""
        async with crew() as pool:
            found = await told(pool.submit(jobs.nap, (1000,), timeout=seconds))
            assert isinstance(found, JobTimeout)
            assert await pool.submit(jobs.add, (1, 2), timeout=10) == 3


def test_its_caller_is_told_once() -> None:
    """What fails when it has ended already does not matter any more."""
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
