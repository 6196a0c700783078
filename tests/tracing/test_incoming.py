"""The spans of the peer's calls, and the context in which these run."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from opentelemetry import trace
from twisted.internet.defer import Deferred

from tests.peer.pairs import (
    Outcome,
    Promised,
    RawPeer,
    RemoteError,
    logged,
    pair_with_stock_client,
)
from tests.peer.test_hostile import ANSWERED, Attack, odd_values
from tests.tracing.recorded import Shop, current_name, recording
from tests.tracing.test_w3c import PARENT
from txremote import Service, exposed
from txremote.errors import RemoteProtocolError
from txremote.peer.request import Request
from txremote.testing import connected_pair
from txremote.tracing.naming import SPANNED
from txremote.wire.consts import (
    FEATURE_TRACE,
    HANDLE_CALLATTR,
    HANDLE_HELLO,
    HANDLE_KEEP,
    HANDLE_PING,
    HANDLE_TRACE,
    MSG_REQUEST,
)


class Waits(Service):
    """Never answers."""

    @exposed
    def waits(self) -> Deferred[None]:
        """Waits."""
        return Deferred()


def traced_peer() -> RawPeer:
    """Return a peer that has said that it traces."""
    peer = RawPeer(Shop)
    assert FEATURE_TRACE in peer.ask(HANDLE_HELLO, 1, (FEATURE_TRACE,))[1]
    return peer


def test_coroutines_under_deferreds_have_their_own_spans_and_nothing_leaks() -> None:
    with recording() as recorder:
        pair = connected_pair(server_root=Shop)
        doors: list[Deferred[None]] = [Deferred() for _ in range(3)]
        calls = [pair.client.root.here_later(lambda door=door: door) for door in doors]
        pair.pump()
        assert pair.result(pair.client.root.here()) == "Shop.here"
        for door in reversed(doors):
            door.callback(None)
        assert [pair.result(call) for call in calls] == [("Shop.here_later",) * 2] * 3
        assert current_name() is None
        variables: Any = pair.server.inbound.variables
        assert variables.run(current_name) is None
    assert len({span.context.trace_id for span in recorder.spans}) == 4


def test_the_context_that_came_before_a_call_is_its_parent() -> None:
    with recording() as recorder:
        peer = traced_peer()
        root = peer.root()
        # the numbers go on by one: this request's, and then the call's
        peer.send_request(HANDLE_TRACE, peer._numbers + 2, PARENT, "vendor=1")
        assert peer.received() == []  # it is not answered
        assert peer.ask(HANDLE_CALLATTR, root, "here", (), ()) == "Shop.here"
        assert peer.ask(HANDLE_CALLATTR, root, "here", (), ()) is None
    span = recorder.one("server", "Shop.here")
    assert span.parent is not None
    assert f"{span.context.trace_id:032x}-{span.parent.span_id:016x}" in PARENT
    assert span.context.trace_state.to_header() == "vendor=1"


def test_a_call_that_waited_for_a_result_takes_no_context_of_the_next() -> None:
    gate: Deferred[int] = Deferred()

    class Gated(Shop):
        @exposed
        def gated(self, _given: object = None) -> Any:
            return gate

    with recording() as recorder:
        peer = RawPeer(Gated)
        peer.ask(HANDLE_HELLO, 1, (FEATURE_TRACE,))
        root = peer.root()
        peer.send_request(HANDLE_KEEP, peer._numbers + 2)
        kept = peer.send_request(HANDLE_CALLATTR, root, "gated", (), ())
        peer.send_request(HANDLE_CALLATTR, root, "gated", (Promised(kept),), ())
        peer.send_request(HANDLE_TRACE, peer._numbers + 2, PARENT)
        gate.callback(7)
        assert len(peer.received()) == 2
        assert peer.ask(HANDLE_CALLATTR, root, "here", (), ()) == "Gated.here"
    assert recorder.one("server", "Gated.here").parent is not None


@pytest.mark.parametrize("handler", sorted(SPANNED))
@pytest.mark.parametrize("traces", [False, True])
def test_a_request_with_too_few_arguments_is_answered(traces: bool, handler: int) -> None:
    with recording() as recorder:
        peer = traced_peer() if traces else RawPeer(Shop)
        root = peer.root()
        for args in ((), (root,), (root, ()), (root, ("here",))):
            if traces:
                peer.send_request(HANDLE_TRACE, peer._numbers + 2, PARENT)
            number = peer.send_request(handler, *args)
            assert [answer[1] for answer in peer.received()] == [number]
        assert not peer.ended
    assert recorder.spans


@pytest.mark.parametrize(
    "about",
    [
        (),
        None,
        (1,),
        ("here", PARENT),
        (10**100, PARENT),
        (None, PARENT, ""),
        (3, PARENT, "", ""),
        (3, "x" * 100_000, "y" * 100_000),
        (3, (PARENT,), {}),
        (3, b"\xff" * 55),
    ],
)
def test_a_hostile_context_is_none_and_the_call_runs(
    about: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with recording() as recorder, caplog.at_level(logging.DEBUG), logged() as log:
        peer = traced_peer()
        root = peer.root()
        if type(about) is tuple and about[:1] == (3,):
            about = (peer._numbers + 2, *about[1:])
        if type(about) is tuple and {} in about:
            about = (*about[:-1], frozenset())
        peer.send_request(HANDLE_TRACE, *(about if type(about) is tuple else (about,)))
        assert peer.ask(HANDLE_CALLATTR, root, "here", (), ()) is None
        assert peer.ask(HANDLE_PING, 1) == 1
    assert recorder.spans == []
    assert not caplog.records
    assert "traceparent" not in log.text()


@pytest.mark.parametrize("handler", ANSWERED)
def test_wrong_arguments_cost_at_most_the_call_while_it_is_traced(handler: int) -> None:
    with recording():
        attack = Attack(allow_setattr=True, allow_delattr=True, allow_pickle=True)
        values = odd_values(attack)
        lists: list[tuple[Any, ...]] = [(), *((value,) for value in values)]
        lists += [(attack.root, value) for value in values]
        lists += [(attack.root, value, ()) for value in values]
        lists += [(value,) * 5 for value in values[:5]]
        for args in lists:
            number = attack.peer.send_request(handler, *args)
            answers = [each for each in attack.peer.received() if each[0] != MSG_REQUEST]
            assert not attack.peer.ended, args
            assert [answer[1] for answer in answers] == [number], args
        attack.check_others()
        attack.peer.connection.connectionLost()


def test_objects_in_a_context_cost_the_next_request_nothing() -> None:
    with recording():
        peer = traced_peer()
        root = peer.root()
        unknown = type(root)(("builtins.list", 12345, 67890))
        peer.send_request(HANDLE_TRACE, 1, unknown)
        assert peer.ask(HANDLE_PING, 1) == 1
        assert peer.ask(HANDLE_CALLATTR, root, "here", (), ()) is None


def test_a_peer_that_does_not_trace_begins_a_trace_with_each_call() -> None:
    with recording() as recorder:
        pair = pair_with_stock_client(Shop)
        with recorder.within("elsewhere"):  # of whoever reads the socket
            assert pair.result(pair.client.root.callRemote("here")) == "Shop.here"
        assert pair.asked == []  # type: ignore[attr-defined]
    span = recorder.one("server", "Shop.here")
    assert span.parent is None
    assert span.attributes is not None
    assert span.attributes["rpc.system"] == "rpyc"


def test_a_number_that_is_used_twice_ends_its_span_once() -> None:
    with recording() as recorder:
        peer = RawPeer(Waits)
        root = peer.root()
        number = peer.send_request(HANDLE_CALLATTR, root, "waits", (), ())
        peer._numbers = number - 1
        answer = peer.ask(HANDLE_CALLATTR, root, "waits", (), ())
        assert isinstance(answer, RemoteError)
        assert answer.name.endswith(RemoteProtocolError.__name__)
        peer.send_request(HANDLE_CALLATTR, root, "waits", (), ())
        assert len(recorder.spans) == 1  # and the others end with the connection
        peer.connection.connectionLost()
    assert len(recorder.spans) == 2


def test_what_an_error_says_is_what_the_peer_is_told() -> None:
    with recording() as recorder:
        peer = RawPeer(Shop, address=None, include_local_traceback=False)
        answer = peer.ask(HANDLE_CALLATTR, peer.root(), "fails", ("a secret?",), ())
        assert answer == RemoteError("ValueError", "a secret?")
    span = recorder.one("server", "Shop.fails")
    assert span.attributes is not None
    assert span.attributes["error.type"] == "ValueError"
    assert span.status.status_code is trace.StatusCode.ERROR
    assert str(span.status.description).startswith("reference ")
    assert span.events == ()


def test_another_observer_of_requests_goes_on_observing() -> None:
    seen: list[int] = []

    class Timed(Request):
        __slots__ = ("begun",)

    class Noting(Timed):
        __slots__ = ()

        def run(self) -> None:
            self.begun = self.number
            seen.append(self.begun)
            super().run()

    with recording() as recorder:
        pair = connected_pair(server_root=Shop, introduce=False)
        inner: Any = pair.server.inbound.make_request
        inner._make = Noting
        pair.result(pair.client.introduce())
        before = len(seen)
        assert pair.result(pair.client.root.here()) == "Shop.here"
    assert len(seen) == before + 1
    assert recorder.one("server", "Shop.here")


def test_a_call_that_waits_when_the_connection_is_lost_ends_its_span() -> None:
    with recording() as recorder:
        pair = connected_pair(server_root=Waits, server_config={"max_calls": 1})
        outcomes = [Outcome(pair.client.root.waits()) for _ in range(3)]
        pair.pump()
        assert recorder.spans == []
        assert len(pair.server.inbound.ledger.waiting) == 2
        pair.lose()
        assert all(outcome.fired for outcome in outcomes)
    assert len(recorder.spans) == 6
    assert {s.status.status_code for s in recorder.spans} == {trace.StatusCode.ERROR}
