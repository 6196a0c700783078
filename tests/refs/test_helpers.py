"""
`async_` and `timed`: a call whose result is an `AsyncResult`, of anything that can
be called and from any thread.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from tests.peer.pairs import Wire
from txremote import AsyncResult, AsyncResultTimeout, Service, async_, exposed, timed
from txremote.eventloop.executor import LoopExecutor
from txremote.testing import Pair, connected_pair
from txremote.wire.consts import HANDLE_CALL, HANDLE_CALLATTR, HANDLE_CALLPATH


class Calculator(Service):
    def __init__(self) -> None:
        self.exposed_inner = {"x": 1}
        self.waiting: list[Deferred[Any]] = []

    @exposed
    def add(self, a: int, b: int = 0) -> int:
        return a + b

    @exposed
    def fails(self) -> None:
        raise ValueError("never")

    @exposed
    def later(self) -> Any:
        self.waiting.append(Deferred())
        return self.waiting[-1]

    @exposed
    def adder(self) -> Any:
        return lambda a, b: a + b


@pytest.fixture
def pair() -> Pair:
    return connected_pair(server_root=Calculator)


# --- what can be called -----------------------------------------------------------


def test_a_remote_method(pair: Pair) -> None:
    wire = Wire(pair.client)
    result = async_(pair.client.root.add)(2, b=3)
    assert type(result) is AsyncResult
    assert not result.ready
    pair.pump()
    assert result.ready
    assert result.value == 5
    assert wire.requests == [HANDLE_CALLATTR]


def test_a_remote_object_and_a_longer_path(pair: Pair) -> None:
    wire = Wire(pair.client)
    adder = pair.result(pair.client.root.adder())
    added = async_(adder)(1, 2)
    keys = async_(pair.client.root.inner.keys)()
    pair.pump()
    assert added.value == 3
    assert keys.value
    assert wire.requests == [HANDLE_CALLATTR, HANDLE_CALL, HANDLE_CALLPATH]


def test_a_remote_exception(pair: Pair) -> None:
    result = async_(pair.client.root.fails)()
    pair.pump()
    assert result.error
    with pytest.raises(ValueError, match="never"):
        result.value


def test_the_accepting_sides_root() -> None:
    pair = connected_pair(client_root=Calculator)
    result = async_(pair.server.root.add)(1, 2)
    pair.pump()
    assert result.value == 3


def test_a_plain_function_is_called_at_once() -> None:
    result = async_(max)(1, 2)
    assert result.ready
    assert result.value == 2


def test_a_function_that_returns_a_deferred() -> None:
    deferred: Deferred[int] = Deferred()
    result = async_(lambda: deferred)()
    assert result.pending
    deferred.callback(9)
    assert result.value == 9
    assert async_(lambda: succeed(1))().value == 1


def test_a_coroutine_function() -> None:
    gate: Deferred[int] = Deferred()

    async def work(plus: int) -> int:
        return await gate + plus

    result = async_(work)(plus=1)
    assert result.pending
    gate.callback(1)
    assert result.value == 2


def test_what_the_call_raises_is_in_the_result_and_not_raised() -> None:
    for result in (async_(int)("x"), async_(lambda: fail(ValueError("x")))()):
        assert result.error
        with pytest.raises(ValueError):
            result.value


@pytest.mark.parametrize("wrapper", [async_, lambda target: timed(target, 1)])
def test_what_cannot_be_called_is_refused_at_once(wrapper: Any) -> None:
    with pytest.raises(TypeError, match="takes a callable"):
        wrapper(3)


def test_the_wrapper_can_be_used_at_once_or_kept(pair: Pair) -> None:
    """RPyC's has to be kept in a variable; nothing here depends on that."""
    add = async_(pair.client.root.add)
    results = [add(number, 1) for number in range(100)]
    pair.pump()
    assert [result.value for result in results] == list(range(1, 101))
    assert repr(add) == f"async_({pair.client.root.add!r})"


# --- timed ------------------------------------------------------------------------


def test_timed_expires(pair: Pair) -> None:
    result = timed(pair.client.root.later, 2)()
    pair.advance(1.9)
    assert not result.expired
    pair.advance(0.2)
    assert result.expired
    with pytest.raises(AsyncResultTimeout):
        result.value


def test_timed_in_time(pair: Pair) -> None:
    wrapper = timed(pair.client.root.add, 2)
    result = wrapper(1, 2)
    pair.pump()
    assert result.value == 3
    pair.advance(5)
    assert result.value == 3
    assert repr(wrapper).startswith("timed(<RemotePath add of")


def test_timed_takes_any_callable() -> None:
    async def work() -> int:
        return 4

    assert timed(work, 5)().value == 4
    assert timed(max, 5)(1, 2).value == 2


def test_a_late_answer_to_an_expired_call_does_no_harm(pair: Pair) -> None:
    result = timed(pair.client.root.later, 1)()
    pair.advance(2)
    pair.server.service.waiting[0].callback([1, 2])
    pair.pump()
    assert result.expired
    assert pair.result(pair.client.root.add(1, 1)) == 2


# --- from another thread ----------------------------------------------------------


def pair_in_reactor() -> Pair:
    """Return a pair in memory whose client minds the reactor's thread."""
    pair = connected_pair(server_root=Calculator)
    executor = LoopExecutor(reactor)
    pair.client.executor = executor
    pair.client._guard = executor.guard
    pair.client.outbox.later = partial(reactor.callLater, 0)
    return pair


@pytest_twisted.inlineCallbacks
def test_another_thread_may_call_and_wait() -> Any:
    pair = pair_in_reactor()
    made_in: list[int] = []
    write = pair.client.transport.write

    def noted(data: bytes) -> None:
        made_in.append(threading.get_ident())
        write(data)
        reactor.callLater(0, pair.pump)

    pair.client.transport.write = noted
    add = pair.client.root.add

    def work() -> Any:
        results = [async_(add)(number, 1) for number in range(20)]
        return [result.value for result in results]

    assert (yield deferToThread(work)) == list(range(1, 21))
    assert set(made_in) == {threading.get_ident()}


@pytest_twisted.inlineCallbacks
def test_another_thread_may_use_timed() -> Any:
    pair = pair_in_reactor()
    later = pair.client.root.later

    def work() -> None:
        result = timed(later, 0.02)()
        with pytest.raises(AsyncResultTimeout):
            result.value

    yield deferToThread(work)
    yield deferLater(reactor, 0)


def test_a_call_that_expires_is_cancelled_at_the_peer() -> None:
    """Its number is not waited for any more, and what runs for it there ends."""
    running: list[Deferred[None]] = []
    cancelled: list[Deferred[None]] = []

    class Slow(Service):
        @exposed
        def work(self) -> Deferred[None]:
            running.append(Deferred(cancelled.append))
            return running[0]

    pair = connected_pair(server_root=Slow)
    result = timed(pair.client.root.work, 3)()
    pair.pump()
    assert len(running) == 1
    pair.advance(3)
    assert result.expired
    assert cancelled == running
