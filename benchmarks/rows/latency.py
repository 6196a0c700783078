"""
How late a reactor's timer is while a pool works: is the reactor free?
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.harness import Sample
from benchmarks.rows.base import Bar, PoolRow

if TYPE_CHECKING:
    from benchmarks.harness import Child, Effort, Stage
    from benchmarks.peers import Peer


@dataclass
class _Ready:
    child: Child
    method: str
    count: int


class Latency(PoolRow):
    """
    ``latency(count)``: submit count jobs at once and tick each 2 ms until all are
    done; the 99th percentile of how late a tick was, and the worst one, in
    seconds. The jobs take 3 ms of processor time each.

    Ticks begin before the first job is submitted, and one that was missed counts
    as well. The floor is a reactor beside as many processes as the pool has, which
    do the same jobs and talk to nobody: what the machine makes of it.
    """

    name = "latency"
    work = "2 ms timer late, 99th percentile: 1,000 jobs in 2 processes"
    unit = " ms"
    more_is_better = False
    method = "latency"
    contestants = ("plain", "txremote")
    floor = "plain"
    first = (Bar(5.0),)

    def prepare(self, stage: Stage, peer: Peer, effort: Effort) -> _Ready:
        """Start a pool; a few jobs to warm up."""
        child, method = self.begin(stage, peer)
        child.ask(method, 20)
        return _Ready(child, method, 40 if effort.quick else 1000)

    def measure(self, state: _Ready, effort: Effort) -> Sample:
        """Run the jobs once."""
        late, worst = state.child.ask(state.method, state.count)
        return Sample(late * 1e3, f"worst {worst * 1e3:.1f} ms")


class ThreadLatency(Latency):
    """
    ``thread_latency(count)``: the same in the reactor's own pool of threads, with
    jobs that wait 10 ms each. The floor is `deferToThread`.
    """

    name = "thread latency"
    work = "the same: 1,000 jobs that wait, in threads"
    method = "thread_latency"


PROCESSES = Latency()
THREADS = ThreadLatency()
