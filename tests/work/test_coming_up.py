"""
A process on its way to its first job; its initializer is tested in test_initializer.py.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor

from tests.work import jobs
from tests.work.child_processes import (
    children,
    descriptors,
    nothing_beyond,
    outcome_of,
    until,
)
from tests.work.doubles import logged
from txremote.errors import WorkerDied
from txremote.work.processes import ProcessPool
from txremote.work.worker_protocol import WorkerLimits


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
        limits = WorkerLimits(grace=0.1, start=0.2 if "tmp" in executable else 60)
        before = children(), descriptors()
        pool = ProcessPool(reactor, 2, limits=limits)
        with logged() as lines:
            starting = pool.start()
            waiting = pool.submit(jobs.add, (1, 2))
            found = await outcome_of(starting)
            assert isinstance(found, WorkerDied)
            assert any(str(found) in line for line in lines)
            if executable != "/not/there":  # there it waits until that is tried again
                found = await outcome_of(waiting)
                assert isinstance(found, WorkerDied)
                assert str(found).startswith("add: the processes of")
            assert len(started) <= 6
            await pool.stop()
            if not waiting.called:
                waiting.addErrback(lambda _failure: None)
        await until(lambda: nothing_beyond(before))
        return str(found)
