"""
Calls with values: many records in one call, and a small dict.
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
class Started:
    """
    A contestant at work.

    Attributes:
        sides: Its client and its server, or the one process that is both.
        count: How many calls a round makes.
    """

    sides: tuple[Child, ...]
    count: int

    @property
    def client(self) -> Child:
        """The one that is asked."""
        return self.sides[0]

    def cpu(self) -> float:
        """Return the seconds of processor time that all sides have used."""
        return sum(float(side.ask("cpu")) for side in self.sides)


def calls_for(seconds: float, one: float, least: int) -> int:
    """Return how many calls fill the time, when one of them takes so many seconds."""
    return max(int(seconds / max(one, 1e-6)), least)


class Records(Row):
    """
    ``records(count, size)``: so many times, give a method a list of size dataclasses of
    five fields, which it reads. A figure is the processor time of a call, both ends together.

    The floor and msgspec are no calls: the same list is turned into bytes and back in one process.
    """

    name = "records"
    work = "1,000 dataclasses of five fields in one call: processor time of both ends"
    unit = " us"
    more_is_better = False
    contestants = ("pickle", "msgspec", "rpyc", "rpyc-obtain", "txremote")
    floor = "pickle"
    needs = "value"
    first = (Bar(4.0, "pickle"), Bar(0.01, "rpyc", "RPyC"), Bar(0.01, "rpyc-obtain", "RPyC obtain"))
    goal = (Bar(1.2, "pickle"),)
    size = 1000

    def prepare(self, stage: Stage, peer: Peer, effort: Effort) -> Started:
        """Start what takes part, and find out how many calls fill the time."""
        if peer.alone:
            sides: tuple[Child, ...] = (stage.alone(peer.values),)
        else:
            server = stage.serve(peer.values)
            sides = stage.connect(peer.values, server.first), server
        size = self.size_of(effort)
        sides[0].ask("records", 1, size)
        one = sides[0].ask("records", 1, size)
        return Started(sides, calls_for(effort.seconds, one, 1))

    def measure(self, state: Started, effort: Effort) -> Sample:
        """Make the calls."""
        before = state.cpu()
        seconds = state.client.ask("records", state.count, self.size_of(effort))
        spent = (state.cpu() - before) / state.count
        return Sample(spent * 1e6, f"{seconds / state.count * 1e3:.1f} ms by the clock")

    def size_of(self, effort: Effort) -> int:
        """Return how many records a call has."""
        return 50 if effort.quick else self.size


class DictArgument(Row):
    """
    ``calls(kind, count, window)``: so many calls with a dict of four numbers, or with the tuple
    of the same strings and numbers, so many in flight. A figure is the processor time of the one
    to that of the other, both ends together, one call at a time.

    txremote's method has a dict of its own; RPyC's reads one key through a reference.
    """

    name = "dict argument"
    work = "a call with a dict of four items: processor time to that with a tuple"
    unit = "x"
    more_is_better = False
    contestants = ("rpyc", "txremote")
    needs = "value"
    first = (Bar(1.3),)
    goal = (Bar(1.3),)
    window = 100

    def prepare(self, stage: Stage, peer: Peer, effort: Effort) -> Started:
        """Start server and client, and find out how many calls fill half of the time."""
        server = stage.serve(peer.values)
        client = stage.connect(peer.values, server.first)
        least = self.window
        for kind in ("dict", "tuple"):
            seconds = client.ask("calls", kind, least, 1)
        count = least if effort.quick else calls_for(effort.seconds, seconds / least, least)
        return Started((client, server), count - count % self.window)

    def measure(self, state: Started, effort: Effort) -> Sample:
        """Make both kinds of calls, one at a time and many in flight."""
        alone = self.ratio(state, 1)
        flying = self.ratio(state, self.window)
        return Sample(alone[0], f"{alone[1]:.0f} us; {self.window} in flight {flying[0]:.2f}x")

    @staticmethod
    def ratio(state: Started, window: int) -> tuple[float, float]:
        """
        Return the cost of a dict to that of a tuple, and the microseconds of a dict's call.

        Each kind is measured in two halves, so that a machine that becomes busy meets both.
        """
        spent = {"dict": 0.0, "tuple": 0.0}
        for kind in ("dict", "tuple", "tuple", "dict"):
            before = state.cpu()
            state.client.ask("calls", kind, state.count, window)
            spent[kind] += state.cpu() - before
        return spent["dict"] / spent["tuple"], spent["dict"] / 2 / state.count * 1e6


RECORDS = Records()
DICT_ARGUMENT = DictArgument()
