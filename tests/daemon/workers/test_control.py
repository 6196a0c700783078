"""
The connection between the supervisor and a worker, both ends in this process.
"""

from __future__ import annotations

import socket
from typing import Any
from unittest.mock import Mock

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.task import Clock

from tests.daemon.workers.made_up import report
from txremote.daemon.workers.control import Control, ControlOfSupervisor, dial_worker
from txremote.daemon.workers.remote import SupervisorsMonitor
from txremote.daemon.workers.reports import LogLine, Report


class Both:
    """The worker and the supervisor at once: notes what it is told."""

    number = 3

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.lost: Deferred[None] = Deferred()

    def note_ready(self) -> None:
        """Called by the worker."""
        self.told.append("ready")

    def log(self, number: int, lines: list[LogLine]) -> None:
        """Called by the worker."""
        self.told.append((number, lines))

    def last_report(self, worker: Any, last: Report) -> None:
        """Called by the worker."""
        self.told.append((worker, last))

    def ask(self, name: str, arguments: list[Any]) -> object:
        """Called by the worker."""
        if name == "close_connection":
            raise PermissionError("may not")
        return {name: arguments}

    def report(self) -> Report:
        """Called by the supervisor."""
        return report()

    def accept(self, clients: bool) -> None:
        """Called by the supervisor."""
        self.told.append(clients)

    def keep(self) -> None:
        """Called by the supervisor."""
        self.told.append("keep")

    def take_levels(self, written: list[str], debugging: bool) -> None:
        """Called by the supervisor."""
        self.told.append((written, debugging))

    def do(self, name: str, arguments: list[Any]) -> object:
        """Called by the supervisor."""
        if name == "task_output":
            raise KeyError("no such task")
        return [name, *arguments]


@pytest_twisted.ensureDeferred
async def test_each_side_reaches_the_other_and_the_end_is_told() -> None:
    """Rows, lines, questions and refusals arrive as what they are."""
    both = Both()
    ours, theirs = socket.socketpair()
    for each in (ours, theirs):
        each.setblocking(False)
    worker = ControlOfSupervisor(reactor, theirs, both, lambda: both.lost.callback(None))
    control = await dial_worker(reactor, ours, both, both)  # type: ignore[arg-type]
    line = LogLine(1.0, "info", "txremote", "said", {"n": 1})
    await worker.ready()
    await worker.log([line])
    await worker.last_report(report())
    await control.accept(False)
    await control.keep()
    await control.take_levels((["txremote=warn"], True))
    ends = [False, "keep", (["txremote=warn"], True)]
    assert both.told == ["ready", (3, [line]), (both, report()), *ends]
    assert await control.report() == report()
    assert await control.do("log_level", "debug", None) == ["log_level", "debug", None]
    with pytest.raises(KeyError):
        await control.do("task_output")
    monitor = SupervisorsMonitor()
    monitor.connect(worker)
    assert monitor.refresh() is None
    assert await monitor.ask("overview", 1) == {"overview": [1]}  # type: ignore[misc]
    with pytest.raises(PermissionError):
        await monitor.ask("close_connection", 1, "me")  # type: ignore[misc]
    ended = control.when_lost()
    await worker.close()
    await both.lost
    await ended


def test_a_keeper_has_the_time_that_its_consoles_take_to_load() -> None:
    """A game's code loads for as long as it does; a report that does not come is given up."""
    clock: Any = Clock()
    asked: list[Deferred[Any]] = []
    connection: Any = Mock()
    connection.root.callRemote = lambda *_arguments: asked.append(Deferred()) or asked[-1]
    control = Control(connection, clock)
    kept = control.keep()
    told = control.report()
    clock.advance(1_000)
    assert not kept.called
    assert told.called
    told.addErrback(lambda failure: failure.trap(TimeoutError))
    asked[0].callback(None)
    assert kept.called
    assert not clock.getDelayedCalls()
