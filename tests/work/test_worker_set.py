"""
The processes of a pool: how many there are to be, and those that come and go.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.task import Clock

from tests.work import jobs
from tests.work.child_processes import outcomes_of, pids, running_pool, until
from txremote.work.worker_set import MOST_FAILED_STARTS, REST, Size, WorkerSet


class TestItsSize:
    @pytest.mark.parametrize(
        ("size", "count", "coming", "waiting", "lacking"),
        [
            (Size(2, 4), 0, 0, 0, 2),  # the least, though nothing waits
            (Size(2, 4), 0, 0, 9, 4),  # the most, however much waits
            (Size(2, 4), 2, 0, 1, 1),
            (Size(2, 4), 2, 2, 2, 0),  # those that come will do it
            (Size(2, 4), 3, 1, 5, 1),
            (Size(2, 4), 4, 0, 9, 0),
            (Size(2, 4), 5, 0, 9, 0),  # while one is being replaced
            (Size(0, 1), 0, 0, 0, 0),
            (Size(0, 1), 0, 0, 1, 1),
            (Size(3, 3), 1, 1, 0, 2),
        ],
    )
    def test_how_many_are_lacking(
        self, size: Size, count: int, coming: int, waiting: int, lacking: int
    ) -> None:
        """The least at any time; one for each job that waits, up to the most."""
        assert size.lacking(count, coming, waiting) == lacking

    def test_when_one_is_spent(self) -> None:
        """After as many jobs as recycle= says; it holds no more than are left of them."""
        size = Size(recycle=20)
        assert [size.spent(given) for given in (0, 19, 20)] == [False, False, True]
        assert [size.room(3, given, 8) for given in (3, 15, 18, 20)] == [5, 5, 2, 0]
        assert not Size().spent(10**9)
        assert Size().room(3, 10**9, 8) == 5

    @pytest.mark.parametrize(("least", "most"), [(-1, 1), (0, 0), (3, 2)])
    def test_what_makes_no_sense(self, least: int, most: int) -> None:
        """It is refused, with the numbers and the options."""
        with pytest.raises(ValueError, match=f"{least} to {most} .*min= is at most max="):
            Size(least, most)


class TestThoseThatComeAndGo:
    @pytest_twisted.ensureDeferred
    async def test_it_grows_and_shrinks(self) -> None:
        """Up to max under load, and back to min when there is nothing to do."""
        async with running_pool(1, 3, idle=0.1) as pool:
            assert pool.statistics().workers == 1
            running = []

            def load() -> bool:  # until they have come up, however long that takes
                running.append(pool.submit(jobs.nap, (0.02,)))
                return pool.statistics().busy == 3

            await until(load)
            await outcomes_of(running)
            assert pool.statistics().workers == 3
            await until(lambda: pool.statistics().workers == 1)
            assert await pool.submit(jobs.add, (1, 2)) == 3
            assert len(pids(pool)) == 1

    @pytest_twisted.ensureDeferred
    async def test_from_nothing_to_nothing(self) -> None:
        """With min=0 there is a process while there is work."""
        async with running_pool(0, 1, idle=0.05) as pool:
            assert not pids(pool)
            assert await pool.submit(jobs.add, (1, 2)) == 3
            await until(lambda: not pids(pool))
            assert await pool.submit(jobs.add, (1, 2)) == 3

    @pytest_twisted.ensureDeferred
    async def test_recycling(self, tmp_path: Path) -> None:
        """After that many jobs another process comes; no job is lost, none run twice."""
        path = str(tmp_path / "marks")
        async with running_pool(2, recycle=20) as pool:
            first = pids(pool)
            found = await outcomes_of([pool.submit(jobs.mark, (path, n)) for n in range(80)])
            assert found == list(range(80))
            assert sorted(jobs.marks(path)) == found
            assert not first & pids(pool)
            used = Counter(await outcomes_of([pool.submit(jobs.pid) for _ in range(30)]))
            assert max(used.values()) <= 20
            await until(lambda: pool.statistics().workers == 2 and not pool._workers.ending)
            assert pool.statistics().failed == 0


class FakeWorker:
    """As much of a worker as the set looks at."""

    def __init__(self) -> None:
        self.ready = self.retired = False
        self.held = self
        self.given = 0

    def retire(self) -> None:
        self.retired = True


class FakePool:
    """A pool with jobs that wait, whose workers can be spawned, or not."""

    def __init__(self, size: Size) -> None:
        self.clock = Clock()
        self.jobs = 0
        self.spawned: list[FakeWorker] = []
        self.problem: OSError | None = None
        self.attempts = 0
        self.told: list[Any] = []
        self.workers = WorkerSet(self.clock, size, self.spawn, self)  # type: ignore[arg-type]

    def spawn(self) -> FakeWorker:
        self.attempts += 1
        if self.problem is not None:
            raise self.problem
        self.spawned.append(FakeWorker())
        return self.spawned[-1]

    def come_up(self, number: int) -> Any:
        self.spawned[number].ready = True
        return self.workers.came_up(self.spawned[number])  # type: ignore[arg-type]

    def waiting(self) -> int:
        return self.jobs

    def worker_free(self, worker: Any) -> None:
        self.told.append(worker)

    def none_comes_up(self, why: str) -> None:
        self.told.append(why)


class TestDecisions:
    """With workers that are no processes, by the clock."""

    def test_the_idle_ones_go(self) -> None:
        """Down to the least, when each has had nothing to do for as long as idle= says."""
        pool = FakePool(Size(1, 3, idle=10))
        pool.jobs = 3
        pool.workers.open()
        one, two, three = pool.spawned
        for number in range(3):
            assert pool.come_up(number)
        pool.jobs = 0
        for worker in pool.spawned:
            pool.workers.mark_idle(worker)  # type: ignore[arg-type]
            pool.clock.advance(1)
        del pool.workers.idle_since[two]  # type: ignore[arg-type]
        pool.clock.advance(7)
        assert [worker.retired for worker in pool.spawned] == [True, False, False]
        pool.clock.advance(2)
        assert [worker.retired for worker in pool.spawned] == [True, False, True]
        pool.workers.mark_idle(two)  # type: ignore[arg-type]
        pool.clock.advance(1000)
        assert not two.retired
        assert pool.workers.ending == {one, three}  # type: ignore[comparison-overlap]
        assert pool.workers.remove(one)  # type: ignore[arg-type]
        assert not pool.workers.remove(two)  # type: ignore[arg-type]
        assert not pool.clock.getDelayedCalls()

    def test_a_successor_waits_for_its_turn(self) -> None:
        """It comes up while the one before is at its last jobs, and begins when that has gone."""
        pool = FakePool(Size(1, 1, recycle=5))
        pool.workers.open()
        assert pool.come_up(0)
        old = pool.spawned[0]
        old.given = 5
        pool.workers.grow()
        assert len(pool.spawned) == 2
        assert not pool.come_up(1)
        pool.workers.grow()
        assert not pool.told
        pool.workers.dismiss(old)  # type: ignore[arg-type]
        pool.workers.grow()
        assert pool.told == pool.spawned[1:]
        assert old.retired

    def test_a_successor_does_not_wait_for_all_that_go(self) -> None:
        """One for each place that is free: the last job of the other may take an hour."""
        pool = FakePool(Size(2, 3, idle=5, recycle=5))
        pool.jobs = 3
        pool.workers.open()
        for number in range(3):
            assert pool.come_up(number)
        first, long, third = pool.spawned
        first.given = long.given = 5
        pool.workers.grow()
        assert not pool.come_up(3)
        assert not pool.come_up(4)
        pool.jobs = 0
        pool.workers.dismiss(first)  # type: ignore[arg-type]
        pool.workers.grow()
        assert pool.told == [pool.spawned[4]]
        pool.workers.mark_idle(third)  # type: ignore[arg-type]
        pool.clock.advance(5)
        assert third.retired
        assert pool.told == [pool.spawned[4], pool.spawned[3]]

    def test_nothing_can_be_started(self) -> None:
        """After some attempts the pool is told, once, and it is tried again later."""
        pool = FakePool(Size(2, 2))
        pool.problem = OSError(24, "Too many open files")
        pool.workers.open()
        assert pool.attempts == MOST_FAILED_STARTS
        assert pool.told == ["cannot start: [Errno 24] Too many open files"]
        pool.workers.grow()
        assert pool.attempts == MOST_FAILED_STARTS
        pool.problem = None
        pool.clock.advance(REST)
        assert len(pool.spawned) == 2

    def test_it_is_closed_when_that_is_told(self) -> None:
        """A pool that is stopped because nothing can be started has no process afterwards."""
        pool = FakePool(Size(2, 2))
        pool.problem = OSError(24, "Too many open files")

        def close(_why: str) -> None:
            pool.problem = None
            pool.workers.close()

        pool.none_comes_up = close  # type: ignore[method-assign]
        pool.workers.open()
        assert not pool.spawned
        assert not pool.clock.getDelayedCalls()

    def test_now_and_then_one_fails(self) -> None:
        """Failures count only one after the other."""
        pool = FakePool(Size(1, 1))
        pool.workers.open()
        for _ in range(MOST_FAILED_STARTS - 1):
            pool.workers.start_failed("once")
        pool.come_up(0)
        for _ in range(MOST_FAILED_STARTS - 1):
            pool.workers.start_failed("again")
        assert not pool.told
        pool.workers.start_failed("too often")
        assert pool.told == ["too often"]
        pool.workers.close()
