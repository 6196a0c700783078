"""
`BgServingThread`: serves while the script does other things, at once, and stops
when it is told to.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

import txremote.blocking as rpyc
from tests.blocking.script_threads import (
    Script,
    by_hand,
    client,
    linked,
    scripted,
    serving,
    wait_until,
)

MEBI = 1 << 20


class Feed(rpyc.Service):
    """Calls the client."""

    def __init__(self) -> None:
        self.kept: Any = None

    def exposed_subscribe(self, function: Any) -> None:
        self.kept = function

    def exposed_add(self, a: int, b: int) -> int:
        return a + b

    def exposed_fire(self, count: int, function: Any) -> None:
        """Call back so many times, later and one by one."""

        def fire() -> None:
            try:
                for number in range(count):
                    function(number)
            except EOFError:  # the script has closed before it could answer
                return

        threading.Thread(target=fire, daemon=True).start()


@scripted
def test_a_hundred_callbacks_come_without_delay() -> None:
    """Each is awaited before the next is sent; RPyC's thread takes 10 s for that."""
    seen: list[int] = []
    done = threading.Event()

    def on_event(number: int) -> None:
        seen.append(number)
        if number == 99:
            done.set()

    with serving(Feed) as server, client(server) as conn:
        thread = rpyc.BgServingThread(conn)
        best = 9.0
        for _ in range(3):  # one of three, for the machine may be busy
            seen.clear()
            done.clear()
            began = time.monotonic()
            conn.root.fire(100, on_event)
            assert done.wait(20)
            best = min(best, time.monotonic() - began)
            assert seen == list(range(100))
        assert best < 0.2
        thread.stop()


@scripted
def test_stopping_an_idle_one_takes_no_time() -> None:
    with serving(Feed) as server, client(server) as conn:
        best = 9.0
        for _ in range(3):
            thread = rpyc.BgServingThread(conn)
            wait_until(conn._pump.io.reading.locked)
            began = time.monotonic()
            thread.stop()
            best = min(best, time.monotonic() - began)
            assert not thread._thread.is_alive()
        assert best < 0.1
        assert conn.root.add(1, 2) == 3


@scripted
def test_stopping_one_that_another_thread_reads_for() -> None:
    with by_hand(Feed) as (conn, remote):
        reader = Script(conn.serve, 60)
        wait_until(conn._pump.io.reading.locked)
        thread = rpyc.BgServingThread(conn)
        wait_until(lambda: conn._pump.inbox.sleeping)
        began = time.monotonic()
        thread.stop()
        assert time.monotonic() - began < 5
        assert conn._pump.io.reading.locked()  # it reads on
        remote.close()
        assert reader.result() is True


@scripted
def test_stopping_twice_and_after_the_end_is_no_error() -> None:
    with by_hand(Feed) as (conn, remote):
        thread = rpyc.BgServingThread(conn)
        thread.stop()
        thread.stop()
        another = rpyc.BgServingThread(conn)
        remote.close()
        wait_until(lambda: not another._thread.is_alive())
        another.stop()
        conn.close()
        thread.stop()


@scripted
def test_it_stops_though_the_peer_takes_nothing() -> None:
    """Also with unsent bytes behind a full socket."""
    with by_hand(Feed) as (conn, remote):
        pump = conn._pump
        with pump.lock:
            root = conn.protocol._root
            conn.protocol.outbound.call(root, ("add",), (b"x" * (8 * MEBI), b""), {})
        pump.io.flush(0)
        assert pump.io.transport.out
        thread = rpyc.BgServingThread(conn)
        wait_until(pump.io.reading.locked)
        began = time.monotonic()
        thread.stop()
        assert time.monotonic() - began < 2
        remote._pump.io.channel.shutdown()  # else closing waits for it, too


@scripted
def test_a_callback_may_stop_it() -> None:
    service = Feed()
    with by_hand(service) as (conn, remote):
        given = rpyc.async_(conn.root.subscribe)(lambda: thread.stop())
        remote.poll_all(0.05)
        wait_until(lambda: service.kept is not None)
        thread = rpyc.BgServingThread(conn)
        assert service.kept() is None
        wait_until(lambda: not thread._thread.is_alive())
        assert given.value is None


@scripted
def test_calls_from_the_script_go_on_beside_it() -> None:
    """The thread reads most of the answers, and each reaches its caller."""
    with serving(Feed) as server, client(server) as conn:
        thread = rpyc.BgServingThread(conn)
        for number in range(300):
            assert conn.root.add(number, 1) == number + 1
        thread.stop()


@scripted
def test_a_callback_that_calls_back_runs_in_it() -> None:
    where: list[Any] = []
    done = threading.Event()

    with serving(Feed) as server, client(server) as conn:
        thread = rpyc.BgServingThread(conn)

        def on_event(number: int) -> None:
            where.append((threading.current_thread(), conn.root.add(number, 40)))
            done.set()

        conn.root.fire(1, on_event)
        assert done.wait(20)
        assert where == [(thread._thread, 40)]
        thread.stop()


@scripted
def test_its_callback_is_called_when_the_connection_ends_and_not_when_it_is_stopped() -> None:
    ended: list[str] = []
    with by_hand(Feed) as (conn, remote):
        rpyc.BgServingThread(conn, callback=lambda: ended.append("stopped")).stop()
        thread = rpyc.BgServingThread(conn, lambda: ended.append("ended"))
        remote.close()
        wait_until(lambda: ended)
        wait_until(lambda: not thread._thread.is_alive())
        assert ended == ["ended"]


@scripted
def test_rpycs_intervals_are_accepted_and_have_no_effect() -> None:
    assert rpyc.BgServingThread.SERVE_INTERVAL == rpyc.BgServingThread.SLEEP_INTERVAL == 0
    with by_hand(Feed) as (conn, _remote):
        thread = rpyc.BgServingThread(conn, serve_interval=100, sleep_interval=100)
        began = time.monotonic()
        thread.stop()
        assert time.monotonic() - began < 10


@scripted
def test_two_may_serve_one_connection() -> None:
    """One runs what takes long, the other what comes meanwhile."""
    go = threading.Event()
    service = Feed()
    with by_hand(service) as (conn, remote):
        given = rpyc.async_(conn.root.subscribe)(lambda what: go.wait(20) if what else go.set())
        remote.poll_all(0.05)
        wait_until(lambda: service.kept is not None)
        threads = [rpyc.BgServingThread(conn) for _ in range(2)]
        waiting = rpyc.async_(service.kept)(True)
        service.kept(False)
        assert waiting.value is True
        for thread in threads:
            thread.stop()
        assert given.value is None


@pytest.mark.parametrize("attempt", range(3))
@scripted
def test_starting_and_stopping_many_times_loses_nothing(attempt: int) -> None:
    with serving(Feed) as server, client(server) as conn:
        for number in range(30):
            thread = rpyc.BgServingThread(conn)
            assert conn.root.add(number, attempt) == number + attempt
            thread.stop()


@scripted
def test_whether_it_serves() -> None:
    """By its own name, and by the one that programs written for RPyC read."""
    with linked(rpyc.Service) as conn:
        background = rpyc.BgServingThread(conn)
        assert background.active
        assert background._active
        background.stop()
        assert not background.active
