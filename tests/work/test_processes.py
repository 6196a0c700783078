"""
The pool of processes: each job is begun once or never, and ends exactly once.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_twisted
from hypothesis import given, settings, strategies as st
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from tests.examples import examples
from tests.work import jobs
from tests.work.child_processes import (
    QUICK,
    children,
    descriptors,
    lives,
    nothing_beyond,
    outcome_of,
    outcomes_of,
    pid_in,
    pids,
    running_pool,
    until,
)
from tests.work.doubles import outcome
from tests.work.worker_doubles import FakeReactor, pool_of_fakes
from txremote.errors import JobTimeout, PoolFull, PoolStopped, WorkerDied
from txremote.interfaces import IPool
from txremote.work.job_queue import AHEAD
from txremote.work.processes import ProcessPool, parse
from txremote.work.worker_protocol import WorkerLimits
from txremote.work.worker_set import Size


class TestItsLife:
    def test_it_is_a_pool(self) -> None:
        """Whatever takes an IPool takes it."""
        pool = ProcessPool(reactor, 2)
        verifyObject(IPool, pool)
        assert (pool.kind, pool.by_value) == ("processes", True)
        assert repr(pool) == "<ProcessPool processes:min=2:max=2 stopped>"

    @pytest_twisted.ensureDeferred
    async def test_start_and_stop(self) -> None:
        """Warm when it has started, gone when it has stopped, and again."""
        before = children(), descriptors()
        pool = ProcessPool(reactor, 2, limits=QUICK)
        for _ in range(2):
            await pool.start()
            assert pool.statistics().workers == 2
            assert len(children() - before[0]) == 2
            assert await pool.submit(jobs.add, (1, 2)) == 3
            await pool.stop()
            assert pool.statistics().workers == 0
            await until(lambda: nothing_beyond(before))
        await pool.stop()
        assert isinstance(await outcome_of(pool.submit(jobs.add, (1, 2))), PoolStopped)

    @pytest_twisted.ensureDeferred
    async def test_twice_at_once(self) -> None:
        """Each start() and each stop() is told, and they are one."""
        pool = ProcessPool(reactor, limits=QUICK)
        starting = [pool.start(), pool.start()]
        assert await outcomes_of(starting) == [None, None]
        stopping = [pool.stop(), pool.stop()]
        assert await outcomes_of(stopping) == [None, None]
        assert not pids(pool)

    @pytest_twisted.ensureDeferred
    async def test_stopped_while_it_starts(self) -> None:
        """start() fails, stop() waits, and nothing is left."""
        pool = ProcessPool(reactor, 2, limits=QUICK)
        before = children()
        starting = pool.start()
        waiting = pool.submit(jobs.add, (1, 2))
        stopping = pool.stop()
        assert isinstance(await outcome_of(starting), PoolStopped)
        assert isinstance(await outcome_of(waiting), PoolStopped)
        await stopping
        assert children() <= before

    @pytest_twisted.ensureDeferred
    async def test_started_before_it_has_stopped(self) -> None:
        """The old processes end, stop() is told of that, and the new ones work."""
        async with running_pool(2) as pool:
            old = pids(pool)
            hanging = pool.submit(jobs.nap, (1000,))
            stopping = pool.stop()
            starting = pool.start()
            assert isinstance(await outcome_of(hanging), PoolStopped)
            assert await outcome_of(starting) is None
            assert await outcome_of(stopping) is None
            assert not any(map(lives, old))
            assert await pool.submit(jobs.add, (1, 2)) == 3
            await outcomes_of([pool.stop(), pool.start(), pool.stop(), pool.start()][:3:2])

    @pytest_twisted.ensureDeferred
    async def test_stopped_with_jobs(self) -> None:
        """Those that run and those that wait fail at once, each with its name."""
        async with running_pool(2) as pool:
            waiting = [pool.submit(jobs.nap, (1000,), name=f"job {n}") for n in range(100)]
            stopping = pool.stop()
            for number, problem in enumerate(await outcomes_of(waiting)):
                assert isinstance(problem, PoolStopped)
                assert str(problem).startswith(f"job {number}: the pool")
            await stopping


class TestJobs:
    @pytest_twisted.ensureDeferred
    async def test_many_on_few(self, tmp_path: Path) -> None:
        """All are run, each once, by all processes, and counted."""
        async with running_pool(2) as pool:
            path = str(tmp_path / "marks")
            found = await outcomes_of(
                [pool.submit(jobs.mark, (path,), {"number": n}) for n in range(500)]
            )
            assert found == list(range(500))
            assert sorted(jobs.marks(path)) == found
            used = await outcomes_of([pool.submit(jobs.nap, (0.02, n)) for n in range(4)])
            assert used == list(range(4))
            used = await outcomes_of([pool.submit(jobs.pid, (n,)) for n in range(200)])
            assert set(used) == pids(pool)
            statistics = pool.statistics()
            assert (statistics.workers, statistics.busy, statistics.queued) == (2, 0, 0)
            assert (statistics.done, statistics.failed, statistics.killed) == (704, 0, 0)

    @pytest_twisted.ensureDeferred
    async def test_the_queue_has_an_end(self) -> None:
        """One too many is refused, with the option that says how many; later it may come."""
        async with running_pool(1, queue=3) as pool:
            first = pool.submit(jobs.nap, (0.2,))
            waiting = [pool.submit(jobs.same, (n,)) for n in range(3)]
            assert pool.statistics().queued == 3
            for _ in range(3):
                refused = await outcome_of(pool.submit(jobs.same, (4,)))
                assert isinstance(refused, PoolFull)
                assert "3 jobs wait" in str(refused)
                assert "queue=" in str(refused)
            assert await outcomes_of([first, *waiting]) == [None, 0, 1, 2]
            assert await pool.submit(jobs.same, (4,)) == 4
            assert pool.statistics().failed == 0

    @pytest_twisted.ensureDeferred
    async def test_ten_thousand_jobs(self) -> None:
        """Leave no descriptor, no process and no memory behind, here or there."""
        async with running_pool(2, queue=20_000) as pool:

            def size() -> tuple[int, int, set[int]]:
                memory = sum(psutil.Process(pid).memory_info().rss for pid in pids(pool))
                return memory + psutil.Process().memory_info().rss, descriptors(), children()

            async def many(count: int) -> None:
                for _ in range(count // 2000):
                    await outcomes_of([pool.submit(jobs.same, (f"{n}",)) for n in range(2000)])

            await many(6000)  # so that all that grows once has grown
            memory, opened, living = size()
            await many(10_000)
            after, still_opened, still_living = size()
            assert still_opened <= opened  # another test's may just have been closed
            assert still_living == living
            assert after - memory < 3 << 20
            statistics = pool.statistics()
            assert (statistics.done, statistics.busy, statistics.queued) == (16_000, 0, 0)


class TestDeath:
    @pytest.mark.parametrize("seconds", [0, 0.004, 0.01])
    @pytest_twisted.ensureDeferred
    async def test_a_child_is_killed(self, tmp_path: Path, seconds: float) -> None:
        """In the middle of 100 jobs: its own fails and says so, the other 99 are run once."""
        path = str(tmp_path / "marks")
        async with running_pool(2) as pool:
            running = [
                pool.submit(jobs.mark, (path, n, seconds), name=f"job {n}") for n in range(100)
            ]
            await until(lambda: len(jobs.marks(path)) >= random.randrange(5, 40))
            victim = random.choice([*pids(pool)])
            os.kill(victim, signal.SIGKILL)
            found = await outcomes_of(running)
            lost = [n for n, result in enumerate(found) if result != n]
            for number in lost:
                assert isinstance(found[number], WorkerDied)
                assert str(found[number]) == (
                    f"job {number}: process {victim} was killed by signal 9 (SIGKILL) "
                    "while it ran the job, which is not run again"
                )
            assert len(lost) <= 1  # between two jobs it has none
            marks = Counter(jobs.marks(path))
            assert set(marks.values()) == {1}
            assert set(range(100)) - set(marks) <= set(lost)
            # the other may have done all the rest before the death was noticed
            await until(lambda: victim not in pids(pool))
            await until(lambda: pool.statistics().workers == 2)
            statistics = pool.statistics()
            assert (statistics.busy, statistics.queued) == (0, 0)
            assert (statistics.done, statistics.failed) == (100 - len(lost), len(lost))
            assert set(await outcomes_of([pool.submit(jobs.pid) for _ in range(100)])) <= pids(pool)

    @pytest_twisted.ensureDeferred
    async def test_a_child_is_killed_at_work(self, tmp_path: Path) -> None:
        """That job is lost, and none of the 99 that are done meanwhile, or after."""
        path, place = str(tmp_path / "marks"), str(tmp_path / "pid")
        async with running_pool(2) as pool:
            running = [pool.submit(jobs.mark, (path, n)) for n in range(40)]
            running.append(pool.submit(jobs.hang, (place, "sleep"), name="the long one"))
            running += [pool.submit(jobs.mark, (path, n)) for n in range(41, 100)]
            await until(lambda: os.path.exists(place))
            os.kill(int(Path(place).read_text()), signal.SIGKILL)
            found = await outcomes_of(running)
            assert isinstance(found[40], WorkerDied)
            assert "while it ran the job, which is not run again" in str(found[40])
            rest = [n for n in range(100) if n != 40]
            assert [found[n] for n in rest] == rest
            assert sorted(jobs.marks(path)) == rest

    @pytest_twisted.ensureDeferred
    async def test_children_are_killed_again_and_again(self, tmp_path: Path) -> None:
        """As many jobs fail as children were killed at work, and all others are run once."""
        path = str(tmp_path / "marks")
        async with running_pool(3) as pool:
            running = [pool.submit(jobs.mark, (path, n, 0.002)) for n in range(200)]
            for after in range(20, 100, 20):
                await until(lambda count=after: len(jobs.marks(path)) >= count)
                ready = [worker.pid for worker in pool._workers.active if worker.ready]
                if ready:
                    os.kill(random.choice(ready), signal.SIGKILL)
            found = await outcomes_of(running)
            lost = {n for n, result in enumerate(found) if isinstance(result, WorkerDied)}
            assert len(lost) <= 4
            assert [n for n in range(200) if found[n] != n] == sorted(lost)
            marks = Counter(jobs.marks(path))
            assert set(marks.values()) == {1}
            assert set(range(200)) - set(marks) <= lost
            await until(lambda: pool.statistics().workers == 3)


class TestCancelling:
    @pytest_twisted.ensureDeferred
    async def test_one_that_waits(self, tmp_path: Path) -> None:
        """It never runs, wherever it waits: in the queue or in a process already."""
        path = str(tmp_path / "marks")
        async with running_pool() as pool:
            first = pool.submit(jobs.nap, (0.2,))
            waiting = [pool.submit(jobs.mark, (path, n)) for n in range(2 * AHEAD)]
            cancelled = [0, 5, AHEAD - 2, AHEAD, AHEAD + 5, 2 * AHEAD - 1]
            for number in cancelled:
                waiting[number].cancel()
            assert pool.statistics().queued == 2 * AHEAD - len(cancelled)
            found = await outcomes_of([first, *waiting])
            kept = [n for n in range(2 * AHEAD) if n not in cancelled]
            assert [type(found[n + 1]) for n in cancelled] == [CancelledError] * len(cancelled)
            assert [found[n + 1] for n in kept] == kept
            assert jobs.marks(path) == kept
            assert pool.statistics().killed == 0

    @pytest_twisted.ensureDeferred
    async def test_all_that_a_process_holds(self, tmp_path: Path) -> None:
        """Before it has begun any of them: it takes the next ones."""
        path = str(tmp_path / "marks")
        async with running_pool() as pool:
            (child,) = pids(pool)
            os.kill(child, signal.SIGSTOP)
            waiting = [pool.submit(jobs.mark, (path, n)) for n in range(AHEAD + 5)]
            for job in waiting[:AHEAD]:
                job.cancel()
            os.kill(child, signal.SIGCONT)
            found = await outcomes_of(waiting)
            assert found[AHEAD:] == jobs.marks(path) == list(range(AHEAD, AHEAD + 5))
            assert await pool.submit(jobs.pid) == child

    @pytest_twisted.ensureDeferred
    async def test_one_that_runs(self, tmp_path: Path) -> None:
        """It is ended with its process, another takes its place, no other job is touched."""
        path = str(tmp_path / "marks")
        async with running_pool(2) as pool:
            running = pool.submit(jobs.hang, (tmp_path / "pid", "sleep"))
            others = [pool.submit(jobs.mark, (path, n, 0.005)) for n in range(50)]
            child = await until(lambda: pid_in(tmp_path / "pid"))
            running.cancel()
            assert isinstance(await outcome_of(running), CancelledError)
            assert await outcomes_of(others) == list(range(50))
            assert sorted(jobs.marks(path)) == list(range(50))
            await until(lambda: not lives(child))
            await until(lambda: not pool._workers.ending and pool.statistics().workers == 2)
            assert child not in pids(pool)
            statistics = pool.statistics()
            assert (statistics.done, statistics.failed, statistics.killed) == (50, 0, 1)

    @pytest_twisted.ensureDeferred
    async def test_at_any_moment(self, tmp_path: Path) -> None:
        """Of many tiny jobs some are cancelled: each ends once, and none is run twice."""
        path = str(tmp_path / "marks")
        async with running_pool(2) as pool:
            waiting: list[Deferred[Any]] = []
            fired: Counter[int] = Counter()

            def count(result: Any, number: int) -> Any:
                fired[number] += 1
                return result

            for number in range(600):
                job = pool.submit(jobs.mark, (path, number))
                waiting.append(job.addBoth(count, number))
                if random.random() < 0.05:
                    random.choice(waiting).cancel()
                if number % 60 == 59:
                    await until(lambda job=waiting[number - 30]: job.called)
            found = await outcomes_of(waiting)
            assert fired == Counter(range(600))
            assert {type(result) for result in found} <= {int, CancelledError}
            marks = Counter(jobs.marks(path))
            assert set(marks.values()) == {1}
            assert {n for n in range(600) if found[n] == n} <= set(marks)
            await until(lambda: not pool._workers.ending and pool.statistics().workers == 2)
            statistics = pool.statistics()
            assert (statistics.busy, statistics.queued, statistics.failed) == (0, 0, 0)


class TestDescriptions:
    @pytest.mark.parametrize(
        ("words", "options", "least", "most"),
        [
            ((), {}, os.cpu_count(), os.cpu_count()),
            (("4",), {}, 4, 4),
            ((), {"min": "2", "max": "8", "idle": "20", "recycle": "500"}, 2, 8),
            ((), {"max": "8"}, 1, 8),
            ((), {"min": "0", "max": "3"}, 0, 3),
            ((), {"min": "3"}, 3, 3),
            (("2",), {"grace": "0.5", "queue": "7"}, 2, 2),
        ],
    )
    def test_what_they_say(
        self, words: tuple[str, ...], options: dict[str, str], least: int, most: int
    ) -> None:
        """processes:4, processes:min=2:max=8:idle=20:recycle=500."""
        pool = parse(reactor, words, options)
        assert pool.description.startswith("processes")
        recycle = int(options["recycle"]) if "recycle" in options else None
        assert pool._workers.size == Size(least, most, float(options.get("idle", 20)), recycle)
        assert pool._most_queued == int(options.get("queue", 10_000))
        assert pool._workers._spawn.args[2] == WorkerLimits(grace=float(options.get("grace", 2)))

    @pytest.mark.parametrize(
        ("words", "options", "said"),
        [
            (("many",), {}, "many"),
            (("0",), {}, "0"),
            (("2", "3"), {}, "3"),
            ((), {"min": "-1"}, "min"),
            ((), {"min": "4", "max": "2"}, "min= is at most max="),
            ((), {"max": "0"}, "max"),
            ((), {"idle": "nan"}, "idle"),
            ((), {"idle": "inf"}, "idle"),
            ((), {"grace": "-1"}, "grace"),
            ((), {"grace": "nan"}, "grace"),
            ((), {"recycle": "0"}, "recycle"),
            ((), {"queue": "none"}, "queue"),
            ((), {"size": "4"}, "size"),
            ((), {"init": "django"}, "'django' is no initializer"),
            ((), {"env": "A"}, "'A' is no env: .*, in 'processes:env=A'"),
            ((), {"nice": "most"}, "'most' is no nice"),
            ((), {"nice": "20"}, "nice= takes a whole number from -20 to 19"),
            ((), {"import_timeout": "0"}, "'0' in .* is no import_timeout"),
        ],
    )
    def test_what_makes_no_sense(
        self, words: tuple[str, ...], options: dict[str, str], said: str
    ) -> None:
        """It is refused with a sentence that names it."""
        with pytest.raises(ValueError, match=said):
            parse(reactor, words, options)


class TestDecisions:
    """With processes that are only pretended, in any order of events."""

    def test_a_callback_that_interferes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A callback of a result may cancel, submit and stop."""
        pool, kind = pool_of_fakes(monkeypatch, 1)
        (worker,) = kind.made
        worker.come_up()
        pool.submit(jobs.same, (5,), timeout=9).cancel()
        waiting = [pool.submit(jobs.same, (n,), name=f"{n}") for n in range(4)]
        ends = [outcome(job) for job in waiting]
        more: list[Any] = []

        def interfere(result: Any) -> Any:
            waiting[1].cancel()
            more.append(outcome(pool.submit(jobs.same, (4,), name="4")))
            return result

        waiting[0].addCallback(interfere)
        waiting[2].addCallback(lambda _result: pool.stop())
        while not worker.ending:
            worker.begin()
            worker.finish()
            worker.drain()
        worker.obey()
        assert [type(end[0]) for end in [*ends, *more]] == [
            str,
            CancelledError,
            str,
            PoolStopped,
            PoolStopped,
        ]
        assert kind.begun == Counter("02")

    @settings(max_examples=examples(80), deadline=None)
    @given(
        seed=st.integers(0, 2**32),
        size=st.sampled_from([(1, 1), (2, 2), (1, 3), (0, 2), (3, 3)]),
        recycle=st.sampled_from([None, None, 3, 40]),
    )
    def test_any_order_of_events(
        self, seed: int, size: tuple[int, int], recycle: int | None
    ) -> None:
        """Each job ends exactly once, is begun once at most, and the figures are right."""
        with pytest.MonkeyPatch.context() as monkeypatch:
            Play(monkeypatch, size, recycle, random.Random(seed)).play()


