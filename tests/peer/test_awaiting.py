"""
`awaited`: what a method returns in place of a result is waited for.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from tests.peer.pairs import (
    Outcome,
    logged,
    pair_with_stock_client,
    pair_with_stock_server,
)
from tests.peer.slow_service import slow_pair
from txremote import RemoteReference, Service, exposed
from txremote.errors import ConnectionLost, GenericException, NotSendable
from txremote.peer.awaiting import awaited
from txremote.refs.sharing import Unshared
from txremote.testing import connected_pair


def test_two_slow_calls_on_one_connection_end_together() -> None:
    pair = slow_pair()
    outcomes = [Outcome(pair.client.root.sleeps(0.6, name)) for name in ("a", "b")]
    pair.pump()
    pair.advance(0.5)
    assert not any(outcome.fired for outcome in outcomes)
    assert pair.result(pair.client.root.add(1, 2)) == 3  # others are served meanwhile
    pair.advance(0.1)
    assert [outcome.value for outcome in outcomes] == ["a", "b"]


def test_a_quick_call_overtakes_a_slow_one() -> None:
    pair = slow_pair()
    ended: list[str] = []
    pair.client.root.sleeps(0.6, "slow").addCallback(ended.append)
    pair.client.root.sleeps(0.1, "quick").addCallback(ended.append)
    pair.pump()
    for _ in range(7):
        pair.advance(0.1)
    assert ended == ["quick", "slow"]


@pytest.mark.parametrize("make", [connected_pair, pair_with_stock_client, pair_with_stock_server])
def test_deferreds_of_every_kind_are_waited_for(make: Any) -> None:
    pair = slow_pair(make)
    root = pair.client.root
    service = pair.server.service
    for name in ("deferred", "chained", "async_result"):
        outcome = Outcome(getattr(root, name)())
        pair.pump()
        assert not outcome.fired, name
        service.gates.pop().callback("value")
        pair.pump()
        assert outcome.value == "value", name
    assert pair.result(root.at_once()) == "at once"


def test_a_list_of_deferreds_is_waited_for() -> None:
    pair = slow_pair()
    for name in ("listed", "gathered"):
        outcome = Outcome(getattr(pair.client.root, name)())
        pair.pump()
        assert not outcome.fired
        pair.server.service.gates.pop().callback("value")
        pair.pump()
        assert type(outcome.value) is RemoteReference  # a list


def test_cancelling_a_list_of_deferreds_cancels_what_is_in_it() -> None:
    pair = slow_pair()
    call = pair.client.root.gathered()
    call.addErrback(lambda _failure: None)
    pair.pump()
    call.cancel()
    pair.pump()
    assert pair.server.service.cancelled == ["deferred"]


class Failing(Service):
    """Gives what has failed in every way of Twisted's, and what has not come."""

    @exposed
    def plainly(self) -> Any:
        return Failure(LookupError("no such"))

    @exposed
    async def later(self) -> Any:
        return Failure(LookupError("no such"))

    @exposed
    def chained(self) -> Any:
        return succeed(None).addCallback(lambda _result: Failure(LookupError("no such")))

    @exposed
    def within(self) -> Any:
        return (1, succeed(2))


@pytest.mark.parametrize("name", ["plainly", "later", "chained"])
def test_a_failure_that_a_method_returns_fails_the_call(name: str) -> None:
    """As with maybeDeferred."""
    pair = connected_pair(server_root=Failing())
    with logged(), pytest.raises(LookupError, match="no such"):
        pair.result(getattr(pair.client.root, name)())


def test_a_deferred_within_a_result_is_refused() -> None:
    pair = connected_pair(server_root=Failing())
    with logged(), pytest.raises(NotSendable, match="a Deferred is not its result: await it first"):
        pair.result(pair.client.root.within())


def test_an_asyncio_future_is_waited_for() -> None:
    pair = slow_pair()
    outcome = Outcome(pair.client.root.future())
    pair.pump()
    loop = pair.server.service.loop
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    pair.pump()
    assert outcome.value == "from asyncio"


