"""
A task as those see it who submitted it: its states, its output, its end.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from tests.tasks.task_helpers import arguments, states_of
from tests.work.doubles import outcome
from txremote.errors import UsageError, WouldBlockReactor
from txremote.tasks.states import (
    ABORTED,
    FINISHED,
    KILLED,
    RUNNING,
    STATES,
    SUBMITTED,
    TOBEKILLED,
    TRANSITIONS,
)
from txremote.tasks.stepping import AwaitDeferred, Progress, TaskOutcome
from txremote.tasks.task import Task, text_of, unwrap


class ByHand(Task):
    """A task that does what a test says."""

    interrupted = 0

    def begin(self) -> None:
        self._move(RUNNING)

    def _interrupt(self) -> None:
        self.interrupted += 1


def import_file(name: str) -> None:
    """A command that is never called here."""


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.advance(1000.0)
    return clock


@pytest.fixture
def task(clock: Clock) -> ByHand:
    return ByHand(*arguments(import_file, "f1", reactor=clock))


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("following", STATES)
def test_only_what_the_table_allows_can_happen(task: ByHand, state: str, following: str) -> None:
    """A task goes from state to state as drawn, and no other way."""
    task.status = state
    if following in TRANSITIONS[state]:
        task._move(following)
        assert task.status == following
    else:
        with pytest.raises(RuntimeError, match=f"cannot become {following}"):
            task._move(following)
        assert task.status == state


def test_its_repr_is_plac_s(clock: Clock) -> None:
    """Class, number, words, state: as in plac's document."""

    class ThreadedTask(ByHand):
        pass

    task = ThreadedTask(*arguments(import_file, "file1", reactor=clock))
    task.begin()
    assert repr(task) == "<ThreadedTask 1 [import_file file1] RUNNING>"


def test_its_times(task: ByHand, clock: Clock) -> None:
    """When it was submitted, began and ended, by the clock; and how long it ran."""
    assert (task.submitted, task.started, task.ended, task.duration) == (1000.0, None, None, None)
    clock.advance(5)
    task.begin()
    clock.advance(10)
    assert (task.started, task.duration) == (1005.0, 10.0)
    task._end(TaskOutcome(FINISHED, 1))
    clock.advance(10)
    assert (task.ended, task.duration) == (1015.0, 10.0)


def test_its_result(task: ByHand) -> None:
    """It is there when it has ended; nothing waits for it."""
    task.begin()
    with pytest.raises(WouldBlockReactor, match="when_done"):
        task.result
    task._end(TaskOutcome(FINISHED, 42))
    assert task.done
    assert task.result == 42
    assert (task.exc, task.etype, task.error, task.traceback, task.tb) == (None, None, "", "", "")


def test_its_error(task: ByHand) -> None:
    """The result raises it; it is there as an exception, a line, and a traceback in text."""
    error = ValueError("no such file")
    task.begin()
    task._end(TaskOutcome(ABORTED, None, error, "Traceback...\n"))
    with pytest.raises(ValueError, match="no such file"):
        task.result
    assert (task.exc, task.etype) == (error, ValueError)
    assert task.error == "ValueError: no such file"
    assert task.traceback == task.tb == "Traceback...\n"


class Unspeakable(Exception):
    """It has no text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_an_error_without_a_text_has_a_line(task: ByHand) -> None:
    """Lists, logs and files have one for each task, whatever the error is."""
    task.begin()
    task._end(TaskOutcome(ABORTED, None, Unspeakable(), ""))
    assert task.error == "Unspeakable"


def test_a_usage_error_is_not_said_twice(task: ByHand) -> None:
    """Its text is in the output, so a console has nothing to add."""
    task.begin()
    task._end(TaskOutcome(ABORTED, None, UsageError("usage: ..."), ""))
    assert task.error == ""


def test_its_output(task: ByHand) -> None:
    """Lines as text, under plac's names."""
    task.begin()
    for value in ("one", 2, b"\xc3\xa9", None, "a\nb"):
        task._show(value)
    assert task.outlist == ["one", "2", "\u00e9", "a\nb"]
    assert task.str == "one\n2\n\u00e9\na\nb"


def test_its_progress(task: ByHand) -> None:
    """The last figure; it is no line."""
    told: list[Any] = []
    task.listen(progress=lambda its, figure: told.append((its, figure)))
    task.begin()
    task._show(Progress(1, 2))
    task._show(Progress(2, 2, "done"))
    assert task.progress == Progress(2, 2, "done")
    assert told == [(task, Progress(1, 2)), (task, Progress(2, 2, "done"))]
    assert task.outlist == []


def test_listeners_hear_of_lines_and_states(task: ByHand) -> None:
    """As they come, in order; not any more when they have stopped."""
    lines: list[list[str]] = []
    states: list[str] = []
    stop = task.listen(
        output=lambda _task, new: lines.append(new), state=lambda _task, new: states.append(new)
    )
    task.begin()
    task._put_out(["a", "b"])
    task._put_out([])
    stop()
    stop()
    task._put_out(["c"])
    task._end(TaskOutcome(FINISHED))
    assert lines == [["a", "b"]]
    assert states == [RUNNING]


