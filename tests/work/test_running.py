"""
Which pools run: the registry that all of a process shares.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.work.doubles import CopyingPool, Reactor, no_running_pools, outcome
from txremote.work.run import preferred_pool
from txremote.work.running import RunningPools, set_default_pool
from txremote.work.threads import ThreadPool

__all__ = ["no_running_pools"]

pytestmark = pytest.mark.usefixtures("no_running_pools")


def test_a_pool_is_there_while_it_runs(no_running_pools: RunningPools) -> None:
    """It enters itself when it starts, once, and leaves when it stops."""
    pool = CopyingPool("processes:2")
    assert no_running_pools.pools == []
    pool.start()
    pool.start()
    assert no_running_pools.pools == [pool]
    pool.stop()
    assert no_running_pools.pools == []
    pool.stop()


def test_a_service_counts_as_well(no_running_pools: RunningPools) -> None:
    """A pool that an application starts is one that runs."""
    pool = CopyingPool()
    pool.startService()
    assert preferred_pool() is pool
    assert outcome(pool.stopService()) == [None]
    assert preferred_pool() is None


def test_the_process_pool_that_was_started_last(no_running_pools: RunningPools) -> None:
    """It is preferred; threads are not, however many run."""
    first, second, threads = CopyingPool(), CopyingPool(), ThreadPool(Reactor())
    for pool in (first, second, threads):
        pool.start()
    assert preferred_pool() is second
    second.stop()
    assert preferred_pool() is first


def test_the_default_comes_first(no_running_pools: RunningPools) -> None:
    """A default pool goes before a process pool, for as long as it runs."""
    default: Any = ThreadPool(Reactor())
    processes = CopyingPool()
    processes.start()
    set_default_pool(default)
    assert preferred_pool() is processes
    default.start()
    assert preferred_pool() is default
    assert preferred_pool(by_value=True) is processes
    default.stop()
    assert preferred_pool() is processes
    set_default_pool(None)
    assert no_running_pools.default is None


class OldPool:
    """A pool that says nothing of what it can but `by_value`."""

    description, by_value, running = "old", True, True


def test_a_job_that_has_to_run_elsewhere(no_running_pools: RunningPools) -> None:
    """It goes to a preferred pool, else to any whose jobs do so, whatever its kind is."""
    old: Any = OldPool()
    no_running_pools.add(old)
    assert preferred_pool() is None
    assert preferred_pool(by_value=True) is old
    preferred = CopyingPool()
    preferred.start()
    no_running_pools.add(old)
    assert preferred_pool(by_value=True) is preferred
    assert preferred_pool() is preferred
    no_running_pools.discard(old)
    no_running_pools.discard(old)


def test_a_pool_that_is_not_shared_is_nobody_else_s(no_running_pools: RunningPools) -> None:
    """It runs, and is not found."""
    pool = CopyingPool("own")
    pool.shared = False
    pool.start()
    assert pool.running
    assert (preferred_pool(), no_running_pools.pools) == (None, [])
