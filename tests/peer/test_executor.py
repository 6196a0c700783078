"""`RunsAtOnce`: requests run and results fire at once, in the thread that feeds the connection."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from tests.peer.pairs import Outcome
from txremote.peer.immediate import ImmediateExecutor
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
