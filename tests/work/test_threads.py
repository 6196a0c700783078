"""
The pool of threads: what is done in it, in which order, and what cannot be stopped.
"""

from __future__ import annotations

import threading
from typing import Any

import pytest
import pytest_twisted
from hypothesis import given, settings, strategies as st
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.threads import deferToThread
from zope.interface.verify import verifyObject

import txremote
from tests.examples import examples
from tests.net.servers import endpoint_of, served
from tests.work.doubles import DEADLINE, Reactor, Step, logged, outcome
from txremote import WouldBlockReactor, exposed, live
from txremote.blocking import BaseNetref
from txremote.errors import JobTimeout, PoolFull, PoolStopped
from txremote.interfaces import IPool
from txremote.testing import connected_pair
from txremote.work import threads
from txremote.work.threads import ThreadPool, parse


def fail(sentence: str) -> None:
    raise LookupError(sentence)


def started(size: int = 2, **options: Any) -> tuple[Reactor, ThreadPool]:
    """A running pool of the threads of a reactor that is turned by hand."""
    reactor = Reactor(size)
    pool = ThreadPool(reactor, **options)
    pool.start()
    return reactor, pool


class TestQueue:
    def test_first_come_first_served(self) -> None:
        """Jobs begin in the order in which they were submitted."""
        reactor, pool = started(size=1)
        order: list[int] = []
        for number in range(20):
            pool.submit(order.append, (number,))
        reactor.settle()
        assert order == list(range(20))

    def test_submitted_when_the_last_thread_is_just_done(self) -> None:
        """A job that comes between a thread's last look and the reactor's turn is not left over."""
        reactor, pool = started(size=1)
        pool.submit(len, ([],))
        assert reactor.threads.run()
        found = outcome(pool.submit(len, ("abc",)))
        assert not reactor.threads.tasks
        reactor.settle()
        assert found == [3]

    def test_it_has_an_end(self) -> None:
        """One more than may wait is refused, with the name of the option."""
        reactor, pool = started(size=2, queue=3)
        found = [outcome(pool.submit(len, ([],))) for _ in range(6)]
        (problem,) = found[5]
        assert isinstance(problem, PoolFull)
        assert "queue=" in str(problem)
        assert pool.statistics().queued == 5  # the two threads have not begun
        reactor.settle()
        assert found[:5] == [[0]] * 5

    def test_none_may_wait(self) -> None:
        """queue=0 takes a job for each thread, and no other."""
        reactor, pool = started(size=2, queue=0)
        found = [outcome(pool.submit(len, ([],))) for _ in range(3)]
        reactor.settle()
        assert found[:2] == [[0], [0]]
        assert isinstance(found[2][0], PoolFull)
        assert outcome(pool.submit(len, ([],))) == []

    def test_a_cancelled_job_that_waits_never_runs(self) -> None:
        """It leaves the queue at once."""
        reactor, pool = started()
        runs: list[int] = []
        deferred = pool.submit(runs.append, (1,))
        found = outcome(deferred)
        deferred.cancel()
        assert isinstance(found[0], CancelledError)
        assert pool.statistics().queued == 0
        reactor.settle()
        assert runs == []
        assert pool.statistics().done == 0

    def test_others_in_the_reactor_s_pool_have_their_turn(self) -> None:
        """Many jobs do not keep whoever else uses the reactor's threads from them."""
        reactor, pool = started(size=1)
        order: list[str] = []
        for _ in range(3):
            pool.submit(lambda: (order.append("job"), threading.Event().wait(threads.SLICE)))
        reactor.threads.callInThread(lambda: order.append("other"))
        reactor.settle()
        assert order == ["job", "other", "job", "job"]


