"""
`WorkerView`: services in worker threads, that call and wait as in RPyC.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread

import txremote
import txremote.blocking as rpyc
from tests.blocking.script_threads import (
    DEADLINE,
    client,
    gather,
    run_script,
    scripted,
    serving,
    wait_until,
)
from tests.eventloop.lane_doubles import Gate, Peer, Reactor
from tests.net.servers import LOOPBACK, endpoint_of, served
from txremote import WouldBlockReactor, connect, current_call, exposed, threaded
from txremote.eventloop import worker_pool as workers
from txremote.eventloop.worker_pool import WorkerPool
from txremote.eventloop.worker_view import WorkerView
from txremote.peer.answers import Answers


@pytest.fixture(autouse=True)
def short_idleness(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads of these tests do not linger for long."""
    monkeypatch.setattr(workers, "IDLE_TIMEOUT", 0.2)


# --- a listener whose service is threaded -------------------------------------------


class Desk(rpyc.Service):
    """A bit of everything."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.seen: list[Any] = []
        self.kept: list[Any] = []
        self.gone = threading.Event()

    def on_connect(self, conn: Any) -> None:
        self.conn = conn

    def on_disconnect(self, conn: Any) -> None:
        self.seen.append("gone")
        self.gone.set()

    def exposed_add(self, a: Any, b: Any) -> Any:
        return a + b

    def exposed_same(self, value: Any) -> Any:
        return value

    def exposed_twice(self, number: int) -> int:
        return 2 * number

    def exposed_call(self, function: Any, *args: Any) -> Any:
        return function(*args)

    def exposed_chain(self, left: int, function: Any) -> int:
        return 1 + function(left - 1) if left else 0

    def exposed_hold(self) -> None:
        self.gate()

    def exposed_note(self, what: Any) -> None:
        self.seen.append(what)

    def exposed_keep(self, function: Any) -> None:
        self.kept.append(function)

    def exposed_poll(self, seconds: float) -> Any:
        return self.conn.poll(seconds), self.conn.poll_all(), self.conn.serve(0)

    def exposed_begin(self, function: Any, *args: Any) -> Any:
        return rpyc.async_(function)(*args)

    def exposed_expire(self, function: Any) -> Any:
        result = rpyc.timed(function, 0.02)()
        seen: list[Any] = []
        result.add_callback(lambda result: seen.append(result.expired))
        try:
            result.wait()
        except rpyc.AsyncResultTimeout:
            return seen, repr(result)
        return None

    def exposed_measure(self, items: Any) -> Any:
        return len(items), items[0], isinstance(items, list)

    async def exposed_block(self, function: Any) -> Any:
        return function()

    def exposed_type(self, value: Any) -> str:
        return type(value).__mro__[1].__name__


def local_client(port: Any, **options: Any) -> rpyc.BlockingConnection:
    return rpyc.connect("127.0.0.1", port.getHost().port, **options)


def script_test(script: Callable[..., None], service: Any = Desk, **switches: Any) -> Any:
    """Run a blocking script against a listener of the tests' reactor."""

    async def test() -> None:
        root = service()
        async with served(root, LOOPBACK, **switches) as port:
            await run_script(script, port, root)

    return test()


@pytest_twisted.ensureDeferred
async def test_a_service_gets_blocking_netrefs_and_may_call_back() -> None:
    def script(port: Any, desk: Desk) -> None:
        with local_client(port) as conn:
            assert conn.root.call(lambda a: a * 2, 21) == 42
            assert conn.root.call(lambda: conn.root.call(lambda: "deep")) == "deep"
            assert conn.root.measure([3, 1, 2]) == (3, 3, True)
            assert conn.root.type(lambda: 1) == "BaseNetref"

    await script_test(script)


@pytest_twisted.ensureDeferred
async def test_a_chain_of_calls_goes_a_hundred_deep() -> None:
    """Client to server to client..., in one thread of the server."""

    def script(port: Any, desk: Desk) -> None:
        with local_client(port) as conn:

            def back(left: int) -> int:
                return 1 + conn.root.chain(left - 1, back) if left else 0

            assert conn.root.chain(100, back) == 100
            with pytest.raises(RecursionError):
                conn.root.chain(3000, back)
            assert conn.root.chain(20, back) == 20
            assert conn.root.add(1, 2) == 3

    await script_test(script)


