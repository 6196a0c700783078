"""
Calls that depend on each other, over a line on which a round trip takes 50 ms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.harness import Sample
from benchmarks.rows.base import Bar, Row

if TYPE_CHECKING:
    from benchmarks.harness import Child, Effort, Stage
    from benchmarks.peers import Peer

_SERVER = "benchmarks.peers.txr_graph"
_LINE = "benchmarks.peers.delay"

#: Seconds that a byte takes one way.
ONE_WAY = 0.025

#: How often it is done in a round.
_TIMES = 3

_METHODS = {"floor": "one_call", "awaited": "one_by_one", "txremote": "in_one_go"}


class Graph(Row):
    """
    ``in_one_go(count)``: ``root.first().next().next().next().number()``, count times: five calls,
    each of a method of the result of the one before it, sent at once. "awaited" waits for each of
    them before the next, and the floor is one call.

    The line is a proxy of the harness's, which keeps all bytes for 25 ms each way.
    """

    name = "graph"
    work = "five calls, each of the result of the one before, at 50 ms a round trip"
    unit = " ms"
    more_is_better = False
    contestants = ("one-call", "awaited", "graph")
    floor = "one-call"
    mine = "graph"
    needs = "peer.graphs"
    # one round trip, and what five calls need to be served
    goal = (Bar(1.1, "one-call"), Bar(0.25, "awaited", "awaited"))

    def prepare(self, stage: Stage, peer: Peer, effort: Effort) -> tuple[Child, str]:
        """Start a server, the line and a client."""
        server = stage.serve(_SERVER)
        line = stage.serve(_LINE, server.first, ONE_WAY)
        client = stage.connect(_SERVER, line.first)
        method = _METHODS[peer.title]
        client.ask(method, 1)
        return client, method

    def measure(self, state: Any, effort: Effort) -> Sample:
        """Do it some times."""
        client, method = state
        return Sample(client.ask(method, _TIMES) / _TIMES * 1e3)


ROW = Graph()
