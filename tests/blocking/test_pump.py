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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone

import txremote
import txremote.blocking as rpyc
from tests.blocking.scripts import (
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
from txremote.blocking.pump import Answer, Waiter
from txremote.peer.answers import Answers
from txremote.peer.context import current_call
from txremote.wire.consts import HANDLE_PING

#: Less than a hang, more than a busy machine needs for a moment's work.
SOON = 5.0

MEBI = 1 << 20


class Desk(rpyc.Service):
    """
    A bit of everything.
    """

    def exposed_add(self, a: Any, b: Any) -> Any:
        return a + b

    def exposed_same(self, value: Any) -> Any:
        return value

    def exposed_call(self, function: Any, *args: Any) -> Any:
        return function(*args)

    def exposed_chain(self, left: int, function: Any) -> int:
        return 1 + function(left - 1) if left else 0

    def exposed_fail(self) -> None:
        raise ValueError("as asked")

    def exposed_begin(self, function: Any) -> Any:
        return rpyc.async_(function)(20)


class Later(rpyc.Service):
    """
    Answers when the test says so.
    """

    def __init__(self) -> None:
        self.due: dict[str, Deferred[Any]] = {}
        self.kept: list[Any] = []
        self.gone: list[Any] = []

    def on_disconnect(self, conn: Any) -> None:
        self.gone.append(conn)

    def exposed_later(self, name: str) -> Deferred[Any]:
        self.due[name] = Deferred()
        return self.due[name]

    def exposed_keep(self, *functions: Any) -> None:
        self.kept += functions


@contextmanager
def one_write(conn: Any) -> Iterator[None]:
    """
    Have everything that is written inside arrive at the peer at once.
    """
    pump = conn._pump
    flush, pump.flush = pump.flush, lambda *args: None
    try:
        yield
    finally:
        pump.flush = flush
        out = pump.transport.out
        data = b"".join(out)
        out.clear()
        out.append(data)
        pump.flush()


def keep(conn: Any, remote: Any, *functions: Callable[..., Any]) -> None:
    """
    Give some functions to a `Later` service that nobody serves.
    """
    given = rpyc.async_(conn.root.keep)(*functions)
    remote.poll_all(0.05)
    wait_until(lambda: remote.poll_all() is False)
    assert given.value is None


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
def test_a_waiter_sleeps_no_longer_than_it_said_beside_another_that_reads() -> None:
    """Two threads poll one connection; each keeps to its own time."""
    with by_hand(Later) as (conn, _remote):
        reader = Script(conn.poll, 1)
        wait_until(conn._pump._reading.locked)
        began = time.monotonic()
        assert conn.poll(0.05) is False
        assert 0.04 < time.monotonic() - began < 0.9
        assert reader.result() is False


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
        wait_until(lambda: len(conn._pump._sleeping) == 4)
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
        waiter = Waiter()
        held, go = threading.Event(), threading.Event()
        complete, waits = pump._complete, []

        def slow(*args: Any) -> None:
            held.set()
            go.wait(DEADLINE)
            complete(*args)

        pump._complete = slow
        pump._channel.wait = lambda *args, **kwargs: waits.append(args) or False
        pump._items.append(Answer(waiter, 5))
        taking = Script(pump._take)
        assert held.wait(DEADLINE)
        reading = Script(pump._get_more, waiter, time.monotonic() + DEADLINE)
        time.sleep(0.02)  # it would be in there by now
        go.set()
        assert reading.result() is True
        assert (waiter.done, waiter.value, waits) == (True, 5, [])
        taking.result()
        del pump._channel.wait


@scripted
def test_a_wake_up_that_comes_too_late_for_one_thread_is_passed_on(monkeypatch: Any) -> None:
    """It is woken to read just when its time is over; another one sleeps beside it."""
    late = [0.0]
    monkeypatch.setattr("txremote.blocking.pump.monotonic", lambda: time.monotonic() + late[0])
    with by_hand(Later) as (conn, _remote):
        pump = conn._pump
        waiter = Waiter()
        assert pump._reading.acquire(blocking=False)
        polling = Script(pump.serve, 1000)
        wait_until(lambda: len(pump._sleeping) == 1)
        waiting = Script(pump.run_until, waiter, None)
        wait_until(lambda: len(pump._sleeping) == 2)
        late[0] = 2000
        pump._give_back(pump._reading)
        assert polling.result(SOON) is False
        wait_until(pump._reading.locked)
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


@scripted
def test_ctrl_c_in_a_callback_reaches_the_waiting_script() -> None:
    """KeyboardInterrupt is the user's; the peer gets it too, and both go on."""

    def interrupted() -> None:
        raise KeyboardInterrupt

    with linked(Desk) as conn:
        with pytest.raises(KeyboardInterrupt):
            conn.root.call(interrupted)
        assert conn.root.add(1, 1) == 2


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
    """
    Call through the peer and back, each call within the one before.
    """

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


# --- much at once -----------------------------------------------------------------


@scripted
def test_two_great_messages_may_cross() -> None:
    """Each side sends 8 MiB while the other does: nobody waits for ever."""
    much = b"x" * (8 * MEBI)

    class Store(rpyc.Service):
        def exposed_swap(self, function: Any, data: bytes) -> int:
            return len(data) + function(much)  # type: ignore[no-any-return]

    with linked(Store) as conn:
        stored = conn.root.swap

        def swap() -> int:
            return stored(lambda data: stored(len, much) + len(data), much)  # type: ignore

        assert swap() == 32 * MEBI


@scripted
def test_great_messages_may_cross_in_both_directions_at_the_same_moment() -> None:
    much = b"x" * (8 * MEBI)
    with by_hand(Desk, Desk) as (conn, remote):
        here = rpyc.BgServingThread(conn)
        there = rpyc.BgServingThread(remote)
        lengths = gather(
            lambda: len(conn.root.same(much)),
            lambda: len(remote.root.same(much)),
            lambda: len(conn.root.same(much)),
        )
        assert lengths == [8 * MEBI] * 3
        here.stop()
        there.stop()


@scripted
def test_a_call_to_a_peer_that_reads_nothing_ends_with_its_time() -> None:
    """A full socket does not hold a call up past its time-out."""
    with by_hand(Later) as (conn, remote):
        root = conn.root
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            conn._ask(lambda: conn.protocol.outbound.ask(HANDLE_PING, (b"x" * (16 * MEBI),)), 0.1)
        assert 0.1 <= time.monotonic() - began < SOON
        assert not conn.closed
        assert root is conn.root
        remote._pump._channel.shutdown()  # else closing waits for it, too


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
        assert len(conn._pump._timers) < 5
        remote.poll_all(0.1)
        service.due["x"].callback("in the end")
        remote._pump.flush()
        assert result.value == "in the end"


# --- threads of the service -------------------------------------------------------


@scripted
def test_threaded_methods_run_at_the_same_time() -> None:
    """Both must be inside at once to get past the barrier; arguments are netrefs."""
    both = threading.Barrier(2)

    class Busy(rpyc.Service):
        @rpyc.exposed
        @rpyc.threaded
        def meet(self, function: Any) -> Any:
            both.wait(DEADLINE)
            return function(type(current_call()).__name__)

    with linked(Busy) as conn:
        results = [rpyc.async_(conn.root.meet)(lambda name: name * 2) for _ in range(2)]
        assert [result.value for result in results] == ["CurrentCallCurrentCall"] * 2


@scripted
def test_what_a_threaded_method_raises_is_the_callers() -> None:
    class Busy(rpyc.Service):
        @rpyc.exposed
        @rpyc.threaded
        def fail(self) -> None:
            raise SystemExit(3)

    with linked(Busy) as conn:
        with pytest.raises(rpyc.GenericException, match="3") as caught:
            conn.root.fail()
        assert type(caught.value).__name__ == "builtins.SystemExit"


@scripted
def test_a_method_may_return_a_deferred_a_coroutine_or_an_asyncresult() -> None:
    """The answer goes out when it fires."""

    class Patient(Desk):
        def exposed_deferred(self) -> Deferred[Any]:
            done: Deferred[Any] = Deferred()
            done.callback(1)
            return done

        async def exposed_coroutine(self) -> int:
            return 2

    with linked(Patient) as conn:
        assert conn.root.deferred() == 1
        assert conn.root.coroutine() == 2
        assert conn.root.begin(lambda number: number + 1) == 21


@scripted
def test_the_answer_to_an_asyncresult_goes_out_though_another_thread_reads() -> None:
    """The result's callbacks run in one thread while another is in the poll."""
    with by_hand(Desk, Desk) as (conn, remote):
        there = [rpyc.BgServingThread(remote) for _ in range(2)]
        for number in range(20):
            assert conn.root.begin(lambda twenty, n=number: twenty + n) == 20 + number
        for thread in there:
            thread.stop()


@scripted
def test_answers_are_written_under_the_lock(monkeypatch: Any) -> None:
    """Those of an AsyncResult too, whose callbacks run anywhere."""
    with by_hand(Desk, Desk) as (conn, remote):
        owned: list[bool] = []
        answer = Answers.send

        def noted(self: Any, *args: Any) -> None:
            owned.append(self._connection.runner.lock._is_owned())
            answer(self, *args)

        monkeypatch.setattr(Answers, "send", noted)
        there = rpyc.BgServingThread(remote)
        assert conn.root.begin(lambda twenty: twenty) == 20
        assert conn.root.add(1, 2) == 3
        there.stop()
        assert owned
        assert all(owned)


# --- the end ----------------------------------------------------------------------


@scripted
def test_every_waiting_thread_hears_of_the_end() -> None:
    """The peer vanishes in mid-call: EOFError at once, in each of twenty threads."""
    service = Later()
    with by_hand(service) as (conn, remote):
        root = conn.root
        waiting = [Script(root.later, str(number)) for number in range(20)]
        while len(service.due) < 20:
            remote.poll(0.01)
        remote._pump._channel.shutdown()
        for script in waiting:
            with pytest.raises(EOFError):
                script.result(SOON)
        with pytest.raises(EOFError):
            root.later("again")
        assert conn.closed


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
            remote._pump._channel.shutdown()
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
def test_a_descriptor_is_given_back_when_nobody_waits_on_it_any_more() -> None:
    """Else its number could be another file's while a thread still polls it."""
    with by_hand(Later) as (conn, _remote):
        reader = Script(conn.serve_all)
        wait_until(conn._pump._reading.locked)
        assert conn.fileno() >= 0
        conn.close()
        reader.result()
        wait_until(lambda: conn.fileno() == -1)


@scripted
@pytest.mark.parametrize("role", ["_reading", "_sending"])
def test_a_descriptor_is_kept_while_a_thread_may_be_about_to_use_it(role: str) -> None:
    with by_hand(Later) as (conn, _remote):
        pump = conn._pump
        held = getattr(pump, role)
        assert held.acquire(blocking=False)
        Script(pump._lost, ConnectionDone()).result()
        assert conn.closed
        assert conn.fileno() >= 0
        pump._give_back(held)
        assert conn.fileno() == -1


@scripted
def test_the_service_hears_of_the_end_when_its_script_does() -> None:
    """on_disconnect has run when a call raises EOFError, without a further poll."""

    class Client(Later):
        pass

    service, mine = Later(), Client()
    with by_hand(service, mine) as (conn, remote):
        waiting = Script(conn.root.later, "x")
        while not service.due:
            remote.poll(0.01)
        remote._pump._channel.shutdown()
        with pytest.raises(EOFError):
            waiting.result()
        assert mine.gone == [conn]
        conn.close()
        assert mine.gone == [conn]


@scripted
def test_what_came_before_the_end_is_served_before_it() -> None:
    """Requests that stand behind each other with a good-bye all run, then the hook."""
    seen: list[int] = []

    class Log(rpyc.Service):
        def on_disconnect(self, conn: Any) -> None:
            seen.append(-1)

        def exposed_log(self, number: int) -> None:
            seen.append(number)

    with by_hand(Log) as (conn, remote):
        log = conn.root.log
        with one_write(conn):
            for number in range(5):
                rpyc.async_(log)(number)
            conn.protocol.close()
        remote.serve_all()
        assert seen == [0, 1, 2, 3, 4, -1]


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


@scripted
def test_what_is_unsent_goes_out_before_closing() -> None:
    """4 MiB that the peer has not read yet are not lost by close()."""
    seen: list[int] = []

    class Log(rpyc.Service):
        def exposed_log(self, data: bytes) -> None:
            seen.append(len(data))

    with by_hand(Log) as (conn, remote):
        rest = conn._pump._channel.send
        conn._pump._channel.send = lambda data: 0  # the socket is full
        pump = conn._pump
        with pump.lock:
            conn.protocol.outbound.call(conn.protocol._root, ("log",), (b"x" * (4 * MEBI),), {})
        pump.flush(0)
        pump._channel.send = rest
        serving = Script(remote.serve_all)
        conn.close()
        serving.result()
        assert seen == [4 * MEBI]


@scripted
def test_a_client_of_a_failing_hook_gets_what_the_hook_raised() -> None:
    class Bad(rpyc.Service):
        def on_connect(self, conn: Any) -> None:
            raise ZeroDivisionError("not today")

    with pytest.raises(ZeroDivisionError, match="not today"):
        rpyc.connect_thread(Bad)


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
