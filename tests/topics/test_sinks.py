"""
Callbacks of peers: called as far as they answer, and forgotten when they are gone.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from txremote import Service, exposed, value
from txremote.peer.unanswered_call import UnansweredCall
from txremote.testing import Pair, connected_pair
from txremote.topics.sinks import MOST_UNANSWERED
from txremote.topics.topic import Topic


class Feed(Service):
    """Has a topic."""

    def __init__(self) -> None:
        self.exposed_topic = Topic(buffer=3, retain=True)


def feeding() -> tuple[Pair, Topic]:
    pair = connected_pair(server_root=Feed)
    return pair, pair.server.service.exposed_topic


def test_a_peers_callback_gets_values_and_references() -> None:
    class Thing:
        @exposed
        def name_of(self) -> str:
            return "thing"

    pair, topic = feeding()
    got: list[Any] = []
    pair.result(pair.client.root.topic.subscribe(got.append, keys="a"))
    for event in (1, ("a", 2), {"price": [3]}, Thing()):
        topic.publish(event, "a")
        topic.publish(event, "b")
    pair.pump()
    assert got[:3] == [1, ("a", 2), {"price": [3]}]
    assert pair.result(got[3].callRemote("name_of")) == "thing"


def test_unanswered_calls_are_its_credit() -> None:
    pair, topic = feeding()
    answers: list[Deferred[None]] = []
    got: list[int] = []
    told: list[Any] = []

    def slow(event: int) -> Deferred[None]:
        got.append(event)
        answers.append(Deferred())
        return answers[-1]

    pair.result(pair.client.root.topic.subscribe(slow, missed=lambda *args: told.append(args)))
    for number in range(MOST_UNANSWERED + 5):
        topic.publish(number)
    pair.pump()
    assert got == list(range(MOST_UNANSWERED))
    stats = topic.stats()
    assert (stats.lagging, stats.buffered, stats.dropped) == (1, 3, 2)
    for answer in answers[:]:
        answer.callback(None)
    pair.pump()
    assert got[MOST_UNANSWERED:] == [MOST_UNANSWERED + left for left in (2, 3, 4)]
    assert told == [(2, "the subscriber was too slow")]


def test_one_that_does_not_answer_is_told_of_so_many_gaps_and_of_the_rest_together() -> None:
    pair, topic = feeding()
    told: list[Any] = []
    answers: list[Deferred[None]] = []

    def slow(count: int | None, why: str) -> Deferred[None]:
        told.append((count, why))
        answers.append(Deferred())
        return answers[-1]

    pair.result(pair.client.root.topic.subscribe(print, missed=slow))
    for number in range(MOST_UNANSWERED + 3):
        topic.missed(1, f"gap {number}")
    pair.pump()
    assert told == [(1, f"gap {number}") for number in range(MOST_UNANSWERED)]
    answers[0].callback(None)
    pair.pump()
    assert told[MOST_UNANSWERED:] == [(3, f"gap {MOST_UNANSWERED + 2}")]


def test_one_whose_callback_fails_is_called_again() -> None:
    pair, topic = feeding()
    got: list[int] = []

    def fails(event: int) -> None:
        got.append(event)
        raise LookupError(event)

    pair.result(pair.client.root.topic.subscribe(fails))
    for number in range(3):
        topic.publish(number)
        pair.pump()
    assert got == [0, 1, 2]
    assert topic.stats().subscribers == 1


def test_a_subscriber_that_is_gone_is_forgotten_at_once() -> None:
    pair, topic = feeding()
    subscription = pair.result(pair.client.root.topic.subscribe(lambda _event: None))
    pair.client.root.topic.subscribe(lambda _event: None)
    pair.pump()
    assert topic.stats().subscribers == 2
    pair.result(subscription.close())
    assert topic.stats().subscribers == 1
    pair.lose()
    assert topic.stats().subscribers == 0
    topic.publish(1)


def test_a_callback_lives_without_its_subscription() -> None:
    pair, topic = feeding()
    got: list[Any] = []
    pair.result(pair.client.root.topic.subscribe(got.append))
    pair.pump()
    topic.publish(value([1]).value)
    pair.pump()
    assert got == [[1]]
    assert type(pair.client.root.topic.subscribe()) is UnansweredCall


def test_a_peer_reaches_subscribe_and_no_more() -> None:
    class Open(Feed):
        @exposed
        def say(self, event: object) -> None:
            self.exposed_topic.publish(event)

    pair = connected_pair(server_root=Open)
    topic = pair.client.root.topic
    for name in ("publish", "close", "came", "missed", "stats", "_lock", "form"):
        with pytest.raises(AttributeError):
            pair.result(topic.callRemote(name))
    subscription = pair.result(topic.subscribe())
    for name in ("subscriber", "topic", "aclose", "_subscriber"):
        with pytest.raises(AttributeError):
            pair.result(subscription.callRemote(name))
    with pytest.raises(TypeError, match="give subscribe"):
        pair.result(subscription.callRemote("__iter__"))
    pair.result(pair.client.root.say(1))
    assert pair.server.service.exposed_topic.stats().published == 1
