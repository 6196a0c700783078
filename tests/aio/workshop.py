"""A service whose methods run elsewhere. Not a test file, and light: worker processes import it."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from typing import Any

from tests.work import jobs
from txremote import Service, exposed, offloaded, run_async, threaded


class Workshop(Service):
    """Methods that run elsewhere."""

    @exposed
    @offloaded(pool="processes:1:grace=0.3")
    def compute(self, number: int, progress: Any = None) -> tuple[int, int]:
        if progress is not None:
            progress(number)
        return number * number, os.getpid()

    @exposed
    @offloaded(pool="processes:1:grace=0.3")
    def hang(self, path: str) -> None:
        jobs.hang(path, "sleep")

    @exposed
    @offloaded(pool="threads:2")
    def in_thread(self, callback: Any) -> tuple[Any, bool]:
        return callback(20), threading.current_thread() is threading.main_thread()

    @exposed
    @threaded
    def blocking(self, callback: Any) -> Any:
        time.sleep(0.001)
        return callback(callback(1))

    @exposed
    async def in_coroutine(self, callback: Any) -> Any:
        await asyncio.sleep(0)
        return await run_async(jobs.add, await callback(1), 1)

    @exposed
    def blocks_the_loop(self, callback: Any) -> Any:
        netref = callback._connection.view.to_netrefs(callback)
        return netref(1)


class InLanes(Workshop):
    threaded_service = True

    @exposed
    def in_order(self, callback: Any) -> tuple[Any, ...]:
        return tuple([callback(n) for n in range(3)])


class Desk:
    """Commands of each kind."""

    commands = ["square"]
    asyncommands = ["load"]
    thcommands = ["nap"]
    mpcommands = ["compute"]

    def square(self, n: int) -> int:
        return n * n

    async def load(self, n: int) -> int:
        await run_async(jobs.pid, use_thread=True)
        print("loaded", n)
        return n

    def nap(self, n: int) -> Any:
        yield f"napping {n}"
        time.sleep(0.001)

    def compute(self, n: int) -> Any:
        yield f"computing {n}"
        yield os.getpid()


async def work() -> None:
    """Have a pool of each kind do something."""
    pids = await asyncio.gather(
        run_async(jobs.pid, pool="processes:1"), run_async(jobs.pid, pool="threads:2")
    )
    assert (pids[0] != os.getpid(), pids[1], await run_async(jobs.pid, use_thread=True)) == (
        True,
        os.getpid(),
        os.getpid(),
    )
