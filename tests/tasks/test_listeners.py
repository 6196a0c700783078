"""
Listeners of tasks: strangers' code, which no task has to fear.
"""

from __future__ import annotations

from typing import Any

from tests.work.doubles import logged
from txremote.tasks.listeners import Listeners, TaskListeners


def test_each_hears_what_it_wants_to() -> None:
    """Output, figures, states; until it stops."""
    listeners = TaskListeners()
    heard: list[Any] = []
    stop = listeners.add(
        output=lambda *news: heard.append(("output", *news)),
        progress=lambda *news: heard.append(("progress", *news)),
    )
    listeners.output.notify("task", ["a"])
    listeners.state.notify("task", "RUNNING")
    listeners.progress.notify("task", 0.5)
    stop()
    stop()
    listeners.output.notify("task", ["b"])
    assert heard == [("output", "task", ["a"]), ("progress", "task", 0.5)]


def test_one_may_listen_twice() -> None:
    """Each time is its own, and is ended on its own."""
    listeners = Listeners()
    heard: list[Any] = []

    def listener(_task: Any, news: Any) -> None:
        heard.append(news)

    stop = listeners.add(listener)
    listeners.add(listener)
    listeners.notify("task", "a")
    stop()
    listeners.notify("task", "b")
    assert heard == ["a", "a", "b"]


def test_one_that_crashes_is_dropped() -> None:
    """It is logged, once, and the others hear on."""
    listeners = Listeners()
    heard: list[Any] = []

    def crash(_task: Any, _news: Any) -> None:
        raise ValueError("a listener's bug")

    listeners.add(crash)
    listeners.add(lambda _task, news: heard.append(news))
    with logged() as log:
        listeners.notify("task", "a")
        listeners.notify("task", "b")
    assert heard == ["a", "b"]
    assert len(log) == 1
    assert log[0].startswith("a listener of task failed, and is dropped")


def test_one_may_stop_while_it_is_told() -> None:
    """Others are told all the same."""
    listeners = Listeners()
    heard: list[Any] = []
    stops: list[Any] = []
    stops.append(listeners.add(lambda *_news: stops[0]()))
    listeners.add(lambda _task, news: heard.append(news))
    listeners.notify("task", "a")
    listeners.notify("task", "b")
    assert heard == ["a", "b"]


def test_one_may_listen_while_others_are_told() -> None:
    """It hears what comes next."""
    listeners = Listeners()
    heard: list[Any] = []

    def invite(_task: Any, _news: Any) -> None:
        listeners.add(lambda _task, news: heard.append(news))

    listeners.add(invite)
    listeners.notify("task", "a")
    assert heard == []
    listeners.notify("task", "b")
    assert heard == ["b"]
