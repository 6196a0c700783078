"""
A numpy array to a worker process and back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.harness import Sample
from benchmarks.rows.base import Bar
from benchmarks.rows.pools import ThreadsPool, Warm

if TYPE_CHECKING:
    from benchmarks.harness import Effort, Stage
    from benchmarks.peers import Peer

_MIB = 1 << 20


class PoolArray(ThreadsPool):
    """
    ``arrays(count, size)``: give a job that returns its argument an array of so many bytes, wait
    for it, and give the next job what came back. A figure is the size divided by the time of both
    ways.
    """

    method = "arrays"
    unit = " MB/s"
    contestants = ("futures", "loky", "joblib", "txremote")
    floor = None

    def __init__(self, mebibytes: int, first: tuple[Bar, ...], goal: tuple[Bar, ...]) -> None:
        self.name = f"{mebibytes} MiB to a process"
        self.work = f"echo {mebibytes} MiB of float64 in a worker process"
        self.size = mebibytes * _MIB
        self.first, self.goal = first, goal

    def prepare(self, stage: Stage, peer: Peer, effort: Effort) -> Warm:
        """Start a pool, and find out how many echoes fill the time."""
        child, method = self.begin(stage, peer)
        size = _MIB if effort.quick else self.size
        child.ask(method, 2, size)
        seconds = child.ask(method, 1, size)
        return Warm(child, method, max(2, round(effort.seconds / seconds)), size)

    def measure(self, state: Warm, effort: Effort) -> Sample:
        """Echo some."""
        child = state.child
        before = child.cpu()
        seconds = child.ask(state.method, state.bursts, state.size)
        after = child.cpu()
        spent = [(b - a) / state.bursts * 1e6 for a, b in zip(before, after, strict=True)]
        megabytes = state.bursts * state.size / 1e6
        return Sample(megabytes / seconds, cpu=(spent[0], spent[1]))


SMALL = PoolArray(1, (), (Bar(1.0, "joblib", "joblib"),))
LARGE = PoolArray(
    64,
    (Bar(1.0, "joblib", "joblib"),),
    (Bar(2.0, "futures", "futures"), Bar(1.0, "joblib", "joblib")),
)
