"""
Lanes: one connection's items in order, in one thread, whoever that is.

The first half is about lanes with plain functions for items; the second about a
listener whose service is threaded.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import gatherResults

import txremote
import txremote.blocking as rpyc
from tests.blocking.scripts import DEADLINE, gather, run_script, scripted, wait_until
from tests.net.serving import LOOPBACK, endpoint_of, served
from txremote import WouldBlockReactor, connect, current_call, exposed, threaded
from txremote.net import lanes, workers
from txremote.net.lanes import Lane, Wait, WorkerFace
from txremote.net.workers import TooManyThreads, WorkerPool
from txremote.peer.answers import Answers


@pytest.fixture(autouse=True)
def short_idleness(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Threads of these tests do not linger for long.
    """
    monkeypatch.setattr(workers, "IDLE_TIMEOUT", 0.2)


class Reactor:
    """
    As much of a reactor as a face needs to wait: nothing runs in it.
    """

    io_thread = -1


class Peer:
    """
    As much of a connection.
    """

    closed = False
    why_ended = ""


def face_of(pool: WorkerPool, lane: Lane | None) -> WorkerFace:
    return WorkerFace(Peer(), Reactor(), pool, lane)


class Gate:
    """
    A thread that waits at a gate says so, and goes on when it is opened.
    """

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.open = threading.Event()

    def __call__(self) -> None:
        self.reached.set()
        assert self.open.wait(DEADLINE)


def flushed(lane: Lane) -> None:
    """
    Wait until everything that is in a lane has run.
    """
    done = threading.Event()
    lane.post(done.set)
    assert done.wait(DEADLINE)


# --- one lane ---------------------------------------------------------------------


def test_items_run_one_after_the_other_in_their_order() -> None:
    lane = Lane(WorkerPool())
    seen: list[int] = []
    inside = threading.Lock()

    def item(number: int) -> None:
        assert inside.acquire(blocking=False)
        seen.append(number)
        inside.release()

    for number in range(500):
        lane.post(lambda number=number: item(number))
    flushed(lane)
    assert seen == list(range(500))


def test_lanes_run_beside_each_other() -> None:
    pool = WorkerPool(slots=3)
    meet = threading.Barrier(3)
    all_lanes = [Lane(pool) for _ in range(3)]
    for lane in all_lanes:
        lane.post(lambda: meet.wait(DEADLINE))
    for lane in all_lanes:
        flushed(lane)
    assert not meet.broken


def test_an_idle_lane_holds_no_thread() -> None:
    pool = WorkerPool(slots=1)
    for _ in range(5):
        flushed(Lane(pool))
    wait_until(lambda: pool._running == 0)


def test_a_busy_lane_lets_others_have_their_turn() -> None:
    """With one thread for all, who asks much does not keep out who asks little."""
    pool = WorkerPool(slots=1)
    busy, quiet = Lane(pool), Lane(pool)
    gate = Gate()
    seen: list[Any] = []
    busy.post(gate)
    assert gate.reached.wait(DEADLINE)
    for number in range(100):
        busy.post(lambda number=number: seen.append(number))
    quiet.post(lambda: seen.append("quiet"))
    gate.open.set()
    flushed(quiet)
    flushed(busy)
    assert seen.index("quiet") < 5
    assert [entry for entry in seen if entry != "quiet"] == list(range(100))


def test_a_lane_says_how_many_items_wait_in_it() -> None:
    lane, gate = Lane(WorkerPool()), Gate()
    lane.post(gate)
    assert gate.reached.wait(DEADLINE)
    assert len(lane) == 0
    for _ in range(3):
        lane.post(lambda: None)
    assert len(lane) == 3
    gate.open.set()
    flushed(lane)


@pytest.mark.parametrize("error", [ValueError, SystemExit])
def test_an_item_that_raises_does_not_end_the_lane(error: type[BaseException]) -> None:
    lane = Lane(WorkerPool(slots=1))

    def fail() -> None:
        raise error("as asked")

    seen: list[str] = []
    lane.post(fail)
    lane.post(lambda: seen.append("next"))
    flushed(lane)
    assert seen == ["next"]
    assert lanes._lanes_here() == []


