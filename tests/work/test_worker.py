"""
One worker process, as its pool sees it: coming up, what goes to and fro, its end.
"""

from __future__ import annotations

import os
import signal
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor

from tests.work import jobs
from tests.work.child_processes import (
    QUICK,
    descriptors,
    outcome_of,
    outcomes_of,
    running_pool,
)
from tests.work.doubles import logged
from txremote.errors import JobTimeout, WorkerDied
from txremote.work import childprocess, output
from txremote.work.processes import ProcessPool
from txremote.work.worker import Worker


@pytest.mark.parametrize("which", range(6))
def test_no_descriptor_is_left_of_one_that_cannot_be_made(
    monkeypatch: pytest.MonkeyPatch, which: int
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
        Worker(reactor, ProcessPool(reactor), QUICK)  # type: ignore[arg-type]
    assert descriptors() <= before


class TestTheEnd:
    @pytest_twisted.ensureDeferred
    async def test_what_was_said_before_the_end(self) -> None:
        """The results of a process that is killed at once are not lost."""
        async with running_pool() as pool:
            child = await pool.submit(jobs.pid)
            for _ in range(4):
                done = [pool.submit(jobs.same, (os.urandom(3000),)) for _ in range(20)]
                done.append(pool.submit(os.kill, (child, signal.SIGKILL)))
                found = await outcomes_of(done)
                assert {type(value) for value in found[:-1]} == {bytes}
                assert isinstance(found[-1], WorkerDied)
                child = await pool.submit(jobs.pid)


@pytest_twisted.ensureDeferred
async def test_of_a_job_that_floods_the_log_the_rest_is_a_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The count comes with the job's end, or with the process's."""
    monkeypatch.setattr(output, "MOST_LOGGED", 5_000)
    monkeypatch.setattr(output, "LOGGED_IN", 3600.0)
    with logged() as lines:
        async with running_pool() as pool:
            await pool.submit(jobs.speak, ("a line\n" * 1_000,))
    said = [line for line in lines if line.endswith(": a line")]
    counts = [line.split("]: ")[1] for line in lines if "were left out" in line]
    assert len(said) == 48
    # the job's own end may cross the last of its output, which is told of at the process's
    assert 1 <= len(counts) <= 2
    left_out = sum(int(count.split()[0]) for count in counts)
    assert 1_000 - len(said) <= left_out <= 1_001 - len(said)


class TestTime:
    @pytest_twisted.ensureDeferred
    async def test_what_a_job_imports_is_not_counted(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """But has a limit of its own, which its error names."""
        (tmp_path / "slow_module.py").write_text(
            "import os, time\n"
            "time.sleep(float(os.environ.get('SLOW', 0)))\n"
            "def work():\n    return 1\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        module = import_module("slow_module")
        async with running_pool(import_timeout=0.3, env={"SLOW": "1000"}) as pool:
            found = await outcome_of(pool.submit(module.work, timeout=2000))
            assert isinstance(found, JobTimeout)
            assert str(found) == (
                "work was ended, since what it imports was not loaded within 0.3 s (option "
                "import_timeout=)"
            )
            assert pool.statistics().killed == 1
        async with running_pool(env={"SLOW": "1.5"}) as pool:
            assert await outcome_of(pool.submit(module.work, timeout=1)) == 1

    @pytest_twisted.ensureDeferred
    async def test_time_is_counted_from_the_start(self) -> None:
        """A job that waits behind others has its whole time."""
        async with running_pool() as pool:
            waiting = [pool.submit(jobs.nap, (0.1, n), timeout=0.5) for n in range(8)]
            assert await outcomes_of(waiting) == list(range(8))

    @pytest_twisted.ensureDeferred
    async def test_out_of_time(self, tmp_path: Path) -> None:
        """Only that job fails; the others are run by the next process, and once."""
        async with running_pool() as pool:
            path = str(tmp_path / "marks")
            before = [pool.submit(jobs.mark, (path, n)) for n in range(3)]
            late = pool.submit(jobs.nap, (1000,), timeout=0.2)
            after = [pool.submit(jobs.mark, (path, n), timeout=10) for n in range(3, 6)]
            found = await outcome_of(late)
            assert isinstance(found, JobTimeout)
            assert isinstance(found, TimeoutError)
            assert str(found) == "nap took longer than 0.2 s and was ended"
            assert await outcomes_of([*before, *after]) == list(range(6))
            assert sorted(jobs.marks(path)) == list(range(6))
            statistics = pool.statistics()
            assert (statistics.done, statistics.failed, statistics.killed) == (6, 0, 1)

    @pytest.mark.parametrize("seconds", [0, -1])
    @pytest_twisted.ensureDeferred
    async def test_no_time_at_all(self, seconds: float) -> None:
        """A job that may take none is ended as soon as it has begun."""
        async with running_pool() as pool:
            found = await outcome_of(pool.submit(jobs.nap, (1000,), timeout=seconds))
            assert isinstance(found, JobTimeout)
            assert await pool.submit(jobs.add, (1, 2), timeout=10) == 3
