"""
Workers as operators have them: as a daemon, with another reactor, and with a log for machines.
Real programs, for some seconds each.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_twisted

from tests.daemon.workers.real import SHOP
from tests.interop.peer_processes import DEADLINE, ROOT, TWISTD, Program
from txremote import connect

UVLOOP = TWISTD[-1].replace("import sys; ", "import sys, uvloop; uvloop.install(); ")
OPTIONS = (
    *("--service", SHOP, "--listen", "tcp:0:interface=127.0.0.1", "--workers", "2"),
    *("--auth", "memory:ann:sesame", "--auth", "memory:bob:hunter2"),
    *("--operators", "ann", "--admin-write"),
)
PASSWORDS = {"ann": "sesame", "bob": "hunter2"}


def until(check: Callable[[], Any], what: Callable[[], str]) -> Any:
    """Wait until a function gives something true, and return that."""
    end = time.monotonic() + DEADLINE
    while not (found := check()):
        assert time.monotonic() < end, what()
        time.sleep(0.02)
    return found


class Daemon:
    """A ``twistd`` that has gone to the background, with a log in a file."""

    def __init__(self, folder: Path) -> None:
        self._pid, self._log = folder / "twistd.pid", folder / "twistd.log"
        words = [*TWISTD, "--pidfile", str(self._pid), "--logfile", str(self._log), "txremote"]
        subprocess.run([*words, *OPTIONS], cwd=ROOT, timeout=DEADLINE, check=True)
        self.pid = int(self._pid.read_text())

    @property
    def log(self) -> str:
        """All that it has logged."""
        return self._log.read_text()

    def wait_for(self, pattern: str, count: int = 1) -> list[Any]:
        """Wait until so many lines of the log match; return the matches."""
        expression = re.compile(pattern, re.MULTILINE)
        return until(
            lambda: found if len(found := list(expression.finditer(self.log))) >= count else None,
            lambda: f"{count} times {pattern!r} in the log:\n{self.log}",
        )

    def end(self) -> None:
        """End it, whatever it does."""
        with contextlib.suppress(psutil.NoSuchProcess):
            supervisor = psutil.Process(self.pid)
            family = [*supervisor.children(), supervisor]
            supervisor.terminate()
            _gone, left = psutil.wait_procs(family, DEADLINE)
            for each in left:
                each.kill()
            assert not left, self.log


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon with two workers, which serve."""
    found = Daemon(tmp_path)
    try:
        found.wait_for(r"worker \d \(process \d+\) serves$", 2)
        yield found
    finally:
        found.end()


def command(*words: str, user: str = "ann") -> tuple[int, str]:
    """Run a command of txremote's as a user; return its status, and what it prints."""
    env = {**os.environ, "TXREMOTE_PASSWORD": PASSWORDS[user]}
    line = [sys.executable, "-P", "-m", "txremote", *words, "--login", user]
    ran = subprocess.run(
        line, cwd=ROOT, env=env, capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    return ran.returncode, ran.stdout + ran.stderr


def test_a_daemon_is_operated_through_any_of_its_workers(daemon: Daemon) -> None:
    """
    Operators see all and set levels, others do not; a level holds for workers that come later, and
    so does what SIGUSR2 has turned on.
    """
    place = daemon.wait_for(r"workers serve on (\S+) \(")[0][1]
    row = re.compile(r"^ *\d+ +ann +127\.0\.0\.1:\d+ +[12] ", re.MULTILINE)
    # rows may be half a second old, from before this client has come
    shown = until(
        lambda: out if row.search(out := command("top", place, "--once")[1]) else None,
        lambda: daemon.log,
    )
    assert shown.startswith("serving, 2 workers, 1 connection,"), shown
    status, refused = command("top", place, "--once", user="bob")
    assert status != 0 and "'bob' is no operator here" in refused
    # the second is of a module that no worker has imported
    for level in ("txremote.connection=debug", "txremote.workers=debug"):
        status, _now = command("log-level", place, level)
        assert status == 0, daemon.log
    assert daemon.log.count("ann has set the log's level: info, txremote.connection=debug") == 2
    os.kill(daemon.pid, signal.SIGHUP)
    daemon.wait_for("the workers are replaced$")
    come = r"worker [12]: 127\.0\.0\.1:\d+ has come$"
    before = len(re.findall(come, daemon.log, re.MULTILINE))
    assert command("call", place, "number")[0] == 0
    daemon.wait_for(come, before + 1)
    os.kill(daemon.pid, signal.SIGUSR2)
    daemon.wait_for("SIGUSR2: events of all levels are logged; once more ends that")
    os.kill(psutil.Process(daemon.pid).children()[0].pid, signal.SIGKILL)
    daemon.wait_for(r"worker \d \(process \d+\) serves$", 5)
    assert "not told how much is logged" not in daemon.log
    os.kill(daemon.pid, signal.SIGUSR2)
    daemon.wait_for("the log's level is as before: info, txremote.connection=debug")
    daemon.end()
    assert "Server Shut Down." in daemon.log and "Traceback" not in daemon.log


@pytest_twisted.ensureDeferred
async def test_workers_have_the_loop_of_their_supervisor_and_a_log_for_machines() -> None:
    """Each line is JSON, with the worker's number, and a failure is told as any server's is."""
    pytest.importorskip("uvloop")
    words = [*TWISTD[:-1], UVLOOP, "-n", "--pidfile=", "--reactor", "asyncio"]
    words += ["--logger", "txremote.jsonlog.observer", "txremote", *OPTIONS]
    program = Program(words)
    try:
        program.wait_for(r'"text": "worker \d \(process \d+\) serves"', count=2)
        host, port = program.wait_for(r'"workers serve on ([\d.]+):(\d+) ')[0].groups()
        conn = await connect(f"{host}:{port}")
        shop = await conn.root.login("bob", "hunter2")
        assert await shop.loop() == ("AsyncioSelectorReactor", "uvloop")
        await shop.break_down()
        number = int(await shop.number())
        program.wait_for("the shop is closed")
        with pytest.raises(ValueError, match="out of stock"):
            await shop.fail()
        await conn.close()
        program.wait_for('"kind": "ValueError"')
        os.kill(psutil.Process(program.pid).children()[0].pid, signal.SIGKILL)
        program.wait_for(r'"text": "worker \d \(process \d+\) serves"', count=3)
        assert program.stop() in (0, -15), program.output
    finally:
        program.kill()
    lines = [json.loads(line) for line in program.lines]
    assert {line["worker"] for line in lines if "worker" in line} == {1, 2}
    (broken,) = [line for line in lines if line["text"].endswith("the shop is closed")]
    assert (broken["worker"], broken["level"], broken["namespace"]) == (number, "critical", "shop")
    assert "KeyError: 'no tea'" in broken["traceback"]
    assert {line["process"] for line in lines if line["text"].endswith(" serves")}
    (killed,) = [line for line in lines if line["level"] == "error"]
    assert killed["text"].endswith("was killed by signal 9 (SIGKILL)")
