"""The spans of this side's calls, and when their context is sent."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import pytest_twisted
import rpyc
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, TraceIdRatioBased
from rpyc.utils.server import ThreadedServer
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.threads import deferToThread

from tests.net.servers import endpoint_of, served
from tests.peer.pairs import Outcome, Wire, pair_with_stock_server
from tests.tracing.recorded import Front, Shop, current_name, recording
from txremote import Service, async_, connect, exposed, threaded
from txremote.errors import AsyncResultTimeout, ConnectionLost, DeadReferenceError, NotSendable
from txremote.testing import Pair, connected_pair
from txremote.wire.consts import (
    HANDLE_CALLATTR,
    HANDLE_CALLPATH,
    HANDLE_FORGET,
    HANDLE_KEEP,
    HANDLE_TRACE,
)


def test_a_call_and_its_callback_are_one_trace() -> None:
    with recording() as recorder:
        pair = connected_pair(server_root=Shop)

        def twice(number: int) -> tuple[int, str | None]:
            return 2 * number, current_name()

        with recorder.within("main"):
            called = pair.client.root.both_ways(twice)
        assert pair.result(called)[0] == 2
    call = "main / client Shop.both_ways / server Shop.both_ways"
    back = f"{call} / own / client function.__call__"
    name = f"test_outgoing.{twice.__qualname__}"
    above = call.rpartition(" / ")[0]
    assert recorder.tree == ["main", above, call, f"{call} / own", back, f"{back} / server {name}"]


class Chain(Shop):
    """Its methods are called of results, and with results."""

    @exposed
    def me(self, *_results: Any, **_named: Any) -> Any:
        return self

    @exposed
    async def later(self, _result: Any) -> str | None:
        return current_name()

    @exposed
    def number(self) -> int:
        return 7


def test_calls_that_use_results_are_sent_at_once_and_each_has_its_span() -> None:
    with recording() as recorder:
        pair = connected_pair(server_root=Chain)
        root, wire = pair.client.root, Wire(pair.client)
        with recorder.within("main"):
            first = root.me()
            last = first.me(root.me(), kind=root.number()).later((root.here(), first))
        sent = [kind for kind in wire.requests if kind == HANDLE_CALLATTR]
        assert sent == []  # they are gathered, and go in one turn
        assert pair.result(last) == "Chain.later"
        kinds = list(wire.requests)
    calls = [kind for kind in kinds if kind in (HANDLE_CALLATTR, HANDLE_CALLPATH)]
    assert len(calls) == 6
    assert kinds.count(HANDLE_TRACE) == 6
    assert kinds[0] == HANDLE_KEEP
    assert recorder.tree == sorted(
        [
            "main",
            *(f"main / client {name}" for name in SENT),
            *(f"main / client {name} / server Chain.{name.split('.')[1]}" for name in SENT),
        ]
    )


# what is still to come is of no known class
SENT = ["?.later", "?.me", "Chain.here", "Chain.me", "Chain.me", "Chain.number"]


def test_results_that_calls_use_are_forgotten_when_a_connection_is_not_traced_any_more() -> None:
    class Itself(Shop):
        @exposed
        def me(self) -> Any:
            return self

    with recording():
        pair = connected_pair(server_root=Itself)
    used, wire = pair.client.root.me(), Wire(pair.client)
    assert pair.result(used.here()) is None
    pair.advance(5)
    assert HANDLE_KEEP in wire.requests
    assert HANDLE_FORGET in wire.requests


def test_a_callback_to_a_root_that_was_not_asked_for_is_in_the_trace() -> None:
    with recording() as recorder:
        pair = connected_pair(client_root=Shop, server_root=Shop)
        assert pair.result(pair.client.root.calls_root()) == "Shop.here"
    call = "client Shop.calls_root / server Shop.calls_root"
    assert recorder.tree[-1] == f"{call} / client Shop.here / server Shop.here"


@pytest.mark.parametrize(
    "ask, method",
    [
        (lambda root: root.shelf.here(), "shelf.here"),
        (lambda root: root.shelf.note._read(), "shelf.note"),
        (lambda root: root.shelf._read(), "shelf"),
        (lambda root: root.callRemote("__str__"), "__str__"),
    ],
)
@pytest.mark.parametrize("stock", [False, True])
def test_a_call_has_one_span_however_many_requests_it_takes(
    ask: Callable[[Any], Deferred[Any]], method: str, stock: bool
) -> None:
    config = {"allow_public_attrs": True}
    with recording() as recorder:
        if stock:
            pair = pair_with_stock_server(Front, config=config)
        else:
            pair = connected_pair(server_root=Front, config=config)
        pair.result(ask(pair.client.root))
        if stock:
            assert pair.asked == []  # type: ignore[attr-defined]
    client = f"client Front.{method}"
    assert [line for line in recorder.tree if " / " not in line and "client" in line] == [client]
    assert stock or recorder.tree == [client, f"{client} / server Front.{method}"]


def lost(pair: Pair, _call: Deferred[Any]) -> None:
    pair.lose()


def cancelled(_pair: Pair, call: Deferred[Any]) -> None:
    call.cancel()


def too_late(pair: Pair, _call: Deferred[Any]) -> None:
    pair.advance(10)


@pytest.mark.parametrize(
    "end, error",
    [(lost, ConnectionLost), (cancelled, CancelledError), (too_late, AsyncResultTimeout)],
)
def test_a_span_ends_once_with_a_call_that_has_no_answer(
    end: Callable[[Pair, Deferred[Any]], None], error: type[Exception]
) -> None:
    with recording() as recorder:
        pair = connected_pair(server_root=Shop, client_config={"request_timeout": 5})
        never: Deferred[None] = Deferred()
        call = pair.client.root.here_later(lambda: never)
        outcome = Outcome(call)
        pair.pump()
        end(pair, call)
        pair.pump()
        pair.lose()
        assert isinstance(outcome.error, error)
    span = recorder.one("client", "Shop.here_later")
    assert span.attributes is not None
    assert span.attributes["error.type"].endswith(error.__name__)  # type: ignore[union-attr]


def test_a_span_ends_with_a_call_that_is_not_sent() -> None:
    with recording() as recorder:
        pair = connected_pair(server_root=Shop)
        outcome = Outcome(pair.client.root.here("\ud800"))
        assert isinstance(outcome.error, NotSendable)
        pair.lose()
        outcome = Outcome(pair.client.root.here())
        assert isinstance(outcome.error, DeadReferenceError)
    assert [span.name for span in recorder.spans] == ["Shop.here", "Shop.here"]


class Numbers(Service):
    """Gives its items by hand, too."""

    @exposed
    def few(self) -> Any:
        """Items."""
        yield current_name()
        yield current_name()


def test_items_have_no_spans_and_are_made_in_the_context_of_their_reader() -> None:
    with recording() as recorder:
        pair = connected_pair(server_root=Numbers)

        async def read() -> list[Any]:
            found = [item async for item in await pair.client.root.few()]
            with recorder.within("reader"):
                return [*found, [x async for x in await pair.client.root.few()]]

        pair.result(Deferred.fromCoroutine(read()))
        names = {span.name for span in recorder.spans}
    assert names == {"Numbers.few", "reader", "generator.__iter__"}


@pytest.mark.parametrize("sampler", [None, ALWAYS_OFF])
def test_the_context_of_sampled_calls_alone_is_sent(sampler: Any) -> None:
    with recording(sampler) as recorder:
        pair = connected_pair(server_root=Shop)
        wire = Wire(pair.client)
        name = pair.result(pair.client.root.here())
    assert name == (None if sampler else "Shop.here")
    assert wire.requests.count(HANDLE_TRACE) == (0 if sampler else 1)
    assert bool(recorder.spans) == (sampler is None)


def test_no_context_is_sent_to_a_peer_that_does_not_trace() -> None:
    with recording() as recorder:
        pair = pair_with_stock_server(Shop)
        wire = Wire(pair.client)
        pair.result(pair.client.root.callRemote("here"))
        assert HANDLE_TRACE not in wire.requests
        assert pair.asked == []  # type: ignore[attr-defined]
    assert recorder.one("client", "Shop.here")


def test_whoever_begins_the_trace_decides_for_all_of_it() -> None:
    with recording(ParentBased(TraceIdRatioBased(0.5))) as recorder:
        pair = connected_pair(server_root=Shop)
        names = []
        for _ in range(100):
            names.append(pair.result(pair.client.root.both_ways(lambda _n: current_name())))
        sampled = [name for name in names if name is not None]
    assert 0 < len(sampled) < 100
    # both of the call, both of the callback, and the service's own
    assert len(recorder.spans) == 5 * len(sampled)
    traces = {span.context.trace_id for span in recorder.spans}
    assert len(traces) == len(sampled)


class Blocking(Service):
    """Its methods block, in threads."""

    @exposed
    @threaded
    def both_ways(self, function: Any) -> tuple[str | None, str | None, str | None]:
        """Calls the caller, and waits."""
        return current_name(), function(1), current_name()


class Lane(Blocking):
    """The same in the connection's thread."""

    threaded_service = True

    @exposed
    def both_ways(self, function: Any) -> tuple[str | None, str | None, str | None]:
        """Calls the caller, and waits."""
        return current_name(), async_(function)(1).value, current_name()


