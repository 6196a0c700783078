"""
`TaskManager().submit(container, "import_file f1")`: containers' commands as tasks.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

import txremote
from tests.tasks.task_helpers import DEADLINE, done, turn, until_done, until_output
from txremote.console.containers import container_from
from txremote.console.tasks import TaskManager
from txremote.errors import PoolStopped, UsageError
from txremote.tasks.states import ABORTED, FINISHED, KILLED, TOBEKILLED

LOG: list[Any] = []


class Importer:
    "A fake importer with an import_file command"

    commands = ["now"]
    thcommands = ["in_thread"]
    mpcommands = ["in_process"]
    asyncommands = ["in_turns", "in_coroutine", "in_both", "forever"]

    def __init__(self, dsn: str = "dsn") -> None:
        self.dsn = dsn

    def __enter__(self) -> Importer:
        LOG.append("entered")
        return self

    def __exit__(self, *_error: Any) -> None:
        LOG.append("exited")

    def import_file(self, fname: str, lines: int = 200) -> Iterator[Any]:
        "Import a file into the database"
        try:
            for n in range(lines):
                if n % 100 == 99:
                    yield f"Imported {n + 1} lines from {fname} to {self.dsn}"
                yield
        finally:
            print("closing the file")

    now = in_thread = in_process = in_turns = import_file

    async def in_coroutine(self, fname: str) -> str:
        return f"Imported {fname}"

    async def in_both(self, fname: str) -> AsyncIterator[str]:
        yield f"Imported {fname}"

    def forever(self) -> Iterator[Any]:
        yield Deferred()


@pytest.fixture
def clock() -> Iterator[Clock]:
    LOG.clear()
    yield Clock()


@pytest.fixture
def manager(clock: Clock) -> Iterator[TaskManager]:
    manager = TaskManager(reactor=clock)
    yield manager
    manager.stop()
    turn(clock, 3)


@pytest_twisted.async_yield_fixture  # type: ignore[untyped-decorator]
async def real() -> AsyncIterator[TaskManager]:
    """A manager on the real reactor."""
    manager = TaskManager(pool="processes:1:grace=0.5")
    yield manager
    await manager.stop()


EXPECTED = [
    "Imported 100 lines from f1 to dsn",
    "Imported 200 lines from f1 to dsn",
    "closing the file",
]


@pytest.mark.parametrize(
    ("command", "kind", "state"),
    [
        ("now", "SynTask", "RUNNING"),
        ("in_thread", "ThreadedTask", "RUNNING"),
        ("in_process", "MPTask", "SUBMITTED"),
        ("in_turns", "AsynTask", "SUBMITTED"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_command_of_each_kind(
    real: TaskManager, command: str, kind: str, state: str
) -> None:
    """The document's repr, the same lines, and what it prints at the end."""
    task = real.submit(Importer(), f"{command} f1")
    assert repr(task) == f"<{kind} 1 [{command} f1] {state}>"
    await done(task)
    assert (task.status, task.outlist) == (FINISHED, EXPECTED)
    assert task.result == EXPECTED[1]


@pytest.mark.parametrize("command", ["now", "in_thread", "in_process", "in_turns"])
@pytest_twisted.ensureDeferred
async def test_a_killed_command_of_each_kind(real: TaskManager, command: str) -> None:
    """TOBEKILLED, then KILLED; the file is closed, and that is heard."""
    task = real.submit(Importer(), f"{command} f1 100000000")
    await until_output(task, EXPECTED[0])
    assert task.kill()
    assert task.status == TOBEKILLED
    await done(task)
    assert task.status == KILLED
    assert task.outlist[-1] == "closing the file"


def test_coroutines_are_commands(manager: TaskManager, clock: Clock) -> None:
    """And asynchronous generators."""
    importer = Importer()
    tasks = [manager.submit(importer, f"{name} f1") for name in ("in_coroutine", "in_both")]
    until_done(clock, *tasks)
    assert [task.outlist for task in tasks] == [["Imported f1"]] * 2


def test_type_hints_are_read(manager: TaskManager, clock: Clock) -> None:
    """A word that is no number is a usage error."""
    task = manager.submit(Importer(), "in_turns f1 many")
    assert isinstance(task.exc, UsageError)
    assert task.outlist == [
        "usage: in_turns [-h] fname [lines]",
        "in_turns: error: argument lines: invalid int value: 'many'",
    ]