# -- waiting for the end


def test_each_gets_a_deferred_of_its_own(task: ByHand) -> None:
    """All fire with the task, whatever its end, and one after the end fires at once."""
    first, second = outcome(task.when_done()), outcome(task.when_done())
    task.begin()
    assert (first, second) == ([], [])
    task._end(TaskOutcome(ABORTED, None, ValueError("x"), ""))
    assert first == second == outcome(task.when_done()) == [task]


def test_to_stop_waiting_is_nothing_to_the_task(task: ByHand) -> None:
    """Cancelling the Deferred leaves the task and the other Deferreds alone."""
    waiting = task.when_done()
    gone, other = outcome(waiting), outcome(task.when_done())
    task.begin()
    waiting.cancel()
    assert isinstance(gone[0], CancelledError)
    assert task.status == RUNNING
    task._end(TaskOutcome(FINISHED))
    assert other == [task]


def test_one_who_waits_may_cancel_another(task: ByHand) -> None:
    """Even while they are told."""
    first = task.when_done()
    second = task.when_done()
    ended = outcome(second)
    first.addCallback(lambda _task: second.cancel())
    task.begin()
    task._end(TaskOutcome(FINISHED))
    assert isinstance(ended[0], CancelledError)


# -- killing


def test_a_kill_before_the_beginning(task: ByHand) -> None:
    """It is KILLED at once, and never begins."""
    states = states_of(task)
    assert task.kill() is True
    assert states == [KILLED]
    assert (task.started, task.duration, task.result) == (None, None, None)


def test_a_kill_while_it_runs(task: ByHand) -> None:
    """It is TOBEKILLED, once, until it has noticed."""
    states = states_of(task)
    task.begin()
    assert task.kill() is True
    assert task.kill() is True
    assert task.interrupted == 1
    task._end(TaskOutcome(KILLED))
    assert states == [RUNNING, TOBEKILLED, KILLED]
    assert task.kill() is False


@pytest.mark.parametrize("status", [FINISHED, ABORTED])
def test_a_kill_that_comes_too_late(task: ByHand, status: str) -> None:
    """A command that ends by itself before it notices has ended by itself."""
    task.begin()
    task.kill()
    task._end(TaskOutcome(status))
    assert task.status == status


def test_run_does_nothing(task: ByHand) -> None:
    """plac's programs call it; here the task has been started already."""
    task.run()
    assert task.status == SUBMITTED


def test_what_is_given_up_before_it_began_is_aborted(task: ByHand) -> None:
    """With the reason as its error."""
    ended = outcome(task.when_done())
    task.give_up(ValueError("no room"))
    assert (task.status, task.error) == (ABORTED, "ValueError: no room")
    assert ended == [task]


def test_what_is_given_up_while_it_runs_goes_on(task: ByHand) -> None:
    """Nobody waits for it any more, and its state says how it is."""
    ended = outcome(task.when_done())
    task.begin()
    task.kill()
    task.give_up(ValueError("stopping"))
    assert ended == [task]
    assert task.status == TOBEKILLED
    task._end(TaskOutcome(KILLED))
    assert task.status == KILLED


def test_an_ended_task_does_not_hold_its_command(task: ByHand) -> None:
    """Containers go when nobody else wants them."""
    task.begin()
    task._end(TaskOutcome(FINISHED))
    assert task._call is None


# -- Deferreds of the command


def test_the_result_of_a_yielded_deferred_is_taken(task: ByHand) -> None:
    """A failure of it is the command's business, and not logged as unhandled."""
    woken: list[Any] = []
    task._wait_for(AwaitDeferred(fail(KeyError("x")), True), woken.append)
    assert isinstance(woken[0], Failure)


def test_the_result_of_an_awaited_deferred_stays_in_it(task: ByHand) -> None:
    """It is what the await gives."""
    woken: list[Any] = []
    deferred: Deferred[int] = Deferred()
    task._wait_for(AwaitDeferred(deferred, False), woken.append)
    assert woken == []
    deferred.callback(5)
    assert woken == [5]
    assert outcome(deferred) == [5]


def test_a_wait_can_be_given_up(task: ByHand) -> None:
    """The Deferred is cancelled, nobody is woken, and nothing is logged."""
    woken: list[Any] = []
    deferred: Deferred[int] = Deferred()
    give_up = task._wait_for(AwaitDeferred(deferred, True), woken.append)
    give_up()
    give_up()
    assert deferred.called
    assert woken == []


def test_unwrap() -> None:
    """A value is returned, a Failure is raised."""
    assert unwrap(3) == 3
    with pytest.raises(KeyError):
        unwrap(Failure(KeyError("x")))


def test_text_of_values() -> None:
    """plac's: bytes are UTF-8, all else is its str."""
    assert [text_of(value) for value in ("a", 1, b"\xc3\xa9", b"\xff")] == [
        "a",
        "1",
        "\u00e9",
        "\ufffd",
    ]
