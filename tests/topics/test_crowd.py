"""
A thousand subscribers on real sockets, ten of whom read nothing: the others get all, the server's
memory does not grow, and of each of the ten it is known exactly how many events it missed.
"""

from __future__ import annotations

from time import monotonic
from typing import Any

import pytest_twisted
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread

from benchmarks.harness import Child, Stage
from tests.net.servers import until
from tests.topics.crowded import BUFFER
from txremote import connect
from txremote.errors import ConnectionLost, SubscriberTooSlow
from txremote.topics.waiting_events import POLICIES

MODULE = "tests.topics.crowded"
READERS, SLOW = 990, 10
FIRST, MORE = 200, 20_000

#: Bytes of an event, of which those who read nothing get many.
SIZE = 1_000


class Slow:
    """
    A subscriber that reads nothing until it is told to: from its socket, by a loop or a callback;
    or in its loop.

    Attributes:
        numbers: Those of the events that it got.
        missed: How many it was told it missed.
        end: What its loop ended with.
    """

    def __init__(self, number: int) -> None:
        self.policy = POLICIES[number % len(POLICIES)]
        self.has_callback = number in (4, 5, 6)  # one is not told that it was disconnected
        self.stops_reading = number % 2 == 0 or self.has_callback
        self.numbers: list[int] = []
        self.missed = 0
        self.end: BaseException | None = None
        self._go_on: Deferred[None] = Deferred()

    async def come(self, port: int) -> None:
        """Subscribe."""
        self.connection: Any = await connect(f"tcp:127.0.0.1:{port}", dialect="6")
        topic = self.connection.root.topic(self.policy)
        if self.has_callback:
            await topic.subscribe(self._take, missed=self._miss)
            return
        events = await topic.subscribe(missed=self._miss)
        self.reading: Deferred[None] = Deferred.fromCoroutine(self._read(events))

    def _miss(self, count: int | None, why: str) -> None:
        assert count is not None
        assert why == "the subscriber was too slow"
        self.missed += count

    def _take(self, event: tuple[int, bytes]) -> None:
        self.numbers.append(event[0])
        if self.stops_reading and len(self.numbers) == 1:
            self.connection.transport.pauseProducing()

    async def _read(self, events: Any) -> None:
        try:
            async for event in events:
                self._take(event)
                await self._go_on
        except SubscriberTooSlow as problem:
            self.end = problem
        except ConnectionLost:  # this side has closed it
            pass

    def go_on(self) -> None:
        """Read what is there."""
        self.connection.transport.resumeProducing()
        self._go_on.callback(None)

    def check(self, published: int) -> None:
        """Each event came once, in order, or was told as missed."""
        assert all(a < b for a, b in zip(self.numbers, self.numbers[1:], strict=False))
        if self.policy == "disconnect":
            assert isinstance(self.end, SubscriberTooSlow)
            assert self.numbers == [*range(len(self.numbers))]
            assert self.missed == 0
        else:
            assert len(self.numbers) + self.missed == published
            assert self.missed > published - 5_000
            last = self.numbers[-1]
            assert (last == published - 1) is (self.policy != "drop-newest")


async def all_have(readers: Child, count: int) -> None:
    """Wait until each reader has so many events; none is told that it missed any."""
    end = monotonic() + 120
    while (found := await deferToThread(readers.ask, "counts")) != [count, count, 0]:
        assert monotonic() < end, found
        assert found[1] <= count
        assert found[2] == 0


async def publish(server: Child, first: int, count: int, size: int, key: str) -> int:
    """Have the server publish; return its memory then, in bytes."""
    await deferToThread(server.ask, "publish", first, count, size, key)
    memory = server.status("VmRSS")
    assert memory is not None
    return memory


@pytest_twisted.ensureDeferred
async def test_ten_of_a_thousand_that_read_nothing_cost_the_others_nothing() -> None:
    """By each of the policies."""
    with Stage() as stage:
        server = await deferToThread(stage.serve, MODULE)
        readers = await deferToThread(stage.connect, MODULE, server.first)
        await deferToThread(readers.ask, "come", READERS)
        slow = [Slow(number) for number in range(SLOW)]
        await gatherResults([Deferred.fromCoroutine(each.come(server.first)) for each in slow])
        await publish(server, 0, 1, 0, "all")
        await until(lambda: all(each.numbers == [0] for each in slow))
        await publish(server, 1, FIRST - 1, 50, "all")
        await all_have(readers, FIRST)
        for subscribers, delivered, dropped, waiting in server.ask("stats").values():
            assert delivered + dropped + waiting == FIRST * subscribers
        full = await publish(server, FIRST, MORE // 10, SIZE, "more")
        memory = await publish(server, FIRST + MORE // 10, MORE - MORE // 10, SIZE, "more")
        # of 18,000 events nothing is kept; all that were would be 18 MB for each topic
        assert memory - full < 1 << 20
        stats = server.ask("stats")
        held = [waiting for _, _, _, waiting in stats.values()]
        assert max(held) <= BUFFER * 3
        await publish(server, FIRST + MORE, 1, 0, "last")
        for each in slow:
            each.go_on()
        published = FIRST + MORE + 1

        def is_done(each: Slow) -> bool:
            return each.end is not None or len(each.numbers) + each.missed >= published

        await until(lambda: all(map(is_done, slow)))
        for each in slow:
            each.check(published)
        await all_have(readers, FIRST)
        for each in slow:
            await each.connection.close()
