"""Tests of processes that are started in an asyncio loop."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.process import reapAllProcesses
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from tests.aio.running import NewLoop, each_loop, run, until
from tests.work import child_processes
from txremote.aio import children
from txremote.aio.descriptors import Descriptors

# Says when it is there, and waits for the end of its input.
WAITS = "print('up', flush=True); import sys; sys.stdin.read()"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {WAITS}"


class Loop(Descriptors):
    """As much of a loop as a process needs."""

    def callFromThread(self, function: Callable[..., object], *args: object) -> None:
        self.loop.call_soon_threadsafe(function, *args)

    def callLater(self, seconds: float, function: Callable[..., object], *args: object) -> None:
        self.loop.call_later(seconds, function, *args)


class Watched(ProcessProtocol):
    def __init__(self) -> None:
        self.up = False
        self.reasons: list[BaseException | None] = []
        self.threads: list[int] = []

    def outReceived(self, data: bytes) -> None:
        self.up = True

    def processExited(self, reason: Failure) -> None:
        self.reasons.append(reason.value)
        self.threads.append(threading.get_ident())


def start(loop: Loop, program: str) -> tuple[Any, Watched]:
    watched = Watched()
    child = loop.spawnProcess(watched, sys.executable, [sys.executable, "-c", program], os.environ)
    return child, watched


@each_loop
def test_an_end_is_noticed_without_a_signal(new_loop: NewLoop) -> None:
    others = child_processes.children()  # servers that tests share

    async def main() -> None:
        loop = Loop(asyncio.get_running_loop())
        ended, killed = start(loop, "pass"), start(loop, WAITS)
        await until(lambda: ended[1].reasons and killed[1].up)
        killed[0].signalProcess("KILL")
        await until(lambda: killed[1].reasons)
        (done,), (terminated,) = ended[1].reasons, killed[1].reasons
        assert isinstance(done, ProcessDone)
        assert isinstance(terminated, ProcessTerminated)
        assert terminated.signal == signal.SIGKILL
        assert child_processes.children() <= others

    run(main, new_loop)


@each_loop
def test_asyncio_s_own_processes_are_not_disturbed(new_loop: NewLoop) -> None:
    async def main() -> None:
        loop = Loop(asyncio.get_running_loop())
        _child, watched = start(loop, "raise SystemExit(3)")
        theirs = await asyncio.create_subprocess_exec(sys.executable, "-c", "raise SystemExit(4)")
        assert await theirs.wait() == 4
        await until(lambda: watched.reasons)
        assert getattr(watched.reasons[0], "exitCode", None) == 3

    run(main, new_loop)


def test_where_the_system_does_not_tell_one_may_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open")

    async def main() -> None:
        child, watched = start(Loop(asyncio.get_running_loop()), WAITS)
        child.reapProcess()
        assert not watched.reasons
        child.closeStdin()
        await until(lambda: child.reapProcess() or watched.reasons)
        child.reapProcess()
        assert [type(reason) for reason in watched.reasons] == [ProcessDone]

    run(main, asyncio.new_event_loop)


def test_one_that_somebody_else_has_waited_for_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open")

    async def main() -> None:
        child, watched = start(Loop(asyncio.get_running_loop()), "pass")
        try:
            await asyncio.to_thread(os.waitpid, child.pid, 0)
        except ChildProcessError:  # a look was quicker
            known = 0
        else:
            known = 255
        child.reapProcess()
        assert getattr(watched.reasons[0], "exitCode", None) == known

    run(main, asyncio.new_event_loop)


def test_another_thread_s_reactor_leaves_it_to_its_own_thread() -> None:
    async def main() -> None:
        child, watched = start(Loop(asyncio.get_running_loop()), WAITS)
        child.closeStdin()
        while not watched.reasons:
            await asyncio.to_thread(reapAllProcesses)
            await asyncio.to_thread(child.reapProcess)
        assert watched.threads == [threading.get_ident()]

    run(main, asyncio.new_event_loop)


@each_loop
def test_a_loop_that_is_closed_leaves_none(
    new_loop: NewLoop, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    """Nor a zombie, nor an open descriptor; one that takes no TERM is killed."""
    others = child_processes.children()
    monkeypatch.setattr(children, "GRACE", 0.2)
    before = len(os.listdir("/proc/self/fd"))
    loop = new_loop()

    async def main() -> list[tuple[Any, Watched]]:
        ours = Loop(loop)
        both = [start(ours, WAITS), start(ours, STUBBORN)]
        await until(lambda: all(watched.up for _child, watched in both))
        return both

    both = loop.run_until_complete(main())
    loop.close()
    for thread in threading.enumerate():
        if thread.name == "txremote reaper":
            thread.join(20)
    assert child_processes.children() <= others
    assert len(os.listdir("/proc/self/fd")) <= before
    assert [len(watched.reasons) <= 1 for _child, watched in both] == [True, True]
    assert not recwarn.list
