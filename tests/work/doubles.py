"""
What the tests of pools share: a reactor whose threads run when they are told, a pool
that copies, and a clean slate of running pools.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest_twisted
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.logger import formatEvent, globalLogPublisher

from txremote.work.pickling import dump_job, dump_result, load_job, load_result
from txremote.work.pool import PoolService
from txremote.work.running import running_pools

#: Seconds that anything in these tests may take.
DEADLINE = 60.0


def default_threads() -> str:
    """Return how the threads of the program's reactor are called."""
    from twisted.internet import reactor

    name: str = reactor.getThreadPool().name  # type: ignore[attr-defined]
    return name


class Threads:
    """A thread pool whose tasks run when `run` is called."""

    def __init__(self, size: int) -> None:
        self.max = size
        self.tasks: deque[Callable[[], Any]] = deque()
        self.running = 0

    def callInThread(self, task: Callable[[], Any]) -> None:
        self.tasks.append(task)

    def run(self) -> bool:
        """Run one of the tasks; tell whether there was one."""
        if not self.tasks:
            return False
        assert self.running < self.max
        self.running += 1
        self.tasks.popleft()()
        self.running -= 1
        return True


class Reactor(Clock):
    """A reactor that turns when `turn` is called, with `Threads` of that size."""

    def __init__(self, size: int = 2) -> None:
        super().__init__()
        self.threads = Threads(size)
        self.from_threads: deque[Any] = deque()
        self.triggers: list[Any] = []

    def getThreadPool(self) -> Threads:
        return self.threads

    def callFromThread(self, function: Any, *args: Any) -> None:
        self.from_threads.append((function, args))

    def addSystemEventTrigger(self, _phase: str, _event: str, function: Any) -> Any:
        self.triggers.append(function)
        return function

    def removeSystemEventTrigger(self, trigger: Any) -> None:
        self.triggers.remove(trigger)

    def turn(self) -> bool:
        """Do what was asked for from threads; tell whether there was anything."""
        calls, self.from_threads = self.from_threads, deque()
        for function, args in calls:
            function(*args)
        return bool(calls)

    def settle(self) -> None:
        """Run all that can be run."""
        while self.threads.run() or self.turn():
            pass


class CopyingPool(PoolService):
    """A pool whose jobs run here and at once, with copies of everything."""

    kind = "copying"
    can_call_back = preferred = True

    def __init__(self, description: str = "copies", reactor: Any = None) -> None:
        super().__init__(reactor or Reactor(), description)
        self.submitted: list[tuple[Any, ...]] = []

    def _submit(
        self, function: Any, args: Any, kwargs: Any, timeout: Any, name: str
    ) -> Deferred[Any]:
        self.submitted.append((function, args, kwargs, timeout, name))
        call = load_job(*dump_job(function, args, kwargs, name), name)
        return succeed(load_result(*dump_result(call[0](*call[1], **call[2]), name), name))


class Step:
    """A job that says when it has begun, and ends when it is told."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.end = threading.Event()
        self.runs = 0

    def __call__(self, value: Any = "stepped") -> Any:
        self.runs += 1
        self.began.set()
        assert self.end.wait(DEADLINE)
        return value


def outcome(deferred: Deferred[Any]) -> list[Any]:
    """Return the list that a Deferred's result goes into, a Failure as its exception."""
    found: list[Any] = []
    deferred.addCallbacks(found.append, lambda failure: found.append(failure.value))
    return found


@contextmanager
def logged() -> Iterator[list[str]]:
    """Collect what is logged, as text."""
    lines: list[str] = []

    def observe(event: Any) -> None:
        text = formatEvent(event)
        failure = event.get("log_failure")
        lines.append(f"{text} {failure.getErrorMessage()}" if failure is not None else text)

    globalLogPublisher.addObserver(observe)
    try:
        yield lines
    finally:
        globalLogPublisher.removeObserver(observe)


@contextmanager
def own_registry() -> Iterator[Any]:
    """Have a registry in which no pool runs."""
    before = running_pools.default, running_pools.made, running_pools.pools
    running_pools.default, running_pools.made, running_pools.pools = None, {}, []
    try:
        yield running_pools
    finally:
        running_pools.default, running_pools.made, running_pools.pools = before


@pytest_twisted.async_yield_fixture
async def no_running_pools() -> AsyncIterator[Any]:
    """No pool runs when the test begins, and none is left of it."""
    from twisted.internet import reactor

    with own_registry() as registry:
        yield registry
        for pool in [*registry.pools]:
            await pool.stop().addTimeout(DEADLINE, reactor)
