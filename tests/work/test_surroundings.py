"""
A process pool in programs that are set up in other ways than most: another event
loop, a reactor in a thread, options of the interpreter.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.processes import ROOT, Program
from tests.work.child_processes import PYTHON

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
