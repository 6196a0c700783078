"""
The last event of each key.
"""

from __future__ import annotations

from txremote.topics.event import Event
from txremote.topics.retained import Retained


def event(key: str | None, value: str) -> Event:
    return Event(key, value, b"x")


def test_the_last_event_of_each_key_is_kept_of_so_many_keys() -> None:
    retained = Retained(2)
    for key, value in [("a", "1"), ("b", "2"), ("a", "3"), (None, "4")]:
        retained.keep(event(key, value))
    assert [kept.value for kept in retained.wanted(lambda _key: True)] == ["3", "4"]
    assert [kept.value for kept in retained.wanted(lambda key: key == "a")] == ["3"]


def test_one_from_before_is_kept_only_where_there_is_none() -> None:
    retained = Retained(2)
    retained.keep(event("a", "new"))
    assert not retained.keep_older(event("a", "old"))
    assert retained.keep_older(event("b", "old"))
    assert not retained.keep_older(event("c", "old"))
    assert [kept.value for kept in retained.wanted(lambda _key: True)] == ["old", "new"]
