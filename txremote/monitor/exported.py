"""
Exported objects by class, and how fast they grow: where a leak over the wire shows.

The tables of all connections may hold millions of objects, so at most `EXAMINED` are looked at,
evenly spread, and counts are scaled up. Of thousands of tables `AT_ONCE` are looked at in one turn
of the loop, and a question is answered by the last whole count. A class goes by the name that
peers get; no object is asked anything.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Generator, Iterable
from itertools import islice
from typing import Final, NamedTuple

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from txremote.monitor.rows import ObjectRow, plain
from txremote.peer.connection import Connection
from txremote.peer.exports import ExportTable

#: How many objects are looked at, at most.
EXAMINED: Final = 10_000

#: After how many tables and objects the loop has its turn, between two tables.
AT_ONCE: Final = 1_000

#: How many classes are told of: the most frequent.
MOST_CLASSES: Final = 100

#: Over how many seconds growth is measured.
SPAN: Final = 60.0


class _Count(NamedTuple):
    """How many objects there were of each class, and how many tables held some."""

    at: float
    objects: Counter[str]
    holders: Counter[str]


class ExportedObjects:
    """
    Counts exported objects. For the reactor's thread.

    Args:
        clock: Gives the loop its turn while much is counted.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._counting: IDelayedCall | None = None
        self._last: _Count | None = None
        self._before: deque[tuple[float, Counter[str]]] = deque()

    def remember(self, now: float, tables: Iterable[ExportTable]) -> None:
        """
        Count, to compare with later; called every few seconds. Many tables are counted in several
        turns of the loop: until then the next call does nothing.
        """
        if self._counting is None:
            self._go_on(_count(now, tables))

    def stop(self) -> None:
        """Count no further."""
        if self._counting is not None:
            self._counting.cancel()
            self._counting = None

    def _go_on(self, counting: Generator[None, None, _Count]) -> None:
        self._counting = None
        try:
            next(counting)
        except StopIteration as ended:
            self._keep(ended.value)
        else:
            self._counting = self._clock.callLater(0, self._go_on, counting)

    def _keep(self, count: _Count) -> None:
        self._last = count
        self._before.append((count.at, Counter(dict(count.objects.most_common(MOST_CLASSES)))))
        # the oldest that is kept is SPAN seconds old, or a little more
        while len(self._before) > 1 and count.at - self._before[1][0] >= SPAN:
            self._before.popleft()

    def rows(self, now: float, tables: Iterable[ExportTable]) -> list[ObjectRow]:
        """
        Return a row for each of the most frequent classes, the most frequent first: as they are
        now, or where there are many as they were counted last.
        """
        found, last = list(tables), self._last
        if last is None or len(found) + sum(map(len, found)) <= AT_ONCE:
            last = _at_once(now, found)
        since, before = self._before[0] if self._before else (last.at, last.objects)
        minutes = (last.at - since) / 60.0
        return [
            ObjectRow(
                class_name=plain(name),
                count=number,
                growth_per_minute=(number - before[name]) / minutes if minutes > 0 else 0.0,
                holders=last.holders[name],
            )
            for name, number in last.objects.most_common(MOST_CLASSES)
        ]


def _at_once(now: float, tables: Iterable[ExportTable]) -> _Count:
    counting = _count(now, tables)
    while True:
        try:
            next(counting)
        except StopIteration as ended:
            count: _Count = ended.value
            return count


def _count(now: float, tables: Iterable[ExportTable]) -> Generator[None, None, _Count]:
    """Count the objects of tables; each step looks at `AT_ONCE`, or at one long table."""
    found = [table for table in tables if len(table)]
    stride = 1 + sum(map(len, found)) // EXAMINED
    objects: Counter[str] = Counter()
    holders: Counter[str] = Counter()
    looked = 0
    for table in found:
        if looked >= AT_ONCE:
            looked = 0
            yield
        # a Counter of its own would cost more than the few objects of most tables
        names: dict[str, int] = {}
        for export in islice(table, 0, None, stride):
            names[export.pack[0]] = names.get(export.pack[0], 0) + 1
        for name, number in names.items():
            objects[name] += min(number * stride, len(table))
            holders[name] += 1
            looked += number
        looked += 1
    return _Count(now, objects, holders)


def tables_of(connections: Iterable[tuple[str, Connection]]) -> list[ExportTable]:
    """Return the tables of connections, each with its server's name."""
    return [connection.inbound.tables.exports for _name, connection in connections]
