"""
The pump: threads that wait drive the connection, and none waits in vain.
"""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

import txremote
import txremote.blocking as rpyc
from tests.blocking.sample_services import SOON, Desk, Later, keep, one_write
from tests.blocking.script_threads import (
    DEADLINE,
    Script,
    by_hand,
    client,
    eager_switching,
    gather,
    linked,
    scripted,
    serving,
    wait_until,
)
from txremote.blocking.inbox import PendingAnswer

# --- waiting ----------------------------------------------------------------------


@scripted
def test_a_call_returns_what_the_peer_returns() -> None:
    with linked(Desk) as conn:
        assert conn.root.add(2, 3) == 5
        assert conn.root.add("a", b="b") == "ab"
        with pytest.raises(ValueError, match="as asked"):
            conn.root.fail()


@scripted
def test_a_waiting_call_serves_the_peers_calls() -> None:
    """A callback runs in the very thread that waits."""
    with linked(Desk) as conn:
        assert conn.root.call(lambda: threading.get_ident()) == threading.get_ident()


@scripted
def test_a_callback_may_call_back() -> None:
    with linked(Desk) as conn:
        add = conn.root.add
        assert conn.root.call(lambda: add(1, conn.root.call(lambda: add(1, 1)))) == 3


@scripted
def test_poll_serves_one_thing_and_says_whether_there_was_one() -> None:
    seen: list[int] = []
    service = Later()
    with by_hand(service) as (conn, remote):
        keep(conn, remote, seen.append)
        assert conn.poll() is False
        for number in (1, 2):
            rpyc.async_(service.kept[0])(number)
        assert conn.poll(1) is True
        assert seen == [1]
        assert conn.serve(1) is True
        assert seen == [1, 2]
        began = time.monotonic()
        assert conn.poll(0.05) is False
        assert time.monotonic() - began >= 0.05


@scripted
def test_poll_all_serves_everything_that_is_there() -> None:
    seen: list[int] = []
    service = Later()
    with by_hand(service) as (conn, remote):
        keep(conn, remote, seen.append)
        with one_write(remote):
            for number in range(50):
                rpyc.async_(service.kept[0])(number)
        assert conn.poll_all(0.1) is True
        assert seen == list(range(50))
        assert conn.poll_all() is False


@scripted
def test_serving_a_connection_that_has_ended_raises_eoferror() -> None:
    with by_hand(Later) as (conn, remote):
        remote.close()
        wait_until(lambda: conn.poll_all() is False and conn.closed)
        with pytest.raises(EOFError, match="the peer closed the connection"):
            conn.serve(1)
        with pytest.raises(EOFError):
            conn.poll()
        assert conn.poll_all(1) is False
        conn.serve_all()


@scripted
def test_a_wake_up_that_comes_too_late_for_one_thread_is_passed_on(monkeypatch: Any) -> None:
    """It is woken to read just when its time is over; another one sleeps beside it."""
    late = [0.0]
    monkeypatch.setattr("txremote.blocking.pump.monotonic", lambda: time.monotonic() + late[0])
    with by_hand(Later) as (conn, _remote):
        pump = conn._pump
        waiter = PendingAnswer()
        assert pump.io.reading.acquire(blocking=False)
        polling = Script(pump.serve, 1000)
        wait_until(lambda: len(pump.inbox.sleeping) == 1)
        waiting = Script(pump.run_until, waiter, None)
        wait_until(lambda: len(pump.inbox.sleeping) == 2)
        late[0] = 2000
        pump.io.release_role(pump.io.reading)
        assert polling.result(SOON) is False
        wait_until(pump.io.reading.locked)
        conn.close()
        assert waiting.result(SOON) is False