def test_a_class_is_made_for_its_task(manager: TaskManager, clock: Clock) -> None:
    """Entered before it, exited after it."""
    task = manager.submit(Importer, "forever")
    turn(clock)
    assert LOG == ["entered"]
    task.kill()
    until_done(clock, task)
    turn(clock)
    assert LOG == ["entered", "exited"]
    manager.submit(Importer, "wrong")
    assert LOG[2:] == ["entered", "exited"]


def test_an_instance_is_entered_once(manager: TaskManager, clock: Clock) -> None:
    """With its first task; a callable that gives one is called once."""
    importer = Importer()
    made: list[Importer] = []

    def make() -> Importer:
        made.append(Importer("made"))
        return made[-1]

    for container in (importer, make):
        for _ in range(3):
            until_done(clock, manager.submit(container, "in_coroutine f1"))
    assert LOG == ["entered", "entered"]
    assert len(made) == 1
    manager.stop()
    assert LOG[2:] == ["exited", "exited"]


def test_the_same_instance_in_another_wrapping(manager: TaskManager) -> None:
    """It is still entered once."""
    importer = Importer()
    manager.open(importer)
    manager.open(container_from(importer))
    manager.submit(importer, "help")
    assert LOG == ["entered"]


def test_a_function_is_a_container(manager: TaskManager, clock: Clock) -> None:
    """Its words are all of the line; there may be none."""

    def main(*names: str) -> Iterator[str]:
        yield f"got {names}"

    for line, expected in (("a b", "got ('a', 'b')"), ("", "got ()"), (["x y"], "got ('x y',)")):
        task = manager.submit(main, line)
        until_done(clock, task)
        assert task.outlist == [expected]


@pytest.mark.parametrize(
    ("container", "error"),
    [
        (3, "ContainerError: int, a int, has no commands"),
        (lambda: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda: 3, "ContainerError: <lambda> gave a int"),
    ],
)
def test_a_container_that_is_none(manager: TaskManager, container: Any, error: str) -> None:
    """It is the task's error, and not the caller's."""
    task = manager.submit(container, "import_file 'f1")
    assert task.status == ABORTED
    assert task.error.startswith(error)
    assert repr(task) == "<SynTask 1 [import_file 'f1] ABORTED>"


def test_a_line_without_a_command(manager: TaskManager) -> None:
    """It is a usage error."""
    task = manager.submit(Importer(), "")
    assert (task.status, task.outlist) == (ABORTED, ["there is no command in it"])


def test_a_converter_that_crashes(manager: TaskManager) -> None:
    """An exception that is no usage error is the task's as well."""

    class Odd:
        commands = ["command"]

        def command(self, n: Any) -> Any:
            return n

        command.__annotations__ = {"n": ("a number", "positional", None, lambda _word: {}[1])}

    task = manager.submit(Odd(), "command 3")
    assert (task.status, task.error) == (ABORTED, "KeyError: 1")


def test_a_stopped_manager_takes_nothing(manager: TaskManager) -> None:
    """It says so."""
    manager.stop()
    with pytest.raises(PoolStopped):
        manager.submit(Importer(), "now f1")
    assert LOG == []


def test_containers_of_sessions_go(manager: TaskManager, clock: Clock) -> None:
    """When session and tasks are over nothing holds them, plac's registry included."""
    gone = []
    for _ in range(3):
        session = manager.open(Importer)
        gone.append(weakref.ref(session._live.obj))
        task = session.submit("in_coroutine f1")
        assert task is not None
        until_done(clock, task)
        session.close()
        del session, task
    gc.collect()
    manager.open(Importer).close()  # which looks which are still open
    gc.collect()
    assert [reference() for reference in gone] == [None] * 3


def test_options_are_the_keeper_s(clock: Clock) -> None:
    """Caps are given to the manager."""
    manager = TaskManager(reactor=clock, max_running=1, max_waiting=0)
    importer = Importer()
    first, second = manager.submit(importer, "forever"), manager.submit(importer, "forever")
    turn(clock)
    assert (first.status, second.status) == ("RUNNING", ABORTED)
    manager.stop()
    turn(clock, 3)
    with pytest.raises(TypeError, match="coffee"):
        TaskManager(coffee=True)


