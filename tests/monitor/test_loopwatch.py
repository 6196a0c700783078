"""The watchdog: a method that holds the event loop is named, with its line."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.task import deferLater

import txremote
from tests.monitor.watched import watched
from tests.net.servers import logged, until
from tests.processes import Twistd
from txremote.monitor import loopwatch
from txremote.monitor.loopwatch import Held, LoopWatch, Seen, excused, is_own, look

SLOW = 0.05

SERVICE = """
import json, time, txremote

class Shop(txremote.Service):
    @txremote.exposed
    def price(self, secret):
        time.sleep(0.3)
        return 7
"""


class Shop(txremote.Service):
    @txremote.exposed
    def price(self, seconds: float) -> int:
        """Sleep, and not in this function's own frame."""
        self._ask_the_warehouse(seconds)
        return 7

    def _ask_the_warehouse(self, seconds: float) -> None:
        time.sleep(seconds)  # here

    @txremote.exposed
    def quick(self) -> int:
        """Answer at once."""
        return 1


LINE = 1 + open(__file__).read().splitlines().index("        time.sleep(seconds)  # here")


def held_in(events: list[Any]) -> list[Any]:
    """Return the events of holds."""
    return [event for event in events if event.get("log_namespace") == "txremote.slow"]


@pytest_twisted.ensureDeferred
async def test_a_call_that_holds_the_loop_is_named_with_its_line() -> None:
    async with logged() as events, watched(Shop(), slow=SLOW) as here:
        conn = await here.client()
        assert await conn.root.price(6 * SLOW) == 7
        await until(lambda: held_in(events))
        (event,) = held_in(events)
        assert event["method"] == "Shop.price"
        assert event["line"] == f"test_loopwatch.py:{LINE} in Shop._ask_the_warehouse"
        assert event["seconds"] >= SLOW
        assert "127.0.0.1:" in event["caller"]
        assert str(6 * SLOW) not in event["caller"]
        (slow,) = [row for row in here.monitor.slowest() if row.method == "Shop.price"]
        assert (slow.line, slow.ended) == (event["line"], "value")
        assert slow.seconds >= 6 * SLOW
        # and once more within ten seconds: no other event, but a row
        await conn.root.price(6 * SLOW)
        await until(lambda: [bool(row.line) for row in here.monitor.slowest()].count(True) == 2)
        assert len(held_in(events)) == 1


@pytest_twisted.ensureDeferred
async def test_what_is_no_call_is_named_too() -> None:
    from twisted.internet import reactor

    def a_timer_of_the_program() -> None:
        time.sleep(6 * SLOW)

    async with logged() as events, watched(Shop(), slow=SLOW):
        await deferLater(reactor, 0.2, a_timer_of_the_program)
        await until(lambda: held_in(events))
        (event,) = held_in(events)
        assert event["method"].endswith("a_timer_of_the_program")
        assert event["caller"] == ""


@pytest_twisted.ensureDeferred
async def test_with_slow_0_there_is_no_watchdog_and_it_ends_with_the_monitor() -> None:
    others = set(threading.enumerate())  # one of a test before may be about to end

    def running() -> int:
        found = set(threading.enumerate()) - others
        return sum(thread.name == "txremote watchdog" for thread in found)

    async with watched(Shop(), slow=0):
        await until(lambda: True)
        assert running() == 0
    async with watched(Shop(), slow=SLOW):
        await until(lambda: running() == 1)
    await until(lambda: running() == 0)


def test_a_hold_that_does_not_end_is_reported_from_the_watchdogs_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loopwatch, "STILL", 0.0)
    reports: list[Held] = []
    told, over, calls = threading.Event(), threading.Event(), []

    def report(held: Held) -> None:
        reports.append(held)
        told.set()

    watch = LoopWatch(calls.append, 0.02, report)

    def loop() -> None:
        calls.pop(0)()  # it begins
        over.wait(30)  # and is held

    thread = threading.Thread(target=loop)
    watch.start()
    thread.start()
    assert told.wait(30)
    over.set()
    thread.join()
    watch.stop()
    assert [held.ended for held in reports] == [False]
    assert "loop" in reports[0].seen.line


def test_the_line_is_the_programs_own_and_not_of_a_library() -> None:
    seen: list[Seen] = []

    class Odd:
        def __iter__(self) -> Any:
            import sys

            seen.append(look(sys._getframe().f_back))  # json's own frame
            return iter(())

    def price() -> None:
        json.dumps(Odd(), default=list)

    price()
    (found,) = seen
    assert found.line.endswith("<locals>.price")
    assert is_own(__file__)
    assert not is_own(json.__file__)
    assert not is_own(txremote.__file__)
    assert not is_own(pytest.__file__)
    assert not is_own("<frozen importlib._bootstrap>")


@pytest.mark.parametrize(
    ("late", "used", "excuse"),
    [
        (0.0, 0.0, 0.0),  # it slept: the watchdog woke in time
        (0.0, 0.3, 0.0),  # it calculated, with the interpreter's lock let go now and then
        (0.3, 0.3, 0.0),  # it kept that lock: the watchdog could not run
        (0.3, 0.0, 0.3),  # neither could run
    ],
)
def test_a_machine_without_a_processor_to_give_is_no_method_s_fault(
    late: float, used: float, excuse: float
) -> None:
    assert excused(late, used) == excuse


@pytest_twisted.ensureDeferred
async def test_twistd_names_a_method_that_sleeps_with_its_line(tmp_path: Any) -> None:
    (tmp_path / "shop.py").write_text(SERVICE)
    with Twistd("shop.Shop", cwd=tmp_path) as server:
        conn = await txremote.connect(server.endpoint, timeout=30)
        assert await conn.root.price("a secret of the caller's") == 7
        await conn.close()
        found = server.wait_for(r"(?m)^.*held the event loop.*$")[0]
        assert "Shop.price, called by 127.0.0.1:" in found
        assert "shop.py:7 in Shop.price" in found
        assert "@threaded" in found
        assert "secret" not in server.output


@pytest.mark.skipif(not hasattr(time, "pthread_getcpuclockid"), reason="has no clocks of threads")
def test_the_watch_ends_with_its_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread may get the number of one that has ended: it is not taken for the loop."""
    watch = LoopWatch(lambda begin: begin(), SLOW, lambda _held: None)
    others = threading.enumerate()
    ended = threading.Thread(target=watch.start)
    ended.start()
    ended.join()
    (watchdog,) = set(threading.enumerate()) - {*others, ended}
    monkeypatch.setattr(watch, "_watched", threading.get_ident())
    watchdog.join(10)
    assert not watchdog.is_alive()
