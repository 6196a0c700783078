"""
Processes with an environment, a folder and a niceness of their own; and a pool in programs that
are set up in other ways than most: another event loop, a reactor in a thread, options of the
interpreter.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor

from tests.processes import ROOT, Program
from tests.work.child_processes import PYTHON, QUICK, outcome_of
from txremote.work.processes import ProcessPool
from txremote.work.spec import join, pool_from_string
from txremote.work.surroundings import Surroundings, env_of

PROGRAM = """
import os, sys, time
from twisted.internet.defer import Deferred
from txremote import run_async
from txremote.errors import WorkerDied
from txremote.work import pool_from_string

def options():
    return sys.flags.optimize, sys.flags.utf8_mode, sys.warnoptions

async def work(reactor):
    pool = pool_from_string("processes:1:grace=0.3", reactor)
    await pool.start()
    try:
        await run_async(os._exit, 3)
    except WorkerDied:
        print("it has died", flush=True)
    assert await run_async(options) == options()
    running = run_async(time.sleep, 60)
    await pool.stop()
    print(type(await running.addErrback(lambda failure: failure.value)).__name__, flush=True)
    print("the end", flush=True)
"""

THREAD = """
import threading
from twisted.internet import reactor
from twisted.internet.threads import blockingCallFromThread

quiet = {"installSignalHandlers": False}
thread = threading.Thread(target=reactor.run, kwargs=quiet, daemon=True)
thread.start()
blockingCallFromThread(reactor, lambda: Deferred.fromCoroutine(work(reactor)))
reactor.callFromThread(reactor.stop)
thread.join()
"""

UVLOOP = """
import uvloop
from twisted.internet.asyncioreactor import install

install(uvloop.new_event_loop())
from twisted.internet.task import react

react(lambda reactor: Deferred.fromCoroutine(work(reactor)))
"""

USUAL = """
from twisted.internet.task import react

react(lambda reactor: Deferred.fromCoroutine(work(reactor)))
"""


def run(tmp_path: Any, text: str, *options: str) -> None:
    """Run the program, and see to it that it comes to its end."""
    file = tmp_path / "a program.py"
    file.write_text(PROGRAM + text)
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PYTHONPATH": path}
    with Program(PYTHON, *options, file, cwd=tmp_path, env=env) as program:
        program.wait_for("the end")
        program.finish()
        assert program.output.split("\n")[:3] == ["it has died", "PoolStopped", "the end"]


def test_a_reactor_in_a_thread(tmp_path: Any) -> None:
    """It hears of no signal: a process that dies is missed all the same, and so is the last."""
    run(tmp_path, THREAD)


def test_a_loop_that_has_the_signals(tmp_path: Any) -> None:
    """With uvloop's, no job waits for ever that was lost with its process."""
    pytest.importorskip("uvloop")
    run(tmp_path, UVLOOP)


def test_options_of_the_interpreter(tmp_path: Any) -> None:
    """Modules that a job imports are compiled as they are in the parent, and so on."""
    run(tmp_path, USUAL, "-O", "-X", "utf8", "-W", "error::ResourceWarning")


class TestOfItsOwn:
    @pytest_twisted.ensureDeferred
    async def test_an_environment_a_folder_and_a_niceness(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The folder is on no path, and where the pool was made; the variables are added."""
        (tmp_path / "here").mkdir()
        (tmp_path / "there").mkdir()
        (tmp_path / "there" / "module_in_folder.py").write_text("")
        (tmp_path / "here" / "module_of_parent.py").write_text("")
        monkeypatch.chdir(tmp_path)
        pool = ProcessPool(reactor, limits=QUICK, env={"A": "1"}, cwd="there", nice=3)
        monkeypatch.chdir(tmp_path / "here")  # as twistd does when it becomes a daemon
        monkeypatch.setattr(sys, "path", ["", *sys.path])
        await pool.start()
        try:
            assert await pool.submit(os.getcwd) == str(tmp_path / "there")
            assert await pool.submit(os.getenv, ("A",)) == "1"
            assert await pool.submit(os.getenv, ("PATH",)) == os.environ["PATH"]
            assert await pool.submit(os.nice, (0,)) == os.nice(0) + 3
            found = await pool.submit(find_spec, ("module_of_parent",))
            assert found is not None
            assert await pool.submit(find_spec, ("module_in_folder",)) is None
        finally:
            await pool.stop()

    @pytest_twisted.ensureDeferred
    async def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        """start() says so."""
        pool = ProcessPool(reactor, limits=QUICK, cwd=tmp_path / "gone")
        problem = await outcome_of(pool.start())
        assert str(problem).endswith(
            f"cannot start: cwd= of the pool is no directory: {tmp_path}/gone"
        )
        await pool.stop()

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may be as unkind as it likes")
    @pytest_twisted.ensureDeferred
    async def test_less_nice_than_its_user_may_be(self) -> None:
        """start() says so."""
        pool = ProcessPool(reactor, limits=QUICK, nice=-1)
        assert "nice=-1 of the pool: " in str(await outcome_of(pool.start()))
        await pool.stop()

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("A=1", {"A": "1"}),
            ("A=1,B=2", {"A": "1", "B": "2"}),
            ("A=,B=x=y", {"A": "", "B": "x=y"}),
            (r"A=1\,2,B=c:\\d", {"A": "1,2", "B": r"c:\d"}),
        ],
    )
    def test_an_environment_in_a_description(self, text: str, found: dict[str, str]) -> None:
        """NAME=VALUE,NAME=VALUE; in a whole description a backslash is written twice."""
        assert env_of(text) == found
        pool = pool_from_string(join("processes", ("1",), {"env": text}), reactor)
        assert isinstance(pool, ProcessPool)
        assert pool._workers._spawn.args[3] == Surroundings(env=found)  # type: ignore[attr-defined]

    @pytest.mark.parametrize("text", ["", "A", "=1", "A=1,", ",A=1", "A=1,,B=2", "A=1,B", "A=1\\"])
    def test_what_is_no_environment(self, text: str) -> None:
        """It is refused, with how it is written."""
        with pytest.raises(ValueError, match="is no env: it is NAME=VALUE,NAME=VALUE"):
            env_of(text)

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"nice": 20}, "nice= takes a whole number from -20 to 19, not 20"),
            ({"nice": True}, "not True"),
            ({"env": {"A=": "1"}}, "has 'A=', which no variable can be called"),
            ({"env": {"A": 1}}, "env= takes texts by name, not 'A': 1"),
            ({"import_timeout": 0}, "import_timeout= takes seconds, more than 0, not 0"),
            ({"import_timeout": float("inf")}, "not inf"),
        ],
    )
    def test_what_makes_no_sense(self, options: Any, said: str) -> None:
        """It is refused with a sentence that names it."""
        with pytest.raises((ValueError, TypeError), match=said):
            ProcessPool(reactor, **options)