class TestTime:
    def test_it_counts_from_the_beginning(self) -> None:
        """Waiting in the queue does not use up the job's time."""
        reactor, pool = started()
        found = outcome(pool.submit(lambda: reactor.turn() and reactor.advance(4), timeout=5))
        reactor.advance(100)
        reactor.settle()
        assert found == [None]
        assert reactor.getDelayedCalls() == []

    def test_a_job_that_takes_too_long(self) -> None:
        """Its Deferred fails at once with a TimeoutError; it holds its thread until it ends."""
        reactor, pool = started()
        found: list[Any] = []
        seen: list[Any] = []

        def long_job() -> None:
            reactor.turn()
            reactor.advance(6)
            seen.append((found[0], pool.statistics()))

        with logged() as lines:
            pool.submit(long_job, timeout=5).addErrback(lambda f: found.append(f.value))
            reactor.settle()
        error, statistics = seen[0]
        assert isinstance(error, JobTimeout)
        assert isinstance(error, TimeoutError)
        assert "long_job took longer than 5 s" in str(error)
        assert (statistics.busy, statistics.abandoned) == (1, 1)
        assert [line for line in lines if "long_job" in line and "cannot be stopped" in line]
        assert [line for line in lines if "long_job has ended" in line]
        assert pool.statistics().abandoned == pool.statistics().busy == 0

    def test_a_result_beats_the_clock(self) -> None:
        """A job whose result is on its way does not time out any more."""
        reactor, pool = started()
        found = outcome(pool.submit(reactor.turn, timeout=5))
        while reactor.threads.run():
            pass
        reactor.advance(6)
        assert found == []
        reactor.settle()
        assert found == [True]


class TestCancelling:
    def test_a_running_job_is_abandoned(self) -> None:
        """Its Deferred fails at once, it goes on, and its thread counts as busy."""
        reactor, pool = started()
        deferred: list[Deferred[Any]] = []
        found: list[Any] = []
        seen: list[Any] = []

        def stubborn() -> None:
            deferred[0].cancel()
            seen.append((type(found[0]), pool.statistics().abandoned))
            raise ValueError("too late")

        deferred.append(pool.submit(stubborn))
        deferred[0].addErrback(lambda failure: found.append(failure.value))
        with logged() as lines:
            reactor.settle()
        assert seen == [(CancelledError, 1)]
        assert [line for line in lines if "stubborn was cancelled" in line]
        assert [line for line in lines if "stubborn has ended with too late" in line]

    def test_one_that_has_run_is_just_forgotten(self) -> None:
        """Cancelled between its end and the reactor's turn, it is not called abandoned."""
        reactor, pool = started()
        deferred = pool.submit(len, ([],))
        found = outcome(deferred)
        with logged() as lines:
            reactor.threads.run()
            deferred.cancel()
            reactor.settle()
        assert isinstance(found[0], CancelledError)
        assert not [line for line in lines if "len" in line]

    def test_whose_deferred_somebody_fires(self) -> None:
        """A Deferred that was fired by somebody else costs no other job its result."""
        reactor, pool = started()
        meddled = pool.submit(len, ([],))
        found = outcome(pool.submit(len, ([],)))
        meddled.callback("mine")
        with logged() as lines:
            reactor.settle()
        assert found == [0]
        assert [line for line in lines if "len was fired by somebody else" in line]


