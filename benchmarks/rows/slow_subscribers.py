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

#: Events that fill a socket's buffers and all credit, so that more of them are dropped.
_FILLING = 3000


@dataclass
class Started:
    """So many subscribers that read, and their server; ``rounds`` counts those measured."""

    server: Child
    clients: Child
    size: int
    rounds: int = 0


class SlowSubscribers(Row):
    """
    The time from an event's publishing until a subscriber's loop has it: that within which 99 % of
    all deliveries to 990 subscribers come. With ten more that have stopped to read, and whose
    events are dropped, to without them; in one server, in turn.
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
        """Have those come that read."""
        server = stage.serve(peer.module)
        clients = stage.connect(_CLIENTS, server.first)
        size = 20 if effort.quick else 990
        clients.ask("come", size)
        started = Started(server, clients, size)
        self._slowest(started, 5)
        return started

    def _slowest(self, state: Started, count: int) -> float:
        state.clients.ask("expect", count)
        state.server.ask("publish_timed", count, _EVERY)
        return float(state.clients.ask("slowest"))

    def _with_slow(self, state: Started, count: int) -> float:
        state.clients.ask("stall", _SLOW)
        state.server.ask("fill", _FILLING)
        before = state.server.ask("timed_dropped")
        slowest = self._slowest(state, count)
        if state.server.ask("timed_dropped") - before != _SLOW * count:
            raise ContestantFailed("those that read nothing were still sent something")
        state.clients.ask("leave")
        state.server.ask("only", state.size)
        return slowest

    def measure(self, state: Started, effort: Effort) -> Sample:
        """Publish with the ten and without them."""
        count = 5 if effort.quick else max(20, int(effort.seconds * 100))
        state.rounds += 1
        if state.rounds % 2:
            alone, beside = self._slowest(state, count), self._with_slow(state, count)
        else:
            beside, alone = self._with_slow(state, count), self._slowest(state, count)
        return Sample(beside / alone, f"{beside * 1e3:.1f} ms and {alone * 1e3:.1f} ms")


ROW = SlowSubscribers()
