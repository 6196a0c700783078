"""
`PendingCalls`: each ends exactly once, with its answer, its time-out, its cancellation
or the connection's loss.
"""

from __future__ import annotations

import random
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from tests.peer.pairs import Outcome
from txremote import AsyncResultTimeout, ConnectionLost
from txremote.peer.pending_calls import PendingCalls


class Calls:
    def __init__(self) -> None:
        self.clock = Clock()
        self.abandoned: list[int] = []
        self.pending = PendingCalls(self.clock, self.fire, self.abandoned.append)

    @staticmethod
    def fire(deferred: Deferred[Any], result: Any) -> None:
        if not deferred.called:
            deferred.callback(result)


def lost() -> ConnectionLost:
    return ConnectionLost("gone")


def test_a_call_is_found_once_by_its_number() -> None:
    calls = Calls()
    first, deferred = calls.pending.add()
    second, other = calls.pending.add()
    assert first != second
    assert len(calls.pending) == 2
    assert calls.pending.pop(first) is deferred
    assert calls.pending.pop(first) is None
    assert calls.pending.pop(second) is other
    assert calls.pending.pop(12345) is None


def test_cancelling_abandons_the_call() -> None:
    calls = Calls()
    number, deferred = calls.pending.add()
    outcome = Outcome(deferred)
    deferred.cancel()
    assert isinstance(outcome.error, CancelledError)
    assert calls.abandoned == [number]
    assert calls.pending.pop(number) is None


def test_cancelling_after_the_answer_abandons_nothing() -> None:
    calls = Calls()
    number, deferred = calls.pending.add()
    calls.pending.pop(number)
    deferred.addErrback(lambda _failure: None)
    deferred.cancel()
    assert calls.abandoned == []


def test_a_call_without_a_time_out_waits_for_ever() -> None:
    calls = Calls()
    _number, deferred = calls.pending.add()
    calls.clock.advance(10**9)
    assert not deferred.called
    assert calls.clock.getDelayedCalls() == []


def test_a_call_expires_and_says_by_which_option() -> None:
    calls = Calls()
    number, deferred = calls.pending.add(30)
    outcome = Outcome(deferred)
    calls.clock.advance(29.9)
    assert not outcome.fired
    calls.clock.advance(0.1)
    assert isinstance(outcome.error, AsyncResultTimeout)
    assert "30 s" in str(outcome.error)
    assert "sync_request_timeout" in str(outcome.error)
    assert calls.abandoned == [number]
    assert calls.pending.pop(number) is None
    assert calls.clock.getDelayedCalls() == []


def test_calls_expire_each_in_its_time_by_one_timer() -> None:
    calls = Calls()
    outcomes = []
    for _ in range(5):
        outcomes.append(Outcome(calls.pending.add(10)[1]))
        calls.clock.advance(1)
    assert len(calls.clock.getDelayedCalls()) == 1
    for expected in range(1, 6):
        calls.clock.advance(5 if expected == 1 else 1)
        assert [outcome.fired for outcome in outcomes].count(True) == expected


def test_a_shorter_time_out_is_not_held_up_by_a_longer_one() -> None:
    """A ping's 3 s stand behind a call's 30 s."""
    calls = Calls()
    long, short = (Outcome(calls.pending.add(seconds)[1]) for seconds in (30, 3))
    calls.clock.advance(3)
    assert isinstance(short.error, AsyncResultTimeout)
    assert not long.fired
    calls.clock.advance(27)
    assert isinstance(long.error, AsyncResultTimeout)


@pytest.mark.parametrize("seed", range(5))
def test_time_outs_in_any_order_are_kept(seed: int) -> None:
    chance = random.Random(seed)
    calls = Calls()
    ended: list[tuple[float, float]] = []

    def note(_failure: Any, due: float) -> None:
        ended.append((due, calls.clock.seconds()))

    answered = 0
    for _ in range(100):
        timeout = chance.choice([1, 2, 3, 5, 30])
        number, deferred = calls.pending.add(timeout)
        if chance.random() < 0.3:
            calls.pending.pop(number)
            answered += 1
        else:
            deferred.addErrback(note, calls.clock.seconds() + timeout)
        calls.clock.advance(chance.choice([0, 0.25]))
    while calls.clock.getDelayedCalls():
        calls.clock.advance(0.25)
    assert len(ended) == 100 - answered
    assert all(when == due for due, when in ended)


def test_answered_calls_do_not_pile_up_in_the_queue_of_time_outs() -> None:
    calls = Calls()
    for _ in range(1000):
        number, _deferred = calls.pending.add(30)
        calls.pending.pop(number)
    assert len(calls.pending._expiries) <= 2


def test_the_end_fails_every_call_once_with_an_error_of_its_own() -> None:
    calls = Calls()
    outcomes = [Outcome(calls.pending.add(30)[1]) for _ in range(1000)]
    calls.pending.fail_all(lost)
    errors = [outcome.error for outcome in outcomes]
    assert {type(error) for error in errors} == {ConnectionLost}
    assert len({id(error) for error in errors}) == 1000
    assert calls.clock.getDelayedCalls() == []
    calls.pending.fail_all(lost)
    assert all(len(outcome.results) == 1 for outcome in outcomes)
    assert calls.abandoned == []


def test_an_errback_may_cancel_the_others_meanwhile() -> None:
    calls = Calls()
    deferreds = [calls.pending.add()[1] for _ in range(100)]
    outcomes = []
    for index, deferred in enumerate(deferreds):
        other = deferreds[(index * 7 + 3) % 100]
        deferred.addErrback(lambda failure, other=other: other.cancel() or failure)
        outcomes.append(Outcome(deferred))
    calls.pending.fail_all(lost)
    assert all(len(outcome.results) == 1 for outcome in outcomes)
    kinds = {type(outcome.error) for outcome in outcomes}
    assert kinds == {ConnectionLost, CancelledError}


def test_an_errback_of_an_expiry_may_cancel_the_others() -> None:
    calls = Calls()
    deferreds = [calls.pending.add(1)[1] for _ in range(3)]
    deferreds[0].addErrback(lambda failure: deferreds[1].cancel() or failure)
    outcomes = [Outcome(deferred) for deferred in deferreds]
    calls.clock.advance(1)
    assert [type(outcome.error) for outcome in outcomes] == [
        AsyncResultTimeout,
        CancelledError,
        AsyncResultTimeout,
    ]


def test_without_a_clock_nothing_expires() -> None:
    pending = PendingCalls(None, Calls.fire, lambda _number: None)
    _number, deferred = pending.add(1)
    assert not deferred.called
