"""
The two processes of a crowd that subscribes, each a child of `benchmarks.harness`. Not a test file.

The server has a topic for each policy. The clients' process has very many connections, each with
one subscription of one topic, for the key ``"all"``.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from benchmarks.peers.crowd import AT_ONCE, check_file_limit
from benchmarks.peers.txr_ends import port_of
from txremote import Service, Topic, connect as dial, exposed
from txremote.topics.waiting_events import POLICIES

REACTOR = True

#: The events that wait for one subscriber.
BUFFER = 100

_topics = {policy: Topic(policy, slow=policy, buffer=BUFFER) for policy in POLICIES}


class Crowded(Service):
    """The service."""

    @exposed
    def topic(self, policy: str) -> Topic:
        """Return the topic of a policy."""
        return _topics[policy]  # type: ignore[index]


async def listen(reactor: Any) -> int:
    """Serve; return the port."""
    return await port_of(Crowded, reactor)


async def publish(first: int, count: int, size: int, key: str) -> None:
    """Publish some events of a size on all topics: numbers with so many bytes."""
    from twisted.internet import reactor, task

    for number in range(first, first + count):
        for topic in _topics.values():
            topic.publish((number, bytes(size)), key=key)
        if number % 10 == 9:
            await task.deferLater(reactor, 0)  # type: ignore[arg-type]


def stats() -> dict[str, tuple[int, int, int, int]]:
    """Return each topic's subscribers, and its events delivered, dropped and waiting."""
    found = {policy: topic.stats() for policy, topic in _topics.items()}
    return {
        policy: (each.subscribers, each.delivered, each.dropped, each.buffered)
        for policy, each in found.items()
    }


class Readers:
    """
    Subscribers that read all they get.

    Args:
        reactor: Where they live.
        port: The server's.
    """

    def __init__(self, reactor: Any, port: int) -> None:
        self._reactor = reactor
        self._port = port
        self._counts: list[int] = []
        self._told: list[Any] = []
        self._kept: list[Any] = []

    async def come(self, count: int) -> None:
        """Have so many subscribe, to the topics in turn."""
        check_file_limit(count)
        numbers = iter(range(count))
        self._counts = [0] * count

        async def some() -> None:
            for number in numbers:
                await self._subscribe(number)

        await gatherResults([Deferred.fromCoroutine(some()) for _ in range(AT_ONCE)])

    async def _subscribe(self, number: int) -> None:
        where = f"tcp:127.0.0.1:{self._port}:bindAddress=127.0.4.{1 + number % 4}"
        connection = await dial(where, dialect="6", timeout=60, reactor=self._reactor)
        topic = connection.root.topic(POLICIES[number % len(POLICIES)])
        events = await topic.subscribe(keys="all", missed=lambda *gap: self._told.append(gap))
        reading: Deferred[None] = Deferred.fromCoroutine(self._read(number, events))
        self._kept.append((connection, reading))

    async def _read(self, number: int, events: Any) -> None:
        async for event, _bytes in events:
            if event != self._counts[number]:  # they are numbered from 0
                raise AssertionError(f"{event} came after {self._counts[number]} events")
            self._counts[number] += 1

    def counts(self) -> tuple[int, int, int]:
        """Return the fewest and the most events that one has, and how often one missed some."""
        return min(self._counts), max(self._counts), len(self._told)


async def connect(reactor: Any, port: int) -> Readers:
    """Return the readers, nobody of whom has come yet."""
    return Readers(reactor, port)