@scripted
def test_a_thread_that_stops_to_poll_wakes_the_next() -> None:
    """
    Threads that poll for no time come and go between those that wait for
    answers, and take nobody's wake-up along.
    """
    with serving(Desk) as server, client(server) as conn, eager_switching():
        stop = threading.Event()

        def poll() -> None:
            while not stop.is_set():
                conn.poll()

        def call() -> bool:
            return all(conn.root.add(i, 1) == i + 1 for i in range(150))

        pollers = [Script(poll) for _ in range(3)]
        try:
            assert gather(*[call] * 4) == [True] * 4
        finally:
            stop.set()
        for script in pollers:
            script.result()


def test_ctrl_c_ends_a_call_and_not_the_connection() -> None:
    """At the prompt: the call is given up, its late answer dropped, the next works."""
    program = """if True:
        import threading
        import txremote.blocking as rpyc
        from txremote.blocking.utils.server import ThreadedServer

        class Slow(rpyc.Service):
            go = threading.Event()
            def exposed_wait(self):
                self.go.wait(20)
                return "too late"
            def exposed_add(self, a, b):
                return a + b

        server = ThreadedServer(Slow)
        threading.Thread(target=server.start, daemon=True).start()
        conn = rpyc.connect("127.0.0.1", server.port)
        wait = conn.root.wait
        for reader in (None, rpyc.BgServingThread(conn)):
            Slow.go.clear()
            try:
                print("waiting", flush=True)
                wait()
            except KeyboardInterrupt:
                Slow.go.set()
                print(conn.root.add(1, 2), flush=True)
        reader.stop()
        conn.close()
    """
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            for _ in range(2):
                assert process.stdout.readline() == "waiting\n"
                time.sleep(0.1)  # until it is in there
                process.send_signal(signal.SIGINT)
                assert process.stdout.readline() == "3\n"
            _out, errors = process.communicate(timeout=DEADLINE)
            assert (process.returncode, errors) == (0, "")
        finally:
            process.kill()


# --- many threads -----------------------------------------------------------------


@scripted
def test_twenty_threads_share_a_connection() -> None:
    """Every thread gets the answers to its own calls."""
    with serving(Desk) as server, client(server) as conn:
        add = conn.root.add

        def calls(thread: int) -> bool:
            return all(add(thread, i) == thread + i for i in range(300))

        assert gather(*[lambda n=n: calls(n * 1000) for n in range(20)]) == [True] * 20


@scripted
def test_threads_that_are_called_back_share_a_connection() -> None:
    """A callback may run in any of the threads that wait; each answer is right."""
    with serving(Desk) as server, client(server) as conn, eager_switching():
        call = conn.root.call

        def calls(thread: int) -> bool:
            return all(call(lambda n=i: thread + n) == thread + i for i in range(60))

        assert gather(*[lambda n=n: calls(n * 1000) for n in range(10)]) == [True] * 10


@scripted
def test_one_object_is_one_netref_in_all_threads() -> None:
    """Received by many threads at once, an object is still one and the same."""
    shared: list[Any] = []

    class Shop(rpyc.Service):
        def exposed_shelf(self) -> list[Any]:
            return shared

    with serving(Shop) as server, client(server) as conn, eager_switching():
        for _ in range(30):
            start = threading.Barrier(6)

            def fetch(start: threading.Barrier = start) -> Any:
                start.wait(DEADLINE)
                return conn.root.shelf()

            found = gather(*[fetch] * 6)
            assert len({id(netref) for netref in found}) == 1


# --- depth ------------------------------------------------------------------------


def chain(conn: Any, depth: int) -> int:
    """Call through the peer and back, each call within the one before."""

    def back(left: int) -> int:
        return 1 + conn.root.chain(left - 1, back) if left else 0

    return conn.root.chain(depth, back)  # type: ignore[no-any-return]


@scripted
def test_calls_nest_a_hundred_deep() -> None:
    with linked(Desk) as conn:
        assert chain(conn, 100) == 100


@scripted
def test_calls_that_nest_too_deep_are_a_recursionerror_and_no_more() -> None:
    with linked(Desk) as conn:
        with pytest.raises(RecursionError):
            chain(conn, 3000)
        assert conn.root.add(1, 1) == 2
        assert chain(conn, 50) == 50


