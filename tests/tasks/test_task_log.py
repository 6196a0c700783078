"""
The log of tasks: who has submitted which, who kills one, how each ends; no arguments.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.peer.pairs import logged
from txremote.tasks import task_log
from txremote.tasks.keeper import TaskKeeper
from txremote.tasks.stepping import Call


def endless(_word: str) -> Iterator[Any]:
    """A command that goes on until it is killed."""
    while True:
        yield Deferred()


def lines(log: Any) -> list[str]:
    return [line.partition("[txremote.task#")[2] for line in log.text().splitlines()]


@pytest.mark.parametrize(
    ("kind", "level", "owner", "who"),
    [
        ("asyncommands", "info", "ann", "ann"),
        ("commands", "debug", "two\nlines", r"'two\nlines'"),
    ],
)
def test_a_task_is_told_of_when_it_is_submitted_killed_and_at_its_end(
    kind: str, level: str, owner: str, who: str
) -> None:
    """With who, its number, its command, and how it ended; one that is waited for is a detail."""
    clock = Clock()
    keeper = TaskKeeper(reactor=clock)
    with logged() as log:
        task = keeper.add(kind, Call(endless, ("secret",)), ["count", "secret"], owner=owner)
        clock.pump([0.5, 0.5])
        task_log.killed(task, "bob at unix")
        task.kill()
        clock.pump([1.0] * 3)
    assert task.done
    submitted, killed, ended = lines(log)
    assert submitted == f"{level}] {who} submitted the task 1: count"
    assert killed == f"info] bob at unix kills the task 1 of {who}: count"
    assert ended.startswith(f"{level}] the task 1 of {who} ended after ")
    assert ended.endswith(f" s: count, {task.status}")
    assert "secret" not in log.text()


def test_tasks_of_the_program_s_own_are_told_of_only_if_somebody_kills_them() -> None:
    """There may be thousands a second."""
    clock = Clock()
    keeper = TaskKeeper(reactor=clock)
    with logged() as log:
        task = keeper.add("asyncommands", Call(endless, ("secret",)), ["count", "secret"])
        clock.pump([0.5, 0.5])
        task_log.killed(task, "bob at unix")
        task.kill()
        clock.pump([1.0] * 3)
    assert task.done
    assert lines(log) == ["info] bob at unix kills the task 1 of the program: count"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["kill", "3"], "info] ann said: kill 3"),
        (["kill"], "info] ann said: kill"),
        (["output", "3"], "debug] ann said: output"),
    ],
)
def test_of_the_commands_that_all_consoles_have_kill_is_told(words: list[str], told: str) -> None:
    """The others are details."""
    with logged() as log:
        task_log.asked(words, "ann")
    assert lines(log) == [told]