def test_a_thread_that_waits_goes_on_with_its_lane() -> None:
    """The peer's next request runs within the one that waits, in the same thread."""
    pool = WorkerPool(slots=1)
    lane = Lane(pool)
    face = face_of(pool, lane)
    seen: list[Any] = []
    wait = Wait()

    def outer() -> None:
        seen.append(("waits", threading.get_ident()))
        assert face._wait_for(wait, DEADLINE)
        seen.append(("done", threading.get_ident()))

    def inner() -> None:
        seen.append(("inner", threading.get_ident()))
        wait.complete(None)

    lane.post(outer)
    wait_until(lambda: seen)
    lane.post(inner)
    flushed(lane)
    assert [what for what, _thread in seen] == ["waits", "inner", "done"]
    assert len({thread for _what, thread in seen}) == 1


def test_waits_nest_and_end_in_any_order() -> None:
    """The outer wait's answer comes while the inner one waits: both end."""
    pool = WorkerPool(slots=1)
    lane = Lane(pool)
    face = face_of(pool, lane)
    seen: list[str] = []
    waits = [Wait(), Wait()]

    def waiting(number: int) -> Callable[[], None]:
        def item() -> None:
            seen.append(f"{number} waits")
            assert face._wait_for(waits[number], DEADLINE)
            seen.append(f"{number} done")

        return item

    lane.post(waiting(0))
    wait_until(lambda: len(seen) == 1)
    lane.post(waiting(1))
    wait_until(lambda: len(seen) == 2)
    waits[0].complete(None)
    lane.post(lambda: seen.append("between"))
    wait_until(lambda: len(seen) == 3)
    waits[1].complete(None)
    flushed(lane)
    assert seen == ["0 waits", "1 waits", "between", "1 done", "0 done"]


def test_a_wait_that_is_over_before_it_begins() -> None:
    pool = WorkerPool()
    face = face_of(pool, None)
    wait = Wait()
    wait.complete(5)
    assert face._wait_for(wait, None) is True
    assert wait.value == 5


def test_a_wait_ends_with_its_time() -> None:
    pool = WorkerPool(slots=1)
    lane = Lane(pool)
    face = face_of(pool, lane)
    result: list[bool] = []
    lane.post(lambda: result.append(face._wait_for(Wait(), 0.02)))
    wait_until(lambda: result)
    assert result == [False]
    wait_until(lambda: pool._running == 0)


def test_a_thread_that_is_not_the_pools_just_waits() -> None:
    """It runs no items: it may be anybody's, a user's thread for instance."""
    pool = WorkerPool()
    lane = Lane(pool)
    face = face_of(pool, lane)
    wait = Wait()
    ran: list[int] = []
    lane.post(lambda: ran.append(threading.get_ident()))
    lane.post(lambda: wait.complete(None))
    assert face._wait_for(wait, DEADLINE)
    assert ran != [threading.get_ident()]


# --- two lanes --------------------------------------------------------------------


class Pair:
    """
    A thread in lane ``own`` that waits on the connection of lane ``other``.
    """

    def __init__(self) -> None:
        self.pool = WorkerPool(slots=2)
        self.own, self.other = Lane(self.pool), Lane(self.pool)
        self.wait = Wait()
        self.ended = threading.Event()
        self.thread: Any = None
        waits = threading.Event()

        def item() -> None:
            self.thread = threading.get_ident()
            waits.set()
            assert face_of(self.pool, self.other)._wait_for(self.wait, DEADLINE)
            self.ended.set()

        self.own.post(item)
        assert waits.wait(DEADLINE)
        wait_until(lambda: self.other._outside)

    def end(self) -> None:
        """
        End the wait, and see that all is in order.
        """
        self.wait.complete(None)
        assert self.ended.wait(DEADLINE)
        flushed(self.own)
        flushed(self.other)
        wait_until(lambda: self.pool._running == 0)
        for lane in (self.own, self.other):
            assert (lane._inside, lane._outside, lane._owned) == ([], [], False)


@pytest.fixture
def pair() -> Iterator[Pair]:
    """
    See `Pair`.
    """
    made = Pair()
    yield made
    made.end()


def test_a_waiting_thread_steps_into_the_lane_of_whom_it_waits_for(pair: Pair) -> None:
    """Its answer may depend on what that peer asks first."""
    ran: list[int] = []
    pair.other.post(lambda: ran.append(threading.get_ident()))
    wait_until(lambda: ran)
    assert ran == [pair.thread]


def test_it_serves_its_own_lane_as_well(pair: Pair) -> None:
    ran: list[int] = []
    for count, lane in enumerate((pair.own, pair.other, pair.own), 1):
        wait_until(lambda: pair.other._outside)
        lane.post(lambda: ran.append(threading.get_ident()))
        wait_until(lambda count=count: len(ran) == count)
    assert set(ran) == {pair.thread}


