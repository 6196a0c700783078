"""
Requests in lanes: bounded, stoppable while they wait, and each answered once.

Server and client live in the tests' reactor; the methods run in real threads, which
wait at gates.
"""

from __future__ import annotations

import gc
import random
import threading
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, DeferredList

import txremote
from tests.net.servers import DEADLINE, endpoint_of, logged, served, until
from txremote import connect, current_call, exposed, threaded
from txremote.eventloop import worker_pool as workers
from txremote.peer import inbound as inbound_module
from txremote.peer.request import Request
from txremote.wire.consts import HANDLE_CANCEL


@pytest.fixture(autouse=True)
def short_idleness(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads of these tests do not linger for long."""
    monkeypatch.setattr(workers, "IDLE_TIMEOUT", 0.2)


class Office(txremote.Service):
    """A service with a door that holds up whoever comes."""

    threaded_service = True

    def __init__(self) -> None:
        self.reached = threading.Semaphore(0)
        self.inside = 0
        self.door = threading.Event()
        self.ran: list[Any] = []
        self.gone: list[Any] = []
        self.kept: list[Any] = []
        self.welcome: Any = None

    def on_connect(self, conn: Any) -> Any:
        return self.welcome(conn) if self.welcome is not None else None

    def on_disconnect(self, conn: Any) -> None:
        self.ran.append("gone")
        self.gone.append(conn)

    @exposed
    def hold(self, what: Any = "held") -> Any:
        """Wait until the door is open."""
        self.ran.append(what)
        self.inside += 1
        assert self.door.wait(DEADLINE)
        self.inside -= 1
        return what

    @exposed
    def note(self, what: Any) -> Any:
        """Do next to nothing."""
        self.ran.append(what)
        return what

    @exposed
    def call(self, function: Any) -> Any:
        """Call the client."""
        return function()

    @exposed
    def keep(self, function: Any) -> None:
        """Let others call a function of this client."""
        self.kept.append(function)

    @exposed
    def relay(self) -> Any:
        """Call a function that another client has left."""
        self.ran.append("relay")
        try:
            return self.kept[0]()
        finally:
            self.ran.append("relayed")

    @exposed
    def poll(self) -> Any:
        """Serve another request from within."""
        return self.conn.poll(DEADLINE)

    @exposed
    @threaded
    def hold_apart(self, what: Any) -> Any:
        """Do as `hold`, in a service that has no lanes."""
        return self.hold(what)

    @exposed
    async def later(self, what: Any) -> Any:
        """Answer from a coroutine, which never ends."""
        self.ran.append(what)
        await Deferred()

    @exposed
    def time_left(self) -> Any:
        """How long there is."""
        return current_call().time_left()


class Visit:
    """A client, and the server's side of its connection."""

    def __init__(self, conn: Any, server: Any) -> None:
        self.conn = conn
        self.root = conn.root
        self.server = server

    @property
    def inbound(self) -> Any:
        return self.server.inbound

    @property
    def lane(self) -> Any:
        return self.server.executor._lane

    def cancel(self, call: Any) -> None:
        """Say CANCEL, and wait for the answer all the same."""
        self.conn.outbound.send_oneway(HANDLE_CANCEL, call._number)


@asynccontextmanager
async def visiting(
    office: Office, visits: int = 1, lanes: bool = True, **config: Any
) -> AsyncIterator[Any]:
    """Serve an office, and visit it."""
    async with served(office, threaded_service=lanes, config=config) as port:
        factory = getattr(port.factory, "wrappedFactory", port.factory)
        there = []
        try:
            for _ in range(visits):
                known = set(factory.connections)
                conn = await connect(endpoint_of(port), timeout=DEADLINE)
                there.append(Visit(conn, (set(factory.connections) - known).pop()))
            yield there[0] if visits == 1 else there
        finally:
            office.door.set()
            for visit in there:
                await visit.conn.close()
            await until(lambda: len(office.gone) >= visits)


async def failed(deferred: Any) -> BaseException:
    """Return what a call fails with."""
    try:
        result = await deferred
    except BaseException as error:
        return error
    raise AssertionError(f"it gave {result!r}")


async def held(office: Office, visit: Visit, what: Any = "held") -> Any:
    """Return a call that is inside, at the door."""
    inside = office.inside
    call = visit.root.hold(what)
    await until(lambda: office.inside > inside)
    return call


def settled(visit: Visit) -> bool:
    """Tell whether nothing is left of a connection's requests."""
    ledger = visit.inbound.ledger
    return (len(visit.inbound), len(visit.lane), ledger.abandoned, ledger.size) == (
        0,
        0,
        0,
        0,
    )


# --- how many ---------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_requests_in_a_lane_count_as_unanswered() -> None:
    """So many are in the lane, so many wait, and the rest is refused at once."""
    office = Office()
    async with visiting(office, max_calls=3, max_waiting=2) as visit:
        first = await held(office, visit)
        calls = [visit.root.note(number) for number in range(6)]
        for call in calls[4:]:
            assert "options max_calls, max_waiting" in str(await failed(call))
        assert len(visit.lane) == 2
        assert list(visit.inbound.ledger.waiting) == [call._number for call in calls[2:4]]
        office.door.set()
        assert await first == "held"
        assert [await call for call in calls[:4]] == [0, 1, 2, 3]
        assert office.ran == ["held", 0, 1, 2, 3]
        assert settled(visit)


@pytest_twisted.ensureDeferred
async def test_whoever_is_called_back_may_ask_at_the_limit() -> None:
    """One call is allowed, and its answer needs another, which waits behind others."""
    office = Office()
    async with visiting(office, max_calls=1) as visit:
        before: list[Any] = []

        def back() -> Any:
            before.extend(visit.root.note(number) for number in range(3))
            return visit.root.call(lambda: visit.root.note("deep"))

        assert await visit.root.call(back) == "deep"
        assert [await call for call in before] == [0, 1, 2]
        assert settled(visit)


@pytest_twisted.ensureDeferred
async def test_a_service_that_polls_gets_what_is_over_the_limit() -> None:
    """RPyC's ``conn.poll`` within a request, where one is allowed at a time."""
    office = Office()
    office.welcome = lambda conn: setattr(office, "conn", conn)
    async with visiting(office, max_calls=1) as visit:
        polling = visit.root.poll()
        assert await visit.root.note("within") == "within"
        assert await polling is True


@pytest_twisted.ensureDeferred
async def test_a_service_that_polls_when_its_client_leaves_is_told() -> None:
    office = Office()
    ended: list[BaseException] = []

    class Polling(Office):
        @exposed
        def poll(self) -> Any:
            self.ran.append("polls")
            try:
                self.conn.serve(None)
            except EOFError as error:
                ended.append(error)

    office = Polling()
    office.welcome = lambda conn: setattr(office, "conn", conn)
    async with visiting(office) as visit:
        call = visit.root.poll()
        await until(lambda: office.ran and visit.lane._inside)
        visit.conn.transport.abortConnection()
        await failed(call)
        await until(lambda: office.gone)
        assert len(ended) == 1


# --- cancelling -------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_a_cancelled_request_that_waits_in_the_lane_never_runs() -> None:
    office = Office()
    async with visiting(office) as visit:
        first = await held(office, visit)
        calls = [visit.root.note(number) for number in range(3)]
        visit.cancel(calls[1])
        assert "Cancelled" in type(await failed(calls[1])).__name__
        assert len(visit.lane) == 2
        office.door.set()
        await DeferredList([first, calls[0], calls[2]])
        assert office.ran == ["held", 0, 2]
        assert settled(visit)


@pytest_twisted.ensureDeferred
async def test_a_cancelled_request_that_runs_is_answered_and_abandoned() -> None:
    """Its thread goes on; until that has ended it counts, and the next one waits."""
    office = Office()
    async with visiting(office, max_calls=1) as visit:
        first = await held(office, visit)
        visit.cancel(first)
        assert "Cancelled" in type(await failed(first)).__name__
        ledger = visit.inbound.ledger
        assert (len(visit.inbound), ledger.abandoned) == (0, 1)
        assert ledger.size > 0
        second = visit.root.note("second")
        await visit.conn.ping()
        assert list(ledger.waiting) == [second._number]
        office.door.set()
        assert await second == "second"
        assert settled(visit)


@pytest_twisted.ensureDeferred
async def test_what_an_abandoned_request_gives_is_dropped_without_a_word() -> None:
    """A coroutine is not left unawaited, a Deferred not left with its failure."""
    office = Office()
    given: list[Any] = []

    class Giving(Office):
        @exposed
        def hold(self, what: Any) -> Any:
            super().hold(what)
            given.append(what)
            if what == "coroutine":
                return self.never()
            if what == "deferred":
                waiting: Deferred[Any] = Deferred()
                given.append(waiting)
                return waiting
            raise LookupError(what)

        async def never(self) -> None:
            given.append("it ran")

    for what in ("coroutine", "deferred", "error"):
        office = Giving()
        given.clear()
        async with visiting(office) as visit, logged() as events:
            call = await held(office, visit, what)
            visit.cancel(call)
            await failed(call)
            office.door.set()
            assert await visit.root.note("next") == "next"
            assert "it ran" not in given
            gc.collect()
        assert not [event for event in events if event["log_level"].name in ("error", "critical")]
        if what == "deferred":
            assert given[1].called


@pytest_twisted.ensureDeferred
async def test_a_coroutine_of_a_threaded_service_is_cancelled() -> None:
    """It runs in the reactor, where it can be stopped."""
    office = Office()
    async with visiting(office) as visit:
        call = visit.root.later("begun")
        await until(lambda: office.ran)
        assert await visit.root.note("beside") == "beside"
        visit.cancel(call)
        assert "Cancelled" in type(await failed(call)).__name__
        assert settled(visit)


@pytest_twisted.ensureDeferred
async def test_a_cancelled_call_of_a_threaded_method_that_waits_for_a_thread_never_runs() -> None:
    """Of a service without lanes: nor does it stay in the pool's queue."""
    office = Office()
    async with visiting(office, lanes=False, max_threads=1) as visit:
        first = visit.root.hold_apart("first")
        await until(lambda: office.inside)
        calls = [visit.root.hold_apart(number) for number in range(3)]
        for call in calls[:2]:
            visit.cancel(call)
            assert "Cancelled" in type(await failed(call)).__name__
        assert len(visit.server.executor.workers._queue) == 1
        office.door.set()
        await DeferredList([first, calls[2]])
        assert office.ran == ["first", 2]


@pytest_twisted.ensureDeferred
async def test_a_cancelled_call_of_a_threaded_method_counts_until_its_thread_is_free() -> None:
    """Else who calls and cancels in turns could have all threads of the server."""
    office = Office()
    async with visiting(office, lanes=False, max_calls=1) as visit:
        first = visit.root.hold_apart("first")
        await until(lambda: office.inside)
        visit.cancel(first)
        assert "Cancelled" in type(await failed(first)).__name__
        second = visit.root.hold_apart("second")
        await visit.conn.ping()
        assert (visit.inbound.ledger.abandoned, office.ran) == (1, ["first"])
        office.door.set()
        assert await second == "second"
        assert visit.inbound.ledger.abandoned == 0


# --- on_connect and on_disconnect ---------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_requests_wait_for_the_deferred_that_on_connect_returns() -> None:
    office, ready = Office(), Deferred()
    office.welcome = lambda conn: ready
    async with visiting(office) as visit:
        calls = [visit.root.note(number) for number in range(3)]
        await visit.conn.ping()
        await until(lambda: len(visit.inbound) == 3)
        assert office.ran == []
        ready.callback(None)
        assert [await call for call in calls] == [0, 1, 2]


@pytest_twisted.ensureDeferred
async def test_a_coroutine_of_on_connect_may_call_a_client_that_calls_back() -> None:
    """It runs in the reactor, with the connection as a thread sees it."""
    office = Office()
    seen: list[Any] = []

    async def welcome(conn: Any) -> None:
        seen.append(threading.current_thread() is threading.main_thread())
        seen.append(current_call().peer.type)
        seen.append(await conn.protocol.root.greet())

    class Guest(txremote.Service):
        @exposed
        def greet(self) -> Any:
            return there[0].root.note("greeted")

    office.welcome = welcome
    there: list[Any] = []
    async with served(office, threaded_service=True) as port:
        conn = await connect(endpoint_of(port), service=Guest())
        there.append(conn)
        await until(lambda: len(seen) == 3)
        assert await conn.root.note("after") == "after"
        assert seen == [True, "TCP", "greeted"]
        assert office.ran == ["greeted", "after"]
        await conn.close()
        await until(lambda: office.gone)


@pytest.mark.parametrize("how", ["deferred", "coroutine", "raised"])
@pytest_twisted.ensureDeferred
async def test_an_on_connect_that_fails_closes_the_connection_and_is_logged(how: str) -> None:
    office, ready = Office(), Deferred()

    async def wait() -> None:
        await ready

    def welcome(conn: Any) -> Any:
        if how == "raised":
            assert office.door.wait(DEADLINE)
            raise LookupError("nobody is in")
        return ready if how == "deferred" else wait()

    office.welcome = welcome
    async with served(office, threaded_service=True) as port, logged() as events:
        conn = await connect(endpoint_of(port))
        call = conn.root.note("never")
        await conn.ping()
        ready.errback(LookupError("nobody is in"))
        office.door.set()
        await conn.when_disconnected()
        assert isinstance(await failed(call), EOFError)
        await until(lambda: office.gone)
        assert office.ran == ["gone"]
    if how == "raised":
        ready.addErrback(lambda _failure: None)
    told = [event for event in events if "log_failure" in event]
    assert [event["log_failure"].type for event in told] == [LookupError]


@pytest_twisted.ensureDeferred
async def test_on_disconnect_waits_for_a_thread_where_there_is_none() -> None:
    """It runs once, when one is free, and in the meantime nothing stands still."""
    office = Office()
    answer: Deferred[str] = Deferred()
    async with visiting(office, visits=2, max_threads=1) as (one, two):
        waiting = one.root.call(lambda: answer)  # the one thread waits for this
        await until(lambda: one.server.outbound.pending)
        two.conn.transport.abortConnection()
        await until(lambda: two.server.closed)
        await one.conn.ping()
        assert office.gone == []
        answer.callback("answered")
        assert await waiting == "answered"
        await until(lambda: office.gone)
        assert office.gone == [two.server.view]
    assert Counter(map(id, office.gone)) == {id(one.server.view): 1, id(two.server.view): 1}


@pytest_twisted.ensureDeferred
async def test_on_disconnect_comes_after_the_request_that_runs() -> None:
    """Which waits for another client meanwhile, and serves its own lane."""
    office = Office()
    answer: Deferred[str] = Deferred()
    async with visiting(office, visits=2) as (one, two):
        await two.root.keep(lambda: answer)
        call = one.root.relay()
        await until(lambda: two.server.outbound.pending)
        one.conn.transport.abortConnection()
        await until(lambda: one.server.closed)
        await failed(call)
        for _ in range(3):
            await two.conn.ping()
        assert office.ran == ["relay"]
        answer.callback("late")
        await until(lambda: office.gone)
        assert office.ran == ["relay", "relayed", "gone"]


@pytest_twisted.ensureDeferred
async def test_nothing_is_left_of_requests_whose_client_has_gone() -> None:
    """They never run, and their arguments are free before the one that runs has ended."""
    office = Office()
    async with visiting(office, max_calls=3) as visit:
        await_me = [await held(office, visit)]
        await_me += [visit.root.note(bytes(10)) for number in range(6)]
        await visit.conn.ping()
        await until(lambda: len(visit.inbound) == 7)
        visit.conn.transport.abortConnection()
        await until(lambda: visit.server.closed)
        gc.collect()
        left = [
            thing
            for thing in gc.get_objects()
            if type(thing) is Request and thing.inbound is visit.inbound
        ]
        assert len(left) == 1  # what runs
        assert len(visit.lane) == 0
        del left
        assert office.gone == []
        office.door.set()
        await until(lambda: office.gone)
        assert office.ran == ["held", "gone"]
        for call in await_me:
            await failed(call)


# --- time -------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_a_request_whose_callers_time_is_over_is_not_begun() -> None:
    from twisted.internet import reactor

    office = Office()
    async with visiting(office) as visit:
        first = await held(office, visit)
        began = reactor.seconds()
        late = visit.root._call(("note",), ("late",), {}, deadline=0.02)
        soon = visit.root._call(("note",), ("in time",), {}, deadline=60)
        await until(lambda: len(visit.lane) == 2 and reactor.seconds() > began + 0.1)
        office.door.set()
        error = await failed(late)
        assert isinstance(error, TimeoutError)
        assert "its caller waits no longer" in str(error)
        assert await soon == "in time"
        await first
        assert office.ran == ["held", "in time"]


@pytest_twisted.ensureDeferred
async def test_a_request_is_taken_out_of_the_lane_when_its_callers_time_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However long the one before it takes."""
    monkeypatch.setattr(inbound_module, "_GRACE", 0.01)
    office = Office()
    async with visiting(office) as visit:
        first = await held(office, visit)
        late = visit.root._call(("note",), ("late",), {}, deadline=0.02)
        assert isinstance(await failed(late), TimeoutError)
        assert len(visit.lane) == 0
        office.door.set()
        await first
        assert await visit.root.note("next") == "next"
        assert office.ran == ["held", "next"]


@pytest_twisted.ensureDeferred
async def test_a_request_that_takes_longer_than_call_timeout_is_abandoned() -> None:
    """The caller is told; the time of those behind it begins when they do."""
    office = Office()
    async with visiting(office, call_timeout=0.5) as visit:
        assert 0.3 < await visit.root.time_left() <= 0.5
        first = await held(office, visit)
        second = visit.root.note("second")
        error = await failed(first)
        assert isinstance(error, TimeoutError)
        assert "option call_timeout" in str(error)
        assert visit.inbound.ledger.abandoned == 1
        assert len(visit.lane) == 1
        office.door.set()
        assert await second == "second"
        assert settled(visit)


# --- whatever comes ---------------------------------------------------------------


class Busy(Office):
    """A service whose methods take a little time, of all kinds."""

    @exposed
    def work(self, count: int) -> int:
        """Compute."""
        return sum(range(count))

    @exposed
    def fail(self) -> None:
        """Raise."""
        raise LookupError("as asked")

    @exposed
    async def soon(self, what: Any) -> Any:
        """Answer from a coroutine."""
        return what


@pytest.mark.parametrize("seed", range(6))
@pytest_twisted.ensureDeferred
async def test_each_request_is_answered_once_whatever_ends_it(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under random cancels, deadlines and clients that drop out; nothing stays behind."""
    from twisted.internet import reactor
    from twisted.internet.task import deferLater

    chance = random.Random(seed)
    monkeypatch.setattr(inbound_module, "_GRACE", 0.002)
    answered: Counter[tuple[int, int]] = Counter()
    ended: list[Any] = []
    busy = Busy()
    config = {"max_calls": 8, "max_waiting": 1000, "call_timeout": 0.02 if seed % 2 else 0.2}
    async with visiting(busy, visits=4, **config) as visits:
        for index, visit in enumerate(visits):
            count_answers(visit, index, answered)
        calls: list[tuple[Visit, Any]] = []
        for _ in range(300):
            visit = chance.choice(visits)
            call = ask(visit, chance, chance.choice([None, 60, 0.001, 0.005]))
            call.addBoth(ended.append)
            calls.append((visit, call))
            if chance.random() < 0.3:
                visit, call = chance.choice(calls)
                if not visit.conn.closed:
                    visit.cancel(call)
            if chance.random() < 0.1:
                await deferLater(reactor, 0)
            if chance.random() < 0.005:
                chance.choice(visits[1:]).conn.transport.abortConnection()
        await until(lambda: len(ended) == len(calls))
        await until(lambda: all(settled(v) for v in visits if not v.server.closed))
        assert set(answered.values()) == {1}
        steady = [call._number for visit, call in calls if visit is visits[0]]
        assert all(answered[0, number] == 1 for number in steady)
        assert await visits[0].root.note("still there") == "still there"
    assert len(busy.gone) == 4
    # its thread leaves a lane after the last answer
    await until(lambda: all(len(v.lane) == 0 and not v.lane._owned for v in visits))


def ask(visit: Visit, chance: random.Random, deadline: float | None) -> Any:
    """Ask for something."""
    root = visit.root
    never = ("later", "never") if chance.random() < 0.05 else ("note", "now")
    name, *args = chance.choice(
        [
            ("work", chance.randrange(20_000)),
            ("note", chance.random()),
            ("fail",),
            ("soon", "soon"),
            never,
            ("call", lambda: root.note("within")),
        ]
    )
    return root._call((name,), tuple(args), {}, deadline)


def count_answers(visit: Visit, index: int, answered: Counter[tuple[int, int]]) -> None:
    """Count what the server's side sends in answer to each request."""
    outbox = visit.inbound.answers._outbox

    class Counting:
        def __getattr__(self, name: str) -> Any:
            return getattr(outbox, name)

        def answer(self, kind: int, number: int, sender: int, body: Any) -> None:
            answered[index, number] += 1
            outbox.answer(kind, number, sender, body)

    visit.inbound.answers._outbox = Counting()
