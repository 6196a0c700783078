"""
What SUBSCRIBE takes, and what it refuses.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import ensureDeferred

from tests.peer.pairs import Outcome
from txremote import Service, Topic, exposed
from txremote.testing import connected_pair
from txremote.wire.consts import HANDLE_EVENT_CREDIT, HANDLE_SUBSCRIBE


class Feed(Service):
    """Has a topic, and subscriptions that cannot be read."""

    def __init__(self) -> None:
        self.exposed_topic = Topic()

    @exposed
    def used(self) -> Any:
        return aiter(self.exposed_topic.subscribe())

    @exposed
    def over(self) -> Any:
        subscription = self.exposed_topic.subscribe()
        subscription.close()
        return subscription

    @exposed
    def itself(self) -> Any:
        return self


@pytest.mark.parametrize(
    ("name", "args", "says"),
    [
        ("used", (0, 1, 1), "is read already, or has a callback"),
        ("over", (0, 1, 1), "has ended: subscribe again"),
        ("itself", (0, 1, 1), "is no subscription, which Topic.subscribe gives"),
        ("topic.subscribe", (0, 0, 1), "with credit for 0 events and 1 bytes"),
        ("topic.subscribe", ("x", 1, 1), "takes a subscription, a number"),
    ],
)
def test_subscribe_says_why_it_refuses(name: str, args: Any, says: str) -> None:
    pair = connected_pair(server_root=Feed)
    path: Any = pair.client.root
    for part in name.split("."):
        path = getattr(path, part)
    reference = pair.result(path())
    with pytest.raises((TypeError, ValueError), match=says):
        pair.result(pair.client.request(HANDLE_SUBSCRIBE, reference, *args))


def read(pair: Any) -> Outcome:
    """Read the feed's topic in a loop that goes on."""

    async def loop() -> None:
        async for _event in pair.client.root.topic.subscribe():
            pass

    outcome = Outcome(ensureDeferred(loop()))
    pair.pump()
    return outcome


def test_subscriptions_take_no_room_of_calls_and_have_a_limit_of_their_own() -> None:
    pair = connected_pair(
        server_root=Feed, server_config={"max_calls": 1, "max_waiting": 1, "max_subscriptions": 5}
    )
    reads = [read(pair) for _ in range(5)]
    assert not any(each.fired for each in reads)
    answered = [pair.client.root.itself() for _ in range(2)]
    for each in answered:
        pair.result(each)
    refused = read(pair).error
    assert "5 subscriptions are read" in str(refused)
    assert "option max_subscriptions" in str(refused)
    held = pair.server.subscriptions.sent
    pair.server.service.exposed_topic.close()
    pair.pump()
    assert all(each.fired for each in reads)
    assert (held, pair.server.subscriptions.sent) == (5, 0)
    assert pair.server.inbound.ledger._max_calls == 1


def test_two_subscriptions_have_two_numbers() -> None:
    pair = connected_pair(server_root=Feed)
    read(pair)
    reference = pair.result(pair.client.root.topic.subscribe())
    with pytest.raises(ValueError, match="subscription 0 is under way"):
        pair.result(pair.client.request(HANDLE_SUBSCRIBE, reference, 0, 1, 1))


def test_a_third_peers_subscription_is_refused_in_a_sentence() -> None:
    owner = connected_pair(server_root=Feed)
    subscription = owner.result(owner.client.root.topic.subscribe())

    class Middle(Service):
        @exposed
        def given(self) -> Any:
            return subscription

    pair = connected_pair(server_root=Middle)
    reference = pair.result(pair.client.root.given())
    with pytest.raises(TypeError, match="of a third peer's topic"):
        pair.result(pair.client.request(HANDLE_SUBSCRIBE, reference, 0, 1, 1))


@pytest.mark.parametrize("args", [(), (0,), (0, 1), ("x", 1, 1), (7, 1, 1), (7, -1, "x")])
def test_credit_for_nothing_is_no_error(args: Any) -> None:
    pair = connected_pair(server_root=Feed)
    pair.server.subscriptions_begun()
    pair.client.outbound.send_oneway(HANDLE_EVENT_CREDIT, *args)
    pair.result(pair.client.ping())
