"""
Many clients that do nothing: what each costs the server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.harness import ContestantFailed, Sample
from benchmarks.rows.base import Bar, Row

if TYPE_CHECKING:
    from benchmarks.harness import Effort, Stage
    from benchmarks.peers import Peer

_CLIENTS = "benchmarks.peers.idle_clients"


class Connections(Row):
    """
    The growth of the server's resident memory from 500 idle clients to 1,500,
    for each of those 1,000.

    The first 500 take up what is allocated once, and the holes that starting
    has left in the heap, which would hide some of the cost. For the same reason
    each round has a new server.
    """

    name = "connections"
    work = "1,000 idle clients: server memory each"
    unit = " KB"
    more_is_better = False
    contestants = ("bare", "rpyc", "txremote")
    floor = "bare"
    first = (Bar(6.0),)
    goal = (Bar(3.0),)

    def prepare(self, stage: Stage, peer: Peer, effort: Effort) -> Any:
        """Do nothing yet."""
        return peer

    def measure(self, state: Any, effort: Effort) -> Sample:
        """Start a server, connect, and look at the server's memory."""
        first, count = (50, 100) if effort.quick else (500, 1000)
        speaks_rpyc = state.module != "benchmarks.peers.floor_bare"
        with effort.stage() as stage:
            server = stage.serve(state.module)
            clients = stage.connect(_CLIENTS, server.first)
            clients.ask("open", first, speaks_rpyc)
            before = server.status("VmRSS")
            threads = server.status("Threads")
            clients.ask("open", count, speaks_rpyc)
            after = server.status("VmRSS")
            more = server.status("Threads")
        if before is None or after is None or threads is None or more is None:
            raise ContestantFailed("this system does not tell a process's memory in /proc")
        note = f"{more - threads:,} more threads" if more > threads else ""
        return Sample((after - before) / count / 1024, note)


ROW = Connections()
