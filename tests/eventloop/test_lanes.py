"""
Lanes: one connection's items in order, in one thread, whoever that is.

Their items are plain functions here; `test_worker_view` has a listener whose service is
threaded.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from tests.blocking.script_threads import DEADLINE, wait_until
from tests.eventloop.lane_doubles import Gate, view_of
from txremote.eventloop import lanes, worker_pool as workers
from txremote.eventloop.lanes import Lane, ThreadParking
from txremote.eventloop.worker_pool import TooManyThreads, WorkerPool


@pytest.fixture(autouse=True)
def short_idleness(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads of these tests do not linger for long."""
    monkeypatch.setattr(workers, "IDLE_TIMEOUT", 0.2)


def flushed(lane: Lane) -> None:
    """Wait until everything that is in a lane has run."""
    done = threading.Event()
    lane.post(done.set)
    assert done.wait(DEADLINE)


# --- one lane ---------------------------------------------------------------------


def test_items_run_one_after_the_other_in_their_order() -> None:
    lane = Lane(WorkerPool())
    seen: list[int] = []
    inside = threading.Lock()

    def item(number: int) -> None:
        assert inside.acquire(blocking=False)
        seen.append(number)
        inside.release()

    for number in range(500):
        lane.post(lambda number=number: item(number))
    flushed(lane)
    assert seen == list(range(500))


def test_lanes_run_beside_each_other() -> None:
    pool = WorkerPool(slots=3)
    meet = threading.Barrier(3)
    all_lanes = [Lane(pool) for _ in range(3)]
    for lane in all_lanes:
        lane.post(lambda: meet.wait(DEADLINE))
    for lane in all_lanes:
        flushed(lane)
    assert not meet.broken


def test_an_idle_lane_holds_no_thread() -> None:
    pool = WorkerPool(slots=1)
    for _ in range(5):
        flushed(Lane(pool))
    wait_until(lambda: pool._running == 0)


def test_a_busy_lane_lets_others_have_their_turn() -> None:
    """With one thread for all, who asks much does not keep out who asks little."""
    pool = WorkerPool(slots=1)
    busy, quiet = Lane(pool), Lane(pool)
    gate = Gate()
    seen: list[Any] = []
    busy.post(gate)
    assert gate.reached.wait(DEADLINE)
    for number in range(100):
        busy.post(lambda number=number: seen.append(number))
    quiet.post(lambda: seen.append("quiet"))
    gate.open.set()
    flushed(quiet)
    flushed(busy)
    assert seen.index("quiet") < 5
    assert [entry for entry in seen if entry != "quiet"] == list(range(100))


def test_a_lane_says_how_many_items_wait_in_it() -> None:
    lane, gate = Lane(WorkerPool()), Gate()
    lane.post(gate)
    assert gate.reached.wait(DEADLINE)
    assert len(lane) == 0
    for _ in range(3):
        lane.post(lambda: None)
    assert len(lane) == 3
    gate.open.set()
    flushed(lane)


@pytest.mark.parametrize("error", [ValueError, SystemExit])
def test_an_item_that_raises_does_not_end_the_lane(error: type[BaseException]) -> None:
    lane = Lane(WorkerPool(slots=1))

    def fail() -> None:
        raise error("as asked")

    seen: list[str] = []
    lane.post(fail)
    lane.post(lambda: seen.append("next"))
    flushed(lane)
    assert seen == ["next"]
    assert lanes.lanes_here() == []


def test_a_thread_that_waits_goes_on_with_its_lane() -> None:
    """The peer's next request runs within the one that waits, in the same thread."""
    pool = WorkerPool(slots=1)
    lane = Lane(pool)
    view = view_of(pool, lane)
    seen: list[Any] = []
    wait = ThreadParking()

    def outer() -> None:
        seen.append(("waits", threading.get_ident()))
        assert view._wait_for(wait, DEADLINE)
        seen.append(("done", threading.get_ident()))

    def inner() -> None:
        seen.append(("inner", threading.get_ident()))
        wait.complete(None)

    lane.post(outer)
    wait_until(lambda: seen)
    lane.post(inner)
    flushed(lane)
    assert [what for what, _thread in seen] == ["waits", "inner", "done"]
    assert len({thread for _what, thread in seen}) == 1