@scripted
def test_a_call_from_the_end_of_the_stack_does_the_connection_no_harm() -> None:
    """However little of the stack a call finds, it goes through or raises."""

    def deep(frames: int) -> Any:
        return deep(frames - 1) if frames else conn.root.call(conn.root.add, 1, 1)

    with linked(Desk) as conn:
        ended = []
        for frames in range(sys.getrecursionlimit() - 250, sys.getrecursionlimit(), 2):
            try:
                ended.append(deep(frames))
            except RecursionError:
                ended.append("too deep")
            assert conn.root.add(1, 1) == 2
        assert ended[0] == 2
        assert ended[-1] == "too deep"


# --- time -------------------------------------------------------------------------


@scripted
def test_an_answer_that_comes_too_late_is_dropped() -> None:
    """The next call gets its own answer; the late one's references are given back."""
    go = threading.Event()

    class Slow(rpyc.Service):
        def exposed_wait(self) -> list[int]:
            go.wait(DEADLINE)
            return [1]

        def exposed_add(self, a: int, b: int) -> int:
            return a + b

    with linked(Slow, config={"sync_request_timeout": 0.2}) as conn:
        began = time.monotonic()
        with pytest.raises(rpyc.AsyncResultTimeout, match="no answer within"):
            conn.root.wait()
        assert 0.2 <= time.monotonic() - began < SOON
        go.set()
        assert [conn.root.add(i, 1) for i in range(5)] == [1, 2, 3, 4, 5]


# --- the end ----------------------------------------------------------------------


@scripted
def test_threads_that_sleep_beside_a_poller_hear_of_the_end() -> None:
    """However the end meets threads that poll, none sleeps on."""
    for _ in range(30):
        service = Later()
        with by_hand(service) as (conn, remote), eager_switching():
            waiting = [Script(conn.root.later, str(number)) for number in range(3)]
            polling = [Script(conn.serve_all) for _ in range(3)]
            while len(service.due) < 3:
                remote.poll(0.01)
            remote._pump.io.channel.shutdown()
            for script in waiting:
                with pytest.raises(EOFError):
                    script.result(SOON)
            for script in polling:
                script.result(SOON)


@scripted
def test_closing_in_one_thread_ends_the_waits_of_the_others() -> None:
    for _ in range(20):
        service = Later()
        with by_hand(service) as (conn, remote), eager_switching():
            waiting = [Script(conn.root.later, str(number)) for number in range(4)]
            while len(service.due) < 4:
                remote.poll(0.01)
            conn.close()
            for script in waiting:
                with pytest.raises(EOFError):
                    script.result(SOON)


@scripted
def test_closing_is_heard_at_the_other_side_and_may_be_repeated() -> None:
    service = Later()
    with by_hand(service) as (conn, remote):
        conn.close()
        conn.close()
        assert conn.closed
        remote.serve_all()
        assert service.gone == [remote]
        assert "this side closed" in conn.protocol.why_ended
        assert "the peer closed" in remote.protocol.why_ended


# --- references -------------------------------------------------------------------


@scripted
def test_references_are_given_back_at_the_next_call() -> None:
    class Shop(rpyc.Service):
        def exposed_things(self) -> tuple[Any, ...]:
            return tuple(object() for _ in range(100))

    with by_hand(Shop) as (conn, remote):
        there = rpyc.BgServingThread(remote)
        exports = remote.protocol._tables.exports
        before = len(exports)
        things = conn.root.things()
        assert len(exports) == before + 100
        del things
        gc.collect()
        conn.ping()
        conn.ping()  # the release itself goes with the first
        assert len(exports) <= before + 1
        there.stop()


@scripted
def test_a_connection_works_for_the_reactor_facets_own_service() -> None:
    """`txremote.Service` and its `exposed` serve a script as well."""

    class Plain(txremote.Service):
        @txremote.exposed
        def add(self, a: int, b: int) -> int:
            return a + b

    with linked(Plain) as conn:
        assert conn.root.add(1, 2) == 3
