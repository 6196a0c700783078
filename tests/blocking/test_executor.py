"""
What a connection has done in a script: requests, hooks, threaded methods.
"""

from __future__ import annotations

import threading
from typing import Any

import pytest
from twisted.internet.defer import Deferred

import txremote.blocking as rpyc
from tests.blocking.sample_services import Desk, Later, one_write
from tests.blocking.script_threads import DEADLINE, Script, by_hand, linked, scripted
from txremote.peer.answers import Answers
from txremote.peer.context import current_call

# --- requests ---------------------------------------------------------------------


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


class Elsewhere(Desk):
    """Gives what other threads fire, and other connections bring."""

    def __init__(self, other: Any = None) -> None:
        self.other = other

    def exposed_deferred(self, value: Any) -> Deferred[Any]:
        done: Deferred[Any] = Deferred()
        threading.Timer(0.001, done.callback, (value,)).start()
        return done

    async def exposed_coroutine(self, value: Any) -> Any:
        return await self.exposed_deferred(value) + 1

    def exposed_others(self, value: Any) -> Any:
        return rpyc.async_(self.other.root.add)(value, 1)

    async def exposed_awaited(self, value: Any) -> Any:
        return await rpyc.async_(self.other.root.add)(value, 1)

    async def exposed_blocking(self, function: Any) -> Any:
        return function(1)


@scripted
def test_an_answer_that_another_thread_fires_goes_out_at_once() -> None:
    with linked(Elsewhere) as conn:
        for number in range(20):
            assert conn.root.deferred(number) == number
            assert conn.root.coroutine(number) == number + 1


@scripted
def test_a_callback_may_give_a_deferred_that_another_thread_fires() -> None:
    with linked(Desk) as conn:
        assert conn.root.call(Elsewhere().exposed_deferred, 3) == 3


@scripted
def test_an_asyncresult_of_another_connection_is_waited_for() -> None:
    """Nobody else drives that connection."""
    with linked(Desk) as other, linked(Elsewhere(other)) as conn:
        assert conn.root.others(1) == 2
        assert conn.root.awaited(2) == 3


@scripted
def test_a_coroutine_may_block_in_a_script() -> None:
    """Its first step, too, is run without the connection's lock."""
    with linked(Elsewhere) as conn:
        assert conn.root.blocking(lambda number: conn.root.add(number, 1)) == 2


@scripted
def test_answers_are_written_under_the_lock(monkeypatch: Any) -> None:
    """Those of an AsyncResult too, whose callbacks run anywhere."""
    with by_hand(Desk, Desk) as (conn, remote):
        owned: list[bool] = []
        answer = Answers.send

        def noted(self: Any, *args: Any) -> None:
            owned.append(self._connection.executor.pump.lock._is_owned())
            answer(self, *args)

        monkeypatch.setattr(Answers, "send", noted)
        there = rpyc.BgServingThread(remote)
        assert conn.root.begin(lambda twenty: twenty) == 20
        assert conn.root.add(1, 2) == 3
        there.stop()
        assert owned
        assert all(owned)


# --- hooks ------------------------------------------------------------------------


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
        remote._pump.io.channel.shutdown()
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
def test_a_client_of_a_failing_hook_gets_what_the_hook_raised() -> None:
    class Bad(rpyc.Service):
        def on_connect(self, conn: Any) -> None:
            raise ZeroDivisionError("not today")

    with pytest.raises(ZeroDivisionError, match="not today"):
        rpyc.connect_thread(Bad)
