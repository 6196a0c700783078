"""
One worker process, as its pool sees it: coming up, what goes to and fro, its end.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor

from tests.work import jobs
from tests.work.child_processes import (
    QUICK,
    all_told,
    children,
    crew,
    descriptors,
    told,
    until,
)
from tests.work.doubles import logged
from txremote import live
from txremote.errors import WorkerDied
from txremote.work import childprocess, worker
from txremote.work.processes import ProcessPool
from txremote.work.worker import Limits


class TestValues:
    @pytest_twisted.ensureDeferred
    async def test_a_hundred_megabytes(self) -> None:
        """There and back, and the reactor goes on turning meanwhile."""
        value = os.urandom(1 << 20) * 100
        turns: list[float] = []

        def turn() -> None:
            turns.append(time.monotonic())
            nonlocal call
            call = reactor.callLater(0.01, turn)  # type: ignore[attr-defined]

        async with crew() as pool:
            call = reactor.callLater(0, turn)  # type: ignore[attr-defined]
            back = await pool.submit(jobs.same, (value,))
            call.cancel()
        assert back == value
        assert len(turns) > 5

    @pytest.mark.parametrize("size", [0, 99, 100, 101, 1000, 12_345])
    @pytest_twisted.ensureDeferred
    async def test_a_value_in_parts(self, parts: ProcessPool, size: int) -> None:
        """What is too large for a frame of the wire is cut and put together again."""
        value = os.urandom(size)
        assert await parts.submit(jobs.same, (value,)) == value
        assert await parts.submit(jobs.length, (value,)) == size
        assert await parts.submit(os.urandom, (size,)) is not None

    @pytest_twisted.ensureDeferred
    async def test_many_values_in_parts(self, parts: ProcessPool) -> None:
        """They are not mixed up, and what is live comes with its own."""
        values = [os.urandom(size) for size in range(0, 2000, 50)]
        got = await all_told([parts.submit(jobs.same, (value,)) for value in values])
        assert got == values
        half = live(lambda value: value[: len(value) // 2])
        got = await all_told([parts.submit(jobs.call, (half, value)) for value in values])
        assert got == [value[: len(value) // 2] for value in values]

    @pytest_twisted.ensureDeferred
    async def test_parts_of_what_cannot_be_sent(self, parts: ProcessPool) -> None:
        """They spoil neither the next job nor the next result."""
        value = os.urandom(1000)
        for job in (
            parts.submit(jobs.same, ([value, live("\ud800")],)),
            parts.submit(jobs.call, (lambda: [value, live("\ud800")],)),
        ):
            assert isinstance(await told(job), ValueError)
            assert await parts.submit(jobs.same, (value,)) == value

    @pytest_twisted.ensureDeferred
    async def test_both_ways_at_once(self) -> None:
        """Neither side waits for the other to read."""
        async with crew() as pool:
            values = [os.urandom(1 << 21) for _ in range(8)]
            assert await all_told([pool.submit(jobs.same, (value,)) for value in values]) == values


@pytest_twisted.async_yield_fixture(scope="module")
async def parts() -> Any:
    async with crew(limits=Limits(grace=0.3, part=100)) as pool:
        yield pool


class TestComingUp:
    @pytest.mark.parametrize(
        ("script", "how"),
        [
            ("exit 7", "ended with exit status 7"),
            ("echo 'no such thing' >&2; exit 1", "no such thing"),
            ("kill -9 $$", "was killed by signal 9 (SIGKILL)"),
            ("exec sleep 1000", "did not come up within 0.2 s"),
        ],
    )
    @pytest_twisted.ensureDeferred
    async def test_it_does_not_come_up(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, how: str
    ) -> None:
        """start() and the jobs fail with what became of it; nothing is tried for ever."""
        program = tmp_path / "python"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        found = await self._failing_pool(monkeypatch, str(program))
        assert "the processes of processes:min=2:max=2 do not come up" in found
        assert how in found

    @pytest_twisted.ensureDeferred
    async def test_there_is_nothing_to_start(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The same where no process can be made."""
        assert "/not/there" in await self._failing_pool(monkeypatch, "/not/there")

    async def _failing_pool(self, monkeypatch: pytest.MonkeyPatch, executable: str) -> str:
        monkeypatch.setattr(sys, "executable", executable)
        started: list[Any] = []
        spawn = reactor.spawnProcess  # type: ignore[attr-defined]

        def count(*args: Any, **options: Any) -> Any:
            started.append(args)
            return spawn(*args, **options)

        monkeypatch.setattr(reactor, "spawnProcess", count)
        limits = Limits(grace=0.1, start=0.2 if "tmp" in executable else 60)
        before = children(), descriptors()
        pool = ProcessPool(reactor, 2, limits=limits)
        with logged() as lines:
            starting = pool.start()
            waiting = pool.submit(jobs.add, (1, 2))
            found = await told(starting)
            assert isinstance(found, WorkerDied)
            assert any(str(found) in line for line in lines)
            if executable != "/not/there":  # there it waits until that is tried again
                found = await told(waiting)
                assert isinstance(found, WorkerDied)
                assert str(found).startswith("add: the processes of")
            assert len(started) <= 6
            await pool.stop()
            if not waiting.called:
                waiting.addErrback(lambda _failure: None)
        await until(lambda: (children(), descriptors()) == before)
        return str(found)

    @pytest.mark.parametrize("which", range(6))
    def test_no_descriptor_is_left_of_one_that_cannot_be_made(
        self, monkeypatch: pytest.MonkeyPatch, which: int
    ) -> None:
        """Whatever it is that fails: a pipe, the program, the fork."""
        before = descriptors()
        failing = OSError(24, "Too many open files")
        calls = iter(range(100))

        def sometimes(function: Any) -> Any:
            def call(*args: Any, **options: Any) -> Any:
                if next(calls) == which:
                    raise failing
                return function(*args, **options)

            return call

        monkeypatch.setattr(childprocess.os, "pipe", sometimes(os.pipe))
        monkeypatch.setattr(childprocess.os, "open", sometimes(os.open))
        monkeypatch.setattr(
            reactor, "spawnProcess", lambda *_args, **_options: sometimes(lambda: 1 / 0)()
        )
        with pytest.raises((OSError, ZeroDivisionError)):
            worker.Worker(reactor, None, QUICK)  # type: ignore[arg-type]
        assert descriptors() == before


