"""Which event of a key is the last one, for all processes alike."""

from __future__ import annotations

import pytest

from txremote.buses import last
from txremote.buses.envelope import Event
from txremote.buses.last import LastOfKeys, Own
from txremote.buses.ports import START, Id


def of_another(key: str = "tea", first: Id | None = None) -> Event:
    return Event("other", 1, START, first, key, b"x")


def own(number: int, key: str = "tea") -> tuple[Own, Event]:
    return Own(number, key, b"x"), Event("own", number, START, None, key, b"x")


def test_an_own_event_is_newer_than_all_of_its_key_that_stand_before_it() -> None:
    keys = LastOfKeys()
    mine, read = own(1)
    keys.published(mine)
    assert keys.is_overtaken(of_another(), (5, 0))
    assert not keys.is_overtaken(of_another("ice"), (5, 1))
    mine.first = (7, 0)  # the bus has answered
    assert keys.is_overtaken(of_another(), (6, 0))
    keys.read_own(read, (7, 0))
    assert not keys.is_overtaken(of_another(), (8, 0))


def test_what_stands_behind_an_own_event_is_newer_though_that_was_not_read() -> None:
    """It may have been dropped by a bus that keeps few."""
    keys = LastOfKeys()
    mine, _ = own(1)
    keys.published(mine)
    mine.first = (7, 0)
    assert not keys.is_overtaken(of_another(), (8, 0))


def test_reading_an_own_event_settles_those_before_it_and_none_behind() -> None:
    keys = LastOfKeys()
    for number, key in ((1, "tea"), (2, "ice"), (3, "tea")):
        keys.published(own(number, key)[0])
    keys.read_own(own(2, "ice")[1], (5, 0))
    assert not keys.is_overtaken(of_another("ice"), (6, 0))
    assert keys.is_overtaken(of_another("tea"), (6, 1))
    keys.read_own(own(3)[1], (7, 0))
    assert not keys._own


def test_one_that_was_given_up_is_newer_than_nothing() -> None:
    keys = LastOfKeys()
    first, second = own(1)[0], own(2)[0]
    keys.published(first)
    keys.published(second)
    keys.given_up(first)
    assert keys.is_overtaken(of_another(), (5, 0))
    keys.given_up(second)
    assert not keys.is_overtaken(of_another(), (5, 0))


def test_after_the_bus_has_forgotten_all_its_events_go_by_the_places_of_before() -> None:
    """New ones are newer than all of those, though its clock may be behind."""
    keys = LastOfKeys()
    mine, _ = own(1)
    keys.published(mine)
    mine.first = (70, 0)
    keys.begin_anew()
    assert keys.is_overtaken(of_another(first=(60, 0)), (5, 0))
    assert not keys.is_overtaken(of_another(first=(80, 0)), (5, 1))
    assert not keys.is_overtaken(of_another(), (5, 2))


def test_the_keys_of_the_longest_ago_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(last, "MOST_KEYS", 2)
    keys = LastOfKeys()
    for number, key in enumerate("abc"):
        keys.note(key, (number + 5, 0))
    assert list(keys._read) == ["b", "c"]
