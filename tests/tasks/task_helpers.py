"""
Helpers for the tests of tasks: tasks made by hand on a reactor that turns when a test
says so, and a way to wait for a real one's output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from txremote.refs.clock import steady
from txremote.tasks.listeners import TaskListeners
from txremote.tasks.ring import OutputRing
from txremote.tasks.stepping import Call
from txremote.tasks.task import Submission, Task
from txremote.tasks.turns import NEXT_TURN

#: Seconds that anything in these tests may take.
DEADLINE = 60.0


def arguments(function: Callable[..., Any], *args: Any, reactor: Any) -> tuple[Submission]:
    """Return the arguments of a task: number 1, of a command and its arguments."""
    words = [getattr(function, "__name__", "command"), *map(str, args)]
    submission = Submission(
        1,
        words,
        Call(function, args),
        reactor,
        steady(reactor),
        OutputRing(100, 10_000),
        TaskListeners(),
        lambda _task: None,
    )
    return (submission,)


def states_of(task: Task) -> list[str]:
    """Return the list that the states go into that a task will have."""
    states: list[str] = []
    task.listen(state=lambda _task, state: states.append(state))
    return states


def turn(clock: Clock, times: int = 1) -> None:
    """Let the reactor have some turns."""
    for _ in range(times):
        clock.advance(NEXT_TURN)


def until_done(clock: Clock, *tasks: Task) -> None:
    """Let the reactor turn until some tasks have ended."""
    for _ in range(1000):
        if all(task.done for task in tasks):
            return
        turn(clock)
    raise AssertionError(f"not done: {tasks}")


def until_output(task: Task, *lines: str) -> Deferred[Task]:
    """Return a Deferred that fires when a task has put out some lines."""
    return _until(task, lambda: set(lines) <= set(task.outlist), lines)


def until_state(task: Task, *states: str) -> Deferred[Task]:
    """Return a Deferred that fires when a task is in one of some states."""
    return _until(task, lambda: task.status in states, states)


def _until(task: Task, is_so: Callable[[], bool], what: Iterable[str]) -> Deferred[Task]:
    from twisted.internet import reactor

    waiting: Deferred[Task] = Deferred()
    told = f"no {', '.join(what)}"

    def look(*_news: Any) -> None:
        if waiting.called:
            return
        if is_so():
            waiting.callback(task)
        elif task.done:
            waiting.errback(AssertionError(f"{told}: {task} {task.outlist}\n{task.traceback}"))

    def too_late(_result: Any, seconds: float) -> None:
        raise AssertionError(f"{told} within {seconds} s: {task} {task.outlist}")

    waiting.addTimeout(DEADLINE, reactor, too_late)  # type: ignore[arg-type]
    task.listen(output=look, state=look)
    look()
    return waiting


def done(task: Task) -> Deferred[Task]:
    """Return a Deferred that fires when a task has ended."""
    return _until(task, lambda: task.done, ("end",))
