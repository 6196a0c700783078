"""
One service by several worker processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.harness import Sample
from benchmarks.rows.base import Bar, CallRow, Started

if TYPE_CHECKING:
    from benchmarks.harness import Child, Effort, Stage
    from benchmarks.peers import Peer

_SERVER = "benchmarks.peers.txr_workers"
_CLIENTS = "benchmarks.peers.workers_clients"

#: Worker processes of the contestants, by title.
_WORKERS = {"1 worker": 1, "txremote": 2}


class Workers(CallRow):
    """
    ``compute(count)``: so many calls that take 1 ms of processor time each, by eight clients, each
    of which makes one call after the other. ``twistd txremote --workers 2`` beside ``--workers 1``.

    The clients are on the same cores, so two workers on two cores cannot be twice as fast. Each
    worker has four of the clients. ``--apart`` does nothing here: all workers would have one core.
    """

    name = "workers"
    work = "calls that compute 1 ms, 8 clients on the same cores: 2 workers"
    unit = "/s"
    more_is_better = True
    method = "compute"
    contestants = ("one-worker", "workers")
    mine = "workers"
    needs = "daemon.workers"
    goal = (Bar(1.6, "one-worker", "1 worker"),)
    warm_up = 100

    def start(self, stage: Stage, peer: Peer) -> tuple[Child, Child]:
        """Start a supervisor, its workers and the clients."""
        count = _WORKERS[peer.title]
        server = stage.serve(_SERVER, count, all_cores=True)
        return server, stage.connect(_CLIENTS, server.first, count, all_cores=True)

    def measure(self, state: Started, effort: Effort) -> Sample:
        """Make the calls."""
        seconds: Any = state.client.ask(self.method, state.count)
        return Sample(self.figure(seconds, state.count))


ROW = Workers()
