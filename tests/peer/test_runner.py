"""
`ImmediateRunner`: requests run and results fire at once, in the thread that feeds the
connection.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from tests.peer.pairs import Outcome
from txremote import AsyncResult, WouldBlockReactor
from txremote.peer.runner import ImmediateRunner
from txremote.peer.variables import Variables


class Work:
    def __init__(self) -> None:
        self.ran = 0
        self.inbound = SimpleNamespace(variables=Variables())

    def run(self) -> None:
        self.ran += 1


def test_work_runs_at_once() -> None:
    work = Work()
    ImmediateRunner().start(work)
    assert work.ran == 1


def test_a_deferred_fires_at_once_with_a_value_or_a_failure() -> None:
    runner = ImmediateRunner()
    good: Deferred[Any] = Deferred()
    bad: Deferred[Any] = Deferred()
    runner.fire(good, 3)
    runner.fire(bad, Failure(ValueError("x")))
    assert Outcome(good).value == 3
    assert isinstance(Outcome(bad).error, ValueError)


def test_a_deferred_that_was_cancelled_is_not_fired_again() -> None:
    deferred: Deferred[Any] = Deferred()
    outcome = Outcome(deferred)
    deferred.cancel()
    ImmediateRunner().fire(deferred, 3)
    assert isinstance(outcome.error, CancelledError)


def test_functions_are_called_at_once() -> None:
    runner = ImmediateRunner()
    seen: list[Any] = []
    runner.submit(lambda: seen.append("submitted"))
    runner.deliver(seen.append, "delivered")
    assert seen == ["submitted", "delivered"]
    assert runner.present(seen) is seen
    assert runner.check_thread() is None
    assert runner.look() is None


def test_nothing_can_be_waited_for() -> None:
    with pytest.raises(WouldBlockReactor, match="pump the pair"):
        ImmediateRunner().wait(AsyncResult(Deferred()), 1)


def test_it_lives_by_the_clock_it_was_given() -> None:
    clock = Clock()
    runner = ImmediateRunner(clock)
    seen: list[Any] = []
    take_back = runner.call_later(1, lambda: seen.append("first"))
    runner.call_later(2, lambda: seen.append("second"))
    assert take_back is not None
    take_back()
    clock.advance(3)
    assert seen == ["second"]
    take_back()  # too late, and no harm
    assert runner.seconds() == 3


def test_without_a_clock_there_is_no_time() -> None:
    runner = ImmediateRunner()
    assert runner.seconds() == 0
    assert runner.call_later(1, lambda: None) is None
