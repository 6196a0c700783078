"""
Events of our topics that a peer reads in a loop: the same bytes for all, credit, and their end.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred

from tests.peer.pairs import Outcome, logged
from txremote import ConnectionLost, ServerStopping, Service, SubscriberTooSlow
from txremote.peer import incoming_events
from txremote.peer.connection import Connection
from txremote.testing import Pair, connected_pair
from txremote.topics.topic import Topic


class Reader:
    """A client that reads a topic in a loop, as far as its gate is open."""

    def __init__(self, topic: Topic, gate: Deferred[None] | None = None, **options: Any) -> None:
        class Feed(Service):
            exposed_topic = topic

        self.pair: Pair = connected_pair(server_root=Feed)
        self.events: list[Any] = []
        self.gate = gate
        self.loop = self.begin(**options)

    def begin(self, **options: Any) -> Any:
        loop = ensureDeferred(self._read(options))
        self.outcome = Outcome(loop)
        self.pair.pump()
        return loop

    async def _read(self, options: Any) -> None:
        async for event in self.pair.client.root.topic.subscribe(**options):
            self.events.append(event)
            if self.gate is not None:
                await self.gate

    def written(self) -> list[bytes]:
        """Note what the server writes from now on."""
        frames: list[bytes] = []
        transport: Any = self.pair.server.transport
        write = transport.write

        def noting(data: bytes) -> None:
            frames.append(data)
            write(data)

        transport.write = noting
        return frames


def published(topic: Topic, readers: list[Reader], *events: Any, key: str | None = None) -> None:
    for event in events:
        topic.publish(event, key)
    for reader in readers:
        reader.pair.pump()


def test_all_readers_are_written_the_very_same_bytes() -> None:
    topic = Topic()
    readers = [Reader(topic) for _ in range(5)]
    frames = [reader.written() for reader in readers]
    published(topic, readers, {"price": [1, 2]})
    assert [reader.events for reader in readers] == [[{"price": [1, 2]}]] * 5
    assert len({id(frame) for [frame] in frames}) == 1


def test_several_subscriptions_of_a_connection_are_told_apart() -> None:
    topic = Topic()
    one, other = Reader(topic, keys="a"), Reader(topic)
    more: list[Any] = []

    async def read() -> None:
        async for event in one.pair.client.root.topic.subscribe(keys="b"):
            more.append(event)

    second = ensureDeferred(read())
    one.pair.pump()
    for key in ("a", "b"):
        published(topic, [one, other], key, key=key)
    assert (one.events, more, other.events) == (["a"], ["b"], ["a", "b"])
    one.loop.cancel()
    one.pair.pump()
    assert isinstance(one.outcome.error, CancelledError)
    assert topic.stats().subscribers == 2
    # its channel is free for another
    one.begin(keys="c")
    published(topic, [one, other], "c", key="c")
    assert (one.events, more) == (["a", "c"], ["b"])
    second.addErrback(lambda _cancelled: None).cancel()


def test_a_reader_that_takes_nothing_holds_its_credit_and_the_buffer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(incoming_events, "MOST_EVENTS", 4)
    topic = Topic(buffer=3)
    gate: Deferred[None] = Deferred()
    told: list[Any] = []
    slow, quick = Reader(topic, gate, missed=lambda *args: told.append(args)), Reader(topic)
    for number in range(20):
        published(topic, [slow, quick], number)
    assert quick.events == list(range(20))
    stats = topic.stats()
    assert (stats.lagging, stats.buffered, stats.dropped) == (1, 3, 13)
    slow.gate = None
    gate.callback(None)
    slow.pair.pump()
    assert slow.events == [0, 1, 2, 3, 17, 18, 19]
    assert told == [(13, "the subscriber was too slow")]
    published(topic, [slow], 20)
    assert slow.events[-1] == 20
    assert topic.stats().lagging == 0


def test_credit_for_a_subscription_that_has_ended_is_not_that_of_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It came when the next one had its channel, and more events than the client took with it."""
    monkeypatch.setattr(incoming_events, "MOST_EVENTS", 4)
    topic = Topic(buffer=100)
    gate: Deferred[None] = Deferred()
    reader = Reader(topic)
    pair: Any = reader.pair
    subscription = pair.result(pair.client.root.topic.subscribe())
    (first, _second) = [member for group in topic._groups.values() for member in group.members]
    events: list[int] = []

    async def read() -> None:
        async for event in subscription:
            events.append(event)
            await gate

    outcome = Outcome(Deferred.fromCoroutine(read()))  # its SUBSCRIBE is on its way
    topic.publish(0)
    topic.publish(1)
    first.end(SubscriberTooSlow("too slow"))
    while pair.server.transport.written:
        pair.client.dataReceived(pair.server.transport.written.popleft())
    assert reader.events == [0, 1]
    published(topic, [reader], *range(2, 20))
    assert not outcome.fired
    gate.callback(None)
    pair.pump()
    assert events == [*range(20)]
    assert isinstance(reader.outcome.error, SubscriberTooSlow)


