"""
`AsyncResult`: its four states, what ends it, who may look at it and from where.
"""

from __future__ import annotations

import threading
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail, gatherResults, inlineCallbacks, succeed
from twisted.internet.task import Clock, deferLater
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from tests.peer.pairs import Outcome, logged
from txremote import AsyncResult, AsyncResultTimeout, IAsyncResult, WouldBlockReactor
from txremote.errors import RemoteStopIteration
from txremote.peer.immediate import ImmediateDriver


def pending(clock: Clock | None = None) -> tuple[Deferred[Any], AsyncResult]:
    """Return a result and the Deferred that brings it."""
    deferred: Deferred[Any] = Deferred()
    return deferred, AsyncResult(deferred, ImmediateDriver(clock or Clock()))


# --- states -----------------------------------------------------------------------


def test_it_starts_pending() -> None:
    _deferred, result = pending()
    assert (result.ready, result.error, result.expired, result.pending) == (
        False,
        False,
        False,
        True,
    )
    assert "(pending)" in repr(result)


def test_a_value_makes_it_ready() -> None:
    deferred, result = pending()
    deferred.callback(8)
    assert (result.ready, result.error, result.expired, result.pending) == (
        True,
        False,
        False,
        False,
    )
    assert result.value == 8
    assert result.wait() is None
    assert "(ready)" in repr(result)


def test_an_exception_makes_it_ready_and_an_error() -> None:
    deferred, result = pending()
    deferred.errback(ValueError("invalid literal"))
    assert (result.ready, result.error, result.expired) == (True, True, False)
    assert "(error)" in repr(result)
    assert result.wait() is None  # it is there, whatever it is
    for _ in range(2):
        with pytest.raises(ValueError, match="invalid literal"):
            result.value


def test_its_repr_names_it_and_its_address() -> None:
    _deferred, result = pending()
    assert repr(result) == f"<AsyncResult object (pending) at 0x{id(result):08x}>"


def test_it_provides_the_interface() -> None:
    assert verifyObject(IAsyncResult, AsyncResult(succeed(1)))


def test_a_stop_iteration_of_the_peer_is_one_again_when_it_is_looked_at() -> None:
    result = AsyncResult(fail(RemoteStopIteration()))
    with pytest.raises(StopIteration):
        result.value


# --- expiry -----------------------------------------------------------------------


def test_an_expiry_fires_when_its_time_comes() -> None:
    clock = Clock()
    deferred, result = pending(clock)
    seen: list[Any] = []
    result.add_callback(seen.append)
    outcome = Outcome(result.deferred)
    result.set_expiry(2)
    clock.advance(1.9)
    assert seen == []
    assert not result.expired
    clock.advance(0.1)
    assert seen == [result]
    assert isinstance(outcome.error, AsyncResultTimeout)
    assert isinstance(outcome.error, TimeoutError)
    assert (result.ready, result.error, result.expired) == (False, False, True)
    assert "(expired)" in repr(result)
    with pytest.raises(AsyncResultTimeout):
        result.wait()
    with pytest.raises(AsyncResultTimeout):
        result.value
    deferred.callback("too late")
    assert result.expired
    assert seen == [result]


def test_a_result_in_time_stops_the_clock() -> None:
    clock = Clock()
    deferred, result = pending(clock)
    result.set_expiry(2)
    deferred.callback(1)
    assert clock.getDelayedCalls() == []
    clock.advance(3)
    assert not result.expired
    assert result.value == 1


def test_an_expiry_can_be_changed_and_taken_back() -> None:
    clock = Clock()
    _deferred, result = pending(clock)
    result.set_expiry(1)
    result.set_expiry(5)
    clock.advance(2)
    assert not result.expired
    result.set_expiry(None)
    clock.advance(10)
    assert not result.expired
    assert clock.getDelayedCalls() == []
    result.set_expiry(0)
    clock.advance(0)
    assert result.expired


def test_an_expiry_of_a_result_that_is_there_does_nothing() -> None:
    clock = Clock()
    deferred, result = pending(clock)
    deferred.callback(1)
    result.set_expiry(0)
    clock.advance(1)
    assert not result.expired
    assert result.value == 1
    assert clock.getDelayedCalls() == []


def test_an_answer_after_its_time_is_dropped_though_the_timer_is_late() -> None:
    """A busy loop reads what has come before it makes its timed calls; as in RPyC."""
    clock = Clock()
    deferred, result = pending(clock)
    result.set_expiry(2)
    clock.rightNow = 2.5  # and the timed call has not been made yet
    deferred.callback("late")
    assert result.expired
    clock.advance(0)
    assert result.expired


class ScriptDriver(ImmediateDriver):
    """Has a time and nothing that runs by itself, like a script's."""

    def __init__(self) -> None:
        super().__init__(None)
        self.now = 0.0
        self.looks = 0
        self.waits: list[float | None] = []

    def seconds(self) -> float:
        return self.now

    def serve_arrived(self) -> None:
        self.looks += 1

    def wait(self, result: Any, timeout: float | None) -> None:
        self.waits.append(timeout)
        self.now += timeout or 0


@pytest.mark.parametrize(
    "look",
    [
        lambda result: result.expired,
        lambda result: result.ready is False,
        lambda result: "(expired)" in repr(result),
        lambda result: result.add_callback(lambda _result: None) is None,
    ],
)
def test_where_nothing_runs_by_itself_an_expiry_is_noticed_at_a_look(look: Any) -> None:
    driver = ScriptDriver()
    result = AsyncResult(Deferred(), driver)
    seen: list[Any] = []
    result.add_callback(seen.append)
    result.set_expiry(2)
    driver.now = 2.5
    assert seen == []
    assert look(result)
    assert seen == [result]