@pytest.mark.parametrize("service", [Blocking, Lane])
@pytest_twisted.ensureDeferred
async def test_a_thread_that_calls_back_has_its_calls_in_the_trace(service: type[Service]) -> None:
    with recording() as recorder:

        def back(_number: int) -> str | None:
            return current_name()

        async with served(service) as port:
            conn = await connect(endpoint_of(port))
            names = await conn.root.both_ways(back)
            await conn.close()
    call = f"{service.__name__}.both_ways"
    shown = f"test_outgoing.{back.__qualname__}"
    assert names == (call, shown, call)
    path = f"client {call} / server {call}"
    assert f"{path} / client function.__call__ / server {shown}" in recorder.tree


class Stock(rpyc.Service):  # type: ignore[misc]
    """A service of RPyC's own."""

    def exposed_call(self, function: Any) -> Any:
        """Call the caller."""
        return function(1)


@pytest_twisted.ensureDeferred
async def test_real_rpyc_peers_are_served_and_called_as_ever(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def by_rpyc(port: int) -> Any:
        with rpyc.connect("127.0.0.1", port, config={"logger": None}) as conn:
            return conn.root.here(), list(conn.root.numbers())

    server = ThreadedServer(Stock, hostname="127.0.0.1", port=0)
    thread = threading.Thread(target=server.start, daemon=True)
    thread.start()
    try:
        with recording() as recorder, caplog.at_level("DEBUG"):
            async with served(Shop) as port:
                number = port.getHost().port
                assert await deferToThread(by_rpyc, number) == ("Shop.here", [None, None])
            conn = await connect(f"tcp:127.0.0.1:{server.port}")
            with recorder.within("main"):
                called = conn.root.call(lambda number: (number, current_name() is not None))
            assert await called == (1, True)
            await conn.close()
    finally:
        server.close()
        thread.join()
    assert "Traceback" not in caplog.text
    assert "main / client Stock.call" in recorder.tree
    systems = {span.attributes["rpc.system"] for span in recorder.spans if span.name != "main"}  # type: ignore[index]
    assert systems == {"rpyc"}
