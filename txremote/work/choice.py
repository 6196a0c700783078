"""
Which pool a job goes to.

Named by nobody: the default pool, else a preferred pool that runs, such as one of
processes, else the threads of the reactor. Named by a description: one that runs
and is described so, else a new one, which is kept until the reactor shuts down. For
the reactor's thread.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from twisted.python.failure import Failure

from txremote.work.pool import PoolService, log
from txremote.work.running import running_pools
from txremote.work.spec import join, pool_from_string, split
from txremote.work.threads import ThreadPool

THREADS = ThreadPool.kind


def choose(reactor: Any, pool: Any = None, use_thread: bool = False, by_value: bool = False) -> Any:
    """
    Return the pool for a job.

    Args:
        reactor: The reactor.
        pool: An `IPool`, or a description; None for whichever is right.
        use_thread: Whether it is to be a thread of the reactor.
        by_value: Whether, of those that nobody named, only a pool will do whose
            jobs run elsewhere. The reactor's threads are the answer if there is
            none.

    Raises:
        ValueError: the description makes no sense.
        TypeError: ``pool`` is neither, or ``use_thread`` says something else.
    """
    if pool is not None:
        if use_thread:
            raise TypeError("use_thread=True means a thread of the reactor, and pool= another")
        if isinstance(pool, str):
            return _described(reactor, pool)
        if not hasattr(pool, "submit"):
            raise TypeError(f"pool= is an IPool or a description such as 'threads:8', not {pool!r}")
        return pool
    if not use_thread:
        pool = running_pools.preferred(by_value)
    return pool or running_pools.made.get((reactor, THREADS)) or _keep(reactor, THREADS)


def _described(reactor: Any, text: str) -> Any:
    description = join(*split(text))
    found = running_pools.described(description)
    return found or running_pools.made.get((reactor, description)) or _keep(reactor, description)


def _keep(reactor: Any, description: str) -> Any:
    """Make and start a pool, which ends with the reactor."""
    pool = _make(reactor, description)
    key = reactor, description
    running_pools.made[key] = pool
    if isinstance(pool, PoolService):
        pool.ends_with_reactor = True
    else:
        stop = partial(running_pools.after_use, pool.stop)
        reactor.addSystemEventTrigger("before", "shutdown", stop)

    def failed(failure: Failure) -> None:
        if pool.running:  # and was not stopped while it started
            log.failure("{pool} did not start", failure, pool=pool)
            del running_pools.made[key]  # it may come up another time
            pool.stop()

    pool.start().addErrback(failed)
    return pool


def _make(reactor: Any, description: str) -> Any:
    if description == THREADS:  # no need to look for plugins on the disk
        return ThreadPool(reactor)
    return pool_from_string(description, reactor)
