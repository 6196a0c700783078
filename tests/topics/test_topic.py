"""
Topics: who gets which event, in which order, and what is told of the rest. Within one program.
"""

from __future__ import annotations

import threading
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from tests.topics.buses import MemoryBus
from txremote.errors import NotSendable
from txremote.topics import bus, places
from txremote.topics.encoding import encode_event
from txremote.topics.event import Event
from txremote.topics.groups import Group, Offer
from txremote.topics.topic import Topic, topics


def subscribed(topic: Topic, **options: Any) -> list[Any]:
    """Return the list that a callback's events go to."""
    events: list[Any] = []
    topic.subscribe(events.append, **options)
    return events


def test_each_subscriber_gets_the_events_whose_keys_it_wants() -> None:
    topic = Topic()
    got = {
        "all": subscribed(topic),
        "one": subscribed(topic, keys="a.x"),
        "two": subscribed(topic, keys=("a.x", "b")),
        "begins": subscribed(topic, prefix="a."),
        "both": subscribed(topic, keys=("b",), prefix="a."),
    }
    for key in ("a.x", "a.y", "b", None):
        topic.publish(key or "-", key)
    assert got == {
        "all": ["a.x", "a.y", "b", "-"],
        "one": ["a.x"],
        "two": ["a.x", "b"],
        "begins": ["a.x", "a.y"],
        "both": ["a.x", "a.y", "b"],
    }


def test_who_comes_late_gets_the_last_event_of_each_key_if_it_wants_it() -> None:
    topic = Topic(retain=True, max_retained=2)
    for key in ("a", "b", "b", "c"):
        topic.publish((key, 1), key)
    topic.publish(("c", 2), "c")
    assert subscribed(topic) == [("b", 1), ("c", 2)]
    assert subscribed(topic, keys="b") == [("b", 1)]
    assert subscribed(topic, retained=False) == []
    with pytest.raises(ValueError, match="retains nothing"):
        Topic().subscribe(print, retained=True)


def test_events_that_are_published_by_a_callback_come_behind_to_all() -> None:
    topic = Topic()

    def echo(event: int) -> None:
        if event < 3:
            topic.publish(event + 1)

    topic.subscribe(echo)
    assert subscribed(topic) == []
    events = subscribed(topic)
    topic.publish(0)
    assert events == [0, 1, 2, 3]
    retaining = Topic(retain=True)
    retaining.publish(0)

    def republish(event: int) -> None:
        if event < 3:
            retaining.publish(event + 1)
        events.append(event)

    events.clear()
    retaining.subscribe(republish)
    assert events == [0, 1, 2, 3]


def test_a_callback_that_fails_is_logged_and_holds_up_nobody() -> None:
    topic = Topic()
    topic.subscribe(lambda _event: 1 / 0)
    events = subscribed(topic)
    topic.publish(1)
    topic.publish(2)
    assert events == [1, 2]


def test_threads_publish_to_subscribers_without_a_loop_and_none_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(places, "loop_here", lambda: None)
    topic = Topic()
    events = subscribed(topic)

    def publish(name: str) -> None:
        for number in range(200):
            topic.publish((name, number))

    threads = [threading.Thread(target=publish, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in "ab":
        assert [number for who, number in events if who == name] == list(range(200))


def test_a_subscription_that_a_finalizer_ends_as_an_event_is_given_out_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    topic = Topic()
    held = [topic.subscribe()]
    hand_out = Group.hand_out

    def collect(group: Group, event: Event, offer: Offer) -> None:
        held.clear()
        hand_out(group, event, offer)

    monkeypatch.setattr(Group, "hand_out", collect)
    topic.publish(1)
    stats = topic.stats()
    assert (stats.published, stats.subscribers) == (1, 0)
    events = subscribed(topic)
    topic.publish(2)
    assert events == [2]


def test_its_figures_count_those_that_are_gone_and_it_is_among_all_topics() -> None:
    topic = Topic("prices", buffer=2)
    first = topic.subscribe(lambda _event: None)
    waits = topic.subscribe()
    for number in range(5):
        topic.publish(number)
    stats = topic.stats()
    assert (stats.name, stats.subscribers, stats.published) == ("prices", 2, 5)
    assert (stats.delivered, stats.dropped, stats.buffered, stats.lagging) == (5, 3, 2, 0)
    assert waits.missed == 3
    first.close()
    del waits
    stats = topic.stats()
    assert (stats.subscribers, stats.delivered, stats.dropped, stats.buffered) == (0, 5, 3, 0)
    assert topic in topics
    assert repr(topic) == "<Topic 'prices' with 0 subscribers>"


def test_a_closed_topic_says_so() -> None:
    topic = Topic("news")
    events = subscribed(topic)
    topic.close()
    for use in (lambda: topic.publish(1), lambda: topic.subscribe(print)):
        with pytest.raises(RuntimeError, match="the topic 'news' is closed"):
            use()
    assert events == []
    assert topic.stats().subscribers == 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"buffer": 0}, "buffer of a Topic is a positive int, not 0"),
        ({"max_event": 1.5}, "max_event of a Topic is a positive int"),
        ({"slow": "wait"}, "drop-oldest, drop-newest, latest, disconnect, not 'wait'"),
        ({"bus": MemoryBus().join}, "has a name"),
        ({"name": "a", "bus": "hosts"}, "no bus 'hosts': it is 'host'"),
        ({"name": "a", "bus": "host", "redis": "redis://x"}, "on one bus"),
        ({"name": "a" * 1001}, "a Topic's name of 1001 characters: it has 1 to 1000"),
        ({"name": "a" * 1001, "bus": "host"}, "a Topic's name of 1001 characters"),
        ({"name": ""}, "a Topic's name of 0 characters"),
        ({"name": "\ud800"}, "a Topic's name that UTF-8 cannot carry"),
        ({"name": 5}, "the name of a Topic is a str, not an int"),
        ({"name": "a", "bus": "host", "max_event": 9 << 20}, "on a bus is at most 8388608 bytes"),
    ],
)
def test_a_topic_that_cannot_be_is_refused(options: Any, says: str) -> None:
    with pytest.raises((TypeError, ValueError), match=says):
        Topic(**options)


