"""
Commands in turns of the reactor: stepped, killed, waited for.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock, deferLater

from tests.tasks.task_helpers import arguments, states_of, turn, until_done
from txremote.tasks.states import ABORTED, FINISHED, KILLED, RUNNING, SUBMITTED, TOBEKILLED
from txremote.tasks.turns import AsynTask, SynTask, Turns

Command = Callable[..., Any]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def turns(clock: Clock) -> Turns:
    return Turns(clock)


@pytest.fixture
def one_step(clock: Clock) -> Turns:
    """Gives one step a turn, however fast it is."""
    return Turns(clock, seconds=0.0)


def asyn(command: Command, clock: Clock, turns: Turns) -> AsynTask:
    """Return a task that has been begun."""
    task = AsynTask(*arguments(command, reactor=clock), turns=turns)
    task.begin()
    return task


def syn(command: Command, clock: Clock, turns: Turns) -> SynTask:
    """Return a foreground task that has been begun."""
    task = SynTask(*arguments(command, reactor=clock), turns=turns)
    task.begin()
    return task


def test_an_asynchronous_command_is_stepped_by_the_reactor(clock: Clock, turns: Turns) -> None:
    """It begins with the next turn, and the state says so, as in plac's document."""

    def command() -> Iterator[Any]:
        yield "one"
        yield
        yield 2

    task = asyn(command, clock, turns)
    assert repr(task) == "<AsynTask 1 [command] SUBMITTED>"
    states = states_of(task)
    until_done(clock, task)
    assert states == [RUNNING, FINISHED]
    assert (task.outlist, task.result) == (["one", "2"], 2)


def test_tasks_take_turns(clock: Clock, one_step: Turns) -> None:
    """A step each: none waits for another's end."""
    steps: list[str] = []

    def counting(name: str) -> Iterator[Any]:
        for _ in range(3):
            steps.append(name)
            yield

    tasks = [asyn(lambda name=name: counting(name), clock, one_step) for name in "abc"]
    until_done(clock, *tasks)
    assert steps == list("abcabcabc")


def test_a_step_with_a_bug_is_no_end_of_the_turns(clock: Clock, turns: Turns) -> None:
    """The reactor hears of it, and the others are stepped on."""
    steps: list[str] = []

    def broken() -> bool:
        raise KeyError("a bug of this library's")

    turns.add(broken)
    turns.add(lambda: bool(steps.append("stepped")))
    with pytest.raises(KeyError):
        turn(clock)
    turn(clock)
    assert steps == ["stepped"]
    assert not clock.getDelayedCalls()


def test_a_busy_command_lets_the_reactor_turn(clock: Clock, turns: Turns) -> None:
    """One that never pauses does not keep the reactor from others for long."""

    def command() -> Iterator[Any]:
        while True:
            yield

    task = asyn(command, clock, turns)
    before = time.monotonic()
    turn(clock, 3)
    assert time.monotonic() - before < 1
    assert task.status == RUNNING
    task.kill()
    turn(clock)
    assert task.status == KILLED


def test_a_foreground_command_is_run_at_once(clock: Clock, turns: Turns) -> None:
    """A command of one step has ended when it was submitted."""
    task = syn(lambda: "a line", clock, turns)
    assert task.foreground
    assert (task.status, task.outlist) == (FINISHED, ["a line"])
    assert not clock.getDelayedCalls()


def test_a_foreground_generator_s_lines_come_as_they_come(clock: Clock, one_step: Turns) -> None:
    """The first at once, the others with the reactor's turns."""

    def command() -> Iterator[Any]:
        yield from ("one", "two")

    task = syn(command, clock, one_step)
    assert task.outlist == ["one"]
    turn(clock, 2)
    assert task.outlist == ["one", "two"]
    until_done(clock, task)


def test_a_foreground_command_may_wait_at_once(clock: Clock, turns: Turns) -> None:
    """For a Deferred in its first step."""
    waiting: Deferred[str] = Deferred()

    def command() -> Iterator[Any]:
        yield (yield waiting)

    task = syn(command, clock, turns)
    turn(clock, 3)
    assert task.status == RUNNING
    waiting.callback("at last")
    until_done(clock, task)
    assert task.outlist == ["at last"]