def test_it_does_not_step_into_a_lane_where_another_is_at_work(pair: Pair) -> None:
    gate = Gate()
    ran: list[Any] = []
    pair.other.post(gate)  # the waiting thread itself is held here
    assert gate.reached.wait(DEADLINE)
    pair.other.post(lambda: ran.append(threading.get_ident()))
    assert not ran
    gate.open.set()
    wait_until(lambda: ran)


def test_nobody_relies_on_it_while_it_is_busy_with_its_own_lane(pair: Pair) -> None:
    """
    It runs something that takes long in its own lane; what comes in the other one
    runs in another thread, not when the first is done.
    """
    gate = Gate()
    ran: list[int] = []
    pair.own.post(gate)
    assert gate.reached.wait(DEADLINE)
    pair.other.post(lambda: ran.append(threading.get_ident()))
    wait_until(lambda: ran)
    assert ran[0] != pair.thread
    gate.open.set()


def test_what_came_meanwhile_is_for_others_once_it_leaves(pair: Pair) -> None:
    """The wait is over while it runs an item of the other lane."""
    gate = Gate()
    ran: list[int] = []
    pair.other.post(gate)
    assert gate.reached.wait(DEADLINE)
    for _ in range(3):
        pair.other.post(lambda: ran.append(threading.get_ident()))
    pair.wait.complete(None)
    gate.open.set()
    wait_until(lambda: len(ran) == 3)


def test_of_two_that_wait_one_steps_in_at_a_time() -> None:
    pool = WorkerPool(slots=2)
    other = Lane(pool)
    waits = [Wait(), Wait()]
    own = [Lane(pool), Lane(pool)]
    inside = threading.Lock()
    seen: list[int] = []

    def item(number: int) -> None:
        assert inside.acquire(blocking=False)
        time.sleep(0.0005)
        seen.append(number)
        inside.release()

    for lane, wait in zip(own, waits, strict=True):
        lane.post(lambda wait=wait: face_of(pool, other)._wait_for(wait, DEADLINE))
    wait_until(lambda: len(other._outside) == 2)
    for number in range(100):
        other.post(lambda number=number: item(number))
        if number == 50:
            waits[1].complete(None)
    wait_until(lambda: len(seen) == 100)
    assert seen == list(range(100))
    waits[0].complete(None)
    for lane in own:
        flushed(lane)


def test_without_a_thread_a_post_fails_and_leaves_nothing_behind() -> None:
    pool = WorkerPool(slots=1, max_threads=1)
    lane, full = Lane(pool), Lane(pool)
    wait = Wait()
    full.post(lambda: face_of(pool, None)._wait_for(wait, DEADLINE))
    wait_until(lambda: full._inside)
    with pytest.raises(TooManyThreads, match="option max_threads"):
        lane.post(lambda: None)
    assert len(lane) == 0
    wait.complete(None)
    flushed(full)
    flushed(lane)


