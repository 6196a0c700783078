"""
One worker's process, as the supervisor sees it. Real ones are in ``test_supervisor.py``.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.task import Clock
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from tests.daemon.workers.test_crew import Stage
from txremote.daemon.workers.process import Phase, WorkerProcess
from txremote.levels import Logger, levels


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is logged of what workers print."""
    found: list[str] = []

    def warn(_self: Logger, _format: str, **fields: Any) -> None:
        found.append(fields["text"])

    monkeypatch.setattr(Logger, "warn", warn)
    return found


def test_what_it_prints_is_logged_line_by_line(said: list[str]) -> None:
    """Also what has no end, when it is gone, and a line that is too long, in parts."""
    worker = Stage(1).made[0]
    worker.childDataReceived(1, b"one\ntw")
    worker.childDataReceived(2, b"\n\xff\n")
    worker.childDataReceived(1, b"o\nthree")
    worker.childDataReceived(2, b"x" * 20_000)
    worker.processEnded(None)  # type: ignore[arg-type]
    assert said == ["one", "\ufffd", "two", "x" * 20_000, "three"]


@pytest.mark.parametrize("serves", [False, True])
def test_why_one_does_not_start_is_an_error_where_no_warnings_are_logged(serves: bool) -> None:
    """Else a file with a mistake, or a broken program, is not replaced, and nobody knows why."""
    worker = Stage(1).made[0]
    found: list[str] = []

    def observe(event: LogEvent) -> None:
        found.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    try:
        levels.begin(False, "error")
        if serves:
            worker.note_ready()
        worker.childDataReceived(2, b"unknown key 'lisen'\n")
        worker.processEnded(None)  # type: ignore[arg-type]
    finally:
        levels.reset()
        globalLogPublisher.removeObserver(observe)
    assert found == ([] if serves else ["worker 1: unknown key 'lisen'"])


def test_it_is_told_the_levels_of_the_log_that_it_does_not_have_yet() -> None:
    """They may have been set while it started, when nothing could be told to it."""
    taken: list[object] = []

    class Control:
        def take_levels(self, told: object) -> Deferred[None]:
            taken.append(told)
            return Deferred()

        def when_lost(self) -> Deferred[BaseException]:
            return Deferred()

    worker = Stage(1).made[0]
    try:
        levels.begin(False)
        worker._told, worker.control = levels.told(), None  # as at its start
        levels.change("warn")
        worker.tell_levels()
        worker._connected(Control())  # type: ignore[arg-type]
        worker.tell_levels()
    finally:
        levels.reset()
    assert taken == [(["txremote=warn"], False)]


def test_it_is_signalled_only_while_it_is_there() -> None:
    """Its number may be another's after that."""
    stage = Stage(1)
    worker = stage.made[0]
    stage.crew.stopping = True  # else another one follows

    class Gone:
        pid = None

        def signalProcess(self, _number: int) -> None:
            raise ProcessExitedAlready

    worker.transport = Gone()  # type: ignore[assignment]
    worker.end(1.0)
    assert worker.phase is Phase.LEAVING
    stage.end(worker)
    assert worker.phase is Phase.ENDED and not stage.clock.getDelayedCalls()
    worker.end(1.0)
    assert not stage.clock.getDelayedCalls()


def test_what_systemd_says_to_the_supervisor_is_not_for_workers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A worker has its number, and what the supervisor gives it."""
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/notify")
    monkeypatch.setenv("LISTEN_FDS", "1")
    monkeypatch.setenv("KEPT", "yes")
    worker = WorkerProcess(4, 9, Clock(), None, None)  # type: ignore[arg-type]
    env = worker._environ({"TXREMOTE_BUS": "/run/bus"})
    assert env["TXREMOTE_WORKER"] == "4" and env["TXREMOTE_BUS"] == "/run/bus"
    assert env["KEPT"] == os.environ["KEPT"]
    assert not {"NOTIFY_SOCKET", "LISTEN_FDS"} & env.keys()
