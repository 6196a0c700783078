"""
What a worker tells of itself, and what stays of one that has ended.
"""

from __future__ import annotations

import msgspec
from twisted.internet.task import Clock

from txremote.daemon.workers.reports import (
    MethodTotals,
    Report,
    Totals,
    add_totals,
    report_of,
    stats_of,
)
from txremote.monitor.monitor import Monitor
from txremote.monitor.topics import TopicTotals
from txremote.topics.topic import Topic

FIRST = Totals(
    5,
    1.0,
    1,
    (MethodTotals("Shop.buy", {3: 2, 90: 1}, 1, 2_000_000),),
    {"Shop": 2},
    (TopicTotals("news", 1, 2, 3, 4),),
)
SECOND = Totals(
    7,
    0.5,
    0,
    (MethodTotals("Shop.buy", {3: 1}, 0, 0), MethodTotals("other", {7: 4}, 0, 0)),
    {"Shop": 1, "Lab": 1},
    (TopicTotals("chat", 1), TopicTotals("news", 1)),
)


def test_a_report_travels_as_json() -> None:
    """With all that a monitor tells: topics' counts, too, which it has of the same look."""
    topic = Topic("in a report")
    topic.publish("an event")
    made = report_of(Monitor(Clock()))  # type: ignore[arg-type]
    assert msgspec.json.decode(msgspec.json.encode(made), type=Report) == made
    assert TopicTotals(topic.name, published=1) in made.totals.topics
    assert topic.name in {row.name for row in made.topics}


def test_totals_are_added_up_by_method_bucket_server_and_topic() -> None:
    """In any order."""
    both = add_totals(FIRST, SECOND)
    assert (both.calls, both.cpu, both.held_loop) == (12, 1.5, 1)
    assert both.refused == {"Shop": 3, "Lab": 1}
    assert both.methods[0] == MethodTotals("Shop.buy", {3: 3, 90: 1}, 1, 2_000_000)
    assert both.topics == (TopicTotals("news", 2, 2, 3, 4), TopicTotals("chat", 1))
    assert add_totals(Totals(), FIRST) == FIRST
    assert sorted(add_totals(SECOND, FIRST).methods, key=str) == sorted(both.methods, key=str)


def test_totals_are_figures_of_calls_again() -> None:
    """As the metrics and the page read them."""
    stats = stats_of(add_totals(FIRST, SECOND))
    assert sorted(stats.totals()) == [("Shop.buy", 4, 1), ("other", 4, 0)]
    assert stats.held_loop == 1 and sum(stats.buckets()) == 8 and stats.failed() == 1
