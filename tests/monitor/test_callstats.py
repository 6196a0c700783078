"""Figures of calls: percentiles within 10 %, and tables that peers cannot make grow."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

import txremote
from txremote import exposed
from txremote.monitor.callstats import (
    BUSY,
    MOST_METHODS,
    MOST_SLOW,
    OTHER,
    SAMPLE,
    CallStats,
    bucket_of,
    percentile,
    seconds_of,
)
from txremote.peer.observing import timed_requests
from txremote.testing import connected_pair
from txremote.wire import consts


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


def test_of_many_calls_a_sample_is_counted_for_all_until_there_are_fewer() -> None:
    stats = CallStats()
    stats._counted = 2 * BUSY
    stats.adapt(1.0)
    assert stats.every == SAMPLE
    stats._counted = int(0.7 * BUSY)
    stats.adapt(1.0)
    assert stats.every == SAMPLE
    stats._counted = int(0.4 * BUSY)
    stats.adapt(1.0)
    assert stats.every == 1


class Fold(txremote.Service):
    """A service with a few methods."""

    @exposed
    def add(self, a: int, b: int) -> int:
        return a + b

    @exposed
    def fails(self) -> None:
        raise ValueError("as ever")

    @exposed
    def fold(self) -> Any:
        return self


def fold(stats: CallStats) -> Any:
    """Return a pair whose server is observed from the next call on."""
    pair = connected_pair(server_root=Fold)
    pair.server.inbound.make_request = timed_requests(stats)
    return pair


def called(pair: Any, call: Any) -> None:
    """Make a call, whatever it ends with."""
    call.addErrback(lambda _failure: None)
    pair.pump()


def test_calls_are_counted_by_method_with_those_that_failed() -> None:
    stats = CallStats()
    pair = fold(stats)
    for number in range(7):
        called(pair, pair.client.root.add(number, 1))
    for _ in range(3):
        called(pair, pair.client.root.fails())
    called(pair, pair.client.root.fold.fold.add(1, 2))
    called(pair, pair.client.root.add("a secret", 1))
    called(pair, pair.client.ping())
    rows = {row.method: (row.calls, row.failed) for row in stats.rows()}
    # a path that leads nowhere makes no row, whatever a peer calls it
    assert rows == {"Fold.add": (8, 1), "Fold.fails": (3, 3), OTHER: (1, 1)}
    assert sum(calls for calls, _failed in rows.values()) == sum(stats.buckets())
    assert stats.failed() == 5
    assert "secret" not in repr(rows)
    assert all(row.p50 is not None and row.slowest is not None for row in stats.rows())


@pytest.mark.parametrize(
    ("handler", "made_up", "rest"),
    [
        (consts.HANDLE_CALLATTR, "none", ((), (), "and", "more")),
        (consts.HANDLE_GETATTR, "none", ("more",)),
        (consts.HANDLE_CALLPATH, ("none",), (5,)),
        (consts.HANDLE_CALLPATH, ("add", "none"), (5,)),
        (consts.HANDLE_CALLPATH, (), (5,)),
    ],
)
def test_a_name_that_a_peer_has_made_up_enters_no_table_however_its_call_fails(
    handler: int, made_up: object, rest: tuple[object, ...]
) -> None:
    stats = CallStats()
    pair = fold(stats)
    reference = pair.result(pair.client.root.fold())
    called(pair, pair.client.request(handler, reference, made_up, *rest))
    assert stats.failed() == 1
    assert not [name for name in stats.by_name if "none" in name]


def test_arguments_are_in_no_name_whatever_the_request() -> None:
    stats = CallStats()
    secret = "a secret of the caller's"
    pair = fold(stats)
    reference = pair.result(pair.client.root.fold())
    for handler, *rest in (
        (consts.HANDLE_CMP, secret, "__eq__"),
        (consts.HANDLE_CALL, (secret,), ()),
        (consts.HANDLE_SETATTR, "shown", secret),
        (consts.HANDLE_CALLATTR, "add", (secret, secret), ((secret, 1),)),
        (consts.HANDLE_CALLATTR, (secret,), secret),
        (consts.HANDLE_CTXEXIT, secret),
        (consts.HANDLE_CALLPATH, ("add",), (secret, 1)),
        (consts.HANDLE_CALLPATH,),
        (consts.HANDLE_CALLATTR,),
    ):
        called(pair, pair.client.request(handler, reference, *rest))
    assert sum(stats.buckets()) >= 9
    assert secret not in repr([row.method for row in stats.rows()])
    assert secret not in repr(stats.slowest())
