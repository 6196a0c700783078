"""
Results as targets and arguments of calls that are made here, when they are there.
"""

from __future__ import annotations

import gc
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred

from tests.peer.pairs import Outcome, logged
from txremote import RemotePath
from txremote.peer.promise import Promise, call_when_known, failed_call


def known(result: Any) -> Promise:
    promise = Promise()
    promise.callback(result)
    return promise


def test_a_name_is_a_path_and_a_deferreds_own_names_are_its_own() -> None:
    promise = Promise()
    assert type(promise.title) is RemotePath
    assert promise.called is False
    for name in ("result", "_private", "__conform__"):
        assert not hasattr(promise, name)


def test_calls_of_a_value_are_made_when_it_is_there() -> None:
    promise = Promise()
    upper, first = Outcome(promise.upper()), Outcome(promise[0])
    joined = Outcome(known("-").join(known(("a", "b"))))
    assert not upper.fired
    promise.callback("tea")
    assert (upper.value, first.value, joined.value) == ("TEA", "t", "a-b")


def test_a_name_that_a_value_lacks_is_an_attribute_error() -> None:
    assert type(Outcome(known("tea").brew()).error) is AttributeError


def test_all_is_waited_for_and_the_first_error_in_order_is_the_calls() -> None:
    first, second = Promise(), failed_call(ValueError("second"))
    outcome = Outcome(call_when_known("{} {}", ("format",), (first, (second,)), {}))
    assert not outcome.fired
    first.errback(KeyError("first"))
    assert type(outcome.error) is KeyError


def test_a_long_chain_takes_no_stack() -> None:
    first = last = Promise()
    for _ in range(3000):
        last = last.replace("x", "x")
    outcome = Outcome(last)
    first.callback("tea")
    assert outcome.value == "tea"


def test_coroutines_and_deferreds_of_local_methods_are_waited_for() -> None:
    waiting: Deferred[str] = Deferred()

    class Local:
        async def begun(self) -> str:
            return "begun"

        def later(self) -> Deferred[str]:
            return waiting

    promise = known(Local())
    begun, later = Outcome(promise.begun()), Outcome(promise.later())
    assert begun.value == "begun" and not later.fired
    waiting.callback("late")
    assert later.value == "late"


def test_cancelling_ends_the_call_and_what_it_waits_for_goes_on() -> None:
    promise = Promise()
    used = promise.upper()
    outcome = Outcome(used)
    used.cancel()
    assert type(outcome.error) is CancelledError
    promise.callback("tea")
    assert promise.result == "tea"


@pytest.mark.parametrize("raises", [False, True])
def test_a_failure_that_is_used_is_not_logged_and_another_is(raises: bool) -> None:
    with logged() as log:
        promise = Promise()
        used = Outcome(promise.upper())
        if raises:
            promise.addErrback(lambda _failure: {}["another"])
        promise.errback(ValueError("used"))
        assert type(used.error) is ValueError
        del promise, used
        gc.collect()
    assert ("Unhandled" in log.getvalue()) is raises