@pytest_twisted.ensureDeferred
async def test_requests_of_a_connection_run_in_order_and_answers_too() -> None:
    def script(port: Any, desk: Desk) -> None:
        with local_client(port) as conn:
            note = rpyc.async_(conn.root.note)
            results = [note(number) for number in range(300)]
            for result in results:
                result.wait()
            assert desk.seen == list(range(300))

    await script_test(script)


@pytest_twisted.ensureDeferred
async def test_callbacks_before_an_answer_arrive_before_it() -> None:
    """The service calls, then returns: the reactor keeps the order."""
    seen: list[int] = []

    class Eventful(Desk):
        def exposed_fire(self, function: Any) -> str:
            for number in range(50):
                rpyc.async_(function)(number)
            return "fired"

    def script(port: Any, desk: Desk) -> None:
        with local_client(port) as conn:
            assert conn.root.fire(seen.append) == "fired"
            assert seen == list(range(50))

    await script_test(script, Eventful)


@pytest_twisted.ensureDeferred
async def test_a_slow_client_holds_up_nobody_else() -> None:
    def script(port: Any, desk: Desk) -> None:
        with local_client(port) as slow, local_client(port) as quick:
            held = rpyc.async_(slow.root.hold)()
            assert desk.gate.reached.wait(DEADLINE)
            assert quick.root.add(1, 2) == 3
            assert not held.ready
            desk.gate.open.set()
            assert held.value is None

    await script_test(script)


@pytest_twisted.ensureDeferred
async def test_a_client_that_leaves_in_mid_call_ends_the_wait_of_its_lane_at_once() -> None:
    caught: list[Any] = []

    class Caller(Desk):
        def exposed_call(self, function: Any, *args: Any) -> Any:
            try:
                return function(*args)
            except EOFError as error:
                caught.append((error, list(self.seen)))
                raise

    program = """if True:
        import os, sys, txremote.blocking as rpyc
        conn = rpyc.connect("127.0.0.1", int(sys.argv[1]))
        conn.root.call(os._exit, 3)
    """

    def script(port: Any, desk: Desk) -> None:
        words = [sys.executable, "-c", program, str(port.getHost().port)]
        assert subprocess.run(words, check=False).returncode == 3
        assert desk.gone.wait(5)
        assert desk.seen == ["gone"]
        assert len(caught) == 1
        assert caught[0][1] == []  # on_disconnect is the last that a lane runs

    await script_test(script, Caller)


@pytest_twisted.ensureDeferred
async def test_requests_that_nobody_waits_for_any_more_are_not_run() -> None:
    """What stood in the lane when the client left is dropped; the hook is called."""

    def script(port: Any, desk: Desk) -> None:
        conn = local_client(port)
        held = rpyc.async_(conn.root.hold)()
        assert desk.gate.reached.wait(DEADLINE)
        for number in range(5):
            rpyc.async_(conn.root.note)(number)
        conn.close()
        assert held.error
        with local_client(port) as other:
            assert other.root.add(1, 2) == 3
        desk.gate.open.set()
        assert desk.gone.wait(DEADLINE)
        wait_until(lambda: desk.seen[-1:] == ["gone"])
        assert desk.seen in (["gone"], ["gone", "gone"])

    await script_test(script)


@pytest_twisted.ensureDeferred
async def test_a_client_may_be_called_from_another_clients_request() -> None:
    """Through what it left with the service, and while it does nothing but serve."""

    class Exchange(Desk):
        def exposed_ring(self, number: int) -> Any:
            return self.kept[number](number)

    def script(port: Any, desk: Desk) -> None:
        with local_client(port) as one, local_client(port) as two:
            two.root.keep(lambda number: two.root.add(number, 10))
            thread = rpyc.BgServingThread(two)
            assert one.root.ring(0) == 10
            thread.stop()

    await script_test(script, Exchange)


class Relay(Desk):
    """Hands on to a second server what its client gives it."""

    def __init__(self, port: int = 0) -> None:
        super().__init__()
        self.port = port

    def exposed_relay(self, function: Any, *args: Any) -> Any:
        with rpyc.connect("127.0.0.1", self.port) as second:
            return second.root.call(function, *args)


