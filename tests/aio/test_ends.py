"""Tests of the end of a loop whose program has pools: nothing outlives it, however it ends."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.aio.running import NewLoop, each_loop, run, until
from tests.aio.workshop import work
from tests.work import child_processes, jobs
from tests.work.doubles import logged
from txremote.aio import children, pool_from_string, run_async
from txremote.aio.loop import AsyncioLoop
from txremote.errors import PoolStopped, WrongThread


@pytest.fixture
def nothing_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No process, thread or descriptor is left of a test."""
    monkeypatch.setattr(children, "GRACE", 0.3)
    # the reactor of the tests has a pipe, once it runs
    pytest_twisted.blockon(deferLater(reactor, 0))  # type: ignore[arg-type]
    for each in each_loop.args[1]:
        run(nothing, *each.values)  # and uvloop's library one for all
    others = child_processes.children()  # servers that tests share
    threads = set(threading.enumerate())
    before = descriptors()
    yield
    for thread in set(threading.enumerate()) - threads:
        thread.join(20)
        assert not thread.is_alive(), thread
    assert not child_processes.children() - others
    gc.collect()  # of a closed loop what is in circles
    assert descriptors().items() <= before.items()  # tests before this one may have left some


async def nothing() -> None:
    """Do nothing."""


def descriptors() -> dict[str, str]:
    """Return what is open, and what it is."""
    found = {}
    for number in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # the folder's own
            found[number] = os.readlink(f"/proc/self/fd/{number}")
    return found


pytestmark = pytest.mark.usefixtures("nothing_left")


@each_loop
def test_pools_end_with_their_loop_and_the_next_loop_has_its_own(new_loop: NewLoop) -> None:
    with logged() as lines:
        others = child_processes.children()
        run(work, new_loop)
        assert child_processes.children() <= others
        run(work, new_loop)
    assert not lines


@each_loop
def test_a_loop_that_is_just_closed_leaves_nothing(
    new_loop: NewLoop, recwarn: pytest.WarningsRecorder
) -> None:
    """Jobs that are under way end once."""
    loop = new_loop()
    failed: list[type[BaseException]] = []

    async def main() -> None:
        await work()
        for pool in ("processes:1", "threads:2"):
            job = run_async(jobs.nap, 0.5, pool=pool)
            job.addErrback(lambda failure: failed.append(failure.type))
        await asyncio.sleep(0.1)

    loop.run_until_complete(main())
    loop.close()
    assert failed == [PoolStopped, PoolStopped]
    del loop, main
    assert not recwarn.list


def test_a_job_that_runs_may_tidy_up(tmp_path: Path) -> None:
    begun, tidied = str(tmp_path / "begun"), tmp_path / "tidied"

    async def main() -> None:
        job = asyncio.ensure_future(
            _awaited(run_async(jobs.tidy_hang, begun, str(tidied), pool="processes:1"))
        )
        await until(lambda: os.path.exists(begun))
        assert not job.done()

    run(main, asyncio.new_event_loop)
    assert tidied.read_text() == "tidied"


def test_a_job_that_ignores_its_end_is_killed(tmp_path: Path) -> None:
    begun = str(tmp_path / "begun")

    async def main() -> None:
        hanging = run_async(jobs.hang, begun, "deaf", pool="processes:1:grace=0.2")
        job = asyncio.ensure_future(_awaited(hanging))
        await until(lambda: os.path.exists(begun))
        assert not job.done()

    run(main, asyncio.new_event_loop)


def test_the_program_s_own_ends_come_first() -> None:
    """A coroutine that is cancelled at the end may use a pool still."""
    found: list[Any] = []

    async def background() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            found.append(await run_async(jobs.add, 1, 2, pool="processes:1"))

    async def main() -> None:
        task = asyncio.create_task(background())
        assert await run_async(jobs.add, 1, 1, pool="processes:1") == 2
        assert not task.done()

    run(main, asyncio.new_event_loop)
    assert found == [3]


def test_two_loops_in_two_threads_have_pools_each() -> None:
    pools: dict[str, Any] = {}
    both = threading.Barrier(2, timeout=60)
    problems: list[BaseException] = []

    async def main() -> None:
        name = threading.current_thread().name
        pools[name] = pool_from_string("processes:1")
        await pools[name].start()
        both.wait()
        (other,) = [pool for each, pool in pools.items() if each != name]
        with pytest.raises(WrongThread):
            await run_async(jobs.pid, pool=other)
        sums = await asyncio.gather(*[run_async(jobs.add, n, n) for n in range(20)])
        assert sums == [2 * n for n in range(20)]
        assert pools[name].statistics().done == 20
        assert AsyncioLoop.current().pools.pools == [pools[name]]
        both.wait()

    def in_thread(new_loop: NewLoop) -> None:
        try:
            run(main, new_loop)
        except BaseException as problem:
            problems.append(problem)
            both.abort()

    threads = [
        threading.Thread(target=in_thread, args=(each.values[0],)) for each in each_loop.args[1]
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert problems == []


def test_no_reactor_is_there_and_nobody_complains() -> None:
    """In asyncio's debug mode, with all warnings shown."""
    program = """
import asyncio, sys
from tests.aio.running import run, until
from tests.aio.workshop import Workshop, work
from txremote.aio import connect, listen
async def main():
    await work()
    async with await listen("127.0.0.1:0", Workshop) as server:
        async with connect(server.address) as conn:
            assert (await conn.root.compute(3))[0] == 9
            assert await conn.root.blocking(lambda n: n + 1) == 3
run(main, asyncio.new_event_loop)
print("reactor" if "twisted.internet.reactor" in sys.modules else "no reactor")
"""
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", program],
        env={**os.environ, "PYTHONASYNCIODEBUG": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout == "no reactor\n", done.stderr
    complaints = [
        line
        for line in done.stderr.splitlines()
        if "took" not in line  # asyncio's, of a turn that is slow
    ]
    assert complaints == []


async def _awaited(call: Any) -> Any:
    return await call
