"""
One Deferred for several: each has the value, and its owner keeps it.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, strategies as st
from twisted.internet.defer import CancelledError, Deferred, fail, inlineCallbacks, succeed
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure

from txremote.refs.sharing import follow, follow_future


@pytest.fixture
def unhandled() -> Iterator[list[Any]]:
    """Failures that Twisted finds nobody has handled."""
    events: list[Any] = []

    def seen(event: Any) -> None:
        if event.get("log_failure") is not None:
            events.append(event["log_failure"].value)

    gc.collect()
    globalLogPublisher.addObserver(seen)
    yield events
    globalLogPublisher.removeObserver(seen)


def outcome(deferred: Deferred[Any]) -> list[Any]:
    """Return a list of what a Deferred fires with; of a Failure the exception."""
    found: list[Any] = []
    deferred.addBoth(
        lambda result: found.append(result.value if isinstance(result, Failure) else result)
    )
    return found


def test_each_has_the_value_and_the_owner_keeps_it():
    """Before it has fired and after, and the owner's own callbacks in between."""
    owned: Deferred[Any] = Deferred()
    first = outcome(follow(owned))
    owned.addCallback(lambda value: value + 1)
    second = outcome(follow(owned))
    owned.callback(1)
    third = outcome(follow(owned))
    assert (first, second, third, outcome(owned)) == ([1], [2], [2], [2])


def test_each_has_the_failure_and_it_is_not_logged(unhandled):
    """They were told. What the owner's callbacks raise is another."""
    error = ZeroDivisionError()
    owned: Deferred[Any] = fail(error)
    assert outcome(follow(owned)) == outcome(follow(owned)) == [error]
    del owned
    gc.collect()
    assert unhandled == []
    owned = Deferred()
    told = outcome(follow(owned))
    owned.addErrback(lambda _failure: 1 / 0)
    owned.errback(error)
    del owned
    gc.collect()
    assert told == [error]
    assert [type(each) for each in unhandled] == [ZeroDivisionError]
    assert unhandled[0] is not error


def test_one_that_gives_up_takes_it_from_nobody():
    """It is cancelled with the last."""
    cancelled: list[Any] = []
    owned: Deferred[Any] = Deferred(cancelled.append)
    first, second = follow(owned), follow(owned)
    gave_up, stayed = outcome(first), outcome(second)
    first.cancel()
    first.cancel()
    assert (type(gave_up[0]), stayed, cancelled) == (CancelledError, [], [])
    second.cancel()
    assert (type(stayed[0]), cancelled) == (CancelledError, [owned])


def test_the_last_has_what_becomes_of_being_cancelled(unhandled):
    """A coroutine may clean up first, and may have something to say then."""
    cleaning: Deferred[None] = Deferred()

    @inlineCallbacks
    def work() -> Any:
        try:
            yield Deferred()
        except CancelledError:
            yield cleaning
            return "cleaned"

    ours = follow(work())
    found = outcome(ours)
    ours.cancel()
    assert found == []
    cleaning.callback(None)
    assert found == ["cleaned"]
    del ours
    gc.collect()
    assert unhandled == []


STEPS = st.lists(
    st.sampled_from(["follow", "follow", "cancel", "pass", "add", "value", "error"]), max_size=12
)


@given(STEPS)
def test_whatever_the_order(steps):
    """A follower has what the owner's chain had come to where it was added."""
    owned: Deferred[Any] = Deferred()
    current: Any = None
    fired = False
    added = 0
    expected: list[tuple[Deferred[Any], list[Any], int]] = []
    for step in steps:
        waiting = [ours for ours, found, _ in expected if not found]
        if step == "follow":
            ours = follow(owned)
            expected.append((ours, outcome(ours), added))
        elif step == "cancel" and len(waiting) > 1:
            waiting[0].cancel()
        elif step == "add":
            owned.addCallback(lambda value: value + 1)
            added += 1
        elif step == "pass":
            owned.addBoth(lambda result: result)
        elif step in ("value", "error") and not fired:
            fired = True
            current = 0 if step == "value" else ZeroDivisionError()
            owned.callback(current if step == "value" else Failure(current))
    if not fired:
        owned.callback(current := 0)
    for _ours, found, position in expected:
        assert len(found) == 1
        if not isinstance(found[0], CancelledError):
            assert found == ([position] if current == 0 else [current])
    assert outcome(owned) == ([added] if current == 0 else [current])


def test_a_task_is_cancelled_with_the_last_of_those_who_wait():
    """Each has its result, also who comes when it is done."""

    async def scene() -> list[Any]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        first, second = follow_future(future), follow_future(future)
        gave_up, found = outcome(first), outcome(second)
        first.cancel()
        future.set_result("value")
        await asyncio.sleep(0)
        late = outcome(follow_future(future))
        await asyncio.sleep(0)
        other: asyncio.Future[Any] = loop.create_future()
        follow_future(other).addErrback(lambda _failure: None).cancel()
        return [type(gave_up[0]), found, late, other.cancelled()]

    assert asyncio.run(scene()) == [CancelledError, ["value"], ["value"], True]


def test_it_is_called_at_once_where_the_other_is():
    """No turn of any reactor lies between."""
    assert outcome(follow(succeed(3))) == [3]