class TestLife:
    def test_it_is_a_pool(self) -> None:
        """It has what IPool asks for."""
        verifyObject(IPool, ThreadPool(Reactor()))

    def test_it_takes_no_job_before_its_start(self) -> None:
        """The refusal says what to do."""
        (problem,) = outcome(ThreadPool(Reactor()).submit(len, ([],)))
        assert isinstance(problem, PoolStopped)
        assert "start() it" in str(problem)

    def test_stop_fails_what_waits(self) -> None:
        """It never runs; later jobs are refused; what has run keeps its result."""
        reactor, pool = started(size=1)
        ended = outcome(pool.submit(len, ([],)))
        reactor.threads.run()
        waiting = outcome(pool.submit(len, ([],)))
        stopped = outcome(pool.stop())
        assert ended == [0]
        assert isinstance(waiting[0], PoolStopped)
        assert "len" in str(waiting[0])
        reactor.settle()
        assert stopped == [None]
        assert isinstance(outcome(pool.submit(len, ([],)))[0], PoolStopped)
        assert pool.statistics().done == 1

    def test_a_job_that_is_stopped_may_cancel_another(self) -> None:
        """One that has not begun, and of which nothing goes on."""
        _reactor, pool = started()
        first, second = pool.submit(len, ("a",)), pool.submit(len, ("b",))
        first.addErrback(lambda failure: (second.cancel(), failure)[1])
        ends = [outcome(first), outcome(second)]
        with logged() as log:
            pool.stop()
        assert {type(end) for (end,) in ends} <= {PoolStopped, CancelledError}
        assert log == []

    def test_stop_does_not_wait_for_ever(self) -> None:
        """A job that never ends fails at once; after a while it is left behind, by name."""
        reactor, pool = started()
        seen: list[Any] = []

        def endless() -> None:
            stopped = outcome(pool.stop())
            seen.append((found[0], list(stopped)))
            reactor.advance(threads.GRACE)
            seen.append(stopped)

        found = outcome(pool.submit(endless))
        with logged() as lines:
            reactor.settle()
        (error, before), after = seen
        assert isinstance(error, PoolStopped)
        assert (before, after) == ([], [None])
        assert [line for line in lines if "leaves behind: " in line and "endless" in line]

    def test_it_may_start_again(self) -> None:
        """A stopped pool that is started takes jobs."""
        reactor, pool = started()
        pool.stop()
        pool.start()
        found = outcome(pool.submit(len, ([],)))
        reactor.settle()
        assert found == [0]


