"""
`InboundCalls`: the peer's requests are answered once, in their own time, and ended when
nobody waits any more.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock, deferLater

from tests.peer.hosted import Hosted
from tests.peer.pairs import (
    Outcome,
    RawPeer,
    Wire,
    logged,
    pair_with_stock_server,
    request_payload,
)
from tests.peer.slow_service import Slow, slow_pair
from txremote import Service, current_call, exposed, timed
from txremote.peer.request import Request
from txremote.testing import connected_pair
from txremote.wire.brine import dump
from txremote.wire.consts import (
    HANDLE_CALLATTR,
    HANDLE_CANCEL,
    HANDLE_DEADLINE,
    HANDLE_PING,
    MSG_EXCEPTION,
    MSG_REPLY,
)

# --- cancelling -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "args", "kind"),
    [("sleeps", (5,), "coroutine"), ("deferred", (), "deferred"), ("chained", (), "deferred")],
)
def test_cancelling_a_call_cancels_what_runs_at_the_server(name: str, args: Any, kind: str) -> None:
    pair = slow_pair()
    call = pair.client.root.callRemote(name, *args)
    outcome = Outcome(call)
    pair.pump()
    wire = Wire(pair.client)
    call.cancel()
    assert isinstance(outcome.error, CancelledError)  # at once
    pair.pump()
    assert wire.requests == [HANDLE_CANCEL]
    assert pair.server.service.cancelled == [kind]
    assert len(pair.server.inbound) == 0
    assert len(pair.client.outbound.pending) == 0
    pair.advance(10)
    assert pair.server.service.finished == 0


def test_a_stock_server_is_not_told_of_a_cancelled_call_and_its_answer_is_dropped() -> None:
    pair: Any = slow_pair(pair_with_stock_server)
    call = pair.client.root.sleeps(1)
    outcome = Outcome(call)
    pair.pump()
    wire = Wire(pair.client)
    call.cancel()
    pair.advance(2)
    assert isinstance(outcome.error, CancelledError)
    assert wire.requests == []
    assert pair.asked[1:] == []
    assert pair.server.service.finished == 1
    assert pair.result(pair.client.root.add(1, 2)) == 3


def test_a_cancel_that_crosses_the_answer_does_no_harm() -> None:
    pair = slow_pair()
    call = pair.client.root.deferred()
    call.addErrback(lambda _failure: None)
    pair.pump()
    pair.server.service.gates[0].callback("done")  # on its way
    call.cancel()
    pair.pump()
    assert pair.result(pair.client.root.add(1, 2)) == 3


def test_a_call_that_was_cancelled_before_it_is_sent_is_cancelled_there() -> None:
    pair = slow_pair()
    call = pair.client.root.sleeps(5)
    call.addErrback(lambda _failure: None)
    call.cancel()
    pair.pump()
    assert pair.server.service.cancelled == ["coroutine"]


def test_a_canceller_that_raises_costs_only_the_cancel() -> None:
    pair = slow_pair()
    call = pair.client.root.bad_canceller()
    call.addErrback(lambda _failure: None)
    pair.pump()
    call.cancel()
    pair.pump()
    assert pair.result(pair.client.root.add(1, 2)) == 3


# --- the server's limits ----------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "args", "kind"),
    [("sleeps", (50,), "coroutine"), ("deferred", (), "deferred"), ("chained", (), "deferred")],
)
def test_a_call_that_takes_too_long_is_cancelled_and_says_by_which_option(
    name: str, args: Any, kind: str
) -> None:
    pair = slow_pair(server_config={"call_timeout": 5})
    outcome = Outcome(pair.client.root.callRemote(name, *args))
    pair.pump()
    pair.advance(4.9)
    assert not outcome.fired
    pair.advance(0.1)
    assert isinstance(outcome.error, TimeoutError)
    assert str(outcome.error).startswith("cancelled after 5 s (option call_timeout)")
    assert pair.server.service.cancelled == [kind]


def test_a_call_in_time_leaves_no_timer() -> None:
    pair = slow_pair(server_config={"call_timeout": 5})
    assert pair.result(pair.client.root.at_once()) == "at once"
    outcome = Outcome(pair.client.root.sleeps(1))
    pair.pump()
    pair.advance(1)
    assert outcome.value == "done"
    pair.lose()
    assert pair.clock.getDelayedCalls() == []


def test_a_time_out_of_the_methods_own_is_not_mistaken_for_the_servers() -> None:
    pair = slow_pair(server_config={"call_timeout": 50})
    outcome = Outcome(pair.client.root.deferred())
    pair.pump()
    pair.server.service.gates[0].errback(defer.TimeoutError("the database"))
    pair.pump()
    assert "the database" in str(outcome.error)
    assert "call_timeout" not in str(outcome.error)


def test_so_many_bytes_of_calls_may_be_unanswered() -> None:
    """What runs counts until it has its answer, well or not, and what waits counts too."""
    pair = slow_pair(server_config={"max_calls": 1, "max_unanswered": 3000})
    big = "x" * 2000
    running = Outcome(pair.client.root.sleeps(5, big))
    pair.pump()
    with pytest.raises(Exception, match="option max_unanswered"):
        pair.result(pair.client.root.add(big, ""))
    behind = Outcome(pair.client.root.add("x", "y"))
    pair.pump()
    assert not behind.fired
    pair.advance(5)
    pair.pump()
    assert running.value == big
    assert behind.value == "xy"
    assert pair.result(pair.client.root.add(big, "")) == big
    assert pair.server.inbound.ledger.size == 0


def test_an_on_connect_may_ask_a_client_that_asks_back() -> None:
    """Else both would wait for ever: the server's first request is served before it is ready."""

    class Curious(Service):
        async def on_connect(self, conn: Any) -> None:
            self.name = await conn.root.name(self)

        @exposed
        def ask(self) -> str:
            return "who are you?"

    class Client(Service):
        @exposed
        async def name(self, server: Any) -> str:
            return "ann, since you say: " + await server.ask()

    pair = connected_pair(server_root=Curious(), client_root=Client())
    pair.pump()
    assert pair.server.service.name == "ann, since you say: who are you?"


