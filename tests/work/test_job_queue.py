"""
The jobs of a pool of processes that wait: how they are shared out, and taken back.
"""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import CancelledError

from tests.work import jobs
from tests.work.child_processes import outcome_of, outcomes_of, running_pool
from tests.work.doubles import outcome
from tests.work.worker_doubles import pool_of_fakes
from txremote.work.job_queue import AHEAD
from txremote.work.processes import ProcessPool


@pytest_twisted.ensureDeferred
async def test_a_short_job_does_not_wait_behind_a_long_one() -> None:
    """While any process is idle, none that can run waits."""
    async with running_pool(2) as pool:
        long = pool.submit(jobs.nap, (1000,))
        for _ in range(5):
            short = [pool.submit(jobs.pid, (n,)) for n in range(3 * AHEAD)]
            (used,) = set(await outcomes_of(short))
        more = pool.submit(jobs.nap, (0.3,))
        short = [pool.submit(jobs.pid, (n,)) for n in range(AHEAD)]
        assert set(await outcomes_of(short)) == {used}
        await more
        assert not long.called
        long.cancel()
        assert isinstance(await outcome_of(long), CancelledError)


class TestSharing:
    """With processes that are only pretended."""

    def test_jobs_are_shared_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Jobs that wait are shared by the workers that are ready, not taken by the first."""
        pool, kind = pool_of_fakes(monkeypatch, 2)
        for number in range(10):
            pool.submit(jobs.same, (number,))
        for worker in kind.made:
            worker.come_up()
        assert sorted(len(worker.held.jobs) for worker in kind.made) == [5, 5]

    def test_what_is_behind_a_long_job_is_not_sent_to_and_fro(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One that is at a long job is not given more until it has ended it."""
        pool, kind = pool_of_fakes(monkeypatch, 2)
        for worker in kind.made:
            worker.come_up()
        one, two = kind.made
        ends = [outcome(pool.submit(jobs.same, (0,)))]
        first, other = (one, two) if one.held.jobs else (two, one)
        first.begin()
        for _ in range(100):
            ends += [outcome(pool.submit(jobs.same, (number,))) for number in range(10)]
            for _ in range(10):
                other.begin()
                other.finish()
                other.drain()
        assert len(first.held.jobs) == 1
        assert [bool(end) for end in ends] == [False] + [True] * 1000
        assert first.sendings < AHEAD

    def test_the_one_with_the_least_is_given_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """One job after the other goes round."""
        pool, kind = pool_of_fakes(monkeypatch, 3)
        for worker in kind.made:
            worker.come_up()
        for number in range(9):
            pool.submit(jobs.same, (number,))
        assert [len(worker.held.jobs) for worker in kind.made] == [3, 3, 3]

    def test_an_idle_one_takes_half(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of what another has not begun, and those that came last: the others keep their turn."""
        pool, kind = pool_of_fakes(monkeypatch, 2)
        one, two = kind.made
        one.come_up()
        submit(pool, 9)
        one.begin()
        two.come_up()
        assert names(one) == ["0", "1", "2", "3", "4"]
        assert names(two) == ["5", "6", "7", "8"]
        assert pool.statistics().queued == 7

    def test_what_is_taken_back_comes_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """When a process dies what it had not begun goes before what came later."""
        pool, kind = pool_of_fakes(monkeypatch, 1)
        kind.made[0].come_up()
        submit(pool, AHEAD + 3)
        kind.made[0].die()
        kind.made[1].come_up()
        assert names(kind.made[1]) == [f"{number}" for number in range(AHEAD)]

    def test_one_that_is_cancelled_in_the_queue(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is in nobody's way."""
        pool, kind = pool_of_fakes(monkeypatch, 1)
        waiting = submit(pool, 3)
        waiting[1].cancel()
        kind.made[0].come_up()
        assert names(kind.made[0]) == ["0", "2"]

    def test_numbers_grow(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Those of a job that was taken back as well: each attempt has its own."""
        pool, kind = pool_of_fakes(monkeypatch, 1)
        kind.made[0].come_up()
        submit(pool, 3)
        first = list(kind.made[0].held.jobs)
        kind.made[0].die()
        kind.made[1].come_up()
        again = list(kind.made[1].held.jobs)
        assert first == [1, 2, 3]
        assert again == [4, 5, 6]


def submit(pool: ProcessPool, count: int) -> list[Any]:
    """Submit jobs that are called 0, 1, 2."""
    made = [pool.submit(jobs.same, (number,), name=f"{number}") for number in range(count)]
    for job in made:
        job.addErrback(lambda _failure: None)
    return made


def names(worker: Any) -> list[str]:
    """Return what the jobs are called that a worker holds."""
    return [job.name for job in worker.held.jobs.values()]
