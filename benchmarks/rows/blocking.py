"""
One call at a time from a plain script: how long a caller waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.peers import PEERS
from benchmarks.rows.base import Bar, CallRow

if TYPE_CHECKING:
    from benchmarks.harness import Child, Stage
    from benchmarks.peers import Peer


class Blocking(CallRow):
    """
    ``blocking(count)``: so many times ``conn.root.add(1, 2)``, in full. The
    server of txremote has its requests run in the reactor.
    """

    name = "blocking"
    work = "conn.root.add(1, 2) from a script"
    unit = " us"
    more_is_better = False
    method = "blocking"
    contestants = ("echo", "rpyc", "pyro5", "manager", "txremote")
    floor = "echo"
    blocking = True
    first = (Bar(2.0, "echo"), Bar(0.5, "rpyc", "RPyC"))
    goal = (Bar(1.5, "echo"),)

    def figure(self, seconds: float, count: int) -> float:
        """Return the microseconds of a call."""
        return seconds / count * 1e6


class Threaded(Blocking):
    """
    The same with a service in worker threads, as RPyC's are: a request goes to
    its connection's thread, and its answer comes back into the reactor.
    """

    name = "threaded"
    work = "the same, the service in a thread"
    contestants = ("echo", "rpyc", "txremote")
    first = ()
    goal = ()

    def start(self, stage: Stage, peer: Peer) -> tuple[Child, Child]:
        """Start a contestant, txremote's server with worker threads."""
        if peer is not PEERS["txremote"]:
            return super().start(stage, peer)
        server = stage.serve(peer.module, True)
        return server, stage.connect(peer.client(self.blocking), server.first)


ROW = Blocking()
THREADED = Threaded()
