"""
Subscribers that read nothing, and what they cost the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.harness import ContestantFailed, Sample
from benchmarks.rows.base import Bar, Row

if TYPE_CHECKING:
    from benchmarks.harness import Child, Effort, Stage
    from benchmarks.peers import Peer

_CLIENTS = "benchmarks.peers.slow_subscribers"

#: How many read nothing.
_SLOW = 10

#: Seconds from one event to the next.
_EVERY = 0.15

#: Events at once that fill a socket's buffers and all credit, until more of them are dropped; and
#: how often at most. How much the buffers take differs from system to system.
_FILLING = 1000
_MOST_FILLINGS = 100


@dataclass
class Started:
    """Subscribers that have come, and their server."""

    server: Child
    clients: Child


class SlowSubscribers(Row):
    """
    The time from an event's publishing until a subscriber's loop has it: that within which 99 % of
    all deliveries to 990 subscribers come. Of a topic with ten more that have stopped to read, and
    whose events are dropped, to that of another one without them; an event of each in turn.
    """

    name = "slow subscribers"
    work = "990 subscribers, and ten that read nothing: p99 of delivery to that without the ten"
    unit = "x"
    more_is_better = False
    contestants = ("topics",)
    mine = "topics"
    needs = "Topic"
    goal = (Bar(1.2),)

    def prepare(self, stage: Stage, peer: Peer, effort: Effort) -> Started:
        """Have all come, and give the ten all that they can take."""
        server = stage.serve(peer.module)
        clients = stage.connect(_CLIENTS, server.first)
        clients.ask("come", 20 if effort.quick else 990)
        clients.ask("stall", _SLOW)
        started = Started(server, clients)
        self._slowest(started, 5)
        for _ in range(_MOST_FILLINGS):
            before = server.ask("dropped")
            server.ask("fill", _FILLING)
            if server.ask("dropped") == [before[0], before[1] + _SLOW * _FILLING]:
                return started
        raise ContestantFailed("those that read nothing are sent something again and again")

    def _slowest(self, state: Started, count: int) -> tuple[float, float]:
        state.clients.ask("expect", count)
        state.server.ask("publish_timed", count, _EVERY)
        alone, beside = state.clients.ask("slowest")
        return alone, beside

    def measure(self, state: Started, effort: Effort) -> Sample:
        """Publish on both."""
        count = 5 if effort.quick else max(20, int(effort.seconds * 100))
        before = state.server.ask("dropped")
        alone, beside = self._slowest(state, count)
        if state.server.ask("dropped") != [before[0], before[1] + _SLOW * count]:
            raise ContestantFailed("those that read nothing were still sent something")
        return Sample(beside / alone, f"{beside * 1e3:.1f} ms and {alone * 1e3:.1f} ms")


ROW = SlowSubscribers()
