"""
Exported objects by class, and how fast they grow: where a leak over the wire shows.

The tables of all connections may hold millions of objects, so at most `EXAMINED` are looked at,
evenly spread, and counts are scaled up. A class goes by the name that peers get; no object is
asked anything.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from itertools import islice
from typing import Final

from txremote.monitor.rows import ObjectRow, plain
from txremote.peer.exports import ExportTable

#: How many objects are looked at, at most.
EXAMINED: Final = 20_000

#: How many classes are told of: the most frequent.
MOST_CLASSES: Final = 100

#: Over how many seconds growth is measured.
SPAN: Final = 60.0


class ExportedObjects:
    """Counts exported objects. For the reactor's thread."""

    def __init__(self) -> None:
        self._before: deque[tuple[float, Counter[str]]] = deque()

    def count(self, tables: Iterable[ExportTable]) -> tuple[Counter[str], Counter[str]]:
        """Return how many objects there are of each class, and how many tables hold some."""
        found = [table for table in tables if len(table)]
        stride = 1 + sum(len(table) for table in found) // EXAMINED
        counts: Counter[str] = Counter()
        holders: Counter[str] = Counter()
        for table in found:
            names = Counter(export.pack[0] for export in islice(table, 0, None, stride))
            for name, number in names.items():
                counts[name] += min(number * stride, len(table))
                holders[name] += 1
        return counts, holders

    def remember(self, now: float, tables: Iterable[ExportTable]) -> None:
        """Count, to compare with later; called every few seconds."""
        counts, _holders = self.count(tables)
        self._before.append((now, Counter(dict(counts.most_common(MOST_CLASSES)))))
        # the oldest that is kept is SPAN seconds old, or a little more
        while len(self._before) > 1 and now - self._before[1][0] >= SPAN:
            self._before.popleft()

    def rows(self, now: float, tables: Iterable[ExportTable]) -> list[ObjectRow]:
        """Return a row for each of the most frequent classes, the most frequent first."""
        counts, holders = self.count(tables)
        since, before = self._before[0] if self._before else (now, counts)
        minutes = (now - since) / 60.0
        return [
            ObjectRow(
                class_name=plain(name),
                count=number,
                growth_per_minute=(number - before[name]) / minutes if minutes > 0 else 0.0,
                holders=holders[name],
            )
            for name, number in counts.most_common(MOST_CLASSES)
        ]
