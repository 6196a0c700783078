"""
Which pools run: the registry that all of a process shares.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed

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


def test_a_user_of_pools_is_waited_for(no_running_pools: RunningPools) -> None:
    """A pool that would stop with the reactor stops when the last of them is done."""
    stopped: list[str] = []

    def stop() -> Deferred[None]:
        stopped.append("stopped")
        return succeed(None)

    users: list[Deferred[None]] = [Deferred(), Deferred()]
    for user in users:
        no_running_pools.keep_for(user)
    result = outcome(no_running_pools.after_use(stop))
    users[0].callback(None)
    assert (stopped, result) == ([], [])
    users[1].callback(None)
    assert (stopped, result) == (["stopped"], [None])


def test_where_nobody_uses_pools_one_stops_at_once(no_running_pools: RunningPools) -> None:
    """With what it gives."""
    pool = CopyingPool()
    pool.start()
    assert outcome(no_running_pools.after_use(pool.stop)) == [None]
    assert not pool.running
