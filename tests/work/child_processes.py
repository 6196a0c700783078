"""
What the tests of process pools share: pools that are gone afterwards, and ways to
look at processes.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import psutil
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from tests.work.doubles import DEADLINE
from txremote.work.processes import ProcessPool
from txremote.work.worker_protocol import WorkerLimits

#: So that what has to be killed is killed soon.
QUICK = WorkerLimits(grace=0.3)


@asynccontextmanager
async def running_pool(
    least: int = 1, most: int | None = None, **options: Any
) -> AsyncIterator[ProcessPool]:
    """A pool that has come up, and is stopped in the end."""
    options.setdefault("limits", QUICK)
    pool = ProcessPool(reactor, least, most, **options)
    await pool.start()
    try:
        yield pool
    finally:
        await pool.stop()


async def until(condition: Callable[[], Any], seconds: float = DEADLINE) -> Any:
    """Wait until something is so, and return it."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, "it takes too long"
        await deferLater(reactor, 0.005)  # type: ignore[arg-type]


async def outcome_of(deferred: Deferred[Any]) -> Any:
    """Wait for a Deferred; return its result, or the exception of its Failure."""
    deferred.addTimeout(DEADLINE, reactor)  # type: ignore[arg-type]
    try:
        return await deferred
    except BaseException as error:
        return error


async def outcomes_of(deferreds: Iterable[Deferred[Any]]) -> list[Any]:
    """Wait for many; each may fire once."""
    found: list[Any] = []
    for number, deferred in enumerate(deferreds):
        found.append(None)
        deferred.addBoth(_put, found, number)
    waiting = DeferredList(list(deferreds))
    waiting.addTimeout(DEADLINE, reactor)  # type: ignore[arg-type]
    await waiting
    return found


def _put(result: Any, found: list[Any], number: int) -> None:
    assert found[number] is None
    found[number] = result.value if isinstance(result, Failure) else result


def pids(pool: ProcessPool) -> set[int]:
    """Return the numbers of a pool's processes."""
    return {worker.pid for worker in pool._workers.active | pool._workers.ending}


def lives(pid: int) -> bool:
    """Tell whether a process is there, and is no zombie."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def pid_in(path: os.PathLike[str]) -> int | None:
    """Return the process number that a job has written to a file, if it has."""
    try:
        with open(path) as file:
            return int(file.read())
    except FileNotFoundError:
        return None


def children() -> set[int]:
    """Return the children of this process."""
    return {child.pid for child in psutil.Process().children() if lives(child.pid)}


def nothing_beyond(before: tuple[set[int], int]) -> bool:
    """
    Tell whether there are no processes and descriptors but those of before: `children` and
    `descriptors`. What tests before this one have left may have gone meanwhile.
    """
    return children() <= before[0] and descriptors() <= before[1]


def descriptors() -> int:
    """Return how many descriptors are open."""
    return len(os.listdir("/proc/self/fd"))


PYTHON = sys.executable
