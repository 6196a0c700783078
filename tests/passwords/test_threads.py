"""The threads in which passwords are hashed: how many, and what waits."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from txremote.passwords.threads import HashingThreads


class Loop:
    """A loop that does what it was told when a test has it turn."""

    def __init__(self) -> None:
        self._calls: queue.Queue[tuple[Callable[..., object], Any]] = queue.Queue()

    def callFromThread(self, function: Callable[..., object], *args: Any) -> None:
        """Note a call."""
        self._calls.put((function, args))

    def turn(self) -> None:
        """Wait for a call, and do it."""
        function, args = self._calls.get(timeout=20)
        function(*args)


class Hashing:
    """A function that takes as long as a test wants."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.may_end = threading.Semaphore(0)
        self.names: list[str] = []

    def of(self, name: str) -> Callable[[], str]:
        """Return it for somebody."""

        def hashing() -> str:
            self.names.append(name)
            self.begun.release()
            assert self.may_end.acquire(timeout=20)
            if name == "wrong":
                raise LookupError(name)
            return name

        return hashing


def test_few_run_at_once_and_the_others_wait_in_order() -> None:
    """More than may wait are refused; one that is cancelled while it waits never runs."""
    loop, hashing = Loop(), Hashing()
    threads = HashingThreads(at_once=2, most_waiting=3)
    results: dict[str, Any] = {}

    def run(name: str) -> Deferred[Any]:
        running = threads.run(loop, hashing.of(name))
        return running.addBoth(lambda found: results.__setitem__(name, found))

    run("ann"), run("bob")
    for _ in range(2):
        assert hashing.begun.acquire(timeout=20)
    run("wrong")
    gone = run("gone")
    run("cy"), run("late")
    assert results.pop("late").check(ConnectionRefusedError)
    gone.cancel()
    assert results.pop("gone").check(CancelledError)
    assert not hashing.begun.acquire(blocking=False)
    for _ in range(4):
        hashing.may_end.release()
        loop.turn()
    assert results.pop("wrong").check(LookupError)
    assert results == {name: name for name in ("ann", "bob", "cy")}
    assert sorted(hashing.names[:2]) == ["ann", "bob"]
    assert sorted(hashing.names[2:]) == ["cy", "wrong"]


def test_the_threads_end_when_nothing_is_left_to_do() -> None:
    """And later work has a thread again."""
    loop, hashing = Loop(), Hashing()
    threads = HashingThreads()
    for name in ("ann", "bob"):
        running = threads.run(loop, hashing.of(name))
        hashing.may_end.release()
        loop.turn()
        assert running.result == name
        for thread in threading.enumerate():
            if thread.name == "txremote passwords":
                thread.join(20)
                assert not thread.is_alive()
