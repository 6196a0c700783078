"""
What every pool shares: its life as a service, and what jobs are called.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred

import txremote
from tests.work.doubles import Reactor, logged, outcome, own_registry
from txremote.errors import PoolStopped
from txremote.testing import connected_pair
from txremote.work.pool import PoolService, PoolStatistics, name_of
from txremote.work.running import RunningPools


@pytest.fixture(autouse=True)
def registry() -> Iterator[RunningPools]:
    """The pools of a test are not stopped when it ends: here that would take for ever."""
    with own_registry() as pools:
        yield pools


class Pool(PoolService):
    """A pool whose start and stop take their time."""

    kind = "test"

    def __init__(self) -> None:
        super().__init__(Reactor(), "test:1")
        self.opening: list[Deferred[None]] = []
        self.closing: list[Deferred[None]] = []

    def open(self) -> Any:
        self.opening.append(Deferred())
        return self.opening[-1]

    def close(self) -> Any:
        self.closing.append(Deferred())
        return self.closing[-1]


def test_start_tells_everybody_when_it_is_warm() -> None:
    """However often it is asked, it starts once."""
    pool = Pool()
    early = [outcome(pool.start()), outcome(pool.start())]
    assert len(pool.opening) == 1
    assert early == [[], []]
    pool.opening[0].callback(None)
    assert [*early, outcome(pool.start())] == [[None]] * 3


def test_a_start_that_fails_fails_for_everybody() -> None:
    """Those who ask later, too; and nothing is logged of a failure that somebody heard of."""
    pool = Pool()
    early = outcome(pool.start())
    with logged() as lines:
        pool.opening[0].errback(ConnectionError("nobody there"))
        late = outcome(pool.start())
    assert early == late
    assert isinstance(early[0], ConnectionError)
    assert lines == []


def test_stop_tells_everybody_when_nothing_is_left() -> None:
    """Once, and at once if it never ran."""
    pool = Pool()
    assert outcome(pool.stop()) == [None]
    pool.start()
    early = [outcome(pool.stop()), outcome(pool.stop())]
    assert len(pool.closing) == 1
    assert early == [[], []]
    pool.closing[0].callback(None)
    assert early == [[None], [None]]


def test_it_may_start_again() -> None:
    """Each start and stop is one of its own."""
    pool = Pool()
    for turn in range(2):
        started = outcome(pool.start())
        pool.opening[turn].callback(None)
        stopped = outcome(pool.stop())
        pool.closing[turn].callback(None)
        assert (started, stopped) == ([None], [None])


def test_a_caller_that_waits_may_give_up() -> None:
    """Cancelling what start() gave concerns nobody else."""
    pool = Pool()
    mine, other = pool.start(), outcome(pool.start())
    mine.addErrback(lambda _cancelled: None)
    mine.cancel()
    pool.opening[0].callback(None)
    assert other == [None]


def test_it_is_a_service_of_an_application(registry: RunningPools) -> None:
    """It starts and stops with its parent, which waits for it; a failing start is logged."""
    pool = Pool()
    assert IService.providedBy(pool)
    parent = MultiService()
    pool.setServiceParent(parent)
    parent.startService()
    assert registry.pools == [pool]
    with logged() as lines:
        pool.opening[0].errback(ConnectionError("nobody there"))
    assert lines == ["<Pool test:1 running> did not start nobody there"]
    stopped = outcome(parent.stopService())
    assert stopped == []
    pool.closing[0].callback(None)
    assert len(stopped) == 1
    assert repr(pool) == "<Pool test:1 stopped>"
    assert registry.pools == []


def test_a_server_that_is_stopped_while_it_starts_has_nothing_to_complain_about() -> None:
    """Its start may fail in silence: SIGTERM just after the start leaves no error in the log."""
    pool = Pool()
    pool.startService()
    stopped = outcome(pool.stopService())
    with logged() as lines:
        pool.opening[0].errback(PoolStopped("test:1 was stopped while it started"))
    assert lines == []
    pool.closing[0].callback(None)
    assert stopped == [None]


@pytest.mark.parametrize("ends_with_reactor", [True, False])
def test_it_ends_with_the_reactor(ends_with_reactor: bool) -> None:
    """At the latest, unless its kind says otherwise; one that was stopped before does nothing."""
    reactor = Reactor()
    pool, stopped = PoolService(reactor, "test:1"), PoolService(reactor, "test:2")
    pool.ends_with_reactor = ends_with_reactor
    pool.start()
    stopped.start()
    stopped.stop()
    for trigger in list(reactor.triggers):
        trigger()
    assert bool(pool.running) is not ends_with_reactor
    pool.stop()


def test_a_job_that_crosses_the_end_has_one_outcome() -> None:
    """A Deferred of a kind that fires by itself when the pool has stopped concerns nobody."""

    class ByHand(PoolService):
        def _submit(self, *_job: Any) -> Deferred[Any]:
            self.job: Deferred[Any] = Deferred(lambda job: job.callback("all the same"))
            return self.job

    pool = ByHand(Reactor(), "test:1")
    pool.start()
    found = outcome(pool.submit(len, ("abc",)))
    pool.stop()
    assert [type(each) for each in found] == [PoolStopped]
    assert (pool.statistics().done, pool.statistics().busy) == (1, 0)


def test_figures() -> None:
    """All are 0 in a pool that has done nothing."""
    assert PoolStatistics() == PoolStatistics(0, 0, 0, 0, 0, 0, 0)


class Thing:
    """Something with methods, that can be called itself."""

    def method(self) -> None:
        pass

    def __call__(self) -> None:
        pass


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (len, "len"),
        (test_figures, "test_figures"),
        (Thing.method, "Thing.method"),
        (Thing().method, "Thing.method"),
        (Thing, "Thing"),
        (Thing(), "Thing"),
        (partial(partial(len), "x"), "len"),
        ([].append, "list.append"),
    ],
)
def test_names(function: Any, name: str) -> None:
    """A job is called by its callable's name."""
    assert name_of(function) == name


def test_names_of_remote_callables_cost_nothing() -> None:
    """Their peers are not asked."""
    pair = connected_pair(server_root=txremote.VoidService)
    root = pair.result(pair.client.fetch_root())
    assert name_of(root) == repr(root)
    assert name_of(root.crunch).startswith("<RemotePath crunch of ")
    assert pair.pump() == 0
