"""
Events for a script that does something else: ``BgServingThread``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.harness import Sample
from benchmarks.peers import PEERS
from benchmarks.rows.base import Bar, Row, Started

if TYPE_CHECKING:
    from benchmarks.harness import Effort, Stage
    from benchmarks.peers import Peer

#: RPyC's thread takes one event each 0.1 s. As many as are asked of the others
#: would take 10 s a round and say nothing more.
_FEWER = 10


class Background(Row):
    """
    ``background(count)``: a server fires count events at once, while the client's
    main thread sleeps and a ``BgServingThread`` serves. The time goes from the
    moment that the server fires the first until the client has had all.

    Fewer are asked of RPyC, and its time is scaled to as many.
    """

    name = "background"
    work = "100 events through a BgServingThread"
    unit = " ms"
    more_is_better = False
    contestants = ("fire", "rpyc", "txremote")
    floor = "fire"
    blocking = True
    first = (Bar(100),)  # "well under 0.2 s"
    events = 100

    def prepare(self, stage: Stage, peer: Peer, effort: Effort) -> Started:
        """Start server and client; a few events to warm up."""
        server, client = self.start(stage, peer)
        count = self.events
        if peer is PEERS["rpyc"]:
            count //= _FEWER * 5 if effort.quick else _FEWER
        client.ask("background", min(count, 2))
        return Started(server, client, count)

    def measure(self, state: Started, effort: Effort) -> Sample:
        """Fire once."""
        seconds = state.client.ask("background", state.count)
        note = f"from {state.count}" if state.count < self.events else ""
        return Sample(seconds * 1e3 * self.events / state.count, note)


class Event(Row):
    """
    ``event(count)``: the same with one event at a time, fired when the client has
    been asleep for a while; the median from firing to arrival.
    """

    name = "event"
    work = "one event through a BgServingThread"
    unit = " us"
    more_is_better = False
    contestants = ("fire", "rpyc", "txremote")
    floor = "fire"
    blocking = True

    def prepare(self, stage: Stage, peer: Peer, effort: Effort) -> Started:
        """Start server and client; an event to warm up."""
        server, client = self.start(stage, peer)
        client.ask("event", 1)
        return Started(server, client, 2 if effort.quick else 10)

    def measure(self, state: Started, effort: Effort) -> Sample:
        """Fire some, one after the other."""
        return Sample(state.client.ask("event", state.count) * 1e6)


ROW = Background()
EVENT = Event()