def test_the_names_at_the_top() -> None:
    """from txremote import TaskManager, Task, Progress."""
    assert txremote.TaskManager is TaskManager
    assert txremote.Task.__name__ == "Task"
    assert txremote.Progress(1, 2).fraction == 0.5
    with pytest.raises(AttributeError, match="has no attribute 'Coffee'"):
        txremote.Coffee


@pytest_twisted.ensureDeferred
async def test_a_stubborn_thread_and_the_end(real: TaskManager) -> None:
    """The manager stops within its time all the same, and the container is exited."""
    go = threading.Event()
    LOG.clear()

    class Stubborn(Importer):
        thcommands = ["stay"]

        def stay(self) -> None:
            print("staying")
            go.wait(DEADLINE)

    task = real.submit(Stubborn(), "stay")
    await until_output(task, "staying")
    await real.stop(drain=0.05)
    assert task.status == TOBEKILLED
    assert LOG == ["entered", "exited"]
    go.set()
    await done(task)


REACTORS = """
import asyncio, sys
from twisted.internet import {name}
{name}.install()
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from txremote import TaskManager

class Commands:
    commands, thcommands, mpcommands, asyncommands = ["a"], ["b"], ["c"], ["d", "e"]
    def a(self):
        print("printed")
        yield "yielded"
    b = c = a
    def d(self):
        from twisted.internet import reactor
        print("printed")
        yield deferLater(reactor, 0)
        yield "yielded"
    async def e(self):
        from twisted.internet import reactor
        print("printed")
        await deferLater(reactor, 0, print, "between the steps of a command")
        return "yielded"

async def main():
    manager = TaskManager()
    commands = Commands()
    tasks = [manager.submit(commands, name) for name in "abcde"]
    await gatherResults([task.when_done() for task in tasks])
    for task in tasks:
        print(task, task.outlist, task.error)
    await manager.stop()

def run():
    Deferred.fromCoroutine(main()).addErrback(lambda f: f.printTraceback()).addBoth(
        lambda _: reactor.stop()
    )

reactor.callWhenRunning(run)
reactor.run()
"""


@pytest.mark.parametrize("name", ["asyncioreactor", "selectreactor"])
def test_any_reactor_will_do(name: str) -> None:
    """asyncio's included, whose timers take contexts along: prints go where they belong."""
    words = [sys.executable, "-c", REACTORS.format(name=name)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60, env=env)
    assert ran.stderr == ""
    assert ran.stdout.splitlines() == [
        "between the steps of a command",
        "<SynTask 1 [a] FINISHED> ['printed', 'yielded'] ",
        "<ThreadedTask 2 [b] FINISHED> ['printed', 'yielded'] ",
        "<MPTask 3 [c] FINISHED> ['printed', 'yielded'] ",
        "<AsynTask 4 [d] FINISHED> ['printed', 'yielded'] ",
        "<AsynTask 5 [e] FINISHED> ['printed', 'yielded'] ",
    ]


PRINTING_LISTENER = """
from twisted.internet import asyncioreactor
asyncioreactor.install()
from twisted.internet import reactor
from txremote import TaskManager

class Noisy:
    thcommands = ["noisy"]
    def noisy(self):
        reactor.callFromThread(print, "handed over")
        for number in range(5000):
            print(number)

def run():
    manager = TaskManager()
    task = manager.submit(Noisy, "noisy")
    task.listen(output=lambda _task, lines: print("heard"))
    task.when_done().addCallback(lambda task: print(task, task.output.next))
    task.when_done().addCallback(lambda _task: manager.stop()).addBoth(lambda _: reactor.stop())

reactor.callWhenRunning(run)
reactor.run()
"""


def test_a_listener_that_prints() -> None:
    """Its prints are the program's: it waits for no thread that waits for the reactor."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    words = [sys.executable, "-c", PRINTING_LISTENER]
    ran = subprocess.run(words, capture_output=True, text=True, check=False, timeout=20, env=env)
    printed = ran.stdout.splitlines()
    assert ran.stderr == ""
    assert set(printed[:-1]) == {"handed over", "heard"}
    assert printed[-1] == "<ThreadedTask 1 [noisy] FINISHED> 5000"
