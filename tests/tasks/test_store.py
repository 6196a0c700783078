"""Tasks that outlive their program: a real file, and a real twistd that is killed."""

from __future__ import annotations

import re
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.logger import formatEvent, globalLogPublisher

from tests.interop.peer_processes import TWISTD, Program as Server
from tests.processes import run
from txremote.tasks.keeper import SYNCHRONOUS, TaskKeeper
from txremote.tasks.states import ABORTED, FINISHED
from txremote.tasks.stepping import Call
from txremote.tasks.store import TaskFailed, TaskStore
from txremote.tasks.taskfile import Writer

WORKER = """\
import time

class Worker:
    commands = ["greet"]
    thcommands = ["work"]

    def greet(self, name):
        return f"hello {name}"

    def work(self, name):
        for number in range(1000000):
            time.sleep(0.05)
            yield f"{name} {number}"
"""


def keeper_of(path: Path, **options: Any) -> TaskKeeper:
    """Return a keeper that has read a file."""
    keeper = TaskKeeper(reactor=reactor, store=TaskStore(str(path), reactor), **options)
    keeper.restore()
    return keeper


def put_out() -> Iterator[str]:
    yield from ("one", "two", "three")
    raise LookupError("no fourth")


@pytest_twisted.ensureDeferred
async def test_tasks_are_there_again_after_a_stop(tmp_path: Path) -> None:
    """With output, result and error as texts; numbers go on; forgotten ones are deleted."""
    path = tmp_path / "tasks.db"
    keeper = keeper_of(path, max_lines=2)
    await keeper.add(SYNCHRONOUS, Call(lambda: 42), ["answer", "x y"], owner="ann").when_done()
    await keeper.add(SYNCHRONOUS, Call(put_out), ["count"]).when_done()
    await keeper.stop()
    again = keeper_of(path, max_lines=2)
    first, second = again.tasks()
    assert repr(first) == "<SynTask 1 [answer x y] FINISHED>"
    assert (first.arglist, first.owner, first.result) == (["answer", "x y"], "ann", "42")
    assert (second.status, second.error) == (ABORTED, "LookupError: no fourth")
    assert second.outlist == ["two", "three"]
    assert second.output.first == 1
    assert "in put_out" in second.traceback
    with pytest.raises(TaskFailed, match="no fourth"):
        _ = second.result
    assert second.duration is not None
    assert await first.when_done() is first
    assert again.add(SYNCHRONOUS, Call(lambda: 1), ["next"]).no == 3
    await again.stop()
    fewer = keeper_of(path, max_remembered=1)
    assert [task.no for task in fewer.tasks()] == [3]
    await fewer.stop()
    everything = keeper_of(path)
    assert [task.no for task in everything.tasks()] == [3]
    await everything.stop()


@pytest_twisted.ensureDeferred
async def test_a_full_disk_is_told_once_and_the_tasks_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be written is written as soon as there is room."""
    original, full = Writer.write, [True, True]

    def write(self: Writer, batch: Any) -> None:
        if full:
            full.pop()
            raise sqlite3.OperationalError("database or disk is full")
        original(self, batch)

    monkeypatch.setattr(Writer, "write", write)
    monkeypatch.setattr("txremote.tasks.store.AFTER_FAILURE", 0.01)
    monkeypatch.setattr("txremote.tasks.store.INTERVAL", 0.01)
    path = tmp_path / "tasks.db"
    texts: list[str] = []
    written: Deferred[None] = Deferred()

    def observe(event: Any) -> None:
        text = formatEvent(event)
        if "tasks.db" in text:
            texts.append(text)
            if text.endswith("again"):
                written.callback(None)

    globalLogPublisher.addObserver(observe)
    try:
        keeper = keeper_of(path)
        task = keeper.add(SYNCHRONOUS, Call(lambda: "done"), ["work"])
        assert await task.when_done() is task
        assert task.status == FINISHED
        await written.addTimeout(20, reactor)  # type: ignore[arg-type]
        await keeper.stop()
    finally:
        globalLogPublisher.removeObserver(observe)
    assert len(texts) == 2
    assert re.search(
        "cannot be written to .*tasks.db, and go on: database or disk is full", texts[0]
    )
    again = keeper_of(path)
    assert [task.result for task in again.tasks()] == ["done"]
    await again.stop()


def served(folder: Path) -> tuple[Server, str]:
    """Start a console with a file for its tasks; return where its tasks are."""
    words = ["--container", "worker.Worker", "--console", "unix:console", "--listen"]
    words += ["tcp:0:interface=127.0.0.1", "--tasks-db", "tasks.db"]
    server = Server([*TWISTD, "-n", "--pidfile=", "txremote", *words], cwd=folder)
    return server, "tcp:" + server.wait_for(r"txremote serves on (\S+) ")[0][1]


def asked(where: str, *words: str) -> list[str]:
    """Ask for tasks."""
    status, out, err = run(sys.executable, "-m", "txremote", "tasks", where, *words)
    assert status == 0, err
    return out.splitlines()


def test_a_server_that_is_killed_has_its_tasks_again(tmp_path: Path) -> None:
    """The one that ran is lost, and is told so; its output is kept up to the last second."""
    (tmp_path / "worker.py").write_text(WORKER)
    server, where = served(tmp_path)
    try:
        assert asked(where, "submit", "greet ann") == ["hello ann"]
        asked(where, "submit", "work x")
        seen: list[str] = []
        while len(seen) < 60:  # three seconds of output
            seen = asked(where, "output", "2")[1:]
    finally:
        server.kill()  # by SIGKILL
    (tmp_path / "console").unlink(missing_ok=True)
    server, where = served(tmp_path)
    try:
        assert asked(where, "list", "fin")[0].startswith("<SynTask 1 [greet ann] FINISHED>")
        [lost] = asked(where, "list", "abort")
        assert lost.startswith("<ThreadedTask 2 [work x] ABORTED> ")
        _shown, *kept = asked(where, "output", "2")
        assert kept[: len(seen) - 30] == seen[: len(seen) - 30]
        assert asked(where, "output", "1")[1:] == ["hello ann"]
        # and nobody else has them, who is told so before serving
        words = ["--container", "worker.Worker", "--console", "unix:2", "--tasks-db", "tasks.db"]
        status, out, _err = run(*TWISTD, "-n", "--pidfile=", "txremote", *words, cwd=tmp_path)
        assert (status, list(tmp_path.glob("2*"))) == (1, [])
        assert f"txremote: {tmp_path / 'tasks.db'} is in use: each console needs a file" in out
        assert "Traceback" not in out
    finally:
        server.kill()