class TestThreads:
    """With real threads, in the tests' reactor."""

    @pytest_twisted.ensureDeferred
    async def test_so_many_at_once(self) -> None:
        """threads:2 runs two jobs at a time, and neither in the reactor's thread."""
        from twisted.internet import reactor

        others = set(threading.enumerate())  # of tests before this one
        pool = ThreadPool(reactor, 2)
        await pool.start()
        steps = [Step() for _ in range(3)]
        jobs = [pool.submit(step) for step in steps]
        for step in steps[:2]:
            assert await deferToThread(step.began.wait, DEADLINE)
        statistics = pool.statistics()
        assert (statistics.workers, statistics.busy, statistics.queued) == (2, 2, 1)
        for step in steps:
            step.end.set()
        assert await gatherResults(jobs) == ["stepped"] * 3
        assert await pool.submit(threading.get_ident) != threading.get_ident()
        await pool.stop()
        left = set(threading.enumerate()) - others
        assert not [one for one in left if "threads:2" in one.name]

    @pytest_twisted.ensureDeferred
    async def test_many_jobs_lose_nothing(self) -> None:
        """5,000 jobs that are submitted as fast as can be: each result once, in its place."""
        from twisted.internet import reactor

        for pool in (ThreadPool(reactor), ThreadPool(reactor, 4)):
            await pool.start()
            jobs = [pool.submit(abs, (-number,)) for number in range(5000)]
            assert await gatherResults(jobs) == list(range(5000))
            statistics = pool.statistics()
            assert (statistics.done, statistics.queued, statistics.busy) == (5000, 0, 0)
            await pool.stop()

    @pytest.mark.filterwarnings("error::FutureWarning")  # what Python 3.14 breaks, 3.13 warns of
    @pytest_twisted.ensureDeferred
    async def test_stop_while_a_job_runs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The job's Deferred fails and the reactor goes on; no thread keeps the program alive."""
        from twisted.internet import reactor

        monkeypatch.setattr(threads, "GRACE", 0.01)
        others = set(threading.enumerate())
        pool = ThreadPool(reactor, 1)
        await pool.start()
        step = Step()
        job = pool.submit(step)
        assert await deferToThread(step.began.wait, DEADLINE)
        stopping = pool.stop()
        with pytest.raises(PoolStopped):
            await job
        await stopping
        left = set(threading.enumerate()) - others
        remaining = [one for one in left if "threads:1" in one.name]
        assert len(remaining) == 1
        assert remaining[0].daemon
        step.end.set()
        await deferToThread(remaining[0].join, DEADLINE)

    @pytest_twisted.ensureDeferred
    async def test_started_before_it_has_stopped(self) -> None:
        """A job that still runs is left behind, and takes no thread of those that come."""
        from twisted.internet import reactor

        pool = ThreadPool(reactor, 1)
        await pool.start()
        step = Step()
        outcome(pool.submit(step))
        assert await deferToThread(step.began.wait, DEADLINE)
        stopping = pool.stop()
        await pool.start()
        try:
            await stopping
            assert await pool.submit(len, ("abc",)).addTimeout(DEADLINE / 2, reactor) == 3
        finally:
            step.end.set()
            await pool.stop()

    @pytest_twisted.ensureDeferred
    async def test_it_starts_again_with_all_its_threads(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A job that stop() left behind, and still runs, takes none of them away."""
        from twisted.internet import reactor

        monkeypatch.setattr(threads, "GRACE", 0.01)
        pool = ThreadPool(reactor, 1)
        await pool.start()
        step = Step()
        left = outcome(pool.submit(step))
        assert await deferToThread(step.began.wait, DEADLINE)
        await pool.stop()
        assert isinstance(left[0], PoolStopped)
        await pool.start()
        try:
            assert await pool.submit(len, ("abc",)).addTimeout(DEADLINE / 2, reactor) == 3
            step.end.set()
            assert await pool.submit(len, ("ab",)) == 2
            assert pool.statistics().busy == 0
        finally:
            step.end.set()
            await pool.stop()


class Player(txremote.Service):
    """A service that is handed references by its client."""

    def __init__(self) -> None:
        self.pool: Any = None

    @exposed
    def work(self, progress: Any) -> Any:
        """Call the client three times, from a thread."""
        return self.pool.submit(call_thrice, (progress,))

    @exposed
    def same(self, value: Any) -> Any:
        """Give back what was given, by way of a thread."""
        return self.pool.submit(lambda pair: pair[1], ((1, value),))


def call_thrice(progress: Any) -> tuple[str, list[Any]]:
    assert issubclass(type(progress), BaseNetref)
    return "worked", [progress(number) for number in range(3)]


class TestReferences:
    @pytest_twisted.ensureDeferred
    async def test_a_job_calls_a_client_s_function(self) -> None:
        """A reference among the arguments is a netref in the thread, and blocks there."""
        from twisted.internet import reactor

        root = Player()
        root.pool = ThreadPool(reactor, 2)
        await root.pool.start()
        heard: list[int] = []
        async with served(root) as port:
            conn = await txremote.connect(endpoint_of(port))
            word, answers = await conn.root.work(heard.append)
            assert word == "worked"
            assert [item async for item in answers] == [None] * 3
            assert heard == [0, 1, 2]
            # and what comes back from the thread is the reference it was
            mine: list[int] = []
            assert await conn.root.same(mine) is mine
            # a method of a reference may be an argument, or the job itself
            assert await root.pool.submit(lambda same: same(5), (conn.root.same,)) == 5
            assert await root.pool.submit(conn.root.same, (6,)) == 6
            await conn.close()
        await root.pool.stop()

    def test_live_is_the_object_itself(self) -> None:
        """A thread sees the very object, wherever live() would make a difference."""
        reactor, pool = started()
        mine: list[int] = []
        found = outcome(
            pool.submit(
                lambda one, two, last: (one, two[0], last),
                (live(mine), (live(mine),)),
                {"last": live(mine)},
            )
        )
        reactor.settle()
        assert all(item is mine for item in found[0])

    def test_a_connection_in_memory_has_no_netrefs(self) -> None:
        """The job fails with a sentence, where it could only have hung."""

        class Giver(txremote.Service):
            @exposed
            def give(self) -> Any:
                return []

        pair = connected_pair(server_root=Giver)
        reference = pair.result(pair.client.root.give())
        reactor, pool = started()
        found = outcome(pool.submit(len, (reference,)))
        reactor.settle()
        assert isinstance(found[0], WouldBlockReactor)


class TestParse:
    def test_parts(self) -> None:
        """threads is the reactor's pool, threads:8 one of its own, queue= bounds it."""
        reactor = Reactor(5)
        shared = parse(reactor, (), {})
        shared.start()
        assert shared.statistics().workers == 5
        own = parse(reactor, ("8",), {"queue": "3"})
        assert own.description == "threads:8:queue=3"
        own.start()
        assert own.statistics().workers == 8
        own.stop()

    @pytest.mark.parametrize(
        ("words", "options", "says"),
        [
            (("many",), {}, "'many' in 'threads:many' is no size"),
            (("0",), {}, "1 or more"),
            (("2", "3"), {}, "'3'"),
            ((), {"size": "3"}, "size= that means nothing"),
            ((), {"queue": "-1"}, "'-1' in 'threads:queue=-1' is no queue"),
        ],
    )
    def test_what_makes_no_sense(self, words: Any, options: Any, says: str) -> None:
        """A sentence names the part and what there is."""
        with pytest.raises(ValueError, match=says):
            parse(Reactor(), words, options)


# --- any order of events --------------------------------------------------------

ACTIONS = st.one_of(
    st.tuples(st.just("submit"), st.sampled_from([None, None, 1.0, 3.0]), st.booleans()),
    st.tuples(st.just("cancel"), st.integers(0, 30)),
    st.tuples(st.just("advance"), st.sampled_from([0.5, 2.0, 5.0])),
    st.tuples(st.just("thread")),
    st.tuples(st.just("turn")),
    st.tuples(st.just("stop")),
    st.tuples(st.just("start")),
    st.tuples(st.just("room")),
)


class Trial:
    """A pool of two threads whose jobs, when they run, let the rest of the world go on."""

    def __init__(self, actions: list[Any]) -> None:
        self.reactor, self.pool = started(size=2, queue=4)
        self.actions = iter(actions)
        self.jobs: list[tuple[Deferred[Any], list[Any]]] = []
        self.runs: dict[int, int] = {}
        self.waiters: list[list[Any]] = []  # for room, and for the pool's end
        self.cancelled_waiting: set[int] = set()

    def go(self, most: int) -> None:
        for action in self.actions:
            getattr(self, action[0])(*action[1:])
            most -= 1
            if not most:
                break

    def submit(self, timeout: float | None, fails: bool) -> None:
        number = len(self.jobs)

        def job() -> int:
            self.runs[number] = self.runs.get(number, 0) + 1
            self.go(3)
            if fails:
                raise LookupError(number)
            return number

        deferred = self.pool.submit(job, timeout=timeout)
        fired: list[Any] = []
        self.jobs.append((deferred, fired))
        deferred.addBoth(fired.append)

    def cancel(self, number: int) -> None:
        if number < len(self.jobs):
            deferred, fired = self.jobs[number]
            if not fired and number not in self.runs:
                self.cancelled_waiting.add(number)
            deferred.cancel()

    def advance(self, seconds: float) -> None:
        self.reactor.advance(seconds)

    def thread(self) -> None:
        if self.reactor.threads.running < self.reactor.threads.max:
            self.reactor.threads.run()

    def turn(self) -> None:
        self.reactor.turn()

    def stop(self) -> None:
        self.waiters.append(outcome(self.pool.stop()))

    def start(self) -> None:
        self.pool.start()

    def room(self) -> None:
        self.waiters.append(outcome(self.pool.room()))

    def settle(self) -> None:
        """Let all jobs end, and all that wait for room have it: a place is kept for a second."""
        self.reactor.settle()
        for _ in self.waiters:
            self.advance(1)


@settings(max_examples=examples(80), deadline=None)
@given(st.lists(ACTIONS, max_size=40))
def test_any_order_of_events(actions: list[Any]) -> None:
    """Each job ends once; none runs twice, and never one that was cancelled before it began."""
    trial = Trial(actions)
    trial.go(1000)
    trial.settle()
    assert all(len(fired) == 1 for fired in trial.waiters)
    for number, (_deferred, fired) in enumerate(trial.jobs):
        assert len(fired) == 1
        assert trial.runs.get(number, 0) <= 1
        if fired[0] == number:
            assert trial.runs[number] == 1
    assert not trial.cancelled_waiting & set(trial.runs)
    statistics = trial.pool.statistics()
    assert statistics.done + statistics.failed == len(trial.runs)
    assert statistics.busy == statistics.queued == statistics.abandoned == 0
    assert trial.pool._batches == 0
    assert not trial.reactor.getDelayedCalls()
