"""
Which pool a job goes to.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from tests.work.doubles import CopyingPool, Reactor, clean_slate, logged, outcome
from txremote.work import choice
from txremote.work.choice import choose
from txremote.work.running import RunningPools, set_default_pool
from txremote.work.threads import ThreadPool

__all__ = ["clean_slate"]

pytestmark = pytest.mark.usefixtures("clean_slate")


def test_the_reactor_s_threads() -> None:
    """Where no pool runs; always the same, and they end with the reactor."""
    reactor, other = Reactor(), Reactor()
    pool = choose(reactor)
    assert isinstance(pool, ThreadPool)
    assert (pool.running, pool.description) == (True, "threads")
    assert choose(reactor) is pool
    assert choose(reactor, pool="threads") is pool
    assert choose(other) is not pool
    for trigger in reactor.triggers:
        trigger()
    assert not pool.running
    assert choose(reactor) is pool  # whose refusal says why: there will be no other


def test_a_process_pool_that_runs() -> None:
    """It is taken, unless use_thread says otherwise."""
    reactor = Reactor()
    processes = CopyingPool()
    processes.start()
    assert choose(reactor) is processes
    assert isinstance(choose(reactor, use_thread=True), ThreadPool)


def test_only_copies_will_do() -> None:
    """What needs another process passes by a default pool of threads."""
    reactor = Reactor()
    threads, processes = ThreadPool(reactor), CopyingPool()
    threads.start()
    set_default_pool(threads)
    assert choose(reactor) is threads
    assert not choose(reactor, by_value=True).by_value  # there is none
    processes.start()
    assert choose(reactor) is threads
    assert choose(reactor, by_value=True) is processes


def test_a_description_finds_a_pool_that_runs() -> None:
    """However it is written; else a new one is made, started and kept."""
    reactor = Reactor()
    program_s = ThreadPool(reactor, 2, description="threads:2:queue=5")
    program_s.start()
    assert choose(reactor, "threads:2:queue=5") is program_s
    assert choose(reactor, r"threads:\2:queue=5") is program_s
    made = choose(reactor, "threads:3")
    assert made.running
    assert choose(reactor, "threads:3") is made
    assert reactor.triggers
    for trigger in list(reactor.triggers):
        trigger()
    assert not made.running
    assert program_s.running  # the program's own affair
    assert choose(reactor, "threads:3") is made


def test_a_pool_that_did_not_start(
    clean_slate: RunningPools, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is logged, and another is made the next time."""

    class Late(CopyingPool):
        def open(self) -> Any:
            self.opening: Deferred[None] = Deferred()
            return self.opening

    monkeypatch.setattr(choice, "pool_from_string", Late)
    reactor = Reactor()
    first = choose(reactor, "late:1")
    assert choose(reactor, "late:1") is first
    with logged() as lines:
        first.opening.errback(ConnectionError("nobody there"))
    assert [line for line in lines if "did not start" in line and "nobody there" in line]
    assert (first.running, reactor.triggers) == (False, [])
    second = choose(reactor, "late:1")
    assert second is not first
    second.opening.callback(None)


def test_a_pool_object_is_taken_as_it_is() -> None:
    """Running or not: if not, its own refusal says so."""
    pool = CopyingPool()
    assert choose(Reactor(), pool) is pool


def test_what_makes_no_sense() -> None:
    """A description of nothing, an object that is no pool, two answers to one question."""
    with pytest.raises(ValueError, match="no kind of pool"):
        choose(Reactor(), "stars:8")
    with pytest.raises(TypeError, match="'threads:8', not 8"):
        choose(Reactor(), 8)
    with pytest.raises(TypeError, match="use_thread=True"):
        choose(Reactor(), "threads:8", use_thread=True)


def test_stopping_one_that_is_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reactor shuts down while a pool starts: nothing is logged, none is made anew."""

    class Late(CopyingPool):
        def open(self) -> Any:
            self.opening: Deferred[None] = Deferred()
            return self.opening

        def close(self) -> None:
            self.opening.errback(ConnectionError("stopped"))

    monkeypatch.setattr(choice, "pool_from_string", Late)
    reactor = Reactor()
    pool = choose(reactor, "late:1")
    with logged() as lines:
        stopped = [outcome(trigger()) for trigger in reactor.triggers]
    assert stopped == [[None]]
    assert lines == []
    assert choose(reactor, "late:1") is pool
