"""
Subscriptions that a loop of the topic's own program reads.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from twisted.internet.defer import Deferred, ensureDeferred

from tests.peer.pairs import Outcome
from txremote import Service
from txremote.errors import SubscriberTooSlow
from txremote.testing import connected_pair
from txremote.topics.subscription import Subscription
from txremote.topics.topic import Topic


async def read(subscription: Subscription, into: list[Any]) -> None:
    async for event in subscription:
        into.append(event)


def reading(topic: Topic, most: int | None = None, **options: Any) -> tuple[list[Any], Any]:
    """Return the list of the events that a loop reads, and the Deferred of the loop's end."""
    events: list[Any] = []

    async def run() -> None:
        async for event in topic.subscribe(**options):
            events.append(event)
            if len(events) == most:
                break

    return events, ensureDeferred(run())


def test_a_loop_reads_what_came_before_it_began_and_what_comes() -> None:
    topic = Topic(retain=True)
    topic.publish(0)
    subscription = topic.subscribe()
    topic.publish(1)
    events: list[Any] = []
    ended = ensureDeferred(read(subscription, events))
    topic.publish([2])
    assert events == [0, 1, [2]]
    topic.close()
    assert ended.called
    assert topic.stats().delivered == 3


def test_a_loop_that_is_left_has_unsubscribed() -> None:
    topic = Topic()
    events, ended = reading(topic, most=2)
    for number in range(5):
        topic.publish(number)
    assert (events, ended.called) == ([0, 1], True)
    assert topic.stats().subscribers == 0


def test_a_loop_that_is_cancelled_or_closed_ends() -> None:
    topic = Topic()
    _events, ended = reading(topic)
    ended.addErrback(lambda _cancelled: None)
    ended.cancel()
    assert topic.stats().subscribers == 0
    subscription = topic.subscribe()
    events: list[Any] = []
    ended = ensureDeferred(read(subscription, events))
    subscription.close()
    assert ended.called
    assert repr(subscription) == "<Subscription (ended)>"


def test_a_loop_that_waits_for_something_else_gets_what_its_topic_keeps() -> None:
    topic = Topic(buffer=2)
    gate: Deferred[None] = Deferred()
    events: list[Any] = []
    told: list[Any] = []
    subscription = topic.subscribe(missed=lambda *args: told.append(args))

    async def slow() -> None:
        async for event in subscription:
            events.append(event)
            if event == 0:
                await gate

    ensureDeferred(slow())
    for number in range(6):
        topic.publish(number)
    assert topic.stats().lagging == 1
    gate.callback(None)
    assert events == [0, 4, 5]
    assert told == [(3, "the subscriber was too slow")]
    assert subscription.missed == 3


def test_a_slow_loop_can_be_cut_off() -> None:
    topic = Topic(buffer=1, slow="disconnect")
    subscription = topic.subscribe()
    events = aiter(subscription)
    for number in range(2):
        topic.publish(number)

    async def first() -> Any:
        return await anext(events)

    failure = ensureDeferred(first())
    failed: list[Any] = []
    failure.addErrback(failed.append)
    failed[0].trap(SubscriberTooSlow)
    assert topic.stats().subscribers == 0


@pytest.mark.parametrize("remote", [False, True])
def test_a_loop_that_begins_too_late_is_told_why_there_is_nothing(remote: bool) -> None:
    topic = Topic(buffer=1, slow="disconnect")

    class Desk(Service):
        exposed_topic = topic

    pair = connected_pair(server_root=Desk)
    subscribing = pair.client.root.topic.subscribe() if remote else None
    subscription = topic.subscribe() if subscribing is None else pair.result(subscribing)
    for number in range(2):
        topic.publish(number)
    failed: list[Any] = []
    ensureDeferred(read(subscription, [])).addErrback(failed.append)
    pair.pump()
    failed[0].trap(SubscriberTooSlow)


def test_a_task_of_asyncio_reads_as_well() -> None:
    async def main() -> list[Any]:
        topic = Topic()
        events: list[Any] = []
        task = asyncio.create_task(read(topic.subscribe(), events))
        await asyncio.sleep(0)
        topic.publish(1)
        # from another thread
        await asyncio.to_thread(topic.publish, 2)
        await asyncio.sleep(0)
        topic.close()
        await task
        return events

    assert asyncio.run(main()) == [1, 2]


@pytest.mark.parametrize("ends", [False, True])
def test_what_comes_to_a_task_in_the_turn_that_cancels_it_is_the_next_ones(ends: bool) -> None:
    async def run() -> list[Any]:
        topic = Topic()
        subscription = topic.subscribe()
        step = asyncio.ensure_future(anext(subscription))
        await asyncio.sleep(0)
        topic.publish("first")
        if ends:
            topic.close()
        step.cancel()
        found: list[Any] = await asyncio.gather(step, return_exceptions=True)
        if not ends:
            topic.publish("second")
            topic.close()
        return [*found, *[event async for event in subscription]]

    cancelled, *found = asyncio.run(run())
    assert isinstance(cancelled, asyncio.CancelledError)
    assert found == (["first"] if ends else ["first", "second"])


def test_an_error_that_comes_in_the_turn_that_cancels_its_task_is_not_the_end() -> None:
    async def run() -> None:
        subscription = Topic().subscribe()
        step = asyncio.ensure_future(anext(subscription))
        await asyncio.sleep(0)
        subscription.subscriber.end(SubscriberTooSlow("too slow"))
        step.cancel()
        await asyncio.wait([step])
        with pytest.raises(SubscriberTooSlow):
            await anext(subscription)

    asyncio.run(run())


def test_an_event_that_ends_its_loop_or_its_callback_has_been_delivered() -> None:
    topic = Topic()
    _events, ended = reading(topic, most=1)
    subscription = topic.subscribe(lambda _event: subscription.close())
    topic.publish("only")
    assert ended.called
    stats = topic.stats()
    assert (stats.delivered, stats.subscribers) == (2, 0)


def test_no_loop_reads_one_of_a_callback_and_one_task_at_a_time_the_others() -> None:
    topic = Topic()
    with pytest.raises(RuntimeError, match="has a callback"):
        aiter(topic.subscribe(print))
    events = topic.subscribe()
    waiting, refused = (Outcome(ensureDeferred(read(events, []))) for _ in range(2))
    assert not waiting.fired
    assert "one loop reads a subscription" in str(refused.error)


@pytest.mark.parametrize("read_by", [iter, next])
def test_a_plain_for_is_refused_in_a_sentence(read_by: Any) -> None:
    with pytest.raises(TypeError, match="give subscribe"):
        read_by(Topic().subscribe())
