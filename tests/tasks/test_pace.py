"""
The rate of a task and the time that is left, on a clock that is turned by hand.
"""

from __future__ import annotations

from collections.abc import Iterator

from twisted.internet.task import Clock, deferLater

from tests.tasks.task_helpers import arguments, turn
from txremote.tasks.stepping import Progress
from txremote.tasks.turns import SynTask, Turns


def figures(task: SynTask) -> list[float]:
    """Return all that a pace tells; what is not known is 0."""
    found = task.counted_for(), task.progress_rate(), task.time_left()
    return [round(figure or 0, 3) for figure in found]


def begun(clock: Clock, *wanted: object) -> SynTask:
    """Begin a task that yields some progress, and waits for a number of seconds."""

    def command() -> Iterator[object]:
        for item in wanted:
            yield deferLater(clock, item) if isinstance(item, int) else item

    task = SynTask(*arguments(command, reactor=clock), turns=Turns(clock))
    task.begin()
    turn(clock, 2)
    return task


def later(clock: Clock, seconds: int) -> None:
    """Let time pass, and then the command have its turn."""
    clock.advance(seconds)
    turn(clock)


def test_the_rate_is_the_average_since_the_task_began() -> None:
    """For each that looks, and whenever: 100 in 10 s are 10 a second."""
    clock = Clock()
    task = begun(clock, Progress(0, 200), 10, Progress(100, 200), 60)
    assert (task.progress_rate(), task.time_left()) == (None, None)  # nothing is done yet
    later(clock, 10)
    assert task.progress == Progress(100, 200)
    assert figures(task) == [10, 10, 10]
    later(clock, 10)  # it stands still: the rate falls, and more time is left
    assert figures(task) == [20, 5, 20]


def test_a_task_that_counts_anew_has_the_rate_of_its_second_phase() -> None:
    """Copying, and then checking: the first phase's time is not the second one's."""
    clock = Clock()
    task = begun(clock, Progress(0, 500), 10, Progress(500, 500), 1, Progress(5, 50), 60)
    later(clock, 10)
    assert figures(task) == [10, 50, 0]
    later(clock, 1)
    assert figures(task) == [1, 5, 9]


def test_a_task_that_has_ended_keeps_its_rate_and_has_no_time_left() -> None:
    """Its listing tells how fast it was, also an hour later."""
    clock = Clock()
    task = begun(clock, Progress(30, 60), 3)
    later(clock, 3)
    assert task.done
    later(clock, 3600)
    assert figures(task) == [3, 10, 0]
    assert task.time_left() is None


def test_without_a_total_no_time_is_told() -> None:
    """Nor without progress, where there is no rate either."""
    clock = Clock()
    task = begun(clock, Progress(4), 60)
    idle = begun(clock, 60)
    later(clock, 2)
    assert figures(task) == [2, 2, 0]
    assert task.time_left() is None
    assert (idle.counted_for(), idle.progress_rate(), idle.time_left()) == (0.0, None, None)


def test_a_time_that_has_no_end_is_not_told() -> None:
    clock = Clock()
    task = begun(clock, Progress(1e-300, 1e300), 60)
    later(clock, 2)
    assert task.time_left() is None