def test_a_reader_that_takes_too_long_is_cut_off_if_its_topic_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(incoming_events, "MOST_EVENTS", 1)
    topic = Topic(buffer=1, slow="disconnect")
    gate: Deferred[None] = Deferred()
    slow = Reader(topic, gate)
    published(topic, [slow], 1, 2, 3, 4)
    gate.callback(None)
    slow.pair.pump()
    assert slow.events[0] == 1
    assert isinstance(slow.outcome.error, SubscriberTooSlow)
    assert topic.stats().subscribers == 0
    assert not slow.pair.server.closed


def test_a_transport_that_is_full_lets_events_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    topic = Topic(buffer=2)
    reader = Reader(topic)
    server: Connection = reader.pair.server
    server.outbox.pauseProducing()
    monkeypatch.setattr("txremote.peer.outbox._AHEAD", 0)
    published(topic, [reader], 1, 2, 3)
    assert reader.events == []
    assert topic.stats().buffered == 2
    server.outbox.resumeProducing()
    reader.pair.pump()
    assert reader.events == [2, 3]


def test_many_events_of_a_turn_go_to_a_transport_that_is_full_for_a_while() -> None:
    topic = Topic(buffer=1)
    reader = Reader(topic)
    reader.pair.server.outbox.pauseProducing()
    published(topic, [reader], *range(500))
    assert reader.events == list(range(500))


def test_events_with_references_are_boxed_for_each_reader() -> None:
    class Thing:
        exposed_name = "thing"

    topic = Topic()
    readers = [Reader(topic), Reader(topic)]
    published(topic, readers, [Thing()][0], 2)
    for reader in readers:
        thing, two = reader.events
        assert two == 2
        name = Outcome(ensureDeferred(_name(thing)))
        reader.pair.pump()
        assert name.value == "thing"


async def _name(thing: Any) -> Any:
    return await thing.name


def test_one_that_cannot_be_sent_is_dropped_and_told_and_the_next_one_comes() -> None:
    class Thing:
        """Goes by reference."""

    topic = Topic("things")
    told: list[Any] = []
    reader = Reader(topic, missed=lambda *args: told.append(args))
    called: list[Any] = []
    reader.pair.result(reader.pair.client.root.topic.subscribe(called.append))
    reader.pair.server.tables.exports._most = 0
    with logged() as log:
        for _ in range(3):
            published(topic, [reader], Thing())
    published(topic, [reader], 2)
    assert reader.events == called == [2]
    why = "an event could not be sent: "
    assert [(count, text[: len(why)]) for count, text in told] == [(1, why)] * 3
    stats = topic.stats()
    assert (stats.published, stats.delivered, stats.dropped, stats.missed) == (4, 2, 6, 0)
    # the 1st, 2nd and 4th of six
    assert log.text().count("topic 'things': an event could not be sent to a subscriber") == 3


def test_the_end_of_a_topic_ends_the_loops_and_a_lost_connection_fails_them() -> None:
    topic = Topic()
    ended, lost = Reader(topic), Reader(topic)
    published(topic, [ended, lost], 1)
    lost.pair.lose()
    assert isinstance(lost.outcome.error, ConnectionLost)
    assert topic.stats().subscribers == 1
    topic.close()
    ended.pair.pump()
    assert ended.outcome.value is None
    assert ended.events == [1]


def test_a_server_that_drains_waits_for_no_reader() -> None:
    topic = Topic()
    reader = Reader(topic)
    drained = Outcome(reader.pair.server.closing.drain("the server stops"))
    reader.pair.pump()
    assert drained.fired
    assert isinstance(reader.outcome.error, ServerStopping)
    assert topic.stats().subscribers == 0


def test_who_comes_late_has_the_last_event_first_and_then_what_comes() -> None:
    topic = Topic(retain=True)
    topic.publish("old", "a")
    topic.publish("new", "a")
    reader = Reader(topic)
    published(topic, [reader], "next", key="a")
    assert reader.events == ["new", "next"]


def test_a_reference_that_is_dropped_has_unsubscribed() -> None:
    topic = Topic()
    reader = Reader(topic)
    held: Any = [reader.pair.result(reader.pair.client.root.topic.subscribe())]
    assert topic.stats().subscribers == 2
    published(topic, [reader], 1)
    assert topic.stats().buffered == 1
    held.clear()
    reader.pair.result(reader.pair.client.ping())
    reader.pair.pump()
    assert topic.stats().subscribers == 1


def test_a_call_time_out_does_not_end_a_subscription() -> None:
    topic = Topic()

    class Feed(Service):
        exposed_topic = topic

    pair = connected_pair(server_root=Feed, server_config={"call_timeout": 5})
    events: list[Any] = []

    async def read() -> None:
        async for event in pair.client.root.topic.subscribe():
            events.append(event)

    ensureDeferred(read()).addErrback(lambda _lost: None)
    pair.pump()
    pair.advance(6)
    topic.publish(1)
    pair.pump()
    assert events == [1]
