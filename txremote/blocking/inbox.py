"""
The inbox: what has arrived and has not been run, and the threads that wait for it.

What the reader decodes becomes *items* of one queue, in the order of arrival: a
request of the peer to run is a function, an answer of ours an `Answer`, which
completes a `PendingAnswer`. Any waiting thread takes the next item, so a request that
takes long, or calls back, holds nobody else up; and a callback that the peer sent
before its answer has run when the answer arrives.

A thread that finds nothing, while another one reads, sleeps here. It is woken by
name when its answer is taken, and else to take its turn at reading: whoever gives
the reader's role back, or is about to run somebody's code, wakes one. A wake-up is
never lost. It is a lock of the sleeper's own that is released, once for each time
that the sleeper was taken out of the queue; who was taken out and is not asleep
any more waits for that release; and whoever stops to wait passes it on (`Pump`).

Appending is all that other threads, and garbage collection, ever do here without
`taking`: a deque's own methods are atomic.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any


class PendingAnswer:
    """
    A thread that waits: for an answer, or just for things to happen.

    Attributes:
        done: Whether what it waits for is there.
        value: What that is.
        interrupted: Whether it was told by another thread to stop.
        parked: A lock that it sleeps on, from the first time that it does.
    """

    __slots__ = ("done", "interrupted", "parked", "value")

    def __init__(self) -> None:
        self.done = False
        self.interrupted = False
        self.value: Any = None
        self.parked: Any = None


class Answer:
    """An item that completes a waiter."""

    __slots__ = ("value", "waiter")

    def __init__(self, waiter: PendingAnswer, value: Any) -> None:
        self.waiter = waiter
        self.value = value


def _delivered() -> None:
    """Stands for an item that needed no running."""


class Inbox:
    """
    The items of one connection, and who sleeps beside its reader.

    Attributes:
        items: What has arrived, an `Answer` or a function; to be appended to.
        taking: Held while an item is taken out. Who goes to read looks at `items`
            and at its waiter under this.
        sleeping: The threads that sleep, the next to be woken first.
    """

    def __init__(self) -> None:
        self.items: deque[Any] = deque()
        # Reentrant, for garbage collection may run somebody's __del__ inside.
        self.taking = threading.RLock()
        self.sleeping: deque[PendingAnswer] = deque()

    def take(self) -> Callable[[], object] | None:
        """
        Return the next item to run, or None.

        An answer is handed over in the same breath: who finds neither items nor
        its own answer, and so goes to read, can be sure that no other thread has
        that in its hands.
        """
        with self.taking:
            try:
                item = self.items.popleft()
            except IndexError:
                return None
            if type(item) is Answer:
                self.complete(item.waiter, item.value)
                return _delivered
        return item  # type: ignore[no-any-return]

    def complete(self, waiter: PendingAnswer, value: Any) -> None:
        """Give a waiter what it waits for, and wake it if it sleeps."""
        waiter.value = value
        waiter.done = True
        if not self.sleeping:
            return
        try:
            self.sleeping.remove(waiter)
        except ValueError:  # it does not sleep, or somebody is waking it
            return
        waiter.parked.release()

    def wake_one(self) -> None:
        """Wake a thread that sleeps, if one does."""
        try:
            waiter = self.sleeping.popleft()
        except IndexError:
            return
        waiter.parked.release()

    def step_aside(self) -> None:
        """
        See to it that another thread looks at what comes: this one is about to
        run somebody's code, for as long as that takes.
        """
        if self.sleeping:
            self.wake_one()

    def sleep(self, waiter: PendingAnswer, deadline: float | None, reading: threading.Lock) -> None:
        """
        Sleep until there may be something to do for this thread.

        Args:
            waiter: The thread's.
            deadline: On the monotonic clock, or None.
            reading: The role of the reader. Returns at once if nobody has it.
        """
        parked = waiter.parked
        if parked is None:
            parked = waiter.parked = threading.Lock()
            parked.acquire()
        woken = False
        try:
            self.sleeping.append(waiter)
            # Whoever gives the reader's role back, or completes this waiter, looks
            # at the sleepers after it has done so: what is seen here is in time.
            if not (self.items or waiter.done) and reading.locked():
                left = -1 if deadline is None else max(0.0, deadline - monotonic())
                woken = parked.acquire(timeout=left)
        except BaseException:  # Ctrl-C: this wait is over
            try:
                self.sleeping.remove(waiter)
            except ValueError:  # it was woken, and passes that on
                self.wake_one()
            raise
        if not woken:
            try:
                self.sleeping.remove(waiter)
            except ValueError:  # somebody took it out to wake it, and will
                parked.acquire()
