"""
What a row is: `Row`, and `CallRow` for the many that time a number of calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.harness import Sample, ratio

if TYPE_CHECKING:
    from benchmarks.harness import Child, Effort, Measured, Stage
    from benchmarks.peers import Peer


@dataclass(frozen=True)
class Bar:
    """
    What txremote is held to in a row.

    Attributes:
        limit: The ratio to another contestant that is just good enough, or the
            figure itself.
        of: The other contestant; None for the figure itself.
        title: How that one is called in the table.
    """

    limit: float
    of: str | None = None
    title: str = "floor"


class Row:
    """
    One row of the table. A subclass has the attributes, `prepare` and `measure`.

    Attributes:
        name: What it is called, on the command line too.
        work: What is done.
        unit: What a figure counts.
        more_is_better: Whether it should be high.
        contestants: Who takes part, by their names in `PEERS`.
        floor: Which of them is the raw floor, if any.
        blocking: Whether the clients are plain scripts.
        pools: Whether it is about pools, and stands in their tables.
        mine: Which of the contestants is txremote.
        needs: A name or a part of txremote that it needs; one that lacks it does not take part.
        first: The first bars.
        goal: The goals.
    """

    name: str
    work: str
    unit: str
    more_is_better: bool
    contestants: tuple[str, ...]
    floor: str | None = None
    blocking = False
    pools = False
    mine = "txremote"
    needs = ""
    first: tuple[Bar, ...] = ()
    goal: tuple[Bar, ...] = ()

    def start(self, stage: Stage, peer: Peer) -> tuple[Child, Child]:
        """Start a contestant's server and client."""
        server = stage.serve(peer.module)
        return server, stage.connect(peer.client(self.blocking), server.first)

    def prepare(self, stage: Stage, peer: Peer, effort: Effort) -> Any:
        """
        Start a contestant's processes and warm them up.

        Returns:
            What `measure` is given.
        """
        raise NotImplementedError

    def measure(self, state: Any, effort: Effort) -> Sample:
        """Measure a contestant once."""
        raise NotImplementedError

    def is_met(self, bar: Bar, measured: Mapping[str, Measured]) -> bool | None:
        """Tell whether txremote has reached a bar; None if that was not measured."""
        mine = measured.get(self.mine)
        figure = mine if bar.of is None else ratio(mine, measured.get(bar.of))
        if figure is None or not figure.values:
            return None
        median = figure.median
        return median >= bar.limit if self.more_is_better else median <= bar.limit


@dataclass
class Started:
    """A contestant at work: its processes and how much each round asks of it."""

    server: Child
    client: Child
    count: int


class CallRow(Row):
    """
    A row that has the client make ``count`` calls and looks at the clock.

    How many is found out in the warm-up, so that each contestant is measured
    for about as long as the others, however slow or fast it is.

    Attributes:
        method: The client's method.
        warm_up: How many calls the warm-up begins with.
        most: How many calls a round makes at most.
        each: How many calls the client makes for each one that it is asked for.
    """

    method: str
    warm_up = 300
    most = 1_000_000
    each = 1

    def prepare(self, stage: Stage, peer: Peer, effort: Effort) -> Started:
        """Start server and client, and find out how many calls fill the time."""
        server, client = self.start(stage, peer)
        count = least = 20 if effort.quick else self.warm_up
        client.ask(self.method, count)
        for _ in range(2):  # few calls of a fast one are too short to tell
            seconds = client.ask(self.method, count)
            wanted = int(count * effort.seconds / max(seconds, 1e-6))
            count = min(max(wanted, least), self.most)
            if wanted < 4 * least:
                break
        return Started(server, client, count)

    def measure(self, state: Started, effort: Effort) -> Sample:
        """Make the calls."""
        client, server, count = state.client, state.server, state.count
        before = client.ask("cpu"), server.ask("cpu")
        seconds = client.ask(self.method, count)
        after = client.ask("cpu"), server.ask("cpu")
        calls = count * self.each
        spent = [(b - a) / calls * 1e6 for a, b in zip(before, after, strict=True)]
        return Sample(self.figure(seconds, calls), cpu=(spent[0], spent[1]))

    def figure(self, seconds: float, count: int) -> float:
        """Return calls in a second."""
        return count / seconds


class PoolRow(Row):
    """
    A row of pools: a contestant is one process, and what that starts.

    Attributes:
        method: The contestant's method; the floor's is ``plain_`` and that, in
            the same process as txremote's.
    """

    method: str
    pools = True

    def begin(self, stage: Stage, peer: Peer) -> tuple[Child, str]:
        """
        Start a contestant.

        Returns:
            Its process, and what it is asked.
        """
        method = f"plain_{self.method}" if peer.title == "floor" else self.method
        return stage.alone(peer.pools), method
