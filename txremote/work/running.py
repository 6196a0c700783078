"""
The pools that run: the one piece of state here that belongs to the whole process, or to a loop.

`run_async` in one module uses the pool that another module has started, or ``twistd``, and nobody
passes it along. A pool enters itself when it starts and leaves when it stops. For the reactor's
thread. A loop in another thread has pools of its own (`pools_of`).
"""

from __future__ import annotations

import sys
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from txremote.errors import WrongThread
from txremote.eventloop.stop_order import StopOrder, stop_order
from txremote.work.loops import asyncio_loop_here
from txremote.work.plainphase import this_process

if TYPE_CHECKING:
    from txremote.interfaces import IPool

# The file of the frames that import a module, as Python names it.
_IMPORTING = "<frozen importlib._bootstrap>"


class RunningPools:
    """
    The pools of a process, or of one loop, in the order in which they were started.

    Attributes:
        order: Says how long a pool has to wait for its users when it is to stop.
    """

    def __init__(self, order: StopOrder | None = None) -> None:
        self.default: IPool | None = None  # used where none is named, if it runs
        self.in_worker = this_process.is_worker  # a worker process of a pool
        # those that run_async made of descriptions, and that have stopped too
        self.made: dict[tuple[Hashable, str], IPool] = {}
        self.pools: list[IPool] = []
        self.order = StopOrder() if order is None else order

    def add(self, pool: IPool) -> None:
        """Enter a pool that starts."""
        self.pools.append(pool)

    def discard(self, pool: IPool) -> None:
        """Take one out that stops."""
        if pool in self.pools:
            self.pools.remove(pool)


#: The pools of this process: those of its reactors.
running_pools = RunningPools(stop_order)


def pools_of(loop: object) -> RunningPools:
    """
    Return a loop's own pools, if it runs beside the program's reactor, as those of `txremote.aio`
    and of a script's servers do; else those of the process.
    """
    found = getattr(loop, "pools", None)
    if found is None and getattr(loop, "io_thread", None) is not None:
        beside: Any = loop
        found = beside.pools = RunningPools()
    return found if isinstance(found, RunningPools) else running_pools


def check_loop(pool: object, loop: object) -> None:
    """Refuse (WrongThread) a pool of another loop: its jobs would never come back to this one."""
    home = getattr(pool, "_reactor", loop)
    if home is not loop and pools_of(home) is not pools_of(loop):
        raise WrongThread(
            f"{pool!r} belongs to another event loop, or to one that has ended: make a pool where "
            "this one runs"
        )


def refuse_in_import() -> None:
    """Refuse (RuntimeError) to start processes in a worker's import: each would start more."""
    frame = sys._getframe(1) if running_pools.in_worker else None
    while frame is not None:
        if frame.f_code.co_filename == _IMPORTING:
            raise RuntimeError(
                "a worker process imports a module for its job, and the module starts a process "
                'pool: start it under `if __name__ == "__main__":`, or in a function that is '
                "not called when the module is imported"
            )
        frame = frame.f_back


def set_default_pool(pool: IPool | None) -> None:
    """
    Have `run_async` use a pool where none is named, for as long as it runs.

    Args:
        pool: An `IPool`, which may be started later; None takes it back. With `txremote.aio` it is
            for the loop that it was made in, and None for the loop that runs here.
    """
    loop = getattr(pool, "_reactor", None)
    if loop is None:  # any object may be a pool
        loop = asyncio_loop_here()
    pools_of(loop).default = pool