@pytest_twisted.ensureDeferred
async def test_a_clients_function_may_be_handed_on_to_a_second_server() -> None:
    """A script's connection in a lane; the function calls back before it answers."""

    def script(port: Any, relay: Relay) -> None:
        relay.port = port.getHost().port
        with local_client(port) as conn:
            assert conn.root.relay(lambda: 1) == 1
            assert conn.root.relay(lambda number: conn.root.add(number, 1), 2) == 3
            assert conn.root.relay(conn.root.add, 3, 4) == 7

    await script_test(script, Relay)


@scripted
def test_a_thread_that_waits_on_a_scripts_connection_gives_its_slot_back() -> None:
    """A service that calls itself needs a second thread, and has but one slot."""
    relay = Relay()
    with serving(relay, slots=1) as server, client(server) as conn:
        relay.port = server.port
        assert conn.root.relay(lambda: 5) == 5
        inner = conn.root.relay
        assert inner(lambda: inner(lambda: 6)) == 6


@pytest_twisted.ensureDeferred
async def test_a_reactor_passes_a_request_on_to_a_scripts_connection() -> None:
    """It is waited for in a thread, and what a thread got from there goes back as it came."""

    class Asking(txremote.Service):
        @exposed
        async def ask(self, function: Any) -> Any:
            return await deferToThread(self.far.same, function)

        @exposed
        async def call(self, function: Any) -> Any:
            return await function(2)

        @exposed
        async def later(self, number: int) -> Any:
            return await rpyc.async_(self.far.add)(number, 1)

    def script(port: Any, asking: Asking) -> None:
        with serving(Desk) as server, client(server) as second:
            asking.far = second.root
            with local_client(port) as conn:

                def function(number: int) -> int:
                    return number * 10

                assert conn.root.ask(function) is function
                assert conn.root.later(1) == 2
                with local_client(port) as third:
                    assert third.root.call(second.root.twice) == 4

    await script_test(script, Asking)


@pytest_twisted.ensureDeferred
async def test_a_reactor_answers_when_another_thread_fires_a_deferred() -> None:
    class Careless(txremote.Service):
        @exposed
        def fired(self, value: Any) -> Any:
            done: Deferred[Any] = Deferred()
            threading.Timer(0.001, done.callback, (value,)).start()
            return done

    async with served(Careless()) as port:
        conn = await connect(endpoint_of(port))
        for number in range(20):
            assert await conn.root.fired(number) == number
        await conn.close()


@pytest_twisted.ensureDeferred
async def test_a_references_last_request_runs_though_it_was_given_back() -> None:
    """An id means what it meant when it was sent, however long the lane is."""

    def script(port: Any, desk: Desk) -> None:
        from txremote.wire.consts import HANDLE_BUFFITER, HANDLE_HASH, HANDLE_REPR, HANDLE_STR

        with local_client(port) as conn:
            thing, iterator = conn.root.thing(), conn.root.numbers()
            held = rpyc.async_(conn.root.hold)()
            results = [
                conn.async_request(handler, thing)
                for handler in (HANDLE_REPR, HANDLE_STR, HANDLE_HASH)
            ]
            results.append(conn.async_request(HANDLE_BUFFITER, iterator, 3))
            del thing, iterator
            conn.ping()
            conn.ping()
            desk.gate.open.set()
            assert held.value is None
            assert "Thing object" in results[0].value
            assert "Thing object" in results[1].value
            assert isinstance(results[2].value, int)
            assert results[3].value == (0, 1, 2)

    class Thing:
        pass

    class Shop(Desk):
        def exposed_thing(self) -> Thing:
            return Thing()

        def exposed_numbers(self) -> Any:
            return iter(range(3))

    await script_test(script, Shop)


@pytest_twisted.ensureDeferred
async def test_rpycs_way_to_poll_inside_of_a_request() -> None:
    """``conn.poll()`` runs the next request of the same client, if there is one."""

    def script(port: Any, desk: Desk) -> None:
        with local_client(port) as conn:
            polling = rpyc.async_(conn.root.poll)(DEADLINE)
            rpyc.async_(conn.root.note)("within")
            polled = polling.value
            assert polled[0] is True
            assert desk.seen == ["within"]
            assert conn.root.poll(0.01) == (False, False, False)

    await script_test(script)


