"""
One large numpy array there and back: how fast, and with how much memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.harness import Sample
from benchmarks.rows.base import Bar, Row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.harness import Child, Effort, Measured, Stage
    from benchmarks.peers import Peer

_MIB = 1 << 20


@dataclass
class Started:
    """
    A contestant at work.

    Attributes:
        sides: Its client and its server.
        size: How many bytes they echo.
        empty: The memory that both had before the first echo, in bytes.
    """

    sides: tuple[Child, Child]
    size: int
    empty: int


class Array(Row):
    """
    ``bulk(size)``: send so many bytes of float64, have them sent back. A figure is the size
    divided by the time of both ways.

    The floor, and Pyro5, which has no arrays, echo as many bytes.
    """

    name = "array"
    work = "echo 48 MiB of float64, one call, default limits"
    unit = " MB/s"
    more_is_better = True
    contestants = ("whole", "pyro5", "txremote")
    floor = "whole"
    needs = "value"
    first = (Bar(0.8, "whole"),)
    goal = (Bar(1.0, "whole"),)

    def prepare(self, stage: Stage, peer: Peer, effort: Effort) -> Started:
        """Start server and client; one echo to warm up."""
        module = "benchmarks.peers.txr_arrays" if peer.title == "txremote" else peer.module
        server = stage.serve(module)
        client = stage.connect(module, server.first)
        size = _MIB if effort.quick else 48 * _MIB
        empty = sum(side.status("VmRSS") or 0 for side in (client, server))
        client.ask("bulk", size)
        return Started((client, server), size, empty)

    def measure(self, state: Started, effort: Effort) -> Sample:
        """Echo once."""
        return Sample(state.size / state.sides[0].ask("bulk", state.size) / 1e6)


class ArrayMemory(Array):
    """
    The same, and the figure is the memory that both sides have at most during the call, beyond
    what they had before the first, divided by the array's size. The call makes the array itself.
    """

    name = "array memory"
    work = "most memory of both ends during that call, by the array's size"
    unit = "x"
    more_is_better = False
    first = (Bar(1.2, "whole"),)
    goal = (Bar(1.2, "whole"),)

    def measure(self, state: Started, effort: Effort) -> Sample:
        """Echo once, and ask the system."""
        if not all(side.reset_peak() for side in state.sides):  # not every system tells
            return Sample(0.0)
        state.sides[0].ask("bulk", state.size)
        most = sum(side.status("VmHWM") or 0 for side in state.sides)
        return Sample((most - state.empty) / state.size)

    def is_met(self, bar: Bar, measured: Mapping[str, Measured]) -> bool | None:
        """Tell whether txremote takes at most so many times the array's size above the floor."""
        mine, floor = measured.get("txremote"), measured.get(str(bar.of))
        if mine is None or floor is None or not mine.values or not floor.values:
            return None
        return mine.median - floor.median <= bar.limit


ROW = Array()
MEMORY = ArrayMemory()