class Play:
    """A pool with pretended processes, and what must hold whatever happens."""

    #: What a callback of a job may do, too.
    CALLS = ["submit", "cancel", "cancel one held", "room", "give room up", "stop", "start"]
    EVENTS = (
        ["submit"] * 4
        + ["submit many", "come up", "come up", "begin", "begin", "begin", "finish", "finish"]
        + ["drain", "drain", "drain", "cancel", "cancel", "cancel one held", "cancel one held"]
        + ["cancel all held", "die", "obey", "time", "much time", *CALLS]
    )

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        size: tuple[int, int],
        recycle: int | None,
        chance: random.Random,
    ) -> None:
        self.queue = chance.choice([5, 10_000])
        limits = {"recycle": recycle, "queue": self.queue, "idle": 5}
        self.pool, self.kind = pool_of_fakes(monkeypatch, *size, **limits)
        self.least, self.most = size
        self.recycle = recycle
        self.chance = chance
        self.clock: FakeReactor = self.pool._reactor
        self.jobs: dict[str, Deferred[Any]] = {}
        self.ends: dict[str, list[Any]] = {}
        self.waiters: list[tuple[Deferred[Any], list[Any]]] = []  # for room
        self.never: set[str] = set()  # those that failed or were cancelled before they began
        self.stops = 0

    def play(self) -> None:
        try:
            weights = [self.chance.random() ** 2 for _ in self.EVENTS]
            for event in self.chance.choices(self.EVENTS, weights, k=150):
                self.do(event)
                self.check()
            self.settle()
            self.check_end()
        finally:
            self.pool.stop()
            for worker in self.kind.made:
                worker.die()

    def do(self, event: str) -> None:
        made = self.kind.made
        if event.startswith("submit"):
            for _ in range(AHEAD + 9 if event == "submit many" else 1):
                self.submit(self.chance.choice([None, None, 3]))
        elif event == "cancel":
            if self.jobs:
                self.cancel(self.chance.choice([*self.jobs]))
        elif event in ("start", "stop"):
            self.stops += event == "stop"
            getattr(self.pool, event)().addErrback(lambda _failure: None)
        elif event == "room":
            waiter = self.pool.room()
            self.waiters.append((waiter, outcome(waiter)))
        elif event == "give room up":
            if self.waiters:
                self.chance.choice(self.waiters)[0].cancel()
        elif event in ("time", "much time"):
            self.clock.advance(2 if event == "time" else 20)
        elif made:
            worker = self.chance.choice([worker for worker in made if worker.alive] or made)
            if "held" in event:
                held = [job.name for job in worker.held.jobs.values()]
                for name in held if "all" in event else held[-1:]:
                    self.cancel(name)
            else:
                getattr(worker, event.replace(" ", "_"))()

    def submit(self, timeout: float | None) -> None:
        name = f"{len(self.ends):04}"
        self.ends[name] = []
        self.jobs[name] = job = self.pool.submit(jobs.same, (name,), timeout=timeout, name=name)
        job.addBoth(self.ended, name)

    def ended(self, result: Any, name: str) -> None:
        self.ends[name].append(result)
        if isinstance(result, Failure):
            if not self.kind.begun[name]:
                self.never.add(name)
        if self.chance.random() < 0.05:  # callbacks are any code
            self.do(self.chance.choice(self.CALLS))

    def cancel(self, name: str) -> None:
        self.jobs[name].cancel()

    def check(self) -> None:
        """Check the invariants of any time."""
        assert all(count == 1 for count in self.kind.begun.values())
        assert all(len(end) <= 1 for end in self.ends.values())
        assert not self.never & set(self.kind.begun)
        pool = self.pool
        assert sum(bool(w.held.jobs) for w in pool._workers.active) <= self.most
        idle = [w for w in pool._workers.active if w.ready and w.alive and not w.held.jobs]
        spare = pool._workers._spare
        assert not spare or pool._workers.ready() - len(spare) >= self.most
        if set(idle) - set(spare):
            assert not pool._queue._queue
            for worker in pool._workers.active:
                behind = [job for job in worker.held.jobs.values() if not self.kind.begun[job.name]]
                assert not behind or len(worker.held.jobs) == 1
        for worker in pool._workers.active | pool._workers.ending:
            assert len(worker.held.jobs) <= AHEAD
            assert self.recycle is None or worker.held.given <= self.recycle

    def settle(self) -> None:
        """Let everything run to its end."""
        for _ in range(10_000):
            self.pool.start().addErrback(lambda _failure: None)
            if all(self.ends.values()):
                break
            self.clock.advance(0.01)
            for worker in list(self.kind.made):
                for event in ("come_up", "begin", "finish", "drain", "obey"):
                    getattr(worker, event)()
            self.check()
        else:
            raise AssertionError("some jobs never end")
        for _ in self.waiters:  # a place that nobody uses goes to the next after a second
            self.clock.advance(1)

    def check_end(self) -> None:
        """Check the invariants of a pool that has nothing left to do."""
        for worker in list(self.kind.made):
            worker.drain()
            worker.obey()
        assert all(len(fired) == 1 for _waiter, fired in self.waiters)
        done = failed = never = 0
        for name, (end,) in self.ends.items():
            error = end.value if isinstance(end, Failure) else None
            assert error is not None or end == name
            kinds = (CancelledError, WorkerDied, JobTimeout, PoolStopped, PoolFull)
            assert error is None or type(error) in kinds
            done += error is None
            failed += isinstance(error, WorkerDied)
            if "do not come up" in str(error):
                never += 1
                assert not self.kind.begun[name]
            elif not isinstance(error, (CancelledError, PoolStopped, PoolFull)):
                assert self.kind.begun[name] == 1
        statistics = self.pool.statistics()
        assert (statistics.queued, statistics.busy) == (0, 0)
        assert statistics.failed == failed
        # one that was cancelled when it was done already has been done
        assert done <= statistics.done
        ended = statistics.done + statistics.failed - never + statistics.killed
        begun = sum(self.kind.begun.values())
        assert ended <= begun if self.stops else ended == begun  # of those that it stops none tells


@pytest_twisted.ensureDeferred
async def test_a_module_that_starts_a_pool_when_it_is_imported_is_no_nest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker would import it, and start another, and so on without end."""
    name = "module_without_guard"
    (tmp_path / f"{name}.py").write_text(
        "from twisted.internet import reactor\n"
        "from txremote.work.processes import ProcessPool\n"
        "pool = ProcessPool(reactor, 1)\n"
        "pool.start()\n"
        "def work():\n"
        "    return 1\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    module: Any = import_module(name)
    try:
        async with running_pool() as pool:
            error = await outcome_of(pool.submit(module.work))
            assert "starts a process pool" in str(error)
            assert 'if __name__ == "__main__":' in str(error)
            assert await pool.submit(jobs.same, (7,)) == 7
    finally:
        await module.pool.stop()
        del sys.modules[name]