def test_so_many_calls_may_be_unanswered_so_many_wait_and_more_are_refused() -> None:
    pair = slow_pair(server_config={"max_calls": 3, "max_waiting": 1})
    waiting = [Outcome(pair.client.root.deferred()) for _ in range(3)]
    behind = Outcome(pair.client.root.add(2, 2))
    pair.pump()
    assert not behind.fired
    with pytest.raises(Exception, match="max_calls, max_waiting"):
        pair.result(pair.client.root.add(1, 2))
    pair.server.service.gates[0].callback("one")
    pair.pump()
    assert behind.fired
    pair.pump()
    assert [outcome.fired for outcome in waiting] == [True, False, False]
    assert pair.result(pair.client.root.add(1, 2)) == 3


def test_calls_that_are_answered_at_once_do_not_count() -> None:
    pair = slow_pair(server_config={"max_calls": 1})
    for number in range(10):
        assert pair.result(pair.client.root.add(number, 1)) == number + 1


def test_the_same_number_twice_does_not_get_around_that() -> None:
    clock = Clock()
    service = Slow(clock)
    peer = RawPeer(service, max_calls=3)
    root = peer.root()
    for _ in range(10):
        peer.send_payload(request_payload(77, HANDLE_CALLATTR, root, "deferred", (), ()))
    assert len(service.gates) == 1
    answers = peer.received()
    assert [number for _kind, number, _args in answers] == [77] * 9
    assert all(kind == MSG_EXCEPTION for kind, _number, _args in answers)
    service.gates[0].callback("x")
    assert [(kind, number) for kind, number, _args in peer.received()] == [(MSG_REPLY, 77)]
    assert peer.ask(HANDLE_PING, 1) == 1


# --- the end ----------------------------------------------------------------------


def test_when_the_connection_ends_everything_that_runs_is_cancelled() -> None:
    pair = slow_pair()
    for name in ("deferred", "chained"):
        getattr(pair.client.root, name)().addErrback(lambda _failure: None)
    pair.client.root.sleeps(5).addErrback(lambda _failure: None)
    pair.pump()
    pair.lose()
    assert sorted(pair.server.service.cancelled) == ["coroutine", "deferred", "deferred"]
    assert len(pair.server.inbound) == 0
    assert pair.clock.getDelayedCalls() == []