@pytest_twisted.ensureDeferred
async def test_asyncresults_in_a_threaded_service() -> None:
    def script(port: Any, desk: Desk) -> None:
        with local_client(port) as conn:
            for number in range(30):
                assert conn.root.begin(lambda n: n + 1, number) == number + 1
            go = threading.Event()
            expiring = rpyc.async_(conn.root.expire)(lambda: go.wait(DEADLINE))
            thread = rpyc.BgServingThread(conn)
            time.sleep(0.05)
            go.set()
            seen, shown = expiring.value
            assert list(seen) == [True]
            assert "(expired)" in shown
            thread.stop()

    await script_test(script)


@pytest_twisted.ensureDeferred
async def test_answers_are_written_in_the_reactors_thread(monkeypatch: Any) -> None:
    """Those of an AsyncResult too, whose callbacks run in the lane."""
    where: set[int] = set()
    answer = Answers.send

    def noted(self: Any, *args: Any) -> None:
        if type(self._connection.service) is Desk:
            where.add(threading.get_ident())
        answer(self, *args)

    monkeypatch.setattr(Answers, "send", noted)

    def script(port: Any, desk: Desk) -> None:
        with local_client(port) as conn:
            assert conn.root.begin(lambda n: n, 5) == 5
            assert conn.root.add(1, 2) == 3

    await script_test(script)
    assert where == {threading.get_ident()}


@pytest_twisted.ensureDeferred
async def test_a_kept_netref_works_from_any_thread_of_the_program_but_the_reactors() -> None:
    desk = Desk()
    async with served(desk, LOOPBACK) as port:

        def script() -> Any:
            conn = local_client(port)
            conn.root.keep(lambda number: number + 1)
            thread = rpyc.BgServingThread(conn)
            gathered = gather(*[lambda n=n: desk.kept[0](n) for n in range(10)])
            return conn, thread, gathered

        conn, thread, gathered = await run_script(script)
        assert gathered == list(range(1, 11))
        began = time.monotonic()
        with pytest.raises(WouldBlockReactor, match="would stop the reactor"):
            desk.kept[0](1)
        with pytest.raises(WouldBlockReactor):
            txremote.async_(desk.kept[0])(1).wait()
        assert time.monotonic() - began < 5
        assert await txremote.async_(desk.kept[0])(1) == 2

        def end() -> None:
            thread.stop()
            conn.close()

        await run_script(end)


@pytest_twisted.ensureDeferred
async def test_blocking_in_a_coroutine_of_a_threaded_service_is_refused() -> None:
    """An ``async def`` runs in the reactor's thread."""

    def script(port: Any, desk: Desk) -> None:
        with local_client(port) as conn:
            with pytest.raises(Exception, match="would stop the reactor"):
                conn.root.block(lambda: 1)

    await script_test(script)


@pytest_twisted.ensureDeferred
async def test_past_max_threads_a_call_fails_with_the_sentence_and_others_go_on() -> None:
    def script(port: Any, desk: Desk) -> None:
        with local_client(port) as one, local_client(port) as two:
            go, reached = threading.Event(), threading.Event()

            def wait() -> None:
                reached.set()
                assert go.wait(DEADLINE)

            waiting = rpyc.async_(one.root.call)(wait)
            thread = rpyc.BgServingThread(one)
            assert reached.wait(DEADLINE)
            with pytest.raises(Exception, match="all 10 threads of the server wait"):
                crowd(two, port)
            go.set()
            waiting.wait()
            thread.stop()
            assert two.root.add(1, 2) == 3

    def crowd(conn: Any, port: Any) -> None:
        conns, threads, go = [], [], threading.Event()
        try:
            for _ in range(9):
                conns.append(local_client(port))
                reached = threading.Event()

                def wait(reached: threading.Event = reached) -> None:
                    reached.set()
                    assert go.wait(DEADLINE)

                rpyc.async_(conns[-1].root.call)(wait)
                threads.append(rpyc.BgServingThread(conns[-1]))
                assert reached.wait(DEADLINE)
            conn.root.add(1, 2)
        finally:
            go.set()
            for each, thread in zip(conns, threads, strict=True):
                wait_until(lambda each=each: len(each.protocol.outbound.pending) == 0)
                thread.stop()
                each.close()

    await script_test(script, config={"max_threads": 10})