def test_waits_nest_and_end_in_any_order() -> None:
    """The outer wait's answer comes while the inner one waits: both end."""
    pool = WorkerPool(slots=1)
    lane = Lane(pool)
    view = view_of(pool, lane)
    seen: list[str] = []
    waits = [ThreadParking(), ThreadParking()]

    def waiting(number: int) -> Callable[[], None]:
        def item() -> None:
            seen.append(f"{number} waits")
            assert view._wait_for(waits[number], DEADLINE)
            seen.append(f"{number} done")

        return item

    lane.post(waiting(0))
    wait_until(lambda: len(seen) == 1)
    lane.post(waiting(1))
    wait_until(lambda: len(seen) == 2)
    waits[0].complete(None)
    lane.post(lambda: seen.append("between"))
    wait_until(lambda: len(seen) == 3)
    waits[1].complete(None)
    flushed(lane)
    assert seen == ["0 waits", "1 waits", "between", "1 done", "0 done"]


def test_a_wait_that_is_over_before_it_begins() -> None:
    pool = WorkerPool()
    view = view_of(pool, None)
    wait = ThreadParking()
    wait.complete(5)
    assert view._wait_for(wait, None) is True
    assert wait.value == 5


def test_a_wait_ends_with_its_time() -> None:
    pool = WorkerPool(slots=1)
    lane = Lane(pool)
    view = view_of(pool, lane)
    result: list[bool] = []
    lane.post(lambda: result.append(view._wait_for(ThreadParking(), 0.02)))
    wait_until(lambda: result)
    assert result == [False]
    wait_until(lambda: pool._running == 0)


def test_a_thread_that_is_not_the_pools_just_waits() -> None:
    """It runs no items: it may be anybody's, a user's thread for instance."""
    pool = WorkerPool()
    lane = Lane(pool)
    view = view_of(pool, lane)
    wait = ThreadParking()
    ran: list[int] = []
    lane.post(lambda: ran.append(threading.get_ident()))
    lane.post(lambda: wait.complete(None))
    assert view._wait_for(wait, DEADLINE)
    assert ran != [threading.get_ident()]


# --- two lanes --------------------------------------------------------------------


class Pair:
    """A thread in lane ``own`` that waits on the connection of lane ``other``."""

    def __init__(self) -> None:
        self.pool = WorkerPool(slots=2)
        self.own, self.other = Lane(self.pool), Lane(self.pool)
        self.wait = ThreadParking()
        self.ended = threading.Event()
        self.thread: Any = None
        waits = threading.Event()

        def item() -> None:
            self.thread = threading.get_ident()
            waits.set()
            assert view_of(self.pool, self.other)._wait_for(self.wait, DEADLINE)
            self.ended.set()

        self.own.post(item)
        assert waits.wait(DEADLINE)
        wait_until(lambda: self.other._outside)

    def end(self) -> None:
        """End the wait, and see that all is in order."""
        self.wait.complete(None)
        assert self.ended.wait(DEADLINE)
        flushed(self.own)
        flushed(self.other)
        wait_until(lambda: self.pool._running == 0)
        for lane in (self.own, self.other):
            assert (lane._inside, lane._outside, lane._owned) == ([], [], False)


@pytest.fixture
def pair() -> Iterator[Pair]:
    """See `Pair`."""
    made = Pair()
    yield made
    made.end()


def test_a_waiting_thread_steps_into_the_lane_of_whom_it_waits_for(pair: Pair) -> None:
    """Its answer may depend on what that peer asks first."""
    ran: list[int] = []
    pair.other.post(lambda: ran.append(threading.get_ident()))
    wait_until(lambda: ran)
    assert ran == [pair.thread]


def test_it_serves_its_own_lane_as_well(pair: Pair) -> None:
    ran: list[int] = []
    for count, lane in enumerate((pair.own, pair.other, pair.own), 1):
        wait_until(lambda: pair.other._outside)
        lane.post(lambda: ran.append(threading.get_ident()))
        wait_until(lambda count=count: len(ran) == count)
    assert set(ran) == {pair.thread}


def test_it_does_not_step_into_a_lane_where_another_is_at_work(pair: Pair) -> None:
    gate = Gate()
    ran: list[Any] = []
    pair.other.post(gate)  # the waiting thread itself is held here
    assert gate.reached.wait(DEADLINE)
    pair.other.post(lambda: ran.append(threading.get_ident()))
    assert not ran
    gate.open.set()
    wait_until(lambda: ran)


def test_nobody_relies_on_it_while_it_is_busy_with_its_own_lane(pair: Pair) -> None:
    """
    It runs something that takes long in its own lane; what comes in the other one
    runs in another thread, not when the first is done.
    """
    gate = Gate()
    ran: list[int] = []
    pair.own.post(gate)
    assert gate.reached.wait(DEADLINE)
    pair.other.post(lambda: ran.append(threading.get_ident()))
    wait_until(lambda: ran)
    assert ran[0] != pair.thread
    gate.open.set()


