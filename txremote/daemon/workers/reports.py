"""
The reports of a worker on itself: `Report`, all rows of its monitor at one time, and `LogLine`.

Counts grow for as long as a server runs, though its workers come and go: so they stand apart, in
`Totals`, of which the last of a worker that has ended is kept.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from txremote.monitor.callstats import CallStats, MethodStats
from txremote.monitor.monitor import Monitor
from txremote.monitor.rows import (
    CallRow,
    CertificateRow,
    ConnectionRow,
    ListenerRow,
    ObjectRow,
    Overview,
    PoolRow,
    SlowCall,
    TaskRow,
    TopicRow,
)
from txremote.monitor.topics import TopicTotals, add_topic_totals


class LogLine(Struct, frozen=True):
    """
    An event of the log, as text, with those of its fields that are plain values.

    ``traceback`` is that of its failure, and ``error`` what this says; both are "" without one.
    ``system`` is what Twisted's older log calls so, "" in its newer one.
    """

    at: float
    level: str
    namespace: str
    text: str
    fields: dict[str, Any]
    traceback: str = ""
    error: str = ""
    system: str = ""


class MethodTotals(Struct, frozen=True):
    """The calls of one method: how many in which bucket of `txremote.monitor.callstats`."""

    name: str
    buckets: dict[int, int]
    failed: int
    slowest: int


class Totals(Struct, frozen=True):
    """Counts that only grow. ``cpu`` is in seconds."""

    calls: int = 0
    cpu: float = 0.0
    held_loop: int = 0
    methods: tuple[MethodTotals, ...] = ()
    refused: dict[str, int] = {}
    topics: tuple[TopicTotals, ...] = ()


class Report(Struct, frozen=True):
    """The rows of one worker at one time."""

    overview: Overview
    totals: Totals
    listeners: list[ListenerRow]
    connections: list[ConnectionRow]
    calls: list[CallRow]
    slowest: list[SlowCall]
    objects: list[ObjectRow]
    topics: list[TopicRow]
    pools: list[PoolRow]
    tasks: list[TaskRow]
    certificates: list[CertificateRow]


def report_of(monitor: Monitor) -> Report:
    """Return what a worker's monitor tells now."""
    overview, listeners, topics = monitor.overview(), monitor.listeners(), monitor.topics()
    return Report(
        overview=overview,
        totals=Totals(
            calls=overview.calls_total,
            cpu=overview.cpu,
            held_loop=monitor.stats.held_loop,
            methods=tuple(map(_totals, monitor.stats.all_methods())),
            refused={row.server: row.refused_total for row in listeners},
            topics=monitor.topic_totals(),
        ),
        listeners=listeners,
        connections=monitor.connections(),
        calls=monitor.calls(),
        slowest=monitor.slowest(),
        objects=monitor.objects(),
        topics=topics,
        pools=monitor.pools(),
        tasks=monitor.tasks(),
        certificates=monitor.certificates(),
    )


def _totals(method: MethodStats) -> MethodTotals:
    buckets = {bucket: number for bucket, number in enumerate(method.buckets) if number}
    return MethodTotals(method.name, buckets, method.failed, method.slowest)


def _both(first: MethodTotals, second: MethodTotals) -> MethodTotals:
    buckets = dict(first.buckets)
    for bucket, number in second.buckets.items():
        buckets[bucket] = buckets.get(bucket, 0) + number
    failed = first.failed + second.failed
    return MethodTotals(first.name, buckets, failed, max(first.slowest, second.slowest))


def add_totals(first: Totals, second: Totals) -> Totals:
    """Return the sum of two."""
    methods = {each.name: each for each in first.methods}
    for each in second.methods:
        before = methods.get(each.name)
        methods[each.name] = each if before is None else _both(before, each)
    refused = dict(first.refused)
    for server, number in second.refused.items():
        refused[server] = refused.get(server, 0) + number
    return Totals(
        calls=first.calls + second.calls,
        cpu=first.cpu + second.cpu,
        held_loop=first.held_loop + second.held_loop,
        methods=tuple(methods.values()),
        refused=refused,
        topics=add_topic_totals(first.topics, second.topics),
    )


def stats_of(totals: Totals) -> CallStats:
    """Return totals as the figures of calls that a monitor has."""
    stats = CallStats()
    stats.held_loop = totals.held_loop
    for each in totals.methods:
        method = stats.method(each.name, each.name != stats.other.name)
        for bucket, number in each.buckets.items():
            method.buckets[bucket] += number
        method.failed += each.failed
        method.slowest = max(method.slowest, each.slowest)
    return stats
