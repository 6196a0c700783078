"""
One large value there and back: how often its bytes are touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.harness import Sample
from benchmarks.rows.base import Bar, Row, Started

if TYPE_CHECKING:
    from benchmarks.harness import Effort, Stage
    from benchmarks.peers import Peer

_MIB = 1 << 20


class Bulk(Row):
    """
    ``bulk(size)``: send random bytes, have them sent back. A figure is the size
    divided by the time of both ways.
    """

    name = "bulk"
    work = "echo 32 MiB of random bytes, one call"
    unit = " MB/s"
    more_is_better = True
    contestants = ("whole", "rpyc", "txremote")
    floor = "whole"
    first = (Bar(0.2, "whole"),)
    goal = (Bar(0.4, "whole"),)

    def prepare(self, stage: Stage, peer: Peer, effort: Effort) -> Started:
        """Start server and client; one echo to warm up."""
        server = stage.serve(peer.module)
        client = stage.connect(peer.module, server.first)
        size = _MIB if effort.quick else 32 * _MIB
        client.ask("bulk", size)
        return Started(server, client, size)

    def measure(self, state: Started, effort: Effort) -> Sample:
        """Echo once."""
        return Sample(state.count / state.client.ask("bulk", state.count) / 1e6)


ROW = Bulk()
