"""
Timed calls in a script: made by whoever waits or polls.
"""

from __future__ import annotations

import time
from typing import Any

import pytest

import txremote.blocking as rpyc
from tests.blocking.sample_services import SOON, Later
from tests.blocking.script_threads import by_hand, gather, scripted
from txremote.blocking.timers import Timers


class Now:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def now(monkeypatch: Any) -> Now:
    """Give the clock of all timers."""
    clock = Now()
    monkeypatch.setattr("txremote.blocking.timers.monotonic", clock)
    return clock


# --- by themselves ----------------------------------------------------------------


def test_what_is_due_is_called_in_the_order_of_its_times(now: Now) -> None:
    """Those of the same time in the order in which they were asked for."""
    timers = Timers()
    seen: list[str] = []
    for seconds, name in [(3.0, "d"), (1.0, "a"), (2.0, "b"), (2.0, "c")]:
        timers.call_later(seconds, lambda name=name: seen.append(name))
    timers.call_due()
    assert seen == []
    now.time += 2
    timers.call_due()
    assert seen == ["a", "b", "c"]
    now.time += 1
    timers.call_due()
    timers.call_due()
    assert seen == ["a", "b", "c", "d"]
    assert timers.heap == []


def test_what_was_taken_back_is_not_called(now: Now) -> None:
    """Taking it back again, or too late, is no error."""
    timers = Timers()
    seen: list[int] = []
    take_back = timers.call_later(1, lambda: seen.append(1))
    late = timers.call_later(1, lambda: seen.append(2))
    take_back()
    take_back()
    now.time += 1
    timers.call_due()
    late()
    assert seen == [2]


def test_a_function_may_ask_to_be_called_again(now: Now) -> None:
    timers = Timers()
    seen: list[float] = []

    def again() -> None:
        seen.append(now.time)
        timers.call_later(5, again)

    timers.call_later(5, again)
    for _ in range(3):
        timers.call_due()
        now.time += 5
    timers.call_due()
    assert seen == [105, 110, 115]


def test_one_that_fails_is_gone_and_the_next_comes(now: Now) -> None:
    timers = Timers()
    seen: list[int] = []
    timers.call_later(1, lambda: 1 // 0)
    timers.call_later(1, lambda: seen.append(1))
    now.time += 1
    with pytest.raises(ZeroDivisionError):
        timers.call_due()
    timers.call_due()
    assert seen == [1]


def test_a_thread_waits_until_its_deadline_or_the_next_call(now: Now) -> None:
    """Whichever comes first; for ever if there is neither."""
    timers = Timers()
    assert timers.time_left(None) is None
    assert timers.time_left(103) == 3
    timers.call_later(2, lambda: None)
    assert timers.time_left(None) == 2
    assert timers.time_left(103) == 2
    assert timers.time_left(101) == 1
    now.time += 5
    assert timers.time_left(None) == -3


def test_many_threads_call_each_function_once() -> None:
    timers = Timers()
    seen: list[int] = []
    for number in range(500):
        timers.call_later(-1, lambda number=number: seen.append(number))
    gather(*[timers.call_due] * 4)
    assert sorted(seen) == list(range(500))


# --- results that expire ----------------------------------------------------------


@scripted
def test_a_result_expires_at_the_next_poll() -> None:
    """Nobody looks at the result itself; polling the connection is enough."""
    with by_hand(Later) as (conn, _remote):
        result = rpyc.timed(conn.root.later, 0.05)("x")
        seen: list[Any] = []
        result.add_callback(lambda result: seen.append(result.expired))
        time.sleep(0.06)
        assert seen == []
        conn.poll_all()
        assert seen == [True]


@scripted
def test_a_result_expires_while_a_thread_waits_for_other_things() -> None:
    with by_hand(Later) as (conn, _remote):
        result = rpyc.timed(conn.root.later, 0.05)("x")
        seen: list[Any] = []
        result.add_callback(lambda result: seen.append(result.expired))
        began = time.monotonic()
        assert conn.serve(SOON) is True
        assert seen == [True]
        assert time.monotonic() - began < SOON


@scripted
def test_an_expiry_that_was_taken_back_does_not_come() -> None:
    service = Later()
    with by_hand(service) as (conn, remote):
        result = rpyc.timed(conn.root.later, 0.02)("x")
        result.set_expiry(None)
        for _ in range(20):  # nor do many of them pile up
            rpyc.timed(conn.root.later, 100)("y").set_expiry(None)
        time.sleep(0.03)
        assert conn.poll_all() is False
        assert not result.expired
        assert len(conn._pump.timers.heap) < 5
        remote.poll_all(0.1)
        service.due["x"].callback("in the end")
        remote._pump.io.flush()
        assert result.value == "in the end"
