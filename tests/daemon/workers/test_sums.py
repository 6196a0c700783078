"""
The rows of several workers, added up.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from tests.daemon.workers.made_up import report, row
from txremote.daemon.workers import sums
from txremote.monitor.rows import (
    CallRow,
    ConnectionRow,
    ListenerRow,
    ObjectRow,
    PoolRow,
    SlowCall,
    TopicRow,
)


def two(**tables: tuple[list[Any], list[Any]]) -> sums.Reports:
    """Return the reports of workers 1 and 2, with these tables."""
    first = {name: rows[0] for name, rows in tables.items()}
    second = {name: rows[1] for name, rows in tables.items()}
    return [(1, replace(report(), **first)), (2, replace(report(), **second))]


def test_rows_of_one_connection_call_or_topic_have_their_worker() -> None:
    """In the order that a single server has them in."""
    made = two(
        connections=([row(ConnectionRow, number=1, since=2.0)], [row(ConnectionRow, number=9)]),
        calls=([row(CallRow, since=1.0)], [row(CallRow, since=2.0)]),
        slowest=([row(SlowCall, seconds=1.0)], [row(SlowCall, seconds=2.0)]),
        topics=([row(TopicRow, name="b"), row(TopicRow, name="a")], [row(TopicRow, name="a")]),
    )
    assert [(each.name, each.worker) for each in sums.topics(made)] == [
        ("a", 1),
        ("a", 2),
        ("b", 1),
    ]
    assert [(each.number, each.worker) for each in sums.connections(made)] == [(9, 2), (1, 1)]
    assert [each.worker for each in sums.calls(made)] == [1, 2]
    assert [each.worker for each in sums.slowest(made)] == [2, 1]


def test_rows_of_one_server_class_or_pool_become_one() -> None:
    """Clients that were turned away are counted for ever, so they are told from elsewhere."""
    shop = row(ListenerRow, server="Shop", connections=2, refused_total=1)
    pool = row(PoolRow, name="threads:8", kind="threads", workers=8, done=5, state="running")
    thing = row(ObjectRow, class_name="Thing", count=3, holders=1, growth_per_minute=0.5)
    made = two(
        listeners=([shop], [shop]), pools=([pool], [pool]), objects=([thing], [thing, thing])
    )
    assert sums.listeners(made, {"Shop": 7}) == [replace(shop, connections=4, refused_total=7)]
    assert sums.pools(made) == [replace(pool, workers=16, done=10)]
    assert sums.objects(made) == [replace(thing, count=9, holders=3, growth_per_minute=1.5)]


def test_each_certificate_is_told_once_and_tasks_are_the_keepers() -> None:
    """All workers have read the same files."""
    made = two()
    assert sums.certificates(made) == [] and sums.tasks(made) == []
