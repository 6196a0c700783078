"""Events kept in memory."""

from __future__ import annotations

import pytest

from txremote.buses import keeping
from txremote.buses.keeping import Keeper
from txremote.buses.ports import START, Given, Refused


def given(data: bytes, key: bytes | None = None, first: tuple[int, int] | None = None) -> Given:
    return Given(data, key, first)


def datas(keeper: Keeper, at: tuple[int, int] = START) -> list[bytes | None]:
    return [entry.data for entry in keeper.read([("t", at)]).entries]


def test_events_are_read_in_order_after_an_id() -> None:
    keeper = Keeper()
    assert keeper.join("t", None).newest == START
    second = keeper.publish("t", [given(b"1"), given(b"2")])
    third = keeper.publish("t", [given(b"3")])
    assert START < second < third
    assert datas(keeper) == [b"1", b"2", b"3"]
    assert datas(keeper, second) == [b"3"]
    assert datas(keeper, third) == []
    assert [e.topic for e in keeper.read([("u", START), ("t", second)]).entries] == [1]
    joined = keeper.join("t", second)
    assert (joined.newest, joined.known) == (third, True)
    assert joined.since > third
    assert joined.oldest < second


def test_an_id_of_another_keeper_is_unknown_and_shows_that_it_began_anew() -> None:
    keeper = Keeper()
    last = keeper.publish("t", [given(b"1")])
    later = (last[0] + 10**6, 0)
    assert not keeper.join("t", later).known
    assert keeper.read([("t", later)]).begun_anew == {0}
    assert keeper.read([("t", last)]).begun_anew == frozenset()


@pytest.mark.parametrize(("keep", "size"), [(3, 1 << 20), (1000, 3)])
def test_the_oldest_are_dropped(keep: int, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one topic when there are too many, of silent topics when they take too many bytes."""
    monkeypatch.setattr(keeping, "KEEP", keep)
    monkeypatch.setattr(keeping, "KEEP_BYTES", size)
    keeper = Keeper()
    first = keeper.publish("t", [given(b"0")])
    for number in b"1234":
        keeper.publish("t", [given(bytes([number]))])
    assert datas(keeper) == [b"2", b"3", b"4"]
    assert keeper.size == 3
    assert not keeper.join("t", first).known
    keeper.publish("u", [given(b"xyz")])
    assert datas(keeper) == ([] if size == 3 else [b"2", b"3", b"4"])


def test_the_last_of_each_key_is_kept_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "MOST_RETAINED", 2)
    monkeypatch.setattr(keeping, "AT_ONCE", 1)
    keeper = Keeper()
    keeper.publish("t", [given(b"a1", b"a"), given(b"b1", b"b"), given(b"a2", b"a")])
    keeper.publish("t", [given(b"c1", b"c")])  # there is no room for it
    [one] = keeper.retained("t", b"")
    [two] = keeper.retained("t", one.key)
    assert (one.key, one.data, two.key, two.data) == (b"a", b"a2", b"b", b"b1")
    assert keeper.retained("t", two.key) == keeper.retained("u", b"") == []


def test_what_comes_again_takes_no_newer_last_events_place() -> None:
    keeper = Keeper()
    keeper.publish("t", [given(b"new", b"a", first=(10, 0))])
    keeper.publish("t", [given(b"old", b"a", first=(9, 0))])
    assert [entry.data for entry in keeper.retained("t", b"")] == [b"new"]
    keeper.publish("t", [given(b"newest", b"a")])
    assert [entry.data for entry in keeper.retained("t", b"")] == [b"newest"]


def test_last_events_go_when_nothing_else_is_left_to_drop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "KEEP_BYTES", 3)
    keeper = Keeper()
    for key in (b"a", b"b"):
        keeper.publish("t", [given(b"xx", key)])
    assert keeper.size <= 3
    assert [entry.key for entry in keeper.retained("t", b"")] == [b"b"]


def test_topics_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "MOST_TOPICS", 1)
    keeper = Keeper()
    keeper.publish("t", [given(b"1")])
    with pytest.raises(Refused, match="MOST_TOPICS"):
        keeper.publish("u", [given(b"1")])
