"""
All the tasks of a program: their numbers, how many run, which are remembered, the end.
"""

from __future__ import annotations

import gc
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.tasks.task_helpers import DEADLINE, arguments, done, turn, until_done, until_output
from tests.work.doubles import CopyingPool, logged, no_running_pools, outcome
from txremote.errors import PoolFull, PoolStopped
from txremote.tasks.keeper import TaskKeeper
from txremote.tasks.states import ABORTED, FINISHED, KILLED, RUNNING, SUBMITTED, TOBEKILLED
from txremote.tasks.stepping import Call
from txremote.tasks.task import Task
from txremote.work.run import preferred_pool

__all__ = ["no_running_pools"]


@pytest.fixture
def clock() -> Clock:
    return Clock()


def run(keeper: TaskKeeper, kind: str, function: Callable[..., Any], **options: Any) -> Task:
    """Submit a command without arguments."""
    return keeper.add(kind, Call(function), [getattr(function, "__name__", "command")], **options)


def endless() -> Iterator[Any]:
    """A command that goes on until it is killed."""
    try:
        while True:
            yield Deferred()
    finally:
        print("closing the file")


def short() -> str:
    return "a line"


def test_tasks_are_numbered_from_one(clock: Clock) -> None:
    """And can be found by number, or from the latest, as in plac."""
    keeper = TaskKeeper(reactor=clock)
    tasks = [run(keeper, kind, endless) for kind in ("asyncommands", "commands", "asyncommands")]
    assert [task.no for task in tasks] == [1, 2, 3]
    assert keeper.tasks() == tasks
    assert keeper.find(2) is tasks[1]
    assert keeper.find(-1) is keeper.find() is tasks[2]
    assert keeper.find(-3) is tasks[0]
    assert keeper.find(-4) is keeper.find(4) is keeper.find(0) is None


def test_tasks_are_found_by_state(clock: Clock) -> None:
    """The latest that runs, say."""
    keeper = TaskKeeper(reactor=clock)
    runs = run(keeper, "asyncommands", endless)
    ended = run(keeper, "commands", short)
    turn(clock)
    assert keeper.tasks(RUNNING) == [runs]
    assert keeper.tasks(FINISHED) == [ended]
    assert keeper.find(-1, RUNNING) is runs
    assert keeper.find(-2, RUNNING) is None


def test_each_kind_has_its_class(clock: Clock) -> None:
    """Named as plac's are."""
    keeper = TaskKeeper(reactor=clock, pool=CopyingPool())
    names = [
        type(keeper._kinds[kind](*arguments(short, reactor=clock))).__name__
        for kind in ("commands", "thcommands", "mpcommands", "asyncommands")
    ]
    assert names == ["SynTask", "ThreadedTask", "MPTask", "AsynTask"]
    with pytest.raises(ValueError, match="no kind of command"):
        run(keeper, "coffee", short)


@pytest.mark.usefixtures("no_running_pools")
@pytest_twisted.ensureDeferred
async def test_its_own_pool_is_for_tasks_alone() -> None:
    """Where run_async runs a function does not change with what somebody types."""
    keeper = TaskKeeper(pool="processes:min=0:max=1")
    try:
        await run(keeper, "mpcommands", short).when_done()
        assert preferred_pool() is None
    finally:
        await keeper.stop()


def test_background_tasks_run_up_to_the_cap(clock: Clock) -> None:
    """The rest wait, and begin in order when others end; a kill makes room as well."""
    keeper = TaskKeeper(reactor=clock, max_running=2)
    tasks = [run(keeper, "asyncommands", endless) for _ in range(5)]
    turn(clock)
    assert [task.status for task in tasks] == [RUNNING] * 2 + [SUBMITTED] * 3
    tasks[0].kill()
    tasks[3].kill()
    assert tasks[3].status == KILLED
    turn(clock, 3)
    assert [task.status for task in tasks] == [KILLED, RUNNING, RUNNING, KILLED, SUBMITTED]


def test_a_foreground_task_does_not_wait_for_others(clock: Clock) -> None:
    """However many run: somebody is waiting for its answer."""
    keeper = TaskKeeper(reactor=clock, max_running=1, max_waiting=0)
    run(keeper, "asyncommands", endless)
    assert run(keeper, "commands", short).status == FINISHED


def test_what_would_wait_behind_too_many_is_refused(clock: Clock) -> None:
    """It is ABORTED with PoolFull, which names the option."""
    keeper = TaskKeeper(reactor=clock, max_running=1, max_waiting=2)
    tasks = [run(keeper, "asyncommands", endless) for _ in range(4)]
    assert tasks[3].status == ABORTED
    assert isinstance(tasks[3].exc, PoolFull)
    assert "max_waiting=" in tasks[3].error
    tasks[1].kill()
    assert run(keeper, "asyncommands", endless).status == SUBMITTED


