"""The log of holds: once in ten seconds for a method, with counts, and a line among the slowest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.logger import LogLevel, formatEvent, globalLogPublisher

from txremote.monitor.callstats import CallStats
from txremote.monitor.holds import HoldLog
from txremote.monitor.loopwatch import Held, Seen


@pytest.fixture
def events() -> Iterator[list[str]]:
    texts: list[str] = []

    def observe(event: Any) -> None:
        if event.get("log_namespace") == "txremote.slow":
            assert event["log_level"] is LogLevel.warn
            texts.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    yield texts
    globalLogPublisher.removeObserver(observe)


def held(method: str, seconds: float = 0.25, others: bool = False, ended: bool = True) -> Held:
    return Held(
        Seen(1, method, "shop.py:7 in Shop.price", "ann at 127.0.0.1:4"), seconds, others, ended
    )


def test_a_method_is_told_of_once_in_ten_seconds_with_a_count(events: list[str]) -> None:
    clock = Clock()
    stats = CallStats()
    log = HoldLog(stats, clock)
    for _ in range(5):
        log.report(held("Shop.price"))
        log.report(held("Shop.count\x1b", others=True))
        clock.advance(2.5)
    assert len(events) == 3 + 1
    assert stats.held_loop == 10
    assert events[0].startswith(
        "Shop.price, called by ann at 127.0.0.1:4 held the event loop for 0.25 s, at "
        "shop.py:7 in Shop.price; nobody else is served meanwhile: "
    )
    assert "Shop.count , " in events[1]
    assert ", and others in turn; " in events[1]
    assert "(4 times since the last such line)" in events[2]


def test_one_that_goes_on_is_told_of_as_it_is(events: list[str]) -> None:
    stats = CallStats()
    HoldLog(stats, Clock()).report(held("Shop.price", 2.0, ended=False))
    (text,) = events
    assert "has held the event loop for 2.0 s, and still does, at shop.py:7" in text
    assert stats.slowest() == []


def test_the_line_goes_to_the_call_that_was_slow_and_else_has_a_row_of_its_own() -> None:
    stats = CallStats()
    log = HoldLog(stats, Clock())
    stats.note_slow("Shop.price", "ann", "127.0.0.1:4", 0.3, "error")
    stats.note_slow("Shop.price", "ann", "127.0.0.1:4", 0.001, "value")
    log.report(held("Shop.price"))
    log.report(held("a_timer"))
    assert [(row.method, row.ended, row.line) for row in stats.slowest()] == [
        ("Shop.price", "error", "shop.py:7 in Shop.price"),
        ("a_timer", "value", "shop.py:7 in Shop.price"),
        ("Shop.price", "value", ""),
    ]


def test_methods_that_are_told_apart_are_bounded() -> None:
    log = HoldLog(CallStats(), Clock())
    for number in range(1000):
        log.report(held(f"m{number}"))
    assert len(log._limits) <= 200