def test_a_canceller_that_raises_then_keeps_nothing_else_from_ending() -> None:
    pair = slow_pair()
    waiting = [Outcome(pair.client.root.bad_canceller()), Outcome(pair.client.root.sleeps(5))]
    pair.pump()
    own = Outcome(pair.server.ping())
    ended = Outcome(pair.server.when_disconnected())
    with logged() as log:
        pair.lose()
    assert "in the canceller" in log.text()
    assert pair.server.service.cancelled == ["coroutine"]
    assert all(len(outcome.results) == 1 for outcome in [*waiting, own, ended])


def test_an_answer_that_comes_after_the_end_is_dropped() -> None:
    pair = slow_pair()

    async def stubborn() -> str:
        try:
            await Deferred()
        except CancelledError:
            await deferLater(pair.clock, 1)  # type: ignore[arg-type]
        return "still here"

    pair.server.service.exposed_stubborn = stubborn
    Outcome(pair.client.root.stubborn())
    pair.pump()
    pair.lose()
    pair.advance(2)
    assert not pair.server.transport.written


# --- messages that are lost as a whole --------------------------------------------


def test_a_message_over_a_limit_costs_only_its_own_call() -> None:
    """An id in it that stands for nothing is not held against the next one."""
    peer = RawPeer(Hosted, max_items=40)
    peer.root()
    many = tuple(range(50))
    body = dump((5, (HANDLE_PING, (2, ((3, ("a.B", 1, 2)), (1, many))))))
    peer.send_payload(b"\x01" + body)
    ((kind, number, _args),) = peer.received()
    assert (kind, number) == (MSG_EXCEPTION, 5)
    assert peer.ask(HANDLE_PING, 1) == 1


# --- deadlines --------------------------------------------------------------------


class Hurried(Service):
    """Tells how long its caller will wait, and notes when it is told to stop."""

    def __init__(self) -> None:
        self.stopped = 0

    @exposed
    def left(self) -> float | None:
        return current_call().time_left()

    @exposed
    def never(self) -> Any:
        return Deferred(lambda _deferred: self.note())

    def note(self) -> None:
        self.stopped += 1


def test_the_callee_knows_for_how_long_its_caller_waits() -> None:
    """timed() tells a txremote peer; a plain call has all the time there is."""
    pair = connected_pair(server_root=Hurried)
    result = timed(pair.client.root.left, 7.5)()
    pair.pump()
    assert result.value == 7.5
    assert pair.result(pair.client.root.left()) is None


def test_a_connections_request_timeout_is_told_too() -> None:
    """It holds for each call that has no other."""
    pair = connected_pair(server_root=Hurried, client_config={"request_timeout": 20})
    assert pair.result(pair.client.root.left()) == 20


def test_what_is_said_for_a_call_counts_before_what_holds_for_all() -> None:
    """timed() may give one call more time than request_timeout, or less."""
    pair = connected_pair(server_root=Hurried, client_config={"request_timeout": 20})
    results = [timed(pair.client.root.never, seconds)() for seconds in (5, 30)]
    pair.pump()
    pair.advance(29)
    assert [result.expired for result in results] == [True, False]
    pair.advance(1)
    assert [result.expired for result in results] == [True, True]
    assert pair.server.service.stopped == 2


def test_a_client_is_told_too_though_its_root_is_still_to_be_fetched() -> None:
    """The fetching is a part of the time."""
    pair = connected_pair(client_root=Hurried)
    result = timed(pair.server.root.left, 7.5)()
    pair.pump()
    assert result.value == 7.5


def test_the_shorter_of_the_callers_time_and_the_callees_counts() -> None:
    """call_timeout is the callee's own word."""
    pair = connected_pair(server_root=Hurried, server_config={"call_timeout": 5})
    results = [timed(pair.client.root.left, seconds)() for seconds in (3, 30)]
    pair.pump()
    assert [result.value for result in results] == [3, 5]


