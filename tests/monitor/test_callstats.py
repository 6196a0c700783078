"""Figures of calls: percentiles within 10 %, and tables that peers cannot make grow."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from txremote.monitor.callstats import (
    MOST_METHODS,
    MOST_SLOW,
    OTHER,
    CallStats,
    bucket_of,
    percentile,
    seconds_of,
)


@given(st.integers(min_value=100, max_value=10**15))
def test_a_bucket_is_within_ten_per_cent_of_what_is_in_it(nanoseconds: int) -> None:
    assert seconds_of(bucket_of(nanoseconds)) == pytest.approx(nanoseconds / 1e9, rel=0.1)


@pytest.mark.parametrize("nanoseconds", [0, 1, 2**62])
def test_every_duration_has_a_bucket(nanoseconds: int) -> None:
    CallStats().other.buckets[bucket_of(nanoseconds)] += 1


def test_percentiles_are_those_of_all_calls() -> None:
    buckets = CallStats().other.buckets
    assert percentile(buckets, 0.5) is None
    for milliseconds in range(1, 1001):
        buckets[bucket_of(milliseconds * 1_000_000)] += 1
    assert percentile(buckets, 0.5) == pytest.approx(0.5, rel=0.1)
    assert percentile(buckets, 0.99) == pytest.approx(0.99, rel=0.1)


def test_the_table_of_methods_is_bounded_and_names_that_were_not_found_do_not_enter() -> None:
    stats = CallStats()
    for number in range(MOST_METHODS + 100):
        stats.method(f"guessed{number}", found=False).buckets[40] += 1
        stats.method(f"Shop.method{number}").buckets[40] += 1
    rows = {row.method: row.calls for row in stats.rows()}
    assert len(rows) == MOST_METHODS + 1
    assert rows[OTHER] == MOST_METHODS + 100 + 100
    assert sum(stats.buckets()) == 2 * (MOST_METHODS + 100)


def test_the_slowest_calls_are_kept_and_faster_ones_give_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1_000_000.0
    monkeypatch.setattr("txremote.monitor.callstats.time.time", lambda: now)
    stats = CallStats()
    for number in range(200):
        stats.note_slow(f"m{number % 7}", None, "peer", 0.001 * (number * 37 % 200 + 1), "value")
    kept = [row.seconds for row in stats.slowest()]
    assert kept == pytest.approx([0.001 * n for n in range(200, 200 - MOST_SLOW, -1)])
    assert stats.slow_from == pytest.approx(151e6, rel=0.001)
    now += 301.0
    stats.note_slow("late", "bob\x1b", "p" * 500, 0.5, "error", "shop.py:12 in price")
    stats.forget_old()
    (row,) = stats.slowest()
    assert (row.method, row.user, len(row.peer), row.ended) == ("late", "bob ", 200, "error")
    assert row.at == now - 0.5
    assert stats.slow_from == 1_000_000
