"""
`awaited`: what a method returns in place of a result is waited for.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from twisted.python.failure import Failure

from tests.peer.slow import slow_pair
from tests.peer.tools import (
    Outcome,
    pair_with_stock_client,
    pair_with_stock_server,
)
from txremote import RemoteReference
from txremote.errors import GenericException
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
