"""
A worker's process: what it gets when it is started, and how it ends.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.python.failure import Failure

from tests.work import jobs
from tests.work.child_processes import (
    children,
    descriptors,
    lives,
    nothing_beyond,
    outcome_of,
    outcomes_of,
    pid_in,
    running_pool,
    until,
)
from tests.work.doubles import logged
from txremote.errors import PoolStopped
from txremote.work import childprocess
from txremote.work.childprocess import ChildProcess, how_it_ended
from txremote.work.tickets import TicketPipe
from txremote.work.worker_protocol import WorkerLimits


class TestTheStart:
    @pytest_twisted.ensureDeferred
    async def test_it_is_like_its_parent(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """sys.path, the environment and the folder are the parent's."""
        monkeypatch.setattr(sys, "path", [*sys.path, "/nowhere/at/all", Path("/no/str")])
        monkeypatch.setenv("TXREMOTE_TEST", "here")
        monkeypatch.delenv("PYTHONPATH", raising=False)
        async with running_pool() as pool:
            assert await pool.submit(lambda: sys.path) == sys.path[:-1]
            assert await pool.submit(os.getenv, ("TXREMOTE_TEST",)) == "here"
            assert await pool.submit(os.getenv, ("PYTHONPATH",)) is None
            assert await pool.submit(os.getcwd) == os.getcwd()
            assert await pool.submit(os.getpgrp) == await pool.submit(os.getpid)
            assert await pool.submit(jobs.input_of) == ""

    @pytest_twisted.ensureDeferred
    async def test_its_descriptors(self) -> None:
        """It has its pipes and no others; what its jobs start has none of them."""
        with open(os.devnull) as open_here:
            os.set_inheritable(open_here.fileno(), True)
            async with running_pool() as pool:
                mine = await pool.submit(jobs.own_descriptors)
                # its pipes, the memory for large values, both ends of the pipe of its signals
                assert len(mine) == 3 + 3 + 2 + 2, "\n".join(mine)
                assert await pool.submit(jobs.descriptors_of_a_program) == [0, 1, 2, 3]


class TestTheEnd:
    @pytest_twisted.ensureDeferred
    async def test_a_job_tidies_up(self, tmp_path: Path) -> None:
        """TERM is an exception in the job: its finally runs, and what it prints is logged."""
        async with running_pool(limits=WorkerLimits(grace=10)) as pool:
            job = pool.submit(jobs.tidy_hang, (tmp_path / "pid", tmp_path / "tidied"))
            child = await until(lambda: pid_in(tmp_path / "pid"))
            with logged() as lines:
                job.cancel()
                assert isinstance(await outcome_of(job), CancelledError)
                await until(lambda: not lives(child))
                assert (tmp_path / "tidied").read_text() == "tidied"
                await until(lambda: any("tidying up" in line for line in lines))

    @pytest.mark.parametrize("how", ["C code", "deaf", "stubborn", "stopped"])
    @pytest_twisted.ensureDeferred
    async def test_a_job_that_does_not_hear(self, tmp_path: Path, how: str) -> None:
        """After the grace it is killed; the job has failed long before."""
        async with running_pool(limits=WorkerLimits(grace=0.1)) as pool:
            job = pool.submit(jobs.hang, (tmp_path / "pid", how))
            child = await until(lambda: pid_in(tmp_path / "pid"))
            job.cancel()
            assert isinstance(await outcome_of(job), CancelledError)
            assert await outcome_of(pool.submit(jobs.add, (1, 2))) == 3
            await until(lambda: not lives(child))
            assert pool.statistics().killed == 1

    @pytest_twisted.ensureDeferred
    async def test_all_at_the_end_of_the_pool(self, tmp_path: Path) -> None:
        """stop() ends what does not hear as well, and waits for it."""
        ways = ["sleep", "C code", "stopped"]
        async with running_pool(len(ways), limits=WorkerLimits(grace=0.1)) as pool:
            hanging = [pool.submit(jobs.hang, (tmp_path / way, way)) for way in ways]
            found = [await until(lambda w=way: pid_in(tmp_path / w)) for way in ways]
            stopping = pool.stop()
            for problem in await outcomes_of(hanging):
                assert isinstance(problem, PoolStopped)
                assert str(problem) == "hang: the pool processes:min=3:max=3 was stopped"
            await stopping
            assert not any(map(lives, found))

    @pytest_twisted.ensureDeferred
    async def test_without_a_worker(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its output is read, its end is told once and in words, and nothing is left."""
        script = "import sys; print('to', end=' '); print('you', end=''); sys.exit(3)"
        monkeypatch.setattr(childprocess, "_START", script)
        before = children(), descriptors()
        heard: list[str] = []
        gone: Deferred[str] = Deferred()  # which fires once, or else raises
        process = ChildProcess(reactor, lambda record: heard.append(record["text"]), gone.callback)
        tickets = TicketPipe()
        for descriptor in process.start(tickets.reading_end):
            os.close(descriptor)
        assert process.pid in children()
        assert not process.doomed
        process.kill_in(1000)
        assert process.doomed
        process.look()
        assert await outcome_of(gone) == "ended with exit status 3"
        assert process.reaped
        process.bury()
        assert not process.doomed
        tickets.close()
        await until(lambda: heard == ["to you"])
        await until(lambda: nothing_beyond(before))

    @pytest.mark.parametrize(
        ("reason", "said"),
        [
            (ProcessDone(0), "ended with exit status 0"),
            (ProcessTerminated(exitCode=7), "ended with exit status 7"),
            (ProcessTerminated(signal=9), "was killed by signal 9 (SIGKILL)"),
            (ProcessTerminated(signal=signal.SIGRTMIN + 2), "(a signal)"),
        ],
    )
    def test_how_it_is_said(self, reason: Any, said: str) -> None:
        """A status or a signal, by its name if it has one."""
        assert said in how_it_ended(Failure(reason))
