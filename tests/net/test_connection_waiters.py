"""
Waiting together for what comes and goes.
"""

from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from tests.peer.pairs import Outcome
from txremote.net.connection_waiters import ConnectionWaiters


def test_all_have_a_result_of_their_own():
    """Each waits once, and gets what was made for it."""
    waiters = ConnectionWaiters()
    outcomes = [Outcome(waiters.add(None)) for _ in range(3)]
    numbers = iter(range(10))
    waiters.fire(lambda: next(numbers))
    assert [outcome.value for outcome in outcomes] == [0, 1, 2]
    waiters.fire(lambda: pytest.fail("nobody waits any more"))
    assert len(waiters) == 0


def test_each_waits_through_as_many_failures_as_it_said():
    """One fails with the first, one with the second, one with none."""
    waiters = ConnectionWaiters()
    first, second, patient = (Outcome(waiters.add(number)) for number in (1, 2, None))
    waiters.attempt_failed(Failure(ValueError("one")))
    assert isinstance(first.error, ValueError)
    assert not second.fired
    waiters.attempt_failed(Failure(KeyError("two")))
    assert isinstance(second.error, KeyError)
    assert not patient.fired
    waiters.fire(lambda: 5)
    assert patient.value == 5


def test_who_waits_no_more_is_forgotten_at_once():
    """A cancelled one takes no memory, and gets nothing more."""
    waiters = ConnectionWaiters()
    waiting = waiters.add(None)
    outcome = Outcome(waiting)
    waiting.cancel()
    assert len(waiters) == 0
    waiters.fire(lambda: 5)
    assert isinstance(outcome.error, CancelledError)


@pytest.mark.parametrize("way", ["fire", "failed"])
def test_one_may_cancel_another(way):
    """In its callback, while all are told; and whoever comes then waits for the next."""
    waiters = ConnectionWaiters()
    first, second = waiters.add(1), waiters.add(1)
    late = []

    def told(_result: object) -> None:
        second.cancel()
        late.append(Outcome(waiters.add(None)))

    first.addBoth(told)
    outcome = Outcome(second)
    if way == "fire":
        waiters.fire(lambda: 5)
    else:
        waiters.attempt_failed(Failure(ValueError()))
    assert isinstance(outcome.error, CancelledError)
    assert not late[0].fired
    assert len(waiters) == 1