def test_a_yielded_deferred_pauses_the_command(clock: Clock, turns: Turns) -> None:
    """Nothing is stepped meanwhile; its result is the value of the yield."""

    def command() -> Iterator[Any]:
        yield "before"
        yield (yield deferLater(clock, 5, lambda: "after"))  # type: ignore[arg-type]

    task = asyn(command, clock, turns)
    turn(clock, 5)
    assert task.outlist == ["before"]
    assert len(clock.getDelayedCalls()) == 1
    clock.advance(5)
    until_done(clock, task)
    assert task.result == "after"


def test_a_deferred_may_be_waited_for_by_several(clock: Clock, turns: Turns) -> None:
    """Each has its result; that one is killed takes it from none."""
    shared: Deferred[str] = Deferred()

    def command() -> Iterator[Any]:
        yield (yield shared)

    tasks = [asyn(command, clock, turns) for _ in range(3)]
    turn(clock, 2)
    tasks[0].kill()
    turn(clock, 2)
    shared.callback("given")
    for task in tasks:
        until_done(clock, task)
    assert [task.status for task in tasks] == [KILLED, FINISHED, FINISHED]
    assert tasks[1].result == tasks[2].result == "given"


def test_a_coroutine_is_a_command(clock: Clock, turns: Turns) -> None:
    """Its result is its line."""

    async def command() -> str:
        await deferLater(clock, 5)  # type: ignore[arg-type]
        return "rested"

    task = asyn(command, clock, turns)
    turn(clock)
    clock.advance(5)
    until_done(clock, task)
    assert task.outlist == ["rested"]


def test_an_asynchronous_generator_is_a_command(clock: Clock, turns: Turns) -> None:
    """The values it yields are its lines."""

    async def command() -> AsyncIterator[Any]:
        for number in range(3):
            await deferLater(clock, 1)  # type: ignore[arg-type]
            yield number

    task = asyn(command, clock, turns)
    for _ in range(10):
        turn(clock, 2)
        clock.advance(1)
    until_done(clock, task)
    assert task.outlist == ["0", "1", "2"]