def test_what_fails_later_fails_the_call() -> None:
    pair = slow_pair()
    for name in ("failing", "raising"):
        with pytest.raises(ValueError, match=r"failed|raised"):
            pair.result(getattr(pair.client.root, name)())


def test_a_frozen_exception_fails_the_call_too() -> None:
    """Nothing can be assigned to it, its traceback included."""

    @dataclass(frozen=True)
    class Frozen(Exception):
        code: int

    pair = slow_pair()
    outcome = Outcome(pair.client.root.deferred())
    pair.pump()
    pair.server.service.gates[0].errback(Frozen(3))
    pair.pump()
    assert isinstance(outcome.error, GenericException)
    assert outcome.error.code == 3  # type: ignore[attr-defined]
    outcome = Outcome(pair.client.root.deferred())
    pair.pump()
    failure = Failure(Frozen(4))
    failure.cleanFailure()
    pair.server.service.gates[1].errback(failure)
    pair.pump()
    assert outcome.fired


class Baker(Service):
    """Has one result for all who ask."""

    def __init__(self) -> None:
        self.cancelled: list[Any] = []
        self.result: Deferred[Any] = Deferred(self.cancelled.append)
        self.open: Deferred[Any] = succeed(None)

    def on_connect(self, conn: Any) -> Any:
        return self.open

    @exposed
    def bread(self) -> Any:
        """The one result."""
        return self.result


class TestOneForSeveral:
    """A service gives the same Deferred to three callers."""

    def setup_method(self) -> None:
        self.baker = Baker()
        self.pairs = [connected_pair(server_root=self.baker) for _ in range(3)]
        self.calls = [pair.client.root.bread() for pair in self.pairs]
        self.outcomes = [Outcome(call) for call in self.calls]
        self.pump()

    def pump(self) -> None:
        """Let all messages arrive."""
        for pair in self.pairs:
            pair.pump()

    @pytest.mark.parametrize("give", ["callback", "errback"])
    def test_each_has_it_and_so_has_the_service(self, give: str) -> None:
        result = "bread" if give == "callback" else ZeroDivisionError("no bread")
        getattr(self.baker.result, give)(result)
        self.pump()
        late = Outcome(self.pairs[0].client.root.bread())
        self.pump()
        for found in (*self.outcomes, late):
            if give == "callback":
                assert found.value == "bread"
            else:
                assert isinstance(found.error, ZeroDivisionError)
        kept = Outcome(self.baker.result)
        assert (kept.value if give == "callback" else kept.error) is result

    def test_none_takes_it_from_the_others(self) -> None:
        """One cancels its call, one is cut off."""
        self.calls[0].cancel()
        self.pairs[1].lose()
        self.pump()
        assert self.baker.cancelled == []
        self.baker.result.callback("bread")
        self.pump()
        assert self.outcomes[2].value == "bread"

    def test_it_is_cancelled_when_nobody_waits_any_more(self) -> None:
        for pair in self.pairs:
            pair.lose()
        assert self.baker.cancelled == [self.baker.result]

    def test_the_time_limit_of_one_is_not_the_others(self) -> None:
        hasty = connected_pair(server_root=self.baker, server_config={"call_timeout": 2})
        outcome = Outcome(hasty.client.root.bread())
        hasty.pump()
        hasty.advance(3)
        assert isinstance(outcome.error, TimeoutError)
        assert self.baker.cancelled == []
        self.baker.result.callback("bread")
        self.pump()
        assert self.outcomes[0].value == "bread"


def test_one_greeting_for_several_is_waited_for_by_each() -> None:
    """None is let in by another's, if it fails."""
    baker = Baker()
    baker.open = Deferred()
    pairs = [connected_pair(server_root=baker) for _ in range(2)]
    outcomes = [Outcome(pair.client.root.bread()) for pair in pairs]
    with logged():
        baker.open.errback(ZeroDivisionError())
    for pair in pairs:
        pair.pump()
    assert [type(outcome.error) for outcome in outcomes] == [ConnectionLost] * 2
    assert type(Outcome(baker.open).error) is ZeroDivisionError


def test_a_deferred_that_nobody_else_has_is_not_followed() -> None:
    """It is answered with itself."""
    mine: Unshared = Unshared()
    assert awaited(mine, None) is mine
