"""
The file of tasks and the tasks, whatever happens between two writings: in the end they agree.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from tests.examples import examples
from txremote.tasks import store
from txremote.tasks.keeper import ASYNCHRONOUS, TaskKeeper
from txremote.tasks.stepping import Call
from txremote.tasks.store import TaskStore
from txremote.tasks.task import Task
from txremote.tasks.taskfile import Writer, read_rows
from txremote.tasks.turns import NEXT_TURN


class Reactor(Clock):
    """A clock that is called from threads."""

    def callFromThread(self, function: Any, *args: Any) -> None:
        self.callLater(0, function, *args)


class Disk(Writer):
    """A writer without a thread: it writes when it is told, or cannot."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._waiting: list[tuple[Callable[[], object], Callable[[object], object]]] = []
        self.full = False

    def do(self, function: Callable[[], object], ended: Callable[[object], object]) -> None:
        self._waiting.append((function, ended))

    def write(self, batch: Any) -> None:
        if self.full:
            raise sqlite3.OperationalError("database or disk is full")
        super().write(batch)

    def step(self) -> None:
        """Do what waits."""
        waiting, self._waiting = self._waiting, []
        for function, ended in waiting:
            found: object = None
            try:
                function()
            except sqlite3.Error as problem:
                found = Failure(problem)
            ended(found)


async def work(gate: Deferred[Any]) -> Any:
    return await gate


class Play:
    """A keeper with a file, and what happens to its tasks."""

    def __init__(self, folder: str, remembered: int, reactor: Reactor) -> None:
        self.reactor = reactor
        self.file = TaskStore(str(Path(folder) / "tasks.db"), self.reactor)
        limits: dict[str, Any] = {"max_remembered": remembered, "keep": 20.0, "max_lines": 3}
        self.keeper = TaskKeeper(reactor=self.reactor, store=self.file, **limits)
        self.keeper.restore()
        self.disk: Any = self.file._writer
        self.gates: dict[Task, Deferred[Any]] = {}

    def add(self, _which: int) -> None:
        gate: Deferred[Any] = Deferred()
        self.gates[self.keeper.add(ASYNCHRONOUS, Call(work, (gate,)), ["work"])] = gate
        self.turn(0)

    def _some(self, which: int) -> Task | None:
        left = [task for task in self.gates if not task.done]
        return left[which % len(left)] if left else None

    def put_out(self, which: int) -> None:
        if (task := self._some(which)) is not None:
            task._put_out([f"{task.output.next} of {task.no}"])

    def end(self, which: int) -> None:
        if (task := self._some(which)) is not None and not self.gates[task].called:
            self.gates[task].callback(which)
        self.turn(0)

    def kill(self, which: int) -> None:
        if (task := self._some(which)) is not None:
            task.kill()
        self.turn(0)

    def turn(self, _which: int) -> None:
        self.reactor.advance(NEXT_TURN)

    def time(self, which: int) -> None:
        self.reactor.pump([0.6] * (1 + which % 20))

    def write(self, _which: int) -> None:
        self.disk.step()
        self.turn(0)

    def fill(self, which: int) -> None:
        self.disk.full = which % 2 == 0

    def settle(self) -> None:
        self.disk.full = False
        while self.file._timer is not None or self.file._writing is not None:
            self.write(0)
            self.reactor.advance(0.6)

    def check(self) -> None:
        """Compare the file with the tasks."""
        found = {}
        for row, lines in read_rows(self.disk._database):
            found[row.no] = (row.status, row.result, row.ended, lines)
        expected = {}
        for task in self.keeper.tasks():
            first = task.output.first
            lines = list(enumerate(task.output.lines(), first))
            result = "" if not task.done or task.result is None else str(task.result)
            expected[task.no] = (task.status, result, task.ended, lines)
        assert found == expected
        assert set(self.file._stored) == set(expected)

    def stop(self) -> None:
        stopped = self.keeper.stop()
        while not stopped.called:
            self.write(0)

    def told(self) -> list[Any]:
        """Return what is known of the tasks, in the order in which they have ended."""
        tasks = sorted(self.keeper._ended.values(), key=lambda task: task.ended or 0)
        assert [task.ended for task in tasks] == [
            task.ended for task in self.keeper._ended.values()
        ]
        return [
            (task.no, task.status, task.ended, task.output.first, task.outlist) for task in tasks
        ]


EVENTS = ["add", "add", "put_out", "put_out", "end", "end", "kill", "time", "write", "turn", "fill"]


@settings(max_examples=examples(200))
@given(
    st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(0, 9)), max_size=60),
    st.sampled_from([0, 1, 3]),
)
def test_whatever_happens(events: list[tuple[str, int]], remembered: int) -> None:
    """It has all that are remembered, as they are, and no other, and so they are read again."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "Writer", Disk)
        play = Play(folder, remembered, Reactor())
        for event, which in events:
            getattr(play, event)(which)
        play.settle()
        play.check()
        play.stop()
        again = Play(folder, remembered, play.reactor)
        assert again.told() == play.told()
        assert not [task for task in again.keeper.tasks() if not task.done]
        again.stop()
