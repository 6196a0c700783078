"""The end of a worker process, on its own side."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest_twisted

from tests.work import jobs
from tests.work.child_processes import lives, outcome_of, running_pool
from txremote.work.worker_protocol import WorkerLimits


def _to_another_thread() -> None:
    """Have TERM come to a thread that runs no handlers, while the main one waits."""
    (watch,) = (each for each in threading.enumerate() if each.name == "txremote parent watch")
    assert watch.ident is not None
    signal.pthread_kill(watch.ident, signal.SIGTERM)


def _to_a_forked_process() -> None:
    """Have TERM end a process that this one has forked, as a pool of multiprocessing's does."""
    forked = os.fork()
    if not forked:
        signal.signal(signal.SIGTERM, lambda *_about: os._exit(0))
        time.sleep(60)
    time.sleep(0.1)  # it may not have got so far: then the handler is still its parent's
    os.kill(forked, signal.SIGTERM)
    os.waitpid(forked, 0)


def hang_and_tidy(pid: Path, tidied: Path, act: Callable[[], None]) -> None:
    """Do something in another thread, and wait for ever, with something to tidy up at the end."""
    threading.Timer(0.1, act).start()
    jobs.tidy_hang(str(pid), str(tidied))


@pytest_twisted.ensureDeferred
async def test_term_that_comes_to_another_thread_reaches_the_job(tmp_path: Path) -> None:
    """Else it would be seen after the wait that the job is in."""
    async with running_pool(limits=WorkerLimits(grace=30)) as pool:
        work = tmp_path / "pid", tmp_path / "tidied", _to_another_thread
        problem = await outcome_of(pool.submit(hang_and_tidy, work))
        assert "ended with exit status 143" in str(problem)
        assert (tmp_path / "tidied").read_text() == "tidied"


@pytest_twisted.ensureDeferred
async def test_term_of_a_process_that_a_job_has_forked_is_its_own(tmp_path: Path) -> None:
    """The job's process, whose pipe that one has too, goes on."""
    async with running_pool() as pool:
        before = await pool.submit(os.getpid)
        await pool.submit(_to_a_forked_process)
        await pool.submit(time.sleep, (0.2,))
        assert await pool.submit(os.getpid) == before
        assert lives(before)
