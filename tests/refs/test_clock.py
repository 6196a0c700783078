"""
The clock of all limits of time: whoever sets the machine's clock ends or stops nothing.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.base import ReactorBase
from twisted.internet.defer import Deferred
from twisted.internet.error import AlreadyCalled, AlreadyCancelled
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from tests.processes import Program
from txremote.refs import clock as module
from txremote.refs.clock import SteadyClock, steady

HOUR = 3600.0


class Stepped(ReactorBase):
    """A reactor of Twisted's whose time of day is set, and which runs when it is told to."""

    def __init__(self, now: list[float]) -> None:
        super().__init__()
        self.now = now

    def installWaker(self) -> None:
        """None is needed."""

    def seconds(self) -> float:  # type: ignore[override]
        return self.now[0]


class Room:
    """A steady clock on a reactor that is stepped, and both of its clocks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.day, self.true = [1_000_000.0], [50.0]
        monkeypatch.setattr(module, "monotonic", lambda: self.true[0])
        self.reactor: Any = Stepped(self.day)
        self.clock: SteadyClock = steady(self.reactor)
        monkeypatch.setattr(self.clock, "_look_after", lambda: None)
        self.came: list[str] = []

    def later(self, seconds: float, name: str) -> Any:
        return self.clock.callLater(seconds, self.came.append, name)

    def pass_by(self, seconds: float) -> list[str]:
        """Let time pass, and return what has come so far."""
        self.day[0] += seconds
        self.true[0] += seconds
        self.reactor.runUntilCurrent()
        return self.came


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Room:
    """As it says."""
    return Room(monkeypatch)


def test_calls_come_in_their_time_and_in_order(room: Room) -> None:
    room.later(2, "second")
    room.later(1, "first")
    assert room.pass_by(0.9) == []
    assert room.pass_by(0.2) == ["first"]
    assert room.pass_by(1) == ["first", "second"]
    assert not room.clock.getDelayedCalls()


def test_the_clock_begins_with_the_reactors_time_and_goes_on_by_itself(room: Room) -> None:
    assert room.clock.seconds() == 1_000_000.0
    room.day[0] += HOUR
    assert room.clock.seconds() == 1_000_000.0
    room.true[0] += 2
    assert room.clock.seconds() == 1_000_002.0


def test_set_forward_a_call_does_not_come_early(room: Room) -> None:
    room.later(5, "it")
    room.day[0] += HOUR
    assert room.pass_by(4.9) == []
    assert room.pass_by(0.2) == ["it"]


def test_set_back_a_call_comes_when_it_is_due(room: Room) -> None:
    room.later(5, "it")
    overdue = room.later(1, "overdue")
    room.day[0] -= HOUR
    assert room.pass_by(2) == []  # the reactor has no way to know
    room.clock._set_back()
    assert overdue.active()
    assert room.pass_by(0.1) == ["overdue"]
    assert room.pass_by(2.8) == ["overdue"]
    assert room.pass_by(0.2) == ["overdue", "it"]


def test_a_call_is_what_twisted_takes_for_one(room: Room) -> None:
    verifyObject(IReactorTime, room.clock)
    call = room.later(3, "it")
    verifyObject(IDelayedCall, call)
    assert call.active()
    assert call.getTime() == room.clock.seconds() + 3
    call.reset(1)
    call.delay(1)
    assert call.getTime() == room.clock.seconds() + 2
    assert room.pass_by(1.9) == []
    assert room.pass_by(0.2) == ["it"]
    assert not call.active()
    with pytest.raises(AlreadyCalled):
        call.cancel()
    other = room.later(1, "other")
    other.cancel()
    assert not other.active()
    with pytest.raises(AlreadyCancelled):
        other.cancel()
    assert room.pass_by(2) == ["it"]


def test_keyword_arguments_are_handed_on(room: Room) -> None:
    got: dict[str, int] = {}
    room.clock.callLater(1, got.update, {"a": 1}, b=2)
    room.pass_by(1)
    assert got == {"a": 1, "b": 2}


def test_a_reactor_has_one_clock_and_a_fake_clock_is_taken_as_it_is(room: Room) -> None:
    assert steady(room.reactor) is room.clock
    assert isinstance(steady(reactor), SteadyClock)
    fake = Clock()
    assert steady(fake) is fake


@pytest_twisted.inlineCallbacks
def test_the_thread_that_looks_puts_calls_anew(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Here with a real reactor, whose time of day is set back."""
    monkeypatch.setattr(module, "READING_INTERVAL", 0.01)
    own: Any = SteadyClock(reactor)
    came: Deferred[str] = Deferred()
    real = reactor.seconds  # type: ignore[attr-defined]
    off = [0.0]
    monkeypatch.setattr(reactor, "seconds", lambda: real() + off[0])
    put: list[object] = []
    set_back = own._set_back

    def counted() -> None:
        put.append(None)
        set_back()

    own._set_back = counted
    own.callLater(0.2, came.callback, "it")
    off[0] = -HOUR
    try:
        assert (yield came) == "it"
    finally:
        off[0] = 0.0
    assert put


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_child_that_is_forked_has_a_thread_of_its_own(room: Room) -> None:
    room.clock._awake.set()
    room.clock.after_fork()
    assert not room.clock._awake.is_set()
    assert room.clock._thread is None


def test_no_limit_of_time_is_ended_or_stopped_by_a_clock_that_is_set() -> None:
    """Twelve limits of one second in a real process, whose clock is set meanwhile."""
    runs = [Program(sys.executable, "-m", "tests.refs.jump", jump) for jump in (HOUR, -HOUR)]
    try:
        for run in runs:
            took = json.loads(run.wait_for(r"TOOK (\{.*\})\n")[1])
            assert len(took) == 12
            early_or_late = {name: it for name, it in took.items() if not 0.98 < it[0] < 2.5}
            assert not early_or_late
            assert run.finish() == 0
    finally:
        for run in runs:
            run.kill()
