"""
A reactor's thread: known from inside and outside, and reached from everywhere.
"""

from __future__ import annotations

import threading
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.internet.threads import deferToThread
from twisted.python import threadable

from txremote.refs.reactorthread import in_reactor, is_reactor_thread, later, may_call_here


class Beside:
    """A reactor that is run beside the program's, in a thread of its own."""

    def __init__(self, thread: int) -> None:
        self.io_thread = thread
        self.called: list[Any] = []

    def callFromThread(self, function: Any) -> None:
        self.called.append(function)


@pytest_twisted.inlineCallbacks
def test_the_programs_reactor_has_the_thread_that_twisted_knows() -> Any:
    assert is_reactor_thread(reactor)
    assert may_call_here(reactor)
    assert (yield deferToThread(is_reactor_thread, reactor)) is False
    assert (yield deferToThread(may_call_here, reactor)) is False


def test_before_a_reactor_runs_any_thread_may_set_things_up(monkeypatch: Any) -> None:
    """There is no thread of the reactor's yet, so this is not it either."""
    monkeypatch.setattr(threadable, "ioThread", None)
    assert may_call_here(reactor)
    assert not is_reactor_thread(reactor)
    called: list[str] = []
    in_reactor(reactor, lambda: called.append("now"))
    assert called == ["now"]


def test_a_reactor_beside_the_programs_says_itself_where_it_runs() -> None:
    here, elsewhere = Beside(threading.get_ident()), Beside(-1)
    assert is_reactor_thread(here)
    assert may_call_here(here)
    assert not is_reactor_thread(elsewhere)
    assert not may_call_here(elsewhere)


def test_a_function_is_called_at_once_here_and_passed_on_elsewhere() -> None:
    here, elsewhere = Beside(threading.get_ident()), Beside(-1)
    called: list[str] = []

    def function() -> None:
        called.append("now")

    in_reactor(elsewhere, function)
    assert (called, elsewhere.called) == ([], [function])
    in_reactor(here, function)
    assert (called, here.called) == (["now"], [])


@pytest.mark.parametrize("taken_back", [False, True])
def test_a_call_comes_at_its_time_unless_it_is_taken_back(taken_back: bool) -> None:
    clock = Clock()
    called: list[float] = []
    take_back = later(clock, 2, lambda: called.append(clock.seconds()))
    clock.advance(1)
    if taken_back:
        take_back()
        take_back()
        assert clock.getDelayedCalls() == []
    clock.advance(1)
    take_back()  # too late, and no error
    assert called == ([] if taken_back else [2])


@pytest_twisted.inlineCallbacks
def test_another_thread_may_arrange_for_a_call_and_take_it_back() -> Any:
    """The call is made in the reactor's thread."""
    called: Deferred[int] = Deferred()
    never: list[int] = []

    def work() -> None:
        later(reactor, 0.001, lambda: called.callback(threading.get_ident()))
        take_back = later(reactor, 0.001, lambda: never.append(1))
        take_back()

    yield deferToThread(work)
    assert (yield called) == threading.get_ident()
    yield deferLater(reactor, 0.005)
    assert never == []