def test_what_an_asynchronous_command_prints_is_its_output(
    clock: Clock, one_step: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In order with what it yields, and each command's in its own."""
    outside = io.StringIO()
    monkeypatch.setattr(sys, "stdout", outside)

    def command() -> Iterator[Any]:
        print("printed", 1)
        yield "yielded 1"
        print("begun", end="")
        yield "yielded 2"
        print("never ended", end="")

    tasks = [asyn(command, clock, one_step) for _ in range(2)]
    turn(clock)
    print("the program's")
    until_done(clock, *tasks)
    for task in tasks:
        assert task.outlist == ["printed 1", "yielded 1", "begun", "yielded 2", "never ended"]
    assert outside.getvalue() == "the program's\n"
    assert sys.stdout is outside


def test_a_crash_is_the_task_s(clock: Clock, turns: Turns) -> None:
    """The traceback is its, and the others go on."""

    def command() -> Iterator[Any]:
        yield "one"
        raise ValueError("a bug")

    def other() -> Iterator[Any]:
        yield from range(5)

    task, unharmed = asyn(command, clock, turns), asyn(other, clock, turns)
    until_done(clock, task, unharmed)
    assert (task.status, task.error) == (ABORTED, "ValueError: a bug")
    assert "in command" in task.traceback
    assert task.traceback.count("  File ") == 1
    assert unharmed.status == FINISHED


def test_a_killed_asynchronous_command(clock: Clock, one_step: Turns) -> None:
    """TOBEKILLED, and KILLED with its next turn; its finally prints into its output."""

    def command() -> Iterator[Any]:
        try:
            while True:
                yield "working"
        finally:
            print("closing the file")

    task = asyn(command, clock, one_step)
    states = states_of(task)
    turn(clock, 2)
    task.kill()
    assert task.status == TOBEKILLED
    turn(clock)
    assert states == [RUNNING, TOBEKILLED, KILLED]
    assert task.outlist == ["working", "working", "closing the file"]
    assert task.result is None


def test_a_kill_ends_a_wait(clock: Clock, turns: Turns) -> None:
    """The Deferred is cancelled, and the generator closed where it stands."""
    cancelled: list[Any] = []
    seen: list[str] = []

    def command() -> Iterator[Any]:
        try:
            yield Deferred(cancelled.append)
        except GeneratorExit:
            seen.append("exit")
            raise

    task = asyn(command, clock, turns)
    turn(clock)
    task.kill()
    turn(clock)
    assert (task.status, len(cancelled), seen) == (KILLED, 1, ["exit"])


def test_a_killed_coroutine_may_clean_up_slowly(clock: Clock, turns: Turns) -> None:
    """Its finally awaits something, and is not killed a second time."""
    seen: list[str] = []

    async def command() -> None:
        try:
            await Deferred()
        finally:
            await deferLater(clock, 5)  # type: ignore[arg-type]
            seen.append("cleaned up")

    task = asyn(command, clock, turns)
    turn(clock)
    task.kill()
    turn(clock, 3)
    assert task.kill()
    turn(clock)
    assert task.status == TOBEKILLED
    clock.advance(5)
    until_done(clock, task)
    assert (task.status, seen) == (KILLED, ["cleaned up"])


def test_a_coroutine_that_does_not_want_to_die(clock: Clock, turns: Turns) -> None:
    """If it ends well all the same, it has FINISHED."""

    async def command() -> str:
        with suppress(CancelledError):
            await Deferred()
        return "all the same"

    task = asyn(command, clock, turns)
    turn(clock)
    task.kill()
    until_done(clock, task)
    assert (task.status, task.result) == (FINISHED, "all the same")


def test_a_kill_before_the_first_turn(clock: Clock, turns: Turns) -> None:
    """The command is never called."""
    called: list[int] = []
    task = asyn(lambda: called.append(1), clock, turns)
    assert task.status == SUBMITTED
    task.kill()
    turn(clock, 2)
    assert (task.status, called) == (KILLED, [])


def test_a_command_that_kills_itself(clock: Clock, turns: Turns) -> None:
    """In a step that waits for something: it does not wait any more."""
    tasks: list[AsynTask] = []

    def command() -> Iterator[Any]:
        tasks[0].kill()
        yield Deferred()

    tasks.append(asyn(command, clock, turns))
    until_done(clock, *tasks)
    assert tasks[0].status == KILLED


def test_a_listener_that_kills_at_the_beginning(
    clock: Clock, turns: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command is not called, and standard output is as it was."""
    before = io.StringIO()
    monkeypatch.setattr(sys, "stdout", before)
    called: list[int] = []
    task = asyn(lambda: called.append(1), clock, turns)
    task.listen(state=lambda its, state: its.kill() if state == RUNNING else None)
    turn(clock)
    assert (task.status, called) == (KILLED, [])
    assert sys.stdout is before


def test_a_task_that_is_held_takes_no_step(clock: Clock, turns: Turns) -> None:
    """Neither its next one, nor when what it waits for is there; a kill ends it all the same."""
    gates: list[Deferred[Any]] = []

    def command() -> Iterator[Any]:
        for _ in range(2):
            gates.append(Deferred())
            yield gates[-1]
            yield len(gates)

    tasks = [asyn(command, clock, turns) for _ in range(2)]
    turn(clock, 5)
    for task in tasks:
        task.hold()
    for gate in gates:
        gate.callback(None)
    turn(clock, 5)
    assert [task.outlist for task in tasks] == [[], []]
    tasks[0].kill()
    tasks[1].go_on()
    turn(clock, 9)
    assert tasks[0].status == KILLED
    assert (tasks[1].status, tasks[1].outlist) == (RUNNING, ["2"])
    tasks[1].hold()
    tasks[1].kill()
    turn(clock, 5)
    assert tasks[1].status == KILLED
