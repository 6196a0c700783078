"""
Which pools run: the registry that all of a process shares.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed

from tests.work.doubles import CopyingPool, Reactor, clean_slate, outcome
from txremote.work.run import preferred_pool
from txremote.work.running import RunningPools, set_default_pool
from txremote.work.threads import ThreadPool

__all__ = ["clean_slate"]

pytestmark = pytest.mark.usefixtures("clean_slate")


def test_a_pool_is_there_while_it_runs(clean_slate: RunningPools) -> None:
    """It enters itself when it starts, once, and leaves when it stops."""
    pool = CopyingPool("processes:2")
    assert clean_slate.pools == []
    pool.start()
    pool.start()
    assert clean_slate.pools == [pool]
    pool.stop()
    assert clean_slate.pools == []
    pool.stop()


def test_a_service_counts_as_well(clean_slate: RunningPools) -> None:
    """A pool that an application starts is one that runs."""
    pool = CopyingPool()
    pool.startService()
    assert preferred_pool() is pool
    assert outcome(pool.stopService()) == [None]
    assert preferred_pool() is None


def test_the_process_pool_that_was_started_last(clean_slate: RunningPools) -> None:
    """It is preferred; threads are not, however many run."""
    first, second, threads = CopyingPool(), CopyingPool(), ThreadPool(Reactor())
    for pool in (first, second, threads):
        pool.start()
    assert preferred_pool() is second
    second.stop()
    assert preferred_pool() is first


def test_the_default_comes_first(clean_slate: RunningPools) -> None:
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
    assert clean_slate.default is None


class OldPool:
    """A pool that says nothing of what it can but `by_value`."""

    description, by_value, running = "old", True, True


def test_a_job_that_has_to_run_elsewhere(clean_slate: RunningPools) -> None:
    """It goes to a preferred pool, else to any whose jobs do so, whatever its kind is."""
    old: Any = OldPool()
    clean_slate.add(old)
    assert preferred_pool() is None
    assert preferred_pool(by_value=True) is old
    preferred = CopyingPool()
    preferred.start()
    clean_slate.add(old)
    assert preferred_pool(by_value=True) is preferred
    assert preferred_pool() is preferred
    clean_slate.discard(old)
    clean_slate.discard(old)


def test_a_pool_that_is_not_shared_is_nobody_else_s(clean_slate: RunningPools) -> None:
    """It runs, and is not found."""
    pool = CopyingPool("own")
    pool.shared = False
    pool.start()
    assert pool.running
    assert (preferred_pool(), clean_slate.pools) == (None, [])


def test_who_still_uses_pools_is_waited_for(clean_slate: RunningPools) -> None:
    """A pool that would stop with the reactor stops when the last of them is done."""
    stopped: list[str] = []

    def stop() -> Deferred[None]:
        stopped.append("stopped")
        return succeed(None)

    users: list[Deferred[None]] = [Deferred(), Deferred()]
    for user in users:
        clean_slate.keep_for(user)
    result = outcome(clean_slate.after_use(stop))
    users[0].callback(None)
    assert (stopped, result) == ([], [])
    users[1].callback(None)
    assert (stopped, result) == (["stopped"], [None])


def test_where_nobody_uses_pools_one_stops_at_once(clean_slate: RunningPools) -> None:
    """With what it gives."""
    pool = CopyingPool()
    pool.start()
    assert outcome(clean_slate.after_use(pool.stop)) == [None]
    assert not pool.running
