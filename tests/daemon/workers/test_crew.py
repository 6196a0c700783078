"""
Which workers serve, come and go: without processes.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from txremote.daemon.workers.crew import FIRST_WAIT, GRACE, LONGEST_WAIT, PROVEN, Crew
from txremote.daemon.workers.process import WorkerProcess
from txremote.errors import ConnectionLost
from txremote.levels import Logger


class Control:
    """Notes what a worker is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.refuses: Exception | None = None

    def accept(self, clients: bool) -> Deferred[None]:
        """Note it."""
        self.told.append(clients)
        return succeed(None)

    def keep(self) -> Deferred[None]:
        """Note it."""
        self.told.append("keep")
        return succeed(None) if self.refuses is None else fail(self.refuses)


class Transport:
    """The process of a worker: it ends when it is told to, or killed."""

    pid = 1

    def __init__(self, worker: WorkerProcess) -> None:
        self.worker = worker
        self.signals: list[int] = []

    def signalProcess(self, number: int) -> None:
        """Take a signal."""
        self.signals.append(number)


class Stage:
    """A crew on a clock, whose workers do as the test says."""

    def __init__(self, count: int = 2, consoles: bool = False) -> None:
        self.clock = Clock()
        self.made: list[WorkerProcess] = []
        self.hopeless: list[str] = []
        self.ended: list[WorkerProcess] = []
        self.fails = False
        self.dies_at_once = False
        self.crew = Crew(
            count,
            self._spawn,
            self.clock,  # type: ignore[arg-type]
            self,  # type: ignore[arg-type]
            drain=5.0,
            has_consoles=consoles,
            hopeless=self.hopeless.append,
            ended=self.ended.append,
        )
        self.crew.start()

    def _spawn(self, worker: WorkerProcess) -> None:
        if self.fails:
            raise OSError("no memory")
        worker.transport = Transport(worker)  # type: ignore[assignment]
        worker.control = Control()  # type: ignore[assignment]
        self.made.append(worker)
        if self.dies_at_once:
            self.end(worker)

    def serve(self, *workers: WorkerProcess) -> None:
        """Have workers say that they listen; the last one if none is named."""
        for worker in workers or self.made[-1:]:
            worker.note_ready()

    def end(self, worker: WorkerProcess, signal: int | None = None) -> None:
        """End a worker's process."""
        reason = ProcessTerminated(None, signal) if signal else ProcessDone(0)
        worker.processExited(Failure(reason))

    @property
    def numbers(self) -> list[tuple[int, int]]:
        """The places and serial numbers of those that were made."""
        return [(each.number, each.serial) for each in self.made]


def told(worker: WorkerProcess) -> list[Any]:
    """Return what a worker was told."""
    control: Any = worker.control
    found: list[Any] = control.told
    return found


def test_one_that_dies_is_replaced_at_once_or_after_a_wait_that_doubles() -> None:
    """At once where it had served for a while."""
    stage = Stage()
    stage.serve(*stage.made)
    assert stage.crew.complete
    stage.clock.advance(PROVEN)
    stage.end(stage.made[0], 9)
    assert stage.numbers == [(1, 1), (2, 2), (1, 3)] and not stage.crew.complete
    for wait in (FIRST_WAIT, 2 * FIRST_WAIT, 4 * FIRST_WAIT):
        before = len(stage.made)
        stage.end(stage.made[-1], 9)
        stage.clock.advance(wait - 0.01)
        assert len(stage.made) == before
        stage.clock.advance(0.02)
        assert len(stage.made) == before + 1
    assert min(FIRST_WAIT * 2**20, LONGEST_WAIT) == LONGEST_WAIT
    assert len(stage.ended) == 4 and not stage.hopeless


def test_where_none_has_ever_served_one_that_ends_ends_all() -> None:
    """So does one that cannot be started; later on that is tried again."""
    stage = Stage()
    stage.end(stage.made[0])
    assert stage.hopeless == ["worker 1 ended with exit status 0 before it served"]
    stage = Stage()
    stage.serve(stage.made[0])
    stage.fails = True
    stage.end(stage.made[0], 9)
    stage.clock.advance(FIRST_WAIT)
    assert not stage.hopeless and len(stage.made) == 2
    stage.fails = False
    stage.clock.advance(2 * FIRST_WAIT)
    assert len(stage.made) == 3


def test_the_new_one_serves_before_the_old_one_is_told_to_end() -> None:
    """One place after the other; old ones accept nobody from the first new one on."""
    stage = Stage()
    one, two = stage.made
    stage.serve(one, two)
    stage.crew.roll()
    assert stage.numbers[2:] == [(1, 3)]
    three = stage.made[2]
    assert not one.told_to_end
    stage.serve(three)
    assert one.told_to_end and not two.told_to_end
    assert told(two) == [False] and told(three) == []
    assert len(stage.made) == 3  # the first place is done when its old worker has ended
    stage.crew.roll()  # again, after this
    stage.end(one)
    assert stage.numbers[3:] == [(2, 4)]
    stage.serve(stage.made[3])
    stage.end(two)
    assert stage.numbers[4:] == [(1, 5)]
    assert [each.worker for each in stage.crew.places] == [three, stage.made[3]]


