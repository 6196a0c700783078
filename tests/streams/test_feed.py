"""What producers of Twisted's write, item by item."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPullProducer, IPushProducer
from zope.interface import implementer

from tests.peer.pairs import Outcome
from txremote.streams.feed import HIGH, Feed, feed_of


@implementer(IPushProducer)
class Push:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")

    def stopProducing(self) -> None:
        self.told.append("stop")


@implementer(IPullProducer)
class Pull:
    """Writes a piece each time it is asked."""

    def __init__(self, consumer: Any, pieces: list[bytes]) -> None:
        self.consumer, self.pieces = consumer, pieces
        self.stopped = 0

    def resumeProducing(self) -> None:
        if self.pieces:
            self.consumer.write(self.pieces.pop(0))
        else:
            self.consumer.unregisterProducer()

    def stopProducing(self) -> None:
        self.stopped += 1


def read(feed: Feed, most: int | None = None) -> tuple[list[bytes], Outcome]:
    items: list[bytes] = []

    async def run() -> None:
        async for item in feed:
            items.append(item)
            if len(items) == most:
                await feed.aclose()
                break

    return items, Outcome(Deferred.fromCoroutine(run()))


def test_a_push_producer_is_paused_while_much_is_unread_and_resumed_when_little_is() -> None:
    producer = Push()
    feed = feed_of(producer)
    for _ in range(5):
        feed.write(bytes(HIGH // 2))
    assert producer.told == ["pause"]
    items, over = read(feed)
    assert (len(items), producer.told) == (5, ["pause", "resume"])
    feed.write(b"more")
    assert items[-1] == b"more"
    feed.unregisterProducer()
    assert over.value is None
    assert "stop" not in producer.told


def test_a_pull_producer_is_asked_when_its_reader_wants_more() -> None:
    feed = Feed()
    producer = Pull(feed, [b"a", b"b", b"c"])
    feed.registerProducer(producer, False)
    assert len(producer.pieces) == 3
    items, over = read(feed)
    assert (items, over.value, producer.stopped) == ([b"a", b"b", b"c"], None, 0)


def test_a_reader_that_leaves_stops_the_producer_once() -> None:
    feed = Feed()
    producer = Pull(feed, [b"a", b"b", b"c"])
    feed.registerProducer(producer, False)
    items, over = read(feed, most=1)
    assert (items, over.value, producer.stopped) == ([b"a"], None, 1)
    feed.write(b"late")
    late = Push()
    feed.registerProducer(late, True)
    assert late.told == ["stop"]


def test_a_body_begins_with_the_first_read_and_its_error_is_the_readers() -> None:
    class Body:
        def __init__(self) -> None:
            self.consumer: Any = None
            self.done: Deferred[None] = Deferred()

        def startProducing(self, consumer: Any) -> Deferred[None]:
            self.consumer = consumer
            return self.done

        def stopProducing(self) -> None:
            raise AssertionError("it has ended by itself")

    body = Body()
    feed = feed_of(body)
    assert body.consumer is None
    items, over = read(feed)
    body.consumer.write(b"part")
    body.done.errback(OSError("no disk"))
    assert items == [b"part"]
    with pytest.raises(OSError, match="no disk"):
        raise over.error


def test_a_push_producer_may_end_with_what_pauses_it() -> None:
    feed = Feed()
    feed.registerProducer(Push(), True)
    feed.write(bytes(2 * HIGH))
    feed.unregisterProducer()
    items, over = read(feed)
    assert ([len(item) for item in items], over.value) == ([2 * HIGH], None)


class Body(Push):
    """What ``startProducing`` begins, and it does not register."""

    def __init__(self) -> None:
        super().__init__()
        self.done: Deferred[None] = Deferred()

    def startProducing(self, consumer: Any) -> Deferred[None]:
        self.told.append("start")
        for _ in range(3):
            consumer.write(bytes(HIGH // 2))
        return self.done


@pytest.mark.parametrize("leaves", [False, True])
def test_a_body_is_paused_resumed_and_stopped_though_it_does_not_register(leaves: bool) -> None:
    """As Twisted's `FileBodyProducer` does not."""
    body = Body()
    feed = feed_of(body)
    _items, over = read(feed, most=2 if leaves else None)
    assert body.told[:2] == ["start", "pause"]
    assert body.told[2:] == ["resume", "stop"][: 2 if leaves else 1]
    if not leaves:
        body.done.callback(None)
        feed.stop()
        assert body.told[2:] == ["resume"]
    assert over.value is None


def test_a_body_may_register_itself_or_another_that_writes_for_it() -> None:
    class Sent(Body):
        def startProducing(self, consumer: Any) -> Deferred[None]:
            consumer.registerProducer(self, True)
            consumer.registerProducer(Pull(consumer, [b"a", b"b"]), False)
            return self.done

    items, over = read(feed_of(Sent()))
    assert (items, over.value) == ([b"a", b"b"], None)


def test_a_feed_has_one_producer() -> None:
    feed = feed_of(Push())
    with pytest.raises(RuntimeError, match="one already"):
        feed.registerProducer(Push(), True)