def test_many_that_end_at_once_are_no_depth(clock: Clock) -> None:
    """A thousand that wait and cannot begin do not meet Python's recursion limit."""
    pool = CopyingPool()  # not started, or with a bug: each job ends within begin()
    pool.submit = lambda *_job, **_name: 1 / 0  # type: ignore[method-assign]
    keeper = TaskKeeper(reactor=clock, max_running=1, pool=pool)
    first = run(keeper, "asyncommands", endless)
    tasks = [run(keeper, "mpcommands", short) for _ in range(1000)]
    turn(clock)
    first.kill()
    until_done(clock, *tasks)
    assert {task.error for task in tasks} == {"ZeroDivisionError: division by zero"}


def test_what_has_ended_is_remembered_up_to_a_number(clock: Clock) -> None:
    """The oldest ends are forgotten first; what runs is never forgotten."""
    keeper = TaskKeeper(reactor=clock, max_remembered=3)
    runs = run(keeper, "asyncommands", endless)
    for _ in range(10):
        run(keeper, "commands", short)
    assert [task.no for task in keeper.tasks()] == [1, 9, 10, 11]
    runs.kill()
    turn(clock, 2)
    assert [task.no for task in keeper.tasks()] == [1, 10, 11]


def test_what_has_ended_is_remembered_for_a_time(clock: Clock) -> None:
    """Each for so long after its end."""
    keeper = TaskKeeper(reactor=clock, keep=60)
    run(keeper, "commands", short)
    clock.advance(40)
    run(keeper, "commands", short)
    clock.advance(19)
    assert len(keeper.tasks()) == 2
    clock.advance(1)
    assert [task.no for task in keeper.tasks()] == [2]
    clock.advance(40)
    assert keeper.tasks() == []
    assert not clock.getDelayedCalls()


def test_what_has_ended_may_be_remembered_for_ever(clock: Clock) -> None:
    """With keep=None: as long as there is room."""
    keeper = TaskKeeper(reactor=clock, keep=None, max_remembered=1)
    run(keeper, "commands", short)
    clock.advance(1e9)
    assert [task.no for task in keeper.tasks()] == [1]
    run(keeper, "commands", short)
    assert [task.no for task in keeper.tasks()] == [2]


def test_a_task_need_not_be_remembered(clock: Clock) -> None:
    """It has a number, and cannot be found: built-in commands are such."""
    keeper = TaskKeeper(reactor=clock)
    heard: list[Any] = []
    keeper.listen(state=lambda task, state: heard.append((task.no, state)))
    keeper.listen(output=lambda task, lines: heard.append((task.no, lines)))
    run(keeper, "commands", short, remembered=False)
    assert run(keeper, "commands", short).no == 2
    assert [task.no for task in keeper.tasks()] == [2]
    assert heard == [(2, SUBMITTED), (2, RUNNING), (2, ["a line"]), (2, FINISHED)]


def test_listeners_hear_of_all_tasks(clock: Clock) -> None:
    """From the submission on."""
    keeper = TaskKeeper(reactor=clock)
    states: list[Any] = []
    lines: list[Any] = []
    stop = keeper.listen(
        output=lambda task, new: lines.append((task.no, new)),
        state=lambda task, state: states.append((task.no, state)),
    )
    run(keeper, "asyncommands", short)
    run(keeper, "commands", short)
    turn(clock, 2)
    assert states == [
        *[(1, SUBMITTED), (2, SUBMITTED), (2, RUNNING), (2, FINISHED)],
        *[(1, RUNNING), (1, FINISHED)],
    ]
    assert lines == [(2, ["a line"]), (1, ["a line"])]
    stop()
    run(keeper, "commands", short)
    assert len(lines) == 2


def test_a_listener_may_kill_what_was_just_submitted(clock: Clock) -> None:
    """It does not begin, and takes no place."""
    keeper = TaskKeeper(reactor=clock, max_running=1)
    stop = keeper.listen(state=lambda task, state: state == SUBMITTED and task.kill())
    task = run(keeper, "asyncommands", endless)
    stop()
    other = run(keeper, "asyncommands", endless)
    turn(clock)
    assert (task.status, other.status) == (KILLED, RUNNING)


def test_a_listener_may_submit(clock: Clock) -> None:
    """One task after another."""
    keeper = TaskKeeper(reactor=clock, max_running=1)

    def submit(task: Task, state: str) -> None:
        if state == FINISHED and task.no < 5:
            run(keeper, "asyncommands", short)

    keeper.listen(state=submit)
    run(keeper, "asyncommands", short)
    turn(clock, 10)
    assert [task.status for task in keeper.tasks()] == [FINISHED] * 5


@pytest.mark.parametrize(
    "options", [{"max_running": 0}, {"max_waiting": -1}, {"max_remembered": -1}, {"max_lines": 0}]
)
def test_caps_that_make_no_sense_are_refused(clock: Clock, options: dict[str, int]) -> None:
    """When the manager is made, and not at the first task."""
    with pytest.raises(ValueError, match="at least"):
        TaskKeeper(reactor=clock, **options)  # type: ignore[arg-type]