def test_where_a_new_one_does_not_start_the_old_ones_go_on() -> None:
    """Those that accepted nobody any more accept again."""
    stage = Stage()
    one, two = stage.made
    stage.serve(one, two)
    stage.crew.roll()
    stage.serve(stage.made[2])
    stage.end(one)
    stage.end(stage.made[3], 11)
    assert told(two) == [False, True] and not two.told_to_end
    assert stage.crew.complete
    stage.crew.roll()
    assert len(stage.made) == 5


def test_one_that_dies_while_all_are_replaced_is_replaced_once() -> None:
    """Its place is left out, since the one that comes is new."""
    stage = Stage()
    one, two = stage.made
    stage.serve(one, two)
    stage.clock.advance(PROVEN)
    stage.crew.roll()
    stage.end(two, 9)
    assert stage.numbers[2:] == [(1, 3), (2, 4)]
    stage.serve(stage.made[2], stage.made[3])
    stage.end(one)
    assert len(stage.made) == 4 and stage.crew.complete


def test_one_that_ends_before_its_start_returns_is_replaced_as_any() -> None:
    """It has its place by then, and is not among those that are there."""
    stage = Stage(count=1)
    stage.serve()
    stage.dies_at_once = True
    stage.end(stage.made[0], 9)
    stage.clock.advance(FIRST_WAIT)
    assert stage.numbers == [(1, 1), (1, 2)] and not stage.crew.alive
    stage.dies_at_once = False
    stage.clock.advance(2 * FIRST_WAIT)
    assert stage.crew.alive == stage.made[2:]
    stage.serve()
    stage.dies_at_once = True
    stage.crew.roll()
    assert stage.crew.alive == [stage.made[2]] and stage.crew.complete


def test_one_that_dies_while_its_successor_starts_is_replaced_by_that_alone() -> None:
    """Where the successor dies, too, the place is filled again."""
    for successor_serves in (True, False):
        stage = Stage(count=1)
        stage.serve()
        stage.clock.advance(PROVEN)
        stage.crew.roll()
        one, two = stage.made
        stage.end(one, 9)
        stage.clock.advance(LONGEST_WAIT)
        assert stage.made == [one, two]
        if successor_serves:
            stage.serve(two)
            assert stage.crew.alive == [two] and stage.crew.complete
        else:
            stage.end(two, 9)
            stage.clock.advance(LONGEST_WAIT)
            assert stage.numbers == [(1, 1), (1, 2), (1, 3)]
            assert stage.crew.alive == stage.made[2:]


def test_the_keeper_is_the_first_that_serves_and_another_follows_it() -> None:
    """Also in the middle of a replacement: the consoles move when the old keeper is gone."""
    stage = Stage(consoles=True)
    one, two = stage.made
    stage.serve(two)
    assert stage.crew.keeper is two and told(two) == ["keep"]
    stage.serve(one)
    stage.clock.advance(PROVEN)
    stage.end(two, 9)
    assert stage.crew.keeper is one and told(one) == ["keep"]
    stage.serve()
    stage.crew.roll()
    stage.serve()
    assert stage.crew.keeper is one
    stage.end(one)
    assert stage.crew.keeper is stage.made[2] or stage.crew.keeper is stage.made[3]


@pytest.mark.parametrize(
    ("problem", "why"),
    [
        (ValueError("tasks.db is in use"), ["the consoles do not start: tasks.db is in use"]),
        (ConnectionLost("it was killed"), []),  # the next one tries
    ],
)
def test_where_consoles_do_not_start_to_begin_with_the_server_ends(
    problem: Exception, why: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it does without workers: their clients would wait for nobody."""
    monkeypatch.setattr(Logger, "failure", lambda *_words: None)
    stage = Stage(consoles=True)
    one, _two = stage.made
    one.control = refusing = Control()  # type: ignore[assignment]
    refusing.refuses = problem
    stage.serve(one)
    assert stage.hopeless == why


def test_a_stop_ends_all_kills_those_that_stay_and_starts_none() -> None:
    """It has ended when no process is left."""
    stage = Stage()
    one, two = stage.made
    stage.serve(one, two)
    stage.crew.roll()
    ended = stage.crew.stop()
    assert [each.transport.signals for each in stage.made] == [[15]] * 3  # type: ignore[union-attr]
    for each in (one, stage.made[2]):
        stage.end(each)
    stage.clock.advance(5.0 + GRACE)
    assert two.transport.signals == [15, 9]  # type: ignore[union-attr]
    assert not ended.called
    stage.end(two, 9)
    assert ended.called and len(stage.made) == 3
    assert not stage.clock.getDelayedCalls()
