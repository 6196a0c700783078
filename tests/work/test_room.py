"""
``await pool.room()``: waiting for a place in a pool's queue, in place of `PoolFull`.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import CancelledError, Deferred

from tests.work.doubles import DEADLINE, Reactor, no_running_pools, outcome, own_registry
from txremote.errors import PoolFull, PoolStopped
from txremote.work import pool_from_string
from txremote.work.pool import PoolService
from txremote.work.room import KEPT
from txremote.work.threads import ThreadPool

__all__ = ["no_running_pools"]


class ByHand(PoolService):
    """A pool whose jobs a test ends; two may wait, and one runs."""

    kind = "hand"

    def __init__(self, reactor: Any) -> None:
        super().__init__(reactor, "hand", queue=2)
        self.jobs: list[Deferred[Any]] = []

    def _submit(self, *_job: Any) -> Deferred[Any]:
        self.jobs.append(Deferred())
        return self.jobs[-1]

    def end(self) -> None:
        """End the oldest job."""
        self.jobs.pop(0).callback("ended")


@pytest.fixture
def hand() -> Iterator[ByHand]:
    """A full pool, of which nothing is left."""
    with own_registry():
        pool = ByHand(Reactor())
        pool.start()
        yield pool
        if pool.running:
            pool.stop()


def fill(pool: PoolService) -> None:
    """Submit jobs until the pool takes no more."""
    while pool._places():
        assert outcome(pool.room()) == [None]
        pool.submit(print).addErrback(lambda failure: failure.trap(PoolStopped))


def test_there_is_room_until_the_pool_is_full(hand: ByHand) -> None:
    """As many are let in as the pool takes, and the next waits until a job has ended."""
    fill(hand)
    assert len(hand.jobs) == 3
    assert isinstance(outcome(hand.submit(print))[0], PoolFull)
    waiting = outcome(hand.room())
    assert waiting == []
    hand.end()
    assert waiting == [None]
    assert outcome(hand.submit(print)) == []


def test_those_who_wait_are_served_in_order_one_for_each_place(hand: ByHand) -> None:
    """One who comes later waits behind them; one who leaves is passed over."""
    fill(hand)
    rooms = [hand.room() for _ in range(4)]
    waiting = [outcome(room) for room in rooms]
    rooms[1].cancel()
    assert isinstance(waiting[1][0], CancelledError)
    hand.end()
    assert [len(each) for each in waiting] == [1, 1, 0, 0]
    late = outcome(hand.room())
    hand.end()
    assert [len(each) for each in (*waiting, late)] == [1, 1, 1, 0, 0]
    hand.end()
    assert [len(each) for each in (*waiting, late)] == [1, 1, 1, 1, 0]


def test_a_place_that_is_not_used_goes_to_the_next(hand: ByHand) -> None:
    """After a moment: nobody waits for ever behind one that has changed its mind."""
    fill(hand)
    rooms = [outcome(hand.room()) for _ in range(2)]
    hand.end()
    hand._reactor.advance(KEPT / 2)
    assert rooms == [[None], []]
    hand._reactor.advance(KEPT)
    assert rooms == [[None], [None]]


def test_stopping_fails_those_who_wait(hand: ByHand) -> None:
    """And those who ask a pool that does not run."""
    fill(hand)
    waiting = outcome(hand.room())
    hand.stop()
    [error] = waiting
    assert isinstance(error, PoolStopped)
    assert "the pool hand was stopped" in str(error)
    assert "start() it" in str(outcome(hand.room())[0])
    assert not [call for call in hand._reactor.getDelayedCalls() if call.active()]
    hand.start()
    assert outcome(hand.room()) == [None]


def test_a_pool_that_answers_at_once_serves_all_without_going_deeper() -> None:
    """One who was served submits a job, which ends at once, while the line moves up."""

    class AtOnce(ByHand):
        def _submit(self, *job: Any) -> Any:
            return super()._submit(*job) if len(self.jobs) < 3 else "done"

    with own_registry():
        pool = AtOnce(Reactor())
        pool.start()
        fill(pool)
        served: list[int] = []
        for number in range(2000):

            def serve(_none: None, number: int = number) -> None:
                served.append(number)
                pool.jobs[1:1] = [Deferred()]  # the next is done at once
                pool.submit(print)
                del pool.jobs[1]

            pool.room().addCallback(serve)
        pool.end()
        assert served == list(range(2000))
        pool.stop()


def test_a_cancelled_job_makes_room_in_a_pool_of_threads() -> None:
    """One that waits goes at once; one that has ended when its result is brought."""
    with own_registry():
        reactor = Reactor(1)
        pool = ThreadPool(reactor, queue=2)
        pool.start()
        jobs = [pool.submit(operator.neg, (number,)) for number in range(3)]
        ends = [outcome(job) for job in jobs]
        rooms = [outcome(pool.room()) for _ in range(2)]
        jobs[1].cancel()
        assert rooms == [[None], []]
        pool.submit(operator.neg, (4,))
        reactor.settle()
        assert rooms == [[None], [None]]
        assert ends[2] == [-2]
        pool.stop()


KINDS = {"threads": "threads:2:queue=20", "processes": "processes:2:queue=70"}


@pytest.mark.usefixtures("no_running_pools")
@pytest.mark.parametrize("kind", KINDS)
@pytest_twisted.ensureDeferred
async def test_a_loop_never_meets_a_full_pool(kind: str) -> None:
    """Three at once share the places, and never more jobs wait than may."""
    from twisted.internet import reactor

    description, count = KINDS[kind], 5000
    pool: Any = pool_from_string(description)
    pool.start()
    most = 0
    results: list[Any] = []
    all_ended: Deferred[None] = Deferred()

    def ended(result: Any) -> None:
        results.append(result)
        if len(results) == count:
            all_ended.callback(None)

    async def submit(numbers: range) -> None:
        nonlocal most
        for number in numbers:
            await pool.room()
            pool.submit(operator.neg, (number,)).addBoth(ended)
            most = max(most, pool.statistics().queued)

    for start in range(3):
        Deferred.fromCoroutine(submit(range(start, count, 3)))
    await all_ended.addTimeout(2 * DEADLINE, reactor)
    await pool.stop()
    assert sorted(results) == sorted(range(0, -count, -1))
    assert most <= pool._most_queued + 2  # none of the two workers may have begun
