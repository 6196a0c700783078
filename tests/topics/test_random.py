"""
Subscriptions that come, lag, end at either end and come again, at random: what each gets is in
order, each event once, and with those that it was told it missed that is all since it began.
"""

from __future__ import annotations

import random
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from txremote import Service, Topic
from txremote.peer import incoming_events
from txremote.testing import Pair, connected_pair
from txremote.topics.waiting_events import POLICIES

KEYS = ["a", "b", "ab", None]


class Loop:
    """One subscription over a pair, which is read as far as it is allowed."""

    def __init__(self, pair: Pair, key: str | None) -> None:
        self.pair, self.key = pair, key
        self.numbers: list[int] = []
        self.missed = 0
        self.end: BaseException | str = ""
        self._allowed = 0
        self._gate: Deferred[None] | None = None
        self.running = Deferred.fromCoroutine(self._run())
        self.running.addErrback(lambda failure: setattr(self, "end", failure.value))

    def _miss(self, count: int, _why: str) -> None:
        self.missed += count

    async def _run(self) -> None:
        topic: Any = self.pair.client.root.topic
        async for number in await topic.subscribe(keys=self.key, missed=self._miss):
            self.numbers.append(number)
            if not self._allowed:
                self._gate = Deferred()
                await self._gate
            self._allowed -= 1
        self.end = "the end"

    def allow(self, count: int) -> None:
        """Let it take more."""
        self._allowed += count
        gate, self._gate = self._gate, None
        if gate is not None and not gate.called:
            gate.callback(None)

    def check(self, published: list[tuple[int, str | None]]) -> None:
        """Check what it has got, if it has not been ended."""
        assert self.numbers == sorted(set(self.numbers))
        if self.numbers and not self.end:
            wanted = [number for number, key in published if self.key in (None, key)]
            since = len(wanted) - wanted.index(self.numbers[0])
            assert since <= len(self.numbers) + self.missed <= len(wanted)


def carry(pair: Pair, ends: tuple[Any, Any]) -> None:
    """Carry one write across, one way."""
    source, target = ends
    if source.transport.written and not target.closed:
        target.dataReceived(source.transport.written.popleft())


def left_in(connection: Any) -> list[Any]:
    """Return what a connection still knows of subscriptions."""
    found = connection.subscriptions
    tables = [found._incoming, found._by_channel, found._flows, found.numbers] if found else []
    return [table for table in tables if table]


@pytest.mark.parametrize("seed", range(60))
def test_what_a_subscription_gets_and_what_it_missed_is_all(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incoming_events, "MOST_EVENTS", 6)
    chance = random.Random(seed)
    topic = Topic(buffer=chance.randint(1, 5), slow=POLICIES[seed % len(POLICIES)])

    class Feed(Service):
        exposed_topic = topic

    pairs = [connected_pair(server_root=Feed) for _ in range(2)]
    loops = [Loop(pairs[0], None)]
    published: list[tuple[int, str | None]] = []
    for _ in range(150):
        pair = chance.choice(pairs)
        what = chance.choices("psctexl", [12, 3, 16, 6, 1, 1, 0.1])[0]
        if what == "p":
            published.append((len(published), chance.choice(KEYS)))
            topic.publish(*published[-1])
        elif what == "s" and not pair.client.closed:
            loops.append(Loop(pair, chance.choice([None, "a", "ab"])))
        elif what == "c":
            carry(pair, chance.choice([(pair.client, pair.server), (pair.server, pair.client)]))
        elif what == "t":
            chance.choice(loops).allow(chance.randint(1, 4))
        elif what == "e":  # the server ends one
            members = [each for group in topic._groups.values() for each in group.members]
            if members:
                chance.choice(members).close()
        elif what == "x":
            chance.choice(loops).running.cancel()
        elif what == "l":
            pair.lose()
    for _ in range(60):
        for each in loops:
            each.allow(5)
        for pair in pairs:
            pair.advance(0)
    for each in loops:
        each.check(published)
        each.running.cancel()
    for pair in pairs:
        pair.advance(1)
        assert left_in(pair.client) == left_in(pair.server) == []
