"""
Many small jobs at once in a pool: how much work a job is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.harness import Sample
from benchmarks.peers import PEERS
from benchmarks.rows.base import Bar, PoolRow

if TYPE_CHECKING:
    from benchmarks.harness import Child, Effort, Stage
    from benchmarks.peers import Peer

_ON_DASK = "benchmarks.peers.txr_dask"


@dataclass
class Warm:
    """A pool at work, and how much each round asks of it."""

    child: Child
    method: str
    bursts: int
    size: int


class ThreadsPool(PoolRow):
    """
    ``threads(count, size)``: submit size jobs ``increment(i)`` at once, wait for
    all, and do that count times.

    The floor is `deferToThread` in the same process, in turn.
    """

    name = "threads pool"
    work = "run_async(f, i), 3,000 in flight, threads"
    unit = "/s"
    more_is_better = True
    method = "threads"
    size = 3000
    contestants = ("plain", "txremote")
    floor = "plain"
    first = (Bar(0.9, "plain"),)
    goal = (Bar(1.0, "plain"),)

    def prepare(self, stage: Stage, peer: Peer, effort: Effort) -> Warm:
        """Start a pool, and find out how many bursts fill the time."""
        child, method = self.begin(stage, peer)
        size = 60 if effort.quick else self.size
        child.ask(method, 1, size)
        seconds = child.ask(method, 1, size)
        return Warm(child, method, max(1, round(effort.seconds / seconds)), size)

    def measure(self, state: Warm, effort: Effort) -> Sample:
        """Give it the jobs."""
        child = state.child
        before = child.cpu()
        seconds = child.ask(state.method, state.bursts, state.size)
        after = child.cpu()
        count = state.bursts * state.size
        spent = [(b - a) / count * 1e6 for a, b in zip(before, after, strict=True)]
        return Sample(count / seconds, cpu=(spent[0], spent[1]))


class ProcessPool(ThreadsPool):
    """``processes(count, size)``: the same on two worker processes."""

    name = "process pool"
    work = "the same on 2 worker processes"
    method = "processes"
    contestants = ("ampoule", "ampoule-kept", "futures", "loky", "pebble", "txremote")
    floor = None
    first = (Bar(0.8, "pebble", "pebble"), Bar(4.0, "ampoule", "ampoule"))
    goal = (Bar(1.2, "pebble", "pebble"),)


class ColdPool(PoolRow):
    """``cold()``: make a pool of one process, give it ``increment(1)``, wait for the result."""

    name = "cold pool"
    work = "a new pool of 1 process, until its first result"
    unit = " ms"
    more_is_better = False
    method = "cold"
    contestants = ("futures", "loky", "pebble", "txremote")
    first = (Bar(3.0, "pebble", "pebble"),)
    goal = (Bar(1.0, "pebble", "pebble"),)

    def prepare(self, stage: Stage, peer: Peer, effort: Effort) -> tuple[Child, str]:
        """Start a contestant; one pool to warm up the machine's caches."""
        child, method = self.begin(stage, peer)
        child.ask(method)
        return child, method

    def measure(self, state: tuple[Child, str], effort: Effort) -> Sample:
        """Do it once."""
        child, method = state
        return Sample(child.ask(method) * 1e3)


class DaskPool(ThreadsPool):
    """
    ``dask(count, size)``: the same on a Dask cluster, of a scheduler and two
    worker processes. The other is Dask's own client, which does not mind if a job
    runs twice.
    """

    name = "dask"
    work = "the same, 500 in flight, on a Dask cluster"
    method = "dask"
    size = 500
    contestants = ("dask", "txremote")
    floor = None
    first = (Bar(0.5, "dask", "dask"),)
    goal = ()

    def begin(self, stage: Stage, peer: Peer) -> tuple[Child, str]:
        """Start a contestant, with a cluster of its own."""
        mine = PEERS["txremote"].pools == peer.pools
        return stage.alone(_ON_DASK if mine else peer.pools), self.method


THREADS = ThreadsPool()
PROCESSES = ProcessPool()
COLD = ColdPool()
DASK = DaskPool()