def test_a_thousand_tasks_take_what_the_caps_say(clock: Clock) -> None:
    """Output beyond the bounds goes, tasks beyond the bounds go, their containers go."""
    keeper = TaskKeeper(reactor=clock, max_remembered=10, max_lines=5, max_bytes=100)

    class Container:
        def command(self) -> Iterator[str]:
            for number in range(20):
                yield f"a line of output, number {number}"

    containers = []
    for _ in range(1000):
        container = Container()
        containers.append(weakref.ref(container))
        run(keeper, "asyncommands", container.command)
        del container
        turn(clock, 2)
    tasks = keeper.tasks()
    assert len(tasks) == 10
    assert all(task.output.size <= 100 for task in tasks)
    assert all(task.output.next == 20 for task in tasks)
    gc.collect()
    assert not any(reference() for reference in containers)


# -- the pool


@pytest_twisted.ensureDeferred
async def test_process_tasks_without_a_pool_get_one() -> None:
    """One process a task, as plac has it; gone when the manager has stopped."""
    keeper = TaskKeeper()
    tasks = [run(keeper, "mpcommands", os.getpid) for _ in range(2)]
    for task in tasks:
        await task.when_done()
        assert (task.status, task.error) == (FINISHED, "")
    pids = {task.result for task in tasks}
    assert os.getpid() not in pids
    await keeper.stop()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest_twisted.ensureDeferred
async def test_a_pool_may_be_described() -> None:
    """It is started when it is needed; what makes no sense is refused before."""
    with pytest.raises(ValueError, match="coffee"):
        TaskKeeper(pool="coffee:1")
    keeper = TaskKeeper(pool="processes:1")
    assert not keeper._pool.running
    task = run(keeper, "mpcommands", os.getpid)
    assert keeper._pool.running
    await task.when_done()
    await keeper.stop()
    assert task.status == FINISHED


@pytest_twisted.ensureDeferred
async def test_a_pool_that_was_given_is_its_owner_s() -> None:
    """It is not stopped with the manager."""
    pool = CopyingPool()
    await pool.start()
    keeper = TaskKeeper(pool=pool)
    task = run(keeper, "mpcommands", short)
    await keeper.stop()
    assert pool.running
    assert task.done


# -- the end


def test_stop_kills_what_runs(clock: Clock) -> None:
    """And what waits; it fires when all have ended, and their finally has run."""
    keeper = TaskKeeper(reactor=clock, max_running=1)
    tasks = [run(keeper, kind, endless) for kind in ("asyncommands", "asyncommands", "commands")]
    hidden = run(keeper, "commands", endless, remembered=False)
    turn(clock)
    stopped = outcome(keeper.stop())
    again = outcome(keeper.stop())
    assert stopped == []
    turn(clock, 2)
    assert stopped == again == [None]
    assert {task.status for task in [*tasks, hidden]} == {KILLED}
    assert tasks[0].outlist == ["closing the file"]
    assert not clock.getDelayedCalls()
    with pytest.raises(PoolStopped, match="has been stopped"):
        run(keeper, "commands", short)


def test_stop_with_nothing_to_stop(clock: Clock) -> None:
    """It fires at once; what has ended can still be looked at."""
    keeper = TaskKeeper(reactor=clock)
    task = run(keeper, "commands", short)
    assert outcome(keeper.stop()) == [None]
    assert outcome(keeper.stop()) == [None]
    assert keeper.find(1) is task
    assert not clock.getDelayedCalls()


def test_stop_does_not_wait_longer_than_it_may(clock: Clock) -> None:
    """A command that does not end is left to itself, and logged."""
    keeper = TaskKeeper(reactor=clock)

    async def command() -> None:
        try:
            await Deferred()
        finally:
            await Deferred()

    task = run(keeper, "asyncommands", command)
    waiting = outcome(task.when_done())
    turn(clock)
    stopped = outcome(keeper.stop(drain=5))
    clock.advance(4)
    assert (stopped, waiting) == ([], [])
    with logged() as log:
        clock.advance(1)
    assert stopped == [None]
    assert waiting == [task]
    assert task.status == TOBEKILLED
    assert log == ["<AsynTask 1 [command] TOBEKILLED> does not end: it is left to itself"]


@pytest_twisted.ensureDeferred
async def test_a_thread_that_never_yields_does_not_keep_the_program() -> None:
    """TOBEKILLED, honest about it, and stop() is back within its time."""
    go = threading.Event()

    def command() -> None:
        print("stubborn")
        go.wait(DEADLINE)

    keeper = TaskKeeper()
    task = run(keeper, "thcommands", command)
    await until_output(task, "stubborn")
    before = time.monotonic()
    with logged() as log:
        await keeper.stop(drain=0.05)
    assert time.monotonic() - before < 5
    assert task.status == TOBEKILLED
    assert log == ["<ThreadedTask 1 [command] TOBEKILLED> does not end: it is left to itself"]
    go.set()
    await done(task)
