"""
The rows of several workers, added up: sums where sums make sense, else each worker's rows.

Rows of connections, calls, slow calls and topics have the number of their worker: a subscriber is
slow, or a bus away, in one of them. Rows of one server, class or pool in all workers become one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from msgspec import structs

from txremote.daemon.workers.reports import Report
from txremote.monitor.callstats import MOST_SLOW
from txremote.monitor.rows import (
    CallRow,
    CertificateRow,
    ConnectionRow,
    ListenerRow,
    ObjectRow,
    PoolRow,
    SlowCall,
    TaskRow,
    TopicRow,
)
from txremote.monitor.snapshots import MOST_ROWS
from txremote.monitor.topics import most_subscribed

#: Reports, each with the number of its worker.
Reports = Sequence[tuple[int, Report]]

Marked = TypeVar("Marked", ConnectionRow, CallRow, SlowCall, TopicRow)


def _marked(number: int, rows: Iterable[Marked]) -> list[Marked]:
    return [structs.replace(row, worker=number) for row in rows]


def listeners(reports: Reports, refused: Mapping[str, int]) -> list[ListenerRow]:
    """Return a row for each server; ``refused`` counts those of workers that have ended, too."""
    found: dict[str, ListenerRow] = {}
    for _number, report in reports:
        for row in report.listeners:
            before = found.get(row.server)
            clients = row.connections + (0 if before is None else before.connections)
            total = refused.get(row.server, row.refused_total)
            found[row.server] = structs.replace(row, connections=clients, refused_total=total)
    return list(found.values())


def connections(reports: Reports) -> list[ConnectionRow]:
    """Return the connections of all workers."""
    rows = [row for number, r in reports for row in _marked(number, r.connections)]
    return sorted(rows, key=lambda row: row.since)[-MOST_ROWS:]


def calls(reports: Reports) -> list[CallRow]:
    """Return the calls under way, the oldest first."""
    rows = [row for number, r in reports for row in _marked(number, r.calls)]
    return sorted(rows, key=lambda row: row.since)[:MOST_ROWS]


def slowest(reports: Reports) -> list[SlowCall]:
    """Return the slowest calls, the slowest first."""
    rows = [row for number, r in reports for row in _marked(number, r.slowest)]
    return sorted(rows, key=lambda row: -row.seconds)[:MOST_SLOW]


def topics(reports: Reports) -> list[TopicRow]:
    """Return each worker's part of the topics, by name."""
    return most_subscribed(row for number, r in reports for row in _marked(number, r.topics))


def objects(reports: Reports) -> list[ObjectRow]:
    """Return the exported objects by class, the most frequent first."""
    found: dict[str, ObjectRow] = {}
    for _number, report in reports:
        for row in report.objects:
            before = found.get(row.class_name)
            found[row.class_name] = row if before is None else _both_classes(before, row)
    return sorted(found.values(), key=lambda row: -row.count)


def _both_classes(first: ObjectRow, second: ObjectRow) -> ObjectRow:
    return ObjectRow(
        class_name=first.class_name,
        count=first.count + second.count,
        growth_per_minute=first.growth_per_minute + second.growth_per_minute,
        holders=first.holders + second.holders,
    )


def pools(reports: Reports) -> list[PoolRow]:
    """Return a row for each pool of the plan: each worker has one of those."""
    found: dict[tuple[str, str], PoolRow] = {}
    for _number, report in reports:
        for row in report.pools:
            before = found.get((row.name, row.kind))
            found[row.name, row.kind] = row if before is None else _both_pools(before, row)
    return list(found.values())


def _both_pools(first: PoolRow, second: PoolRow) -> PoolRow:
    states = dict.fromkeys((*first.state.split(", "), second.state))
    return PoolRow(
        name=first.name,
        kind=first.kind,
        workers=first.workers + second.workers,
        busy=first.busy + second.busy,
        queued=first.queued + second.queued,
        done=first.done + second.done,
        failed=first.failed + second.failed,
        killed=first.killed + second.killed,
        restarted=first.restarted + second.restarted,
        state=", ".join(states),
    )


def tasks(reports: Reports) -> list[TaskRow]:
    """Return the tasks of the keeper's consoles."""
    return [row for _number, report in reports for row in report.tasks]


def certificates(reports: Reports) -> list[CertificateRow]:
    """Return the certificates: each worker has read the same files."""
    found = {
        (row.server, row.file, row.subject): row
        for _number, report in reports
        for row in report.certificates
    }
    return list(found.values())
