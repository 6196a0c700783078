"""The executor, the driver and the guard of a connection in memory."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from tests.peer.pairs import Outcome
from txremote import AsyncResult, WouldBlockReactor
from txremote.peer.immediate import AnyThread, ImmediateDriver, ImmediateExecutor
from txremote.peer.variables import Variables


class Work:
    def __init__(self) -> None:
        self.ran = 0
        self.inbound = SimpleNamespace(variables=Variables())

    def run(self) -> None:
        self.ran += 1


def test_work_runs_at_once() -> None:
    work = Work()
    ImmediateExecutor().start(work)
    assert work.ran == 1


def test_a_deferred_fires_at_once_with_a_value_or_a_failure() -> None:
    executor = ImmediateExecutor()
    good: Deferred[Any] = Deferred()
    bad: Deferred[Any] = Deferred()
    executor.fire(good, 3)
    executor.fire(bad, Failure(ValueError("x")))
    assert Outcome(good).value == 3
    assert isinstance(Outcome(bad).error, ValueError)


def test_a_deferred_that_was_cancelled_is_not_fired_again() -> None:
    deferred: Deferred[Any] = Deferred()
    outcome = Outcome(deferred)
    deferred.cancel()
    ImmediateExecutor().fire(deferred, 3)
    assert isinstance(outcome.error, CancelledError)


def test_functions_are_called_at_once() -> None:
    executor, driver = ImmediateExecutor(), ImmediateDriver()
    seen: list[Any] = []
    executor.submit(lambda: seen.append("submitted"))
    executor.soon(lambda: seen.append("soon"))
    driver.deliver(seen.append, "delivered")
    assert seen == ["submitted", "soon", "delivered"]
    assert driver.convert(seen) is seen
    driver.serve_arrived()
    AnyThread().check()


def test_nothing_can_be_waited_for() -> None:
    with pytest.raises(WouldBlockReactor, match="pump the pair"):
        ImmediateDriver().wait(AsyncResult(Deferred()), 1)


def test_it_lives_by_the_clock_it_was_given() -> None:
    clock = Clock()
    driver = ImmediateDriver(clock)
    seen: list[Any] = []
    take_back = driver.call_later(1, lambda: seen.append("first"))
    driver.call_later(2, lambda: seen.append("second"))
    assert take_back is not None
    take_back()
    clock.advance(3)
    assert seen == ["second"]
    take_back()  # too late, and no harm
    assert driver.seconds() == 3


def test_without_a_clock_there_is_no_time() -> None:
    driver = ImmediateDriver()
    assert driver.seconds() == 0
    assert driver.call_later(1, lambda: None) is None
