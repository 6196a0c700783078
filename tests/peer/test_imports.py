"""
`ImportTable` and `ReleaseSweeper`: one reference per object, counted as it comes,
given back when it dies.
"""

from __future__ import annotations

import gc
import queue
import sys
import threading
from typing import Any

import pytest
from twisted.internet.task import Clock

from txremote import RemoteProtocolError
from txremote.peer.imports import SWEEP_INTERVAL, ImportTable, ReleaseSweeper
from txremote.wire.keys import key_of


class Table:
    """A table, and the connection that it is of."""

    def __init__(self, sweeper: ReleaseSweeper | None = None) -> None:
        self.flushed: list[Any] = []
        owner: Any = self
        self.table = ImportTable(owner, sweeper)

    @property
    def outbound(self) -> Any:
        return self

    def flush_released(self) -> None:
        self.flushed.append(self.table.take_released())

    def receive(self, number: int) -> Any:
        key = key_of(("a.B", 1, number))
        return self.table.receive(key)


def test_the_same_id_gives_the_same_reference_counted_once_more() -> None:
    it = Table()
    first = it.receive(5)
    assert it.receive(5) is first
    assert it.receive(5) is first
    assert first._held.count == 3
    assert first._pack == ("a.B", 1, 5)
    other = it.receive(6)
    assert other is not first
    assert other._pack[0] is first._pack[0]  # many take less memory
    assert len(it.table) == 2


def test_a_dead_reference_is_given_back_as_often_as_it_came() -> None:
    it = Table()
    reference = it.receive(5)
    it.receive(5)
    assert not it.table.released.dirty
    del reference
    assert it.table.released.dirty
    assert list(it.table.take_released().values()) == [(("a.B", 1, 5), 2)]
    assert not it.table.released.dirty
    assert it.table.take_released() == {}
    assert len(it.table) == 0


def test_what_comes_again_before_its_release_is_sent_is_another_reference() -> None:
    it = Table()
    it.receive(5)  # dies at once
    again = it.receive(5)
    assert again._held.count == 1
    assert [count for _pack, count in it.table.take_released().values()] == [1]
    assert it.receive(5) is again  # and is still known
    assert again._held.count == 2


def test_several_deaths_of_one_object_are_given_back_together() -> None:
    it = Table()
    for _ in range(3):
        it.receive(5)
    assert [count for _pack, count in it.table.take_released().values()] == [3]


def test_an_id_that_is_none_is_refused() -> None:
    it = Table()
    key = b"\x12\x08\x0a\x41\x08\x0a\x42\x50"
    with pytest.raises(RemoteProtocolError):
        it.table.receive(key)


def test_a_quiet_connection_is_swept_within_50_ms() -> None:
    clock = Clock()
    it = Table(ReleaseSweeper(clock))
    reference = it.receive(1)
    clock.advance(1)
    assert it.flushed == []
    del reference
    clock.advance(SWEEP_INTERVAL)
    assert len(it.flushed) == 1
    assert len(it.flushed[0]) == 1


def test_it_ticks_only_while_somebody_holds_references() -> None:
    clock = Clock()
    sweeper = ReleaseSweeper(clock)
    first, second = Table(sweeper), Table(sweeper)
    assert clock.getDelayedCalls() == []
    one, two = first.receive(1), second.receive(1)
    assert len(clock.getDelayedCalls()) == 1
    del one
    clock.advance(SWEEP_INTERVAL)
    assert len(clock.getDelayedCalls()) == 1
    del two
    clock.advance(SWEEP_INTERVAL)
    assert clock.getDelayedCalls() == []
    kept = second.receive(2)
    assert len(clock.getDelayedCalls()) == 1
    second.table.clear()
    assert clock.getDelayedCalls() == []
    del kept


def test_one_sweep_serves_all_connections_that_need_it() -> None:
    clock = Clock()
    sweeper = ReleaseSweeper(clock)
    tables = [Table(sweeper) for _ in range(5)]
    held = [table.receive(1) for table in tables]
    del held[:3]
    clock.advance(SWEEP_INTERVAL)
    assert [len(table.flushed) for table in tables] == [1, 1, 1, 0, 0]


def test_short_connections_one_after_the_other_leave_nothing_with_the_sweeper() -> None:
    """Each ends before the first tick, with a reference that has just died."""
    sweeper = ReleaseSweeper(Clock())
    for _ in range(5):
        it = Table(sweeper)
        it.receive(1)  # and dropped
        it.table.clear()
    assert not sweeper.dirty


def test_after_the_end_deaths_are_nobodys_business() -> None:
    clock = Clock()
    it = Table(ReleaseSweeper(clock))
    reference = it.receive(1)
    it.table.clear()
    del reference
    clock.advance(1)
    assert it.flushed == []


def test_a_reference_in_a_cycle_is_given_back_too() -> None:
    it = Table()
    reference = it.receive(1)
    cycle = [reference]
    cycle.append(cycle)
    del reference, cycle
    gc.collect()
    assert [count for _pack, count in it.table.take_released().values()] == [1]


def test_references_may_die_in_any_thread_while_they_are_received_again() -> None:
    """None is lost, none is given back twice, none is revived while it dies."""
    it = Table()
    given, back = [0, 0, 0], [0, 0, 0]
    dropped: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def drop() -> None:
        while dropped.get() is not None:
            pass  # it dies here, in this thread

    def take() -> None:
        for (_name, _kind, number), count in it.table.take_released().values():
            back[number] += count

    threads = [threading.Thread(target=drop) for _ in range(3)]
    for thread in threads:
        thread.start()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for turn in range(60_000):
            given[turn % 3] += 1
            dropped.put(it.receive(turn % 3))
            if turn % 50 == 0:
                take()
    finally:
        sys.setswitchinterval(interval)
        for _ in threads:
            dropped.put(None)
        for thread in threads:
            thread.join(10)
    take()
    assert back == given
    assert len(it.table) == 0