def test_what_runs_is_cancelled_when_its_caller_waits_no_longer() -> None:
    """A little later than the caller says so itself, if nothing of that arrives."""
    pair = connected_pair(server_root=Hurried)
    timed(pair.client.root.never, 4)()
    pair.pump()
    pair.clock.advance(4.9)
    assert pair.server.service.stopped == 0
    pair.clock.advance(0.2)
    assert pair.server.service.stopped == 1


def test_a_stock_peer_is_told_nothing() -> None:
    """It knows no DEADLINE."""
    pair = pair_with_stock_server(Hurried)
    wire = Wire(pair.client)
    timed(pair.client.root.left, 7.5)()
    assert wire.requests == [HANDLE_CALLATTR]


def test_a_path_at_a_stock_peer_has_the_time_of_its_caller_at_each_step() -> None:
    """And not request_timeout's, from the second on."""

    class Nested(Service):
        def __init__(self) -> None:
            self.exposed_hurried = Hurried()

    pair = pair_with_stock_server(Nested, client_config={"request_timeout": 2})
    result = timed(pair.client.root.hurried.never, 5)()
    pair.pump()
    pair.advance(4)
    assert not result.ready
    pair.advance(1)
    assert result.expired


def test_a_deadline_is_for_the_request_behind_it_only() -> None:
    """One that nothing follows is forgotten; a bad one costs only itself."""
    peer = RawPeer(Hurried)
    root = peer.root()
    peer.send_request(HANDLE_DEADLINE, 10_000, 5000)
    peer.received()
    assert peer.ask(HANDLE_CALLATTR, root, "left", (), ()) is None
    for wrong in (("x", 1), (1, "x"), (1, -1), (1, 1.5)):
        assert peer.ask(HANDLE_DEADLINE, *wrong).name == "TypeError"
    assert peer.ask(HANDLE_PING, 1) == 1


@pytest.mark.parametrize("name", ["at_once", "first", "later"])
def test_a_call_may_end_its_own_connection_in_order(name: str) -> None:
    """It is answered before: a plain method, a coroutine before its first await, or after."""

    class Last(Service):
        def finish(self) -> None:
            current_call().connection.closing.drain("we close")

        @exposed
        def at_once(self) -> str:
            self.finish()
            return "answered"

        @exposed
        async def first(self) -> str:
            self.finish()
            await deferLater(pair.clock, 2)
            return "answered"

        @exposed
        async def later(self) -> str:
            await deferLater(pair.clock, 1)
            self.finish()
            await deferLater(pair.clock, 1)
            return "answered"

    pair = connected_pair(server_root=Last)
    answer = Outcome(pair.client.root.callRemote(name))
    for _ in range(3):
        pair.advance(1)
    assert answer.value == "answered"
    assert pair.client.closed
    assert pair.clock.getDelayedCalls() == []


@pytest.mark.parametrize("how", ["read", "cancelled"])
def test_a_connection_that_is_to_end_does_so_when_the_last_that_waits_is_answered(how: str) -> None:
    """A call that has waited for its caller to read is the last, or is cancelled."""
    pair = connected_pair(server_root=Hosted)
    transport: Any = pair.server.transport
    transport.pauseProducing = transport.resumeProducing = lambda: None
    pair.server.backpressure.high_water(True)
    call = pair.client.root.add(1, 2)
    outcome = Outcome(call)
    pair.pump()
    pair.server.closing.drain("we close")
    pair.pump()
    assert not outcome.fired
    if how == "read":
        pair.server.backpressure.high_water(False)
    else:
        call.cancel()
    pair.pump()
    pair.advance(0)  # the CANCEL is answered, too
    assert pair.server.closed
    if how == "read":
        assert outcome.value == 3


def test_a_maker_of_requests_sees_each_of_them_and_changes_none() -> None:
    pair = slow_pair()
    inbound, numbers = pair.server.inbound, []

    def maker(owner: Any, number: int, *rest: Any) -> Request:
        numbers.append(number)
        return Request(owner, number, *rest)

    inbound.make_request = maker
    outcome = Outcome(pair.client.root.callRemote("sleeps", 5))
    pair.pump()
    assert numbers
    assert len(inbound) == 1
    pair.advance(5)
    assert (outcome.value, pair.server.service.finished) == ("done", 1)