@pytest_twisted.ensureDeferred
async def test_one_thread_is_enough_for_one_client_however_deep_it_calls() -> None:
    def script(port: Any, desk: Desk) -> None:
        with local_client(port) as conn, local_client(port) as other:

            def back(left: int) -> int:
                if not left:
                    with pytest.raises(Exception, match="all 1 threads of the server wait"):
                        other.root.add(1, 2)
                    return 0
                return 1 + conn.root.chain(left - 1, back)

            assert conn.root.chain(30, back) == 30
            assert other.root.add(1, 2) == 3

    await script_test(script, config={"max_threads": 1})


# --- @threaded --------------------------------------------------------------------


class Works(txremote.Service):
    """A service of the reactor facet with methods that run in threads."""

    def __init__(self) -> None:
        self.both = threading.Barrier(2)

    @exposed
    @threaded
    def meet(self, function: Any) -> Any:
        self.both.wait(DEADLINE)
        return function(current_call().peer.type)

    @threaded
    @exposed
    def crunch(self, count: int, progress: Any) -> int:
        for number in range(count):
            progress(number)
        return count

    @exposed
    @threaded
    def fail(self) -> None:
        raise LookupError("in a thread")

    @exposed
    def plain(self) -> bool:
        return threading.current_thread() is threading.main_thread()


@pytest_twisted.ensureDeferred
async def test_threaded_methods_run_at_once_with_blocking_netrefs() -> None:
    """Two calls of one connection meet at a barrier; the reactor goes on meanwhile."""
    async with served(Works()) as port:
        conn = await connect(endpoint_of(port))
        calls = [conn.root.meet(lambda kind: kind * 2) for _ in range(2)]
        assert await conn.root.plain() is True
        assert await gatherResults(calls) == ["TCPTCP"] * 2
        await conn.close()


@pytest_twisted.ensureDeferred
async def test_a_threaded_method_calls_into_the_client() -> None:
    seen: list[int] = []
    async with served(Works()) as port:
        conn = await connect(endpoint_of(port))
        assert await conn.root.crunch(20, seen.append) == 20
        assert seen == list(range(20))
        with pytest.raises(LookupError, match="in a thread"):
            await conn.root.fail()
        await conn.close()


@pytest_twisted.ensureDeferred
async def test_a_threaded_method_may_be_called_by_a_script() -> None:
    def script(port: Any, works: Works) -> None:
        seen: list[int] = []
        with local_client(port) as conn:
            assert conn.root.crunch(5, seen.append) == 5
            assert seen == [0, 1, 2, 3, 4]
            results = [rpyc.async_(conn.root.meet)(lambda kind: kind) for _ in range(2)]
            assert [result.value for result in results] == ["TCP", "TCP"]

    await script_test(script, Works)


@pytest_twisted.ensureDeferred
async def test_a_threaded_method_that_waits_when_its_client_leaves_is_told() -> None:
    caught: list[BaseException] = []
    told = threading.Event()

    class Waiting(Works):
        @exposed
        @threaded
        def wait(self, function: Any) -> Any:
            try:
                return function()
            except EOFError as error:
                caught.append(error)
                told.set()
                raise

    def script(port: Any, works: Works) -> None:
        conn = local_client(port)
        reached = threading.Event()

        def hold() -> None:
            reached.set()
            raise SystemExit  # never answered: the connection goes first

        result = rpyc.async_(conn.root.wait)(hold)
        wait_until(lambda: conn._pump.io.channel.wait(0))
        conn.close()
        assert told.wait(5)
        assert result.error

    await script_test(script, Waiting)


@scripted
def test_a_reactor_that_has_ended_leaves_nobody_waiting() -> None:
    """A netref of a closed connection fails at once, without its reactor."""

    class Closed(Peer):
        closed = True
        outbound = SimpleNamespace(request_with_default_timeout=None)
        why_ended = "it was closed"

    view = WorkerView(Closed(), Reactor(), WorkerPool(), None)
    with pytest.raises(EOFError, match="it was closed"):
        view.ping()