def test_what_came_meanwhile_is_for_others_once_it_leaves(pair: Pair) -> None:
    """The wait is over while it runs an item of the other lane."""
    gate = Gate()
    ran: list[int] = []
    pair.other.post(gate)
    assert gate.reached.wait(DEADLINE)
    for _ in range(3):
        pair.other.post(lambda: ran.append(threading.get_ident()))
    pair.wait.complete(None)
    gate.open.set()
    wait_until(lambda: len(ran) == 3)


def test_of_two_that_wait_one_steps_in_at_a_time() -> None:
    pool = WorkerPool(slots=2)
    other = Lane(pool)
    waits = [ThreadParking(), ThreadParking()]
    own = [Lane(pool), Lane(pool)]
    inside = threading.Lock()
    seen: list[int] = []

    def item(number: int) -> None:
        assert inside.acquire(blocking=False)
        time.sleep(0.0005)
        seen.append(number)
        inside.release()

    for lane, wait in zip(own, waits, strict=True):
        lane.post(lambda wait=wait: view_of(pool, other)._wait_for(wait, DEADLINE))
    wait_until(lambda: len(other._outside) == 2)
    for number in range(100):
        other.post(lambda number=number: item(number))
        if number == 50:
            waits[1].complete(None)
    wait_until(lambda: len(seen) == 100)
    assert seen == list(range(100))
    waits[0].complete(None)
    for lane in own:
        flushed(lane)


def test_without_a_thread_a_post_fails_and_leaves_nothing_behind() -> None:
    pool = WorkerPool(slots=1, max_threads=1)
    lane, full = Lane(pool), Lane(pool)
    wait = ThreadParking()
    full.post(lambda: view_of(pool, None)._wait_for(wait, DEADLINE))
    wait_until(lambda: full._inside)
    with pytest.raises(TooManyThreads, match="option max_threads"):
        lane.post(lambda: None)
    assert len(lane) == 0
    wait.complete(None)
    flushed(full)
    flushed(lane)


