"""
The threads in which code runs that may block.

A pool has a number of *slots*, and a thread that runs holds one. A thread that waits for a
remote call, over any connection, gives its slot back, so another one can run: however many
calls wait within each other, there is always a thread for the work that they wait for. The
number of threads, running or waiting, is bounded too; past that a call fails. A task that is
no call, an ``on_disconnect`` say, is *patient*: it waits for a thread.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from txremote.levels import Logger
from txremote.refs import forks
from txremote.refs.clock import EventLoop
from txremote.refs.driver import here as waiting

_log = Logger("txremote")

#: Seconds that a thread waits for something to do before it ends.
IDLE_TIMEOUT = 5.0

DEFAULT_SLOTS = 10
DEFAULT_MAX_THREADS = 1000

Task = Callable[[], object]


class TooManyThreads(RuntimeError):
    """Every thread of a pool waits for an answer, and there may be no more."""


class Leavable(Protocol):
    """A lane on a thread's stack, which it leaves to others while it waits elsewhere."""

    def go_away(self) -> None:
        """Leave it to others."""

    def come_back(self) -> None:
        """Do so no more."""


class _Here(threading.local):
    """
    The pool of this thread, the loop that it works for, and the lanes whose items are on its stack,
    innermost last.
    """

    pool: WorkerPool | None = None
    loop: EventLoop | None = None

    def __init__(self) -> None:
        self.lanes: list[Leavable] = []


here = _Here()


class _Away:
    """A thread of a pool that waits on a script's connection (an `Absence`)."""

    def __init__(self, pool: WorkerPool) -> None:
        self._pool = pool

    def begin(self) -> None:
        """Give the slot back, and leave the lanes to others."""
        self._pool.begin_wait()
        for lane in here.lanes:
            lane.go_away()

    def end(self) -> None:
        """Take both again."""
        for lane in here.lanes:
            lane.come_back()
        self._pool.end_wait()


class _Worker:
    def __init__(self) -> None:
        self.task: Task | None = None
        self.called = threading.Event()


class WorkerPool:
    """
    Threads for lanes and for threaded methods: at most ``slots`` run at once, and there are at
    most ``max_threads``, those that wait included. All methods are for any thread.
    """

    def __init__(self, slots: int | None = None, max_threads: int = DEFAULT_MAX_THREADS) -> None:
        if slots is None:
            slots = min(DEFAULT_SLOTS, max_threads)
        if slots < 1 or max_threads < slots:
            raise ValueError("a pool has at least one slot, and at least as many threads")
        self._slots = slots
        self._max_threads = max_threads
        self.loop: EventLoop | None = None  # that the threads work for
        self._lock = threading.Lock()
        self._queue: OrderedDict[object, Task] = OrderedDict()  # by their tickets
        self._idle: list[_Worker] = []
        self._running = 0
        self._threads = 0

    def submit(self, task: Task, patient: bool = False) -> object:
        """
        Run a task when there is a slot; return a ticket, for `take_back`. A ``patient`` task
        waits for a thread, however long that takes.

        Raises:
            TooManyThreads: it would need a new thread, and there may be no more.
        """
        ticket = object()
        with self._lock:
            if (
                not patient
                and self._running < self._slots
                and not self._idle
                and self._threads >= self._max_threads
            ):
                raise TooManyThreads(
                    f"all {self._max_threads} threads of the server wait for answers of "
                    "their own (option max_threads)"
                )
            self._queue[ticket] = task
            self._dispatch()
        return ticket

    def take_back(self, ticket: object) -> bool:
        """Forget a task unless a thread has begun it; return whether that was in time."""
        with self._lock:
            return self._queue.pop(ticket, None) is not None

    @property
    def crowded(self) -> bool:
        """Whether a task waits for a slot."""
        return bool(self._queue)

    def begin_wait(self) -> None:
        """Give this thread's slot back: it is going to wait."""
        with self._lock:
            self._running -= 1
            self._dispatch()

    def end_wait(self) -> None:
        """
        Take a slot again. More threads than slots may run for a while: to wait for a slot here
        could be to wait for oneself.
        """
        with self._lock:
            self._running += 1

    def _dispatch(self) -> None:
        while self._queue and self._running < self._slots:
            if self._idle:
                worker = self._idle.pop()
            elif self._threads < self._max_threads:
                worker = _Worker()
                self._threads += 1
                threading.Thread(
                    target=self._work, args=(worker,), name="txremote worker", daemon=True
                ).start()
            else:
                return
            self._running += 1
            _, worker.task = self._queue.popitem(last=False)
            worker.called.set()

    def _work(self, worker: _Worker) -> None:
        here.pool = self
        here.loop = self.loop
        waiting.absence = _Away(self)
        while True:
            if not worker.called.wait(IDLE_TIMEOUT):
                with self._lock:
                    if worker in self._idle:
                        self._idle.remove(worker)
                        self._threads -= 1
                        return
                continue  # it was called just now
            worker.called.clear()
            task, worker.task = worker.task, None
            while task is not None:
                home = forks.here
                try:
                    task()
                except BaseException:  # whatever it is, it must not cost the pool a thread
                    _log.failure("a task of a worker thread failed")
                if home is not forks.here:
                    forks.end()
                task = self._next(worker)

    def _next(self, worker: _Worker) -> Task | None:
        with self._lock:
            if self._queue and self._running <= self._slots:
                return self._queue.popitem(last=False)[1]
            self._running -= 1
            self._idle.append(worker)
            self._dispatch()
            return None
