"""
The threads in which passwords are hashed: few at once, and none of the reactor's.

To hash one takes a quarter of a second of a core and 32 MB, and strangers ask for it. So two are
hashed at once at most, the others wait in order, and above a number of those they are refused. A
thread lives as long as there is something to do; being a daemon it keeps no program from ending.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

#: How many passwords are hashed at once, and how many wait.
AT_ONCE: Final = 2
MOST_WAITING: Final = 1000


class HashingThreads:
    """Runs functions in a few threads. For any loop's thread; the results come back there."""

    def __init__(self, at_once: int = AT_ONCE, most_waiting: int = MOST_WAITING) -> None:
        self._at_once = at_once
        self._most_waiting = most_waiting
        self._lock = threading.Lock()
        self._running = 0
        self._waiting: deque[_Job] = deque()

    def run(self, loop: Any, function: Callable[[], object]) -> Deferred[Any]:
        """
        Call a function in a thread; return a Deferred of its result. Cancelled while it waits it
        is not called.

        Raises:
            ConnectionRefusedError: too many wait (as the Deferred's failure).
        """
        job = _Job(loop, function, self._withdraw)
        with self._lock:
            if self._running >= self._at_once:
                if len(self._waiting) < self._most_waiting:
                    self._waiting.append(job)
                else:
                    job.result.errback(
                        ConnectionRefusedError(f"{self._most_waiting} passwords wait to be checked")
                    )
                return job.result
            self._running += 1
        thread = threading.Thread(
            target=self._work, args=(job,), name="txremote passwords", daemon=True
        )
        try:
            thread.start()
        except RuntimeError as problem:  # the system has no more threads
            with self._lock:
                self._running -= 1
            job.result.errback(problem)
        return job.result

    def _withdraw(self, job: _Job) -> None:
        with self._lock:
            if job in self._waiting:
                self._waiting.remove(job)

    def _work(self, job: _Job | None) -> None:
        while job is not None:
            job.run()
            with self._lock:
                job = self._waiting.popleft() if self._waiting else None
                if job is None:
                    self._running -= 1


class _Job:
    """A function, and the loop that waits for its result."""

    def __init__(
        self, loop: Any, function: Callable[[], object], withdraw: Callable[[_Job], None]
    ) -> None:
        self._loop = loop
        self._function = function
        self.result: Deferred[Any] = Deferred(lambda _result: withdraw(self))

    def run(self) -> None:
        try:
            found: object = self._function()
        except Exception as problem:
            found = Failure(problem)
        self._loop.callFromThread(self._deliver, found)

    def _deliver(self, found: object) -> None:
        if not self.result.called:
            self.result.callback(found)
