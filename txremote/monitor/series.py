"""
Figures of the last hour, in a memory that does not grow.

A point is added every `STEP` seconds, and `KEPT` of them are kept: arrays of numbers, 80 KB in
all. A figure that there was not, the time of no call say, is a NaN in here and None outside.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from math import isnan, nan
from typing import Final

from txremote.monitor.rows import Series

#: Seconds between two points.
STEP: Final = 5.0

#: How many points are kept: those of an hour.
KEPT: Final = 720

#: The figures of each point.
COLUMNS: Final = (
    *("calls", "failed", "p50", "p99", "loop_lag"),
    *("rss", "connections", "exports", "queued", "tasks"),
)


class SeriesKeeper:
    """Keeps the points. For one thread."""

    def __init__(self) -> None:
        self._at = array("d")
        self._columns = {name: array("d") for name in COLUMNS}

    def __len__(self) -> int:
        return len(self._at)

    def add(self, at: float, point: Mapping[str, float | None]) -> None:
        """Add a point, a figure for each of `COLUMNS`, and forget the oldest where it is full."""
        self._at.append(at)
        for name, column in self._columns.items():
            value = point.get(name)
            column.append(nan if value is None else value)
        if len(self._at) > KEPT:
            for kept in (self._at, *self._columns.values()):
                del kept[0]

    def latest(self, name: str) -> float | None:
        """Return a figure of the last point, or None."""
        column = self._columns[name]
        return _known(column[-1]) if column else None

    def series(self) -> Series:
        """Return all points."""
        columns = {name: [_known(each) for each in kept] for name, kept in self._columns.items()}
        return Series(step=STEP, at=list(self._at), columns=columns)


def _known(figure: float) -> float | None:
    return None if isnan(figure) else figure
