"""
Which pools run: the one piece of state here that belongs to the whole process.

It is there for the reason that the reactor is: `run_async` in one module of a
program makes use of the pool that another one has started, or that ``twistd``
has, and nobody passes it along. A pool enters itself when it starts and leaves
when it stops. For the reactor's thread.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable
from typing import Any

from twisted.internet.defer import Deferred

# The file of the frames that import a module, as Python names it.
_IMPORTING = "<frozen importlib._bootstrap>"


class RunningPools:
    """
    The pools of a process, in the order in which they were started.

    Attributes:
        default: The pool to be used where none is named, if it runs.
        made: Those that were made because somebody named them, by the reactor
            and the name. They stay here when they have stopped.
        in_worker: Whether this is a worker process of a pool.
    """

    def __init__(self) -> None:
        self.default: Any = None
        self.in_worker = False
        self.made: dict[tuple[Hashable, str], Any] = {}
        self._pools: list[Any] = []
        self._users = 0
        self._waiting: list[Deferred[None]] = []

    def add(self, pool: Any) -> None:
        """Enter a pool that starts."""
        self._pools.append(pool)

    def discard(self, pool: Any) -> None:
        """Take one out that stops."""
        if pool in self._pools:
            self._pools.remove(pool)

    def keep_for(self, user: Deferred[Any]) -> None:
        """
        Have pools that end with the reactor wait for somebody who still uses them.

        Args:
            user: Fires when they are not needed any more.
        """
        self._users += 1

        def done(result: Any) -> Any:
            self._users -= 1
            if not self._users:
                waiting, self._waiting = self._waiting, []
                for each in waiting:
                    each.callback(None)
            return result

        user.addBoth(done)

    def after_use(self, stop: Callable[[], Deferred[None]]) -> Deferred[None]:
        """
        Stop a pool because the reactor stops: now, or when nobody uses pools.

        Args:
            stop: Stops it.
        """
        if not self._users:
            return stop()
        unused: Deferred[None] = Deferred()
        self._waiting.append(unused)
        return unused.addCallback(lambda _none: stop())

    def described(self, description: str) -> Any:
        """Return the pool of a description that was started last, or None."""
        for pool in reversed(self._pools):
            if pool.description == description:
                return pool
        return None

    def preferred(self, by_value: bool = False) -> Any:
        """
        Return the pool for a job that names none: the default one if it runs, else the
        last that was started of those that are preferred, else None.

        Args:
            by_value: Whether the job has to run elsewhere. Then any pool will do whose
                jobs do so, where none is preferred.
        """
        default = self.default
        if default is not None and default.running and (default.by_value or not by_value):
            return default
        elsewhere = None
        for pool in reversed(self._pools):
            if pool.by_value or not by_value:
                if getattr(pool, "preferred", False):
                    return pool
                elsewhere = elsewhere or pool
        return elsewhere if by_value else None


#: The pools of this process.
running_pools = RunningPools()


def refuse_in_import() -> None:
    """
    Refuse to start processes while a worker process imports a module for its job.

    Such a module starts them in each process that imports it, these would import it in
    turn, and so on without end; multiprocessing refuses that, too.

    Raises:
        RuntimeError: it is so.
    """
    frame = sys._getframe(1) if running_pools.in_worker else None
    while frame is not None:
        if frame.f_code.co_filename == _IMPORTING:
            raise RuntimeError(
                "a worker process imports a module for its job, and the module starts a process "
                'pool: start it under `if __name__ == "__main__":`, or in a function that is '
                "not called when the module is imported"
            )
        frame = frame.f_back


def set_default_pool(pool: Any) -> None:
    """
    Have `run_async` use a pool where none is named, for as long as it runs.

    Args:
        pool: An `IPool`, which may be started later; None takes it back.
    """
    running_pools.default = pool
