"""
The inbox: items in their order, threads that sleep and are woken.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import txremote.blocking as rpyc
from tests.blocking.sample_services import Later, keep, one_write
from tests.blocking.script_threads import DEADLINE, Script, by_hand, linked, scripted, wait_until
from txremote.blocking.inbox import Inbox, PendingAnswer

# --- items ------------------------------------------------------------------------


@scripted
def test_callbacks_that_came_before_an_answer_have_run_when_it_is_there() -> None:
    """Events first, then the answer: as they were sent."""
    seen: list[int] = []

    class Eventful(rpyc.Service):
        def exposed_fire(self, function: Any) -> str:
            for number in range(20):
                rpyc.async_(function)(number)
            return "fired"

    with linked(Eventful) as conn:
        assert conn.root.fire(seen.append) == "fired"
        assert seen == list(range(20))


def test_an_answer_is_delivered_in_its_turn_by_whoever_takes_it() -> None:
    inbox, waiter = Inbox(), PendingAnswer()
    seen: list[str] = []
    inbox.items.append(lambda: seen.append("request"))
    waiter.value = 5
    inbox.items.append(waiter)
    first = inbox.take()
    assert first is not None
    first()
    assert (seen, waiter.done) == (["request"], False)
    second = inbox.take()
    assert (waiter.done, waiter.value) == (True, 5)
    assert second is not None
    assert second() is None
    assert inbox.take() is None


# --- sleepers ---------------------------------------------------------------------


@scripted
def test_a_waiter_sleeps_no_longer_than_it_said_beside_another_that_reads() -> None:
    """Two threads poll one connection; each keeps to its own time."""
    with by_hand(Later) as (conn, _remote):
        reader = Script(conn.poll, 1)
        wait_until(conn._pump.io.reading.locked)
        began = time.monotonic()
        assert conn.poll(0.05) is False
        assert 0.04 < time.monotonic() - began < 0.9
        assert reader.result() is False


@scripted
def test_answers_reach_their_threads_while_others_are_busy_with_callbacks() -> None:
    """
    Two callbacks and the answers of five threads arrive in one read. Two of the
    five run the callbacks, and leave somebody awake for the answers.
    """
    go = threading.Event()
    service = Later()
    with by_hand(service) as (conn, remote):
        keep(conn, remote, go.wait, go.wait)
        waiting = [Script(conn.root.later, name) for name in "abcde"]
        while len(service.due) < 5:
            remote.poll(0.01)
        wait_until(lambda: len(conn._pump.inbox.sleeping) == 4)
        with one_write(remote):
            for function in service.kept:
                rpyc.async_(function)()
            for name in "abcde":
                service.due[name].callback(name)
        try:
            wait_until(lambda: sum(script.runs for script in waiting) == 2)
        finally:
            go.set()
        assert [script.result() for script in waiting] == list("abcde")


@scripted
def test_nobody_goes_to_read_while_its_answer_is_in_another_threads_hands() -> None:
    """Else it would sit in the poll with its answer there, and nothing to wake it."""
    with by_hand(Later) as (conn, _remote):
        pump = conn._pump
        waiter = PendingAnswer()
        held, go = threading.Event(), threading.Event()
        complete, waits = pump.inbox.complete, []

        def slow(*args: Any) -> None:
            held.set()
            go.wait(DEADLINE)
            complete(*args)

        pump.inbox.complete = slow
        pump.io.channel.wait = lambda *args, **kwargs: waits.append(args) or False
        waiter.value = 5
        pump.inbox.items.append(waiter)
        taking = Script(pump.inbox.take)
        assert held.wait(DEADLINE)
        reading = Script(pump._get_more, waiter, time.monotonic() + DEADLINE)
        time.sleep(0.02)  # it would be in there by now
        go.set()
        assert reading.result() is True
        assert (waiter.done, waiter.value, waits) == (True, 5, [])
        taking.result()
        del pump.io.channel.wait


def asleep(
    inbox: Inbox, reading: threading.Lock, deadline: float | None
) -> tuple[PendingAnswer, Script]:
    """Return a thread that sleeps beside a reader, and who it is."""
    waiter = PendingAnswer()
    script = Script(inbox.sleep, waiter, deadline, reading)
    wait_until(lambda: waiter in inbox.sleeping)
    return waiter, script


@scripted
def test_sleepers_are_woken_in_their_order_and_by_their_answers() -> None:
    """Who has an answer is woken for it, whoever slept first."""
    inbox, reading = Inbox(), threading.Lock()
    with reading:
        threads = [asleep(inbox, reading, None) for _ in range(3)]
        inbox.complete(threads[1][0])
        threads[1][1].result()
        inbox.wake_one()
        threads[0][1].result()
        assert threads[2][1].runs
        inbox.wake_one()
        threads[2][1].result()
        inbox.wake_one()  # nobody is left
        assert [waiter.done for waiter, _script in threads] == [False, True, False]


@scripted
def test_nobody_falls_asleep_with_something_to_do() -> None:
    """Items, an answer, or a reader's role that is free are seen first."""
    inbox, reading = Inbox(), threading.Lock()
    inbox.sleep(PendingAnswer(), None, reading)
    with reading:
        waiter = PendingAnswer()
        inbox.complete(waiter)
        inbox.sleep(waiter, None, reading)
        inbox.items.append(print)
        inbox.sleep(PendingAnswer(), None, reading)
    assert not inbox.sleeping


@scripted
def test_a_sleeper_wakes_up_at_its_deadline() -> None:
    """And is then nobody whom a wake-up could be wasted on; it may sleep again."""
    inbox, reading = Inbox(), threading.Lock()
    with reading:
        waiter = PendingAnswer()
        for _ in range(2):
            inbox.sleep(waiter, time.monotonic() + 0.01, reading)
            assert not inbox.sleeping
        other, script = asleep(inbox, reading, None)
        inbox.wake_one()
        script.result()
        assert not other.done
