"""
Methods that fail for callers who see the whole error: the operator hears of them, sparingly.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest
from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock

from tests.peer.pairs import Outcome, logged
from txremote import Service, exposed, threaded
from txremote.peer import failing
from txremote.peer.failing import EVERY, FailureLog
from txremote.testing import connected_pair


class Shop(Service):
    """Fails in several ways."""

    @exposed
    def price(self, item: str) -> int:
        return self._found({}, item)

    def _found(self, prices: Any, item: str) -> int:
        return int(prices[item])

    @exposed
    async def later(self) -> None:
        raise OSError("too late")

    @exposed
    @threaded
    def elsewhere(self) -> None:
        raise OSError

    @exposed
    def whole(self) -> int:
        return 1 << 70_000_000  # more than a message may hold

    @exposed
    def given_up(self, kind: str) -> None:
        raise {"twisted": CancelledError, "asyncio": asyncio.CancelledError}[kind]


class Counter:
    """A pair whose server tells of its failing methods, and their clock."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.pair: Any = connected_pair(server_root=Shop)
        self.pair.server.inbound.answers.failures = FailureLog(self.clock)
        self.pair.server.user = "ann"

    def fail(self, name: str, *args: object) -> None:
        outcome = Outcome(getattr(self.pair.client.root, name)(*args))
        self.pair.pump()
        assert outcome.error is not None


def warnings(log: Any) -> list[str]:
    return [line.partition("] ")[2] for line in log.text().splitlines() if "#warn" in line]


def line_of(method: Any) -> int:
    return inspect.getsourcelines(method)[1]


def test_the_first_failure_is_told_with_its_line_and_the_others_as_a_number() -> None:
    """At the default level; later ones are told at once again, when there were none for a while."""
    counter = Counter()
    with logged() as log:
        for number in range(13):
            counter.fail("price", f"item {number}")
        counter.clock.advance(EVERY)
        counter.fail("price", "one more")
        counter.clock.advance(EVERY)
        counter.clock.advance(EVERY)
        counter.fail("price", "news")
    at = f"(test_failing.py:{line_of(Shop._found) + 1})"
    who = "called by ann at unix"
    assert warnings(log) == [
        f"Shop.price, {who}, failed: KeyError: 'item 0' {at}",
        f"Shop.price failed 12 more times in 10 s, the last {who}: KeyError: 'item 12' {at}",
        f"Shop.price failed 1 more time in 10 s, the last {who}: KeyError: 'one more' {at}",
        f"Shop.price, {who}, failed: KeyError: 'news' {at}",
    ]
    assert log.text().count("#debug] Shop.price") == 13  # the others are details
    counter.clock.advance(EVERY)
    assert counter.clock.getDelayedCalls() == []


@pytest.mark.parametrize(
    ("name", "error"), [("later", "OSError: too late"), ("elsewhere", "OSError")]
)
def test_wherever_the_method_runs(name: str, error: str) -> None:
    """A coroutine, a thread; an error without a text has none."""
    counter = Counter()
    with logged() as log:
        counter.fail(name)
    assert [line.partition(" (")[0] for line in warnings(log)] == [
        f"Shop.{name}, called by ann at unix, failed: {error}"
    ]


def test_what_no_method_has_raised_is_no_failure_of_one() -> None:
    """A name that is not exposed is its caller's mistake; a call that is given up has no caller."""
    counter = Counter()
    with logged() as log:
        counter.fail("nothing")
        counter.fail("given_up", "twisted")
        counter.fail("given_up", "asyncio")
    assert warnings(log) == []
    assert counter.clock.getDelayedCalls() == []


def test_an_answer_that_cannot_be_sent_is_told_of() -> None:
    counter = Counter()
    with logged() as log:
        counter.fail("whole")
    (line,) = warnings(log)
    assert line.startswith("a request, called by ann at unix, failed: NotSendable: "), line
    assert line.endswith(" (its answer)"), line


def test_many_methods_that_fail_at_once_are_one(monkeypatch: Any) -> None:
    """Their names may be made up as they are called."""
    monkeypatch.setattr(failing, "MOST_METHODS", 1)
    counter = Counter()
    with logged() as log:
        counter.fail("price", "x")
        counter.fail("later")
        counter.fail("elsewhere")
        counter.fail("later")
        counter.clock.advance(EVERY)
    told = warnings(log)
    assert told[0].startswith("Shop.price, called by")
    assert told[1].startswith("Shop.later, called by") and len(told) == 3
    assert told[2].startswith("other methods failed 2 more times in 10 s, the last called by ann")
