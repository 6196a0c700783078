"""
The pool of worker threads: so many run at once, and who waits makes room.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.blocking.script_threads import DEADLINE, wait_until
from txremote.eventloop import worker_pool as workers
from txremote.eventloop.worker_pool import TooManyThreads, WorkerPool


class Step:
    """A task that says when it has begun, and ends when it is told."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.end = threading.Event()
        self.ended = threading.Event()
        self.thread: Any = None

    def __call__(self) -> None:
        self.thread = threading.current_thread()
        self.began.set()
        assert self.end.wait(DEADLINE)
        self.ended.set()

    def finish(self) -> None:
        """Let it end, and wait until it has."""
        self.end.set()
        assert self.ended.wait(DEADLINE)


@pytest.fixture(autouse=True)
def short_idleness(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Threads of these tests do not linger for long."""
    monkeypatch.setattr(workers, "IDLE_TIMEOUT", 0.05)
    before = set(threading.enumerate())  # other tests' may linger
    yield
    wait_until(lambda: not [t for t in threading.enumerate() if t not in before])


def run(pool: WorkerPool, function: Callable[[], Any]) -> Any:
    """Run a function in the pool and return its result."""
    result: list[Any] = []
    done = threading.Event()

    def task() -> None:
        try:
            result.append(function())
        finally:
            done.set()

    pool.submit(task)
    assert done.wait(DEADLINE)
    return result[0]


def test_tasks_run_in_threads_of_the_pool() -> None:
    pool = WorkerPool()
    assert run(pool, threading.current_thread) is not threading.current_thread()
    assert run(pool, lambda: workers.here.pool) is pool
    assert workers.here.pool is None
    assert run(WorkerPool(), lambda: workers.here.pool) is not pool


def test_a_thread_is_used_again() -> None:
    pool = WorkerPool(slots=1)
    threads = set()
    for _ in range(20):
        threads.add(run(pool, threading.current_thread))
        assert pool._threads <= 1
    assert len(threads) < 20  # one, unless it stood idle for too long in between


def test_as_many_as_there_are_slots_run_at_once_and_the_next_waits_its_turn() -> None:
    pool = WorkerPool(slots=2)
    steps = [Step() for _ in range(4)]
    for step in steps:
        pool.submit(step)
    for step in steps[:2]:
        assert step.began.wait(DEADLINE)
    assert not steps[2].began.wait(0.02)
    steps[1].finish()
    assert steps[2].began.wait(DEADLINE)
    assert not steps[3].began.is_set()
    for step in (steps[0], steps[2]):
        step.finish()
    assert steps[3].began.wait(DEADLINE)
    steps[3].finish()
    assert len({step.thread for step in steps}) == 2


def test_tasks_start_in_the_order_in_which_they_came() -> None:
    pool = WorkerPool(slots=1)
    first, seen = Step(), []
    done = threading.Event()
    pool.submit(first)
    for number in range(10):
        pool.submit(lambda number=number: seen.append(number))
    pool.submit(done.set)
    first.finish()
    assert done.wait(DEADLINE)
    assert seen == list(range(10))


def test_a_thread_that_waits_makes_room_for_another() -> None:
    pool = WorkerPool(slots=1)
    inner = Step()

    def outer() -> bool:
        pool.submit(inner)
        pool.begin_wait()
        try:
            return inner.began.wait(DEADLINE)
        finally:
            pool.end_wait()

    assert run(pool, outer) is True
    inner.finish()


def test_any_number_may_wait_within_each_other() -> None:
    """Fifty deep with one slot, as calls that call back are."""
    pool = WorkerPool(slots=1)

    def nest(depth: int) -> int:
        if depth == 0:
            return 0
        result: list[int] = []
        done = threading.Event()

        def task() -> None:
            result.append(nest(depth - 1))
            done.set()

        pool.submit(task)
        pool.begin_wait()
        assert done.wait(DEADLINE)
        pool.end_wait()
        return 1 + result[0]

    assert run(pool, lambda: nest(50)) == 50
    wait_until(lambda: pool._running == 0)


def test_those_that_come_back_from_waiting_are_not_held_up() -> None:
    """There may be more running than slots for a while, and then fewer again."""
    pool = WorkerPool(slots=1)
    waiting, back, go = threading.Event(), threading.Event(), threading.Event()

    def waiter() -> None:
        pool.begin_wait()
        waiting.set()
        assert go.wait(DEADLINE)
        pool.end_wait()
        back.set()

    busy, later = Step(), Step()
    pool.submit(waiter)
    assert waiting.wait(DEADLINE)
    pool.submit(busy)
    assert busy.began.wait(DEADLINE)
    go.set()
    assert back.wait(DEADLINE)  # though the one slot is taken
    pool.submit(later)
    assert not later.began.wait(0.02)
    busy.finish()
    assert later.began.wait(DEADLINE)
    later.finish()
    wait_until(lambda: pool._running == 0)


def test_past_the_most_threads_a_task_is_refused_with_a_sentence() -> None:
    pool = WorkerPool(slots=2, max_threads=2)
    go = threading.Event()
    waiting = threading.Semaphore(0)

    def waiter() -> None:
        pool.begin_wait()
        waiting.release()
        assert go.wait(DEADLINE)
        pool.end_wait()

    for _ in range(2):
        pool.submit(waiter)
        assert waiting.acquire(timeout=DEADLINE)
    with pytest.raises(TooManyThreads, match="all 2 threads of the server wait"):
        pool.submit(lambda: None)
    go.set()
    wait_until(lambda: len(pool._idle) == 2)
    assert run(pool, lambda: "again") == "again"


def test_a_patient_task_waits_for_a_thread_instead() -> None:
    pool = WorkerPool(slots=1, max_threads=1)
    go, waiting, ran = threading.Event(), threading.Event(), threading.Event()

    def waiter() -> None:
        pool.begin_wait()
        waiting.set()
        assert go.wait(DEADLINE)
        pool.end_wait()

    pool.submit(waiter)
    assert waiting.wait(DEADLINE)
    pool.submit(ran.set, patient=True)
    assert pool.crowded
    go.set()
    assert ran.wait(DEADLINE)


def test_a_task_that_no_thread_has_begun_can_be_taken_back() -> None:
    """And the pool keeps nothing of it; what runs cannot be taken back."""
    pool = WorkerPool(slots=1)
    first, seen = Step(), []
    begun = pool.submit(first)
    assert first.began.wait(DEADLINE)

    def task() -> None:
        seen.append("taken back")

    kept = weakref.ref(task)
    ticket = pool.submit(task)
    pool.submit(lambda: seen.append("left"))
    del task
    assert pool.take_back(begun) is False
    assert pool.take_back(ticket) is True
    assert pool.take_back(ticket) is False
    assert kept() is None
    first.finish()
    run(pool, lambda: None)
    assert seen == ["left"]


def test_a_pool_keeps_nothing_of_a_task_that_has_run() -> None:
    """Though its thread goes on with another."""
    pool = WorkerPool(slots=1)
    first, second = Step(), Step()

    def task() -> None:
        first()

    kept = weakref.ref(task)
    pool.submit(task)
    del task
    pool.submit(second)
    first.finish()
    assert second.began.wait(DEADLINE)
    assert kept() is None
    second.finish()


def test_idle_threads_end_after_a_while() -> None:
    pool = WorkerPool()
    thread = run(pool, threading.current_thread)
    thread.join(DEADLINE)
    assert not thread.is_alive()
    assert pool._threads == 0
    assert run(pool, lambda: "a new one") == "a new one"


def test_a_thread_that_is_called_as_it_ends_runs_its_task() -> None:
    """At the very moment of its idle time-out, again and again."""
    pool = WorkerPool(slots=1)
    for _ in range(50):
        done = threading.Event()
        pool.submit(done.set)
        assert done.wait(DEADLINE)
        wait_until(lambda: pool._idle or pool._threads == 0)
    monkey = pytest.MonkeyPatch()
    monkey.setattr(workers, "IDLE_TIMEOUT", 0.0005)
    try:
        for _ in range(300):
            done = threading.Event()
            pool.submit(done.set)
            assert done.wait(DEADLINE)
    finally:
        monkey.undo()
    wait_until(lambda: pool._running == 0)


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt])
def test_a_task_that_raises_costs_the_pool_nothing(error: type[BaseException]) -> None:
    pool = WorkerPool(slots=1, max_threads=1)

    def fail() -> None:
        raise error("as asked")

    for _ in range(3):
        pool.submit(fail)
    assert run(pool, lambda: "fine") == "fine"
    wait_until(lambda: pool._running == 0)
    assert pool._threads == 1


def test_a_pool_has_a_slot_and_a_thread_for_each() -> None:
    assert WorkerPool(max_threads=3)._slots == 3
    assert WorkerPool()._slots == workers.DEFAULT_SLOTS
    for slots, threads in ((0, 5), (3, 2), (-1, -1), (None, 0)):
        with pytest.raises(ValueError, match="at least one slot"):
            WorkerPool(slots=slots, max_threads=threads)
