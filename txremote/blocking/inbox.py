"""
The inbox: what has arrived and has not been run, and the threads that sleep beside it.

The reader decodes what arrives into *items* of one queue, in the order of arrival: a
function for each request of the peer, a `PendingAnswer` for each answer to a call of ours.
Any thread that waits takes the next item. So a request that takes long or calls back holds
up nobody else, and a callback that the peer sent before its answer has run by the time the
answer is there.

A thread that finds no item while another thread reads goes to sleep here. The protocol
between a sleeper and the thread that wakes it:

1. The sleeper appends its `PendingAnswer` to `sleeping`.
2. It checks once more the items, its answer and the role of the reader. Each of these is
   changed *before* the changing thread reads `sleeping`; so either the sleeper sees the
   change now, or it is seen itself.
3. It blocks on a lock of its own, ``parked``.
4. A waker takes one sleeper out of `sleeping` and releases that lock, once. `complete`
   wakes the thread whose answer it brings; `wake_one` wakes the first, to read or to run
   items.
5. A sleeper that stops by itself (deadline, Ctrl-C) takes its own entry out. If the entry
   is gone, a waker has it in hand: the sleeper waits for that release (deadline) or wakes
   another in its place (Ctrl-C).
6. A thread that stops waiting calls `wake_one`, in case it was woken to read or to run
   items and leaves without doing so (`Pump`).

No wake-up is lost by these rules, and a thread may be woken for nothing. Other threads, and
garbage collection, only ever append without holding `taking`: the methods of a deque are
atomic.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from time import monotonic


class PendingAnswer:
    """One thread's wait; as an item of the `Inbox`, the answer that has arrived."""

    # defaults on the class: making one, for each call, runs no code
    done = False
    interrupted = False  # whether another thread has ended the wait
    value: object = None  # the answer
    parked: threading.Lock | None = None  # slept on


Item = PendingAnswer | Callable[[], object]


def _delivered() -> None:
    """Stands for an item that needed no running."""


class Inbox:
    """
    The items of one connection, and the threads that sleep beside its reader.

    ``taking`` is held while an item is taken out, and while a thread that goes to read checks
    the items and its own answer.
    """

    def __init__(self) -> None:
        self.items: deque[Item] = deque()
        self.taking = threading.RLock()  # reentrant: garbage collection may run a __del__ inside
        self.sleeping: deque[PendingAnswer] = deque()  # the next to be woken first

    def take(self) -> Callable[[], object] | None:
        """
        Return the next item to run, or None.

        An answer is delivered under the same lock: a thread that finds neither items nor
        its own answer can go to read, since no other thread has that answer in its hands.
        """
        with self.taking:
            try:
                item = self.items.popleft()
            except IndexError:
                return None
            if isinstance(item, PendingAnswer):
                self.complete(item)
                return _delivered
        return item

    def complete(self, waiter: PendingAnswer) -> None:
        """End a thread's wait, and wake the thread if it sleeps."""
        waiter.done = True
        if self.sleeping:
            try:
                self.sleeping.remove(waiter)
            except ValueError:  # it does not sleep, or is being woken
                return
            _release(waiter)

    def wake_one(self) -> None:
        """Wake a thread that sleeps, if one does. Call it before code that may take long."""
        if self.sleeping:
            try:
                waiter = self.sleeping.popleft()
            except IndexError:
                return
            _release(waiter)

    def sleep(self, waiter: PendingAnswer, deadline: float | None, reading: threading.Lock) -> None:
        """
        Sleep until there may be something to do for this thread, or until the deadline, on
        the monotonic clock. Returns at once if no thread has the role of the reader.
        """
        parked = waiter.parked
        if parked is None:
            parked = waiter.parked = threading.Lock()
            parked.acquire()
        woken = False
        try:
            self.sleeping.append(waiter)
            if not (self.items or waiter.done) and reading.locked():
                left = -1 if deadline is None else max(0.0, deadline - monotonic())
                woken = parked.acquire(timeout=min(left, threading.TIMEOUT_MAX))
        except BaseException:  # Ctrl-C
            try:
                self.sleeping.remove(waiter)
            except ValueError:
                self.wake_one()
            raise
        if not woken:
            try:
                self.sleeping.remove(waiter)
            except ValueError:
                parked.acquire()


def _release(waiter: PendingAnswer) -> None:
    assert waiter.parked is not None  # it was among the sleepers
    waiter.parked.release()