def test_waiting_waits_no_longer_than_the_expiry() -> None:
    driver = ScriptDriver()
    result = AsyncResult(Deferred(), driver)
    result.set_expiry(2)
    driver.now = 0.5
    with pytest.raises(AsyncResultTimeout):
        result.wait()
    assert driver.waits == [1.5]
    assert result.expired


def test_looking_at_a_pending_result_serves_what_has_come() -> None:
    driver = ScriptDriver()
    result = AsyncResult(Deferred(), driver)
    assert not result.ready
    assert not result.error
    assert driver.looks == 2


# --- callbacks --------------------------------------------------------------------


def test_callbacks_run_once_in_order_and_at_once_if_it_is_there() -> None:
    deferred, result = pending()
    seen: list[Any] = []
    result.add_callback(lambda it: seen.append(("first", it.value)))
    result.add_callback(lambda it: seen.append(("second", it.value)))
    deferred.callback(1)
    assert seen == [("first", 1), ("second", 1)]
    result.add_callback(lambda it: seen.append(("third", it.value)))
    assert seen == [("first", 1), ("second", 1), ("third", 1)]


def test_callbacks_run_for_an_exception_too() -> None:
    deferred, result = pending()
    seen: list[Any] = []
    result.add_callback(lambda it: seen.append(it.error))
    deferred.errback(ValueError())
    assert seen == [True]


def test_a_callback_that_fails_is_logged_and_the_others_run() -> None:
    deferred, result = pending()
    seen: list[Any] = []

    def bad(_result: Any) -> None:
        raise RuntimeError("in the callback")

    result.add_callback(bad)
    result.add_callback(seen.append)
    with logged() as log:
        deferred.callback(1)
    assert seen == [result]
    assert "in the callback" in log.text()


def test_a_callback_may_add_another() -> None:
    deferred, result = pending()
    seen: list[Any] = []
    result.add_callback(lambda it: it.add_callback(lambda _it: seen.append("inner")))
    deferred.callback(1)
    assert seen == ["inner"]


def test_an_error_that_nobody_looks_at_is_not_logged() -> None:
    """Its result is nobody's, as an event's; ``deferred`` would log it."""
    with logged() as log:
        result = AsyncResult(fail(ValueError("unseen")))
        del result
    assert "unseen" not in log.text()


# --- Twisted's side ---------------------------------------------------------------


def test_any_deferred_can_be_adapted() -> None:
    deferred: Deferred[Any] = Deferred()
    result = IAsyncResult(deferred)
    assert type(result) is AsyncResult
    assert result.pending
    deferred.callback("x")
    assert result.value == "x"
    assert IAsyncResult(result) is result


def test_deferred_is_a_fresh_one_at_each_look() -> None:
    deferred, result = pending()
    first, second = Outcome(result.deferred), Outcome(result.deferred)
    deferred.callback(3)
    third = Outcome(result.deferred)
    assert (first.value, second.value, third.value) == (3, 3, 3)


def test_cancelling_one_of_its_deferreds_leaves_the_result_alone() -> None:
    deferred, result = pending()
    waiting = result.deferred
    outcome = Outcome(waiting)
    waiting.cancel()
    assert outcome.fired
    assert result.pending
    deferred.callback(1)
    assert result.value == 1


def test_it_can_be_awaited() -> None:
    deferred, result = pending()

    async def use() -> Any:
        return await result

    outcome = Outcome(Deferred.fromCoroutine(use()))
    assert not outcome.fired
    deferred.callback(5)
    assert outcome.value == 5


def test_awaiting_a_failed_one_raises() -> None:
    async def use() -> Any:
        return await AsyncResult(fail(KeyError("k")))

    assert isinstance(Outcome(Deferred.fromCoroutine(use())).error, KeyError)


# --- waiting ----------------------------------------------------------------------


def test_waiting_where_nothing_drives_the_connection_says_what_to_do() -> None:
    _deferred, result = pending()
    with pytest.raises(WouldBlockReactor, match=r"await the result"):
        result.wait()
    with pytest.raises(WouldBlockReactor):
        result.value


@pytest_twisted.inlineCallbacks
def test_many_threads_may_add_callbacks_while_the_result_arrives() -> Any:
    """Each callback runs exactly once, whichever side of the arrival it falls on."""
    deferred: Deferred[Any] = Deferred()
    result = IAsyncResult(deferred)
    seen: list[int] = []
    started = threading.Barrier(5)

    def work(offset: int) -> None:
        started.wait(10)
        for number in range(offset, offset + 200):
            result.add_callback(lambda _result, number=number: seen.append(number))

    working = [deferToThread(work, 200 * index) for index in range(4)]
    yield deferToThread(started.wait, 10)
    deferred.callback(None)
    yield gatherResults(working)
    assert sorted(seen) == list(range(800))


@pytest_twisted.inlineCallbacks
def test_a_thread_may_change_its_mind_about_the_expiry() -> Any:
    deferred: Deferred[Any] = Deferred()
    result = IAsyncResult(deferred)

    def work() -> None:
        result.set_expiry(0.01)
        result.set_expiry(None)

    yield deferToThread(work)
    yield deferLater(reactor, 0.03)
    assert result.pending
    deferred.callback(1)
    assert result.value == 1


# --- more of Twisted --------------------------------------------------------------


def test_a_failure_as_the_result_is_an_error() -> None:
    result = AsyncResult(succeed(None).addCallback(lambda _nothing: Failure(ValueError("x"))))
    assert result.error


@pytest_twisted.inlineCallbacks
def test_it_can_be_yielded_from_inline_callbacks_by_its_deferred() -> Any:
    @inlineCallbacks
    def use() -> Any:
        value = yield IAsyncResult(deferLater(reactor, 0, lambda: 4)).deferred
        return value

    assert (yield use()) == 4