@pytest.mark.parametrize("came", [False, True])
def test_what_comes_while_another_post_fails_is_run_when_a_thread_is_free(
    came: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has relied on the thread that the first one did not get."""
    pool = WorkerPool(slots=1, max_threads=1)
    lane, full = Lane(pool), Lane(pool)
    wait = Wait()
    full.post(lambda: face_of(pool, None)._wait_for(wait, DEADLINE))
    wait_until(lambda: full._inside)
    ran: list[str] = []
    submit = pool.submit

    def submit_late(task: Any, patient: bool = False) -> object:
        if not patient and came:
            lane.post(lambda: ran.append("second"))
        return submit(task, patient)

    monkeypatch.setattr(pool, "submit", submit_late)
    with pytest.raises(TooManyThreads):
        lane.post(lambda: ran.append("first"))
    monkeypatch.undo()
    monkeypatch.setattr(workers, "IDLE_TIMEOUT", 0.2)
    wait.complete(None)
    flushed(full)
    flushed(lane)
    assert ran == (["second"] if came else [])


def test_what_a_waiting_thread_leaves_behind_waits_for_a_free_thread() -> None:
    """Its answer comes with the item it was to run; all other threads wait, too."""
    pool = WorkerPool(slots=2, max_threads=2)
    other, own, full = Lane(pool), Lane(pool), Lane(pool)
    wait, last = Wait(), Wait()
    ran = threading.Event()
    go = Gate()

    def item() -> None:
        face_of(pool, other)._wait_for(wait, DEADLINE)
        go()

    own.post(item)
    full.post(lambda: face_of(pool, None)._wait_for(last, DEADLINE))
    wait_until(lambda: other._outside and full._inside)
    wait.done = True
    other.post(ran.set)  # wakes the thread, which has its answer
    assert go.reached.wait(DEADLINE)
    assert not ran.is_set()
    go.open.set()
    assert ran.wait(DEADLINE)
    last.complete(None)
    flushed(full)


def test_an_item_that_nobody_has_begun_can_be_taken_back() -> None:
    """What has begun cannot, nor what has ended; and nothing keeps what was."""
    lane, gate = Lane(WorkerPool()), Gate()
    seen: list[int] = []
    held = lane.post(gate)
    assert gate.reached.wait(DEADLINE)
    assert lane.take_back(held) is False

    def item() -> None:
        seen.append(0)

    kept = weakref.ref(item)
    tickets = [lane.post(item)]
    tickets += [lane.post(lambda number=number: seen.append(number)) for number in (1, 2)]
    del item
    assert lane.take_back(tickets[0]) is True
    assert lane.take_back(tickets[0]) is False
    assert kept() is None
    assert len(lane) == 2
    gate.open.set()
    flushed(lane)
    assert seen == [1, 2]
    assert lane.take_back(tickets[1]) is False


def test_an_end_is_run_behind_all_that_has_come() -> None:
    lane, gate = Lane(WorkerPool()), Gate()
    seen: list[str] = []
    ended = threading.Event()
    lane.post(gate)
    assert gate.reached.wait(DEADLINE)
    lane.end(lambda: (seen.append("end"), ended.set()))
    lane.post(lambda: seen.append("before"))
    gate.open.set()
    assert ended.wait(DEADLINE)
    assert seen == ["before", "end"]


def test_an_idle_lane_is_ended_at_once() -> None:
    lane, ended = Lane(WorkerPool()), threading.Event()
    lane.end(ended.set)
    assert ended.wait(DEADLINE)
    flushed(lane)


def test_an_end_is_not_run_within_an_item_that_waits() -> None:
    """Though a thread that waits runs all else that comes."""
    pool = WorkerPool()
    lane, wait = Lane(pool), Wait()
    seen: list[str] = []
    ended = threading.Event()

    def item() -> None:
        face_of(pool, None)._wait_for(wait, DEADLINE)
        seen.append("waited")

    lane.post(item)
    wait_until(lambda: lane._inside)
    lane.end(lambda: (seen.append("end"), ended.set()))
    lane.post(lambda: seen.append("within"))
    wait_until(lambda: seen)
    wait.complete(None)
    assert ended.wait(DEADLINE)
    assert seen == ["within", "waited", "end"]


def test_an_end_is_not_run_by_a_thread_that_stepped_in(pair: Pair) -> None:
    """It has its own affair to wait for; another thread runs it."""
    gate = Gate()
    ran: list[int] = []
    pair.other.post(gate)
    assert gate.reached.wait(DEADLINE)
    pair.other.end(lambda: ran.append(threading.get_ident()))
    gate.open.set()
    wait_until(lambda: ran)
    assert ran[0] != pair.thread


def test_an_end_waits_for_a_thread_where_there_is_none() -> None:
    pool = WorkerPool(slots=1, max_threads=1)
    lane, full = Lane(pool), Lane(pool)
    wait, ended = Wait(), threading.Event()
    full.post(lambda: face_of(pool, None)._wait_for(wait, DEADLINE))
    wait_until(lambda: full._inside)
    lane.end(ended.set)
    assert not ended.is_set()
    wait.complete(None)
    assert ended.wait(DEADLINE)
    flushed(full)


# --- a listener whose service is threaded -------------------------------------------


class Desk(rpyc.Service):
    """
    A bit of everything.
    """

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
    """
    Run a blocking script against a listener of the tests' reactor.
    """

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
                wait_until(lambda each=each: len(each.protocol._calls) == 0)
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
    """
    A service of the reactor facet with methods that run in threads.
    """

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
        wait_until(lambda: conn._pump._channel.wait(0))
        conn.close()
        assert told.wait(5)
        assert result.error

    await script_test(script, Waiting)


@scripted
def test_a_reactor_that_has_ended_leaves_nobody_waiting() -> None:
    """A netref of a closed connection fails at once, without its reactor."""

    class Closed(Peer):
        closed = True
        why_ended = "it was closed"

    face = WorkerFace(Closed(), Reactor(), WorkerPool(), None)
    with pytest.raises(EOFError, match="it was closed"):
        face.ping()
