"""
The jobs that one worker holds: which of them have begun, and their time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.work.doubles import outcome
from txremote.errors import WorkerDied
from txremote.work.prefetched import Job, PrefetchedJobs
from txremote.work.tickets import take_ticket


class Hold:
    """Held jobs without a worker, with a clock and a process that takes tickets."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.late: list[str] = []
        self.cancelled: list[Job] = []
        self.held = PrefetchedJobs(
            self.clock, lambda job: self.late.append(job.name), self.cancelled.append
        )

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
        assert [job.held for job in (first, second, third)] == [hold.held, None, None]

    def test_it_is_given_again(self, hold: Hold) -> None:
        """Then it may begin after all, behind what is there."""
        third = hold.give(1, 2, 3)[-1]
        assert hold.begin() == 1
        hold.held.take_back()
        hold.held.give_again([third])
        assert hold.held.given == 2
        assert third.held is hold.held
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
        assert [job.held for job in made] == [None, None]
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