class TestTheEnd:
    @pytest_twisted.ensureDeferred
    async def test_what_was_said_before_the_end(self) -> None:
        """The results of a process that is killed at once are not lost."""
        async with crew() as pool:
            child = await pool.submit(jobs.pid)
            for _ in range(4):
                done = [pool.submit(jobs.same, (os.urandom(3000),)) for _ in range(20)]
                done.append(pool.submit(os.kill, (child, signal.SIGKILL)))
                found = await all_told(done)
                assert {type(value) for value in found[:-1]} == {bytes}
                assert isinstance(found[-1], WorkerDied)
                child = await pool.submit(jobs.pid)


@pytest_twisted.ensureDeferred
async def test_of_a_job_that_floods_the_log_the_rest_is_a_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The count comes with the job's end, or with the process's."""
    monkeypatch.setattr(worker, "MOST_LOGGED", 5_000)
    monkeypatch.setattr(worker, "LOGGED_IN", 3600.0)
    with logged() as lines:
        async with crew() as pool:
            await pool.submit(jobs.speak, ("a line\n" * 1_000,))
    said = [line for line in lines if line.endswith(": a line")]
    counts = [line.split("]: ")[1] for line in lines if "were left out" in line]
    assert len(said) == 48
    # the job's own end may cross the last of its output, which is told of at the process's
    assert 1 <= len(counts) <= 2
    left_out = sum(int(count.split()[0]) for count in counts)
    assert 1_000 - len(said) <= left_out <= 1_001 - len(said)
