"""Listeners that are called once a second, by a fake clock."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.task import Clock

from txremote.monitor.news import News


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def news(clock: Clock) -> Any:
    """Listeners of a monitor that runs."""
    made = News(clock)
    made.start()
    yield made
    made.stop()
    assert not clock.getDelayedCalls()


def test_listeners_are_called_once_a_second_while_there_are_any(clock: Clock, news: News) -> None:
    first: list[int] = []
    second: list[int] = []
    assert not clock.getDelayedCalls()
    drop = news.add(lambda: first.append(1))
    news.add(lambda: second.append(1) or [].pop())  # type: ignore[func-returns-value]
    clock.pump([0.5] * 7)
    assert (len(first), len(second)) == (3, 1)  # the second raised, and was dropped
    drop()
    drop()
    clock.pump([0.5] * 4)
    assert len(first) == 3
    assert not clock.getDelayedCalls()


def test_a_listener_may_drop_another_and_itself(clock: Clock, news: News) -> None:
    told: list[str] = []
    drops: dict[str, Any] = {}

    def drop_both() -> None:
        told.append("first")
        drops["first"]()
        drops["second"]()

    drops["first"] = news.add(drop_both)
    drops["second"] = news.add(lambda: told.append("second"))
    clock.pump([1.0] * 3)
    assert told == ["first"]


def test_nobody_is_called_before_the_start_and_after_the_stop(clock: Clock) -> None:
    """A second start goes on with those that are there."""
    told: list[float] = []
    news = News(clock)
    news.add(lambda: told.append(clock.seconds()))
    clock.pump([1.0] * 2)
    news.start()
    clock.pump([1.0] * 2)
    news.stop()
    assert not clock.getDelayedCalls()
    clock.pump([1.0] * 2)
    news.start()
    clock.advance(1.0)
    assert told == [3.0, 4.0, 7.0]
