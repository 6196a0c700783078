"""
One event to a thousand subscribers, again and again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.harness import Sample
from benchmarks.rows.base import Bar, Row

if TYPE_CHECKING:
    from benchmarks.harness import Child, Effort, Stage
    from benchmarks.peers import Peer

_CLIENTS = "benchmarks.peers.subscribers"

#: The most events of a round. They fit into the sockets' buffers, and into txremote's credit.
_MOST = 60


@dataclass
class Started:
    """Subscribers that have come: their server, their process, and how many they are."""

    server: Child
    clients: Child
    size: int


class FanOut(Row):
    """
    ``publish(count)`` at the server, ``expect(count)`` and ``arrived()`` at 1,000 subscribers in
    one process, each of the contestant's own kind. All have to get all events.

    The subscribers cost more than the server, and most where they read in Python. So a figure is
    what a second of the server's processor gives out, a broker's included. Behind it stand the
    deliveries of a second by the clock.
    """

    name = "fan-out"
    work = (
        "one event to each of 1,000 subscribers: deliveries in a second of the server's processor"
    )
    unit = "/s"
    more_is_better = True
    contestants = ("prepared", "redis", "crossbar", "topics")
    floor = "prepared"
    mine = "topics"
    needs = "Topic"
    goal = (Bar(0.7, "prepared"),)

    def prepare(self, stage: Stage, peer: Peer, effort: Effort) -> Started:
        """Have all subscribers come, and all get an event."""
        server = stage.serve(peer.module)
        clients = stage.connect(_CLIENTS, server.first, peer.title)
        size = 20 if effort.quick else 1000
        clients.ask("come", size)
        started = Started(server, clients, size)
        self._publish(started, 1)
        return started

    def _publish(self, state: Started, count: int) -> float:
        """Return the seconds from the first event's publishing until all have all."""
        state.clients.ask("expect", count)
        begun = state.server.ask("publish", count)
        return float(state.clients.ask("arrived")) - begun

    def measure(self, state: Started, effort: Effort) -> Sample:
        """Publish."""
        count = 5 if effort.quick else _MOST
        before = sum(state.server.cpu())
        seconds = self._publish(state, count)
        deliveries = count * state.size
        spent = max(sum(state.server.cpu()) - before, 1e-6)
        return Sample(deliveries / spent, f"{deliveries / seconds / 1e3:,.0f}k/s by the clock")


ROW = FanOut()
