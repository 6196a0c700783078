"""
A reply full of objects: what it takes until the caller has them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.harness import Sample
from benchmarks.rows.base import Bar, Row

if TYPE_CHECKING:
    from benchmarks.harness import Child, Effort, Stage
    from benchmarks.peers import Peer


@dataclass
class _Watched:
    direct: Child
    watched: Child
    relay: Child
    count: int


class Objects(Row):
    """
    ``objects(count)``: one call that returns count custom objects; ``drop()``
    gives them back.

    The requests, whichever side sends them, are counted by a relay between a
    client and its server. The time is that of another client, without a relay.
    """

    name = "objects"
    work = "a reply with 1,000 objects: round trips"
    unit = ""
    more_is_better = False
    contestants = ("rpyc", "txremote")
    first = (Bar(1),)
    goal = (Bar(1),)

    def prepare(self, stage: Stage, peer: Peer, effort: Effort) -> _Watched:
        """Start a server, a relay before it, and a client of each."""
        server = stage.serve(peer.module)
        relay = stage.serve("benchmarks.peers.relay", server.first)
        direct = stage.connect(peer.module, server.first)
        watched = stage.connect(peer.module, relay.first)
        count = 50 if effort.quick else 1000
        for client in (direct, watched):
            client.ask("objects", count)
            client.ask("drop")
        return _Watched(direct, watched, relay, count)

    def measure(self, state: _Watched, effort: Effort) -> Sample:
        """Count once, and time once."""
        state.relay.ask("counted")
        state.watched.ask("objects", state.count)
        requests = state.relay.ask("counted")
        state.watched.ask("drop")
        seconds = state.direct.ask("objects", state.count)
        state.direct.ask("drop")
        return Sample(requests, f"{seconds * 1e3:.1f} ms")


ROW = Objects()