@pytest.mark.parametrize("came", [False, True])
def test_what_comes_while_another_post_fails_is_run_when_a_thread_is_free(
    came: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has relied on the thread that the first one did not get."""
    pool = WorkerPool(slots=1, max_threads=1)
    lane, full = Lane(pool), Lane(pool)
    wait = ThreadParking()
    full.post(lambda: view_of(pool, None)._wait_for(wait, DEADLINE))
    wait_until(lambda: full._inside)
    ran: list[str] = []
    submit = pool.submit

    def submit_late(task: Any, patient: bool = False) -> object:
        if not patient and came:
            lane.post(lambda: ran.append("second"))
        return submit(task, patient)

    monkeypatch.setattr(pool, "submit", submit_late)
    with pytest.raises(TooManyThreads):
        lane.post(lambda: ran.append("first"))
    monkeypatch.undo()
    monkeypatch.setattr(workers, "IDLE_TIMEOUT", 0.2)
    wait.complete(None)
    flushed(full)
    flushed(lane)
    assert ran == (["second"] if came else [])


def test_what_a_waiting_thread_leaves_behind_waits_for_a_free_thread() -> None:
    """Its answer comes with the item it was to run; all other threads wait, too."""
    pool = WorkerPool(slots=2, max_threads=2)
    other, own, full = Lane(pool), Lane(pool), Lane(pool)
    wait, last = ThreadParking(), ThreadParking()
    ran = threading.Event()
    go = Gate()

    def item() -> None:
        view_of(pool, other)._wait_for(wait, DEADLINE)
        go()

    own.post(item)
    full.post(lambda: view_of(pool, None)._wait_for(last, DEADLINE))
    wait_until(lambda: other._outside and full._inside)
    wait.done = True
    other.post(ran.set)  # wakes the thread, which has its answer
    assert go.reached.wait(DEADLINE)
    assert not ran.is_set()
    go.open.set()
    assert ran.wait(DEADLINE)
    last.complete(None)
    flushed(full)


def test_an_item_that_nobody_has_begun_can_be_taken_back() -> None:
    """What has begun cannot, nor what has ended; and nothing keeps what was."""
    lane, gate = Lane(WorkerPool()), Gate()
    seen: list[int] = []
    held = lane.post(gate)
    assert gate.reached.wait(DEADLINE)
    assert lane.take_back(held) is False

    def item() -> None:
        seen.append(0)

    kept = weakref.ref(item)
    tickets = [lane.post(item)]
    tickets += [lane.post(lambda number=number: seen.append(number)) for number in (1, 2)]
    del item
    assert lane.take_back(tickets[0]) is True
    assert lane.take_back(tickets[0]) is False
    assert kept() is None
    assert len(lane) == 2
    gate.open.set()
    flushed(lane)
    assert seen == [1, 2]
    assert lane.take_back(tickets[1]) is False


def test_an_end_is_run_behind_all_that_has_come() -> None:
    lane, gate = Lane(WorkerPool()), Gate()
    seen: list[str] = []
    ended = threading.Event()
    lane.post(gate)
    assert gate.reached.wait(DEADLINE)
    lane.end(lambda: (seen.append("end"), ended.set()))
    lane.post(lambda: seen.append("before"))
    gate.open.set()
    assert ended.wait(DEADLINE)
    assert seen == ["before", "end"]


def test_an_idle_lane_is_ended_at_once() -> None:
    lane, ended = Lane(WorkerPool()), threading.Event()
    lane.end(ended.set)
    assert ended.wait(DEADLINE)
    flushed(lane)


def test_an_end_is_not_run_within_an_item_that_waits() -> None:
    """Though a thread that waits runs all else that comes."""
    pool = WorkerPool()
    lane, wait = Lane(pool), ThreadParking()
    seen: list[str] = []
    ended = threading.Event()

    def item() -> None:
        view_of(pool, None)._wait_for(wait, DEADLINE)
        seen.append("waited")

    lane.post(item)
    wait_until(lambda: lane._inside)
    lane.end(lambda: (seen.append("end"), ended.set()))
    lane.post(lambda: seen.append("within"))
    wait_until(lambda: seen)
    wait.complete(None)
    assert ended.wait(DEADLINE)
    assert seen == ["within", "waited", "end"]


def test_an_end_is_not_run_by_a_thread_that_stepped_in(pair: Pair) -> None:
    """It has its own affair to wait for; another thread runs it."""
    gate = Gate()
    ran: list[int] = []
    pair.other.post(gate)
    assert gate.reached.wait(DEADLINE)
    pair.other.end(lambda: ran.append(threading.get_ident()))
    gate.open.set()
    wait_until(lambda: ran)
    assert ran[0] != pair.thread


def test_an_end_waits_for_a_thread_where_there_is_none() -> None:
    pool = WorkerPool(slots=1, max_threads=1)
    lane, full = Lane(pool), Lane(pool)
    wait, ended = ThreadParking(), threading.Event()
    full.post(lambda: view_of(pool, None)._wait_for(wait, DEADLINE))
    wait_until(lambda: full._inside)
    lane.end(ended.set)
    assert not ended.is_set()
    wait.complete(None)
    assert ended.wait(DEADLINE)
    flushed(full)


# --- guests -----------------------------------------------------------------------


def test_a_lane_whose_thread_is_away_has_one_guest_at_a_time() -> None:
    """Away: it waits on a script's connection. Else nobody steps into an owned lane."""
    lane, gate, seen = Lane(WorkerPool(slots=1)), Gate(), []
    lane.post(gate)
    assert gate.reached.wait(DEADLINE)
    for number in range(3):
        lane.post(partial(seen.append, number))
    assert lane.take(False, guest_only=True) is None
    lane.go_away()
    first = lane.take(False, guest_only=True)
    assert first is not None
    assert lane.take(False, guest_only=True) is None
    first()
    lane.give_back()
    second = lane.take(False, guest_only=True)
    assert second is not None
    second()
    lane.give_back()
    lane.come_back()
    assert lane.take(False, guest_only=True) is None
    assert seen == [0, 1]
    gate.open.set()
    flushed(lane)
    assert seen == [0, 1, 2]


def test_no_guest_steps_into_a_lane_that_nobody_has() -> None:
    """A thread of the pool runs what comes there."""
    lane, wait, seen = Lane(WorkerPool()), ThreadParking(), []
    lane.enter(wait, False, guest_only=True)
    assert lane.take(False, guest_only=True) is None
    lane.post(partial(seen.append, threading.get_ident()))
    flushed(lane)
    assert len(seen) == 1
    lane.leave(wait, False, guest_only=True)


def test_a_guest_that_waits_is_woken_when_the_thread_goes_away() -> None:
    lane, gate, wait = Lane(WorkerPool(slots=1)), Gate(), ThreadParking()
    lane.post(gate)
    assert gate.reached.wait(DEADLINE)
    lane.post(lambda: None)
    lane.enter(wait, False, guest_only=True)
    assert not wait.awake.acquire(blocking=False)
    lane.go_away()
    assert wait.awake.acquire(timeout=DEADLINE)
    lane.come_back()
    lane.leave(wait, False, guest_only=True)
    gate.open.set()
    flushed(lane)