def test_arguments_of_subscribe_and_publish_are_checked() -> None:
    topic = Topic(max_event=50)
    with pytest.raises(TypeError, match="callback is to be called"):
        topic.subscribe(5)
    with pytest.raises(TypeError, match="missed is to be called"):
        topic.subscribe(print, missed=5)
    for event in ("x" * 100, ("x" * 100, print)):
        with pytest.raises(NotSendable, match="max_event of its Topic"):
            topic.publish(event)
    with pytest.raises(NotSendable, match="await it first"):
        topic.publish((Deferred(), 1))
    with pytest.raises(ValueError, match="a key of 1001 characters, more than 1000"):
        topic.publish(1, "k" * 1001)
    with pytest.raises(TypeError, match="a key is a str, not an int"):
        topic.publish(1, 5)  # type: ignore[arg-type]
    assert topic.stats().published == 0


# --- on a bus


@pytest.fixture
def on_a_bus(monkeypatch: pytest.MonkeyPatch) -> MemoryBus:
    """A bus for topics that need no loop."""
    monkeypatch.setattr(bus, "loop_here", places.place_here)
    return MemoryBus()


def test_topics_of_one_name_on_a_bus_have_the_same_events(on_a_bus: MemoryBus) -> None:
    here, there = (Topic("a", retain=True, bus=on_a_bus.join) for _ in "ab")
    other = Topic("b", bus=on_a_bus.join)
    got = [subscribed(topic) for topic in (here, there, other)]
    here.publish({"price": 1}, "x")
    there.publish([2], "y")
    assert got == [[{"price": 1}, [2]], [{"price": 1}, [2]], []]
    late = Topic("a", retain=True, bus=on_a_bus.join)
    assert sorted(subscribed(late), key=str) == [[2], {"price": 1}]
    there.close()
    here.publish(3)
    assert [len(events) for events in got] == [3, 2, 0]


def test_what_goes_by_reference_stays_in_the_process(on_a_bus: MemoryBus) -> None:
    thing = object()
    topic = Topic()
    events = subscribed(topic)
    topic.publish(thing)
    assert events == [thing]
    with pytest.raises(NotSendable, match="an event is a value"):
        Topic("a", bus=on_a_bus.join).publish(thing)


def test_what_the_bus_misses_is_told_and_what_is_no_event_is_missed(on_a_bus: MemoryBus) -> None:
    told: list[Any] = []
    topic = Topic("a", bus=on_a_bus.join)
    events = subscribed(topic, missed=lambda *args: told.append(args))
    waits = topic.subscribe()
    (link,) = on_a_bus.links
    link.listener.missed(None, "the bus was away")
    link.listener.received("x", b"no event", "somebody", 7)
    link.listener.received("x", encode_event(1), "somebody", 8)
    link.listener.state(False, "it was killed")
    assert events == [1]
    assert told[0] == (None, "the bus was away")
    assert told[1][0] == 1
    assert "event 7 of somebody was none" in told[1][1]
    assert topic.stats().bus == "away: it was killed"
    link.listener.missed(4, "the bus had no room")
    assert (topic.stats().missed, topic.stats().dropped) == (6, 0)  # one for None
    assert waits.missed == 5
    link.listener.state(True, "")
    assert topic.stats().bus == "joined"


def test_a_topic_on_a_bus_needs_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus, "loop_here", lambda: None)
    monkeypatch.setattr(bus, "program_loop", lambda: None)
    topic = Topic("a", bus=MemoryBus().join)
    with pytest.raises(RuntimeError, match="needs a running reactor or asyncio loop"):
        topic.publish(1)
