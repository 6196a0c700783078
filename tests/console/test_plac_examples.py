"""
plac's own published examples as containers, unmodified: their output is the same as
in plac's own interpreter, where that still runs them.

Two things differ, and are meant to. What a command prints is in its output. And a
wrong command line is an ABORTED task, with the usage in its output; in plac it has
FINISHED, and the output is "2".
"""

from __future__ import annotations

import importlib
import random
import shlex
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import plac
import pytest
import pytest_twisted
from twisted.internet.task import Clock

from tests.tasks.task_helpers import done, turn, until_done, until_output
from txremote.console.containers import container_and_rest, container_from_string
from txremote.console.session import Session
from txremote.console.tasks import TaskManager
from txremote.tasks.states import ABORTED, FINISHED, KILLED, TOBEKILLED
from txremote.tasks.task import Task
from txremote.work.processes import ProcessPool

Load = Callable[[str], ModuleType]

# -- both interpreters


@pytest.fixture
def load(plac_doc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Imports one of plac's programs, in a folder where it may write."""
    monkeypatch.syspath_prepend(plac_doc)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLACPATH", str(plac_doc))
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or ".").parent == plac_doc:
            del sys.modules[name]


class Plac:
    """plac's own interpreter, and all that it leaves behind put back."""

    def __init__(self, container: Any) -> None:
        self._container = container

    def __enter__(self) -> plac.Interpreter:
        # it takes the process's handler of TERM
        self._handler = signal.getsignal(signal.SIGTERM)
        self._interpreter = plac.Interpreter(self._container)
        entered: plac.Interpreter = self._interpreter.__enter__()
        return entered

    def __exit__(self, *error: Any) -> None:
        self._interpreter.__exit__(*error)
        signal.signal(signal.SIGTERM, self._handler)


class Ours:
    """A session, on a reactor that turns as long as a command needs."""

    def __init__(self, container: Any) -> None:
        self._clock = Clock()
        self._manager = TaskManager(reactor=self._clock)
        self._session: Session = self._manager.open(container)

    def send(self, line: str) -> Task:
        """Give a command, and wait for its end."""
        task = self._session.submit(line)
        assert task is not None
        until_done(self._clock, task)
        return task

    def __enter__(self) -> Ours:
        return self

    def __exit__(self, *_error: Any) -> None:
        self._session.close()
        self._manager.stop()
        turn(self._clock)


def compare_main(main: Any, lines: list[str]) -> list[Task]:
    """
    Give the same arguments to a main function in plac and in ours; return ours.

    It is plac's `call` that runs it: its interpreter takes a function for a container
    without commands, unless `call` has run it before.
    """
    expected = [plac.call(main, shlex.split(line)) for line in lines]
    with Ours(main) as ours:
        tasks = [ours.send(line) for line in lines]
    assert [task.outlist for task in tasks] == expected
    assert {task.status for task in tasks} == {FINISHED}
    return tasks


def compare(container: Callable[[], Any], lines: list[str]) -> list[Task]:
    """Give the same commands to both; return ours."""
    tasks = []
    with Plac(container()) as theirs:
        expected = [theirs.send(line) for line in lines]
    with Ours(container()) as ours:
        tasks = [ours.send(line) for line in lines]
    for their, our in zip(expected, tasks, strict=True):
        assert our.outlist == [str(value) for value in their.outlist]
        assert our.str == their.str or their.exc is not None
        assert our.arglist == their.arglist
        assert our.etype is their.etype
        assert our.status == their.status
        if their.exc is None:
            assert our.result == their.result
        else:
            # plac has names of commands in a set, whose order is any
            assert sorted(str(our.exc)) == sorted(str(their.exc))
            assert sorted(our.error) == sorted(str(their))
    return tasks


@pytest_twisted.async_yield_fixture  # type: ignore[untyped-decorator]
async def manager(load: Load) -> AsyncIterator[TaskManager]:
    """A manager on the real reactor, with one process, which imports from where this does."""
    from twisted.internet import reactor

    pool = ProcessPool(reactor, 1)
    await pool.start()
    manager = TaskManager(pool=pool)
    yield manager
    await manager.stop()
    await pool.stop()


def no_sleep(_seconds: float) -> None:
    """Stands in for the importers' sleep."""


def hurry(pause: float) -> None:
    """Have nobody sleep longer than that in this process."""
    import time

    sleep = time.sleep
    time.sleep = lambda seconds: sleep(min(seconds, pause))


# -- the importer in three forms

IMPORTERS = {"importer1": "SynTask", "importer2": "ThreadedTask", "importer3": "MPTask"}


@pytest.fixture
def importer(load: Load, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Makes one of plac's importers, that does not sleep in this process."""

    def make(name: str) -> Any:
        module = load(name)
        monkeypatch.setattr(module, "time", type(sys)("time"))
        module.time.sleep = no_sleep
        return module.FakeImporter("dsn")

    return make


async def in_a_hurry(manager: TaskManager, container: Any) -> Any:
    """See to it that a container does not sleep in the pool's process either. Return it."""
    if getattr(container, "mpcommands", ()):
        await manager._process_pool().submit(hurry, (0,))
    return container


@pytest.mark.parametrize("name", IMPORTERS)
@pytest_twisted.ensureDeferred
async def test_an_importer_imports(
    manager: TaskManager, importer: Callable[[str], Any], name: str
) -> None:
    """All its lines, as in plac, and what it prints when it closes the file."""
    with Plac(importer(name)) as theirs:
        expected = list(theirs.send("import_file file1").outlist)
    assert len(expected) == 100
    container = await in_a_hurry(manager, importer(name))
    task = manager.submit(container, "import_file file1")
    assert repr(task).startswith(f"<{IMPORTERS[name]} 1 [import_file file1] ")
    await done(task)
    assert (task.status, task.error) == (FINISHED, "")
    assert task.outlist == [*expected, "closing the file"]
    assert task.result == expected[-1] == "Imported 10000 lines"


@pytest.mark.parametrize("name", ["importer2", "importer3"])
@pytest_twisted.ensureDeferred
async def test_the_session_of_plac_s_document(
    manager: TaskManager, load: Load, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Two at once, listed, looked at, one of them killed: the document's session."""
    steps = threading.Semaphore(0)
    module = load(name)
    if name == "importer2":
        # a command that yields as quickly as it may would be over before one looks
        monkeypatch.setattr(module, "time", type(sys)("time"))
        module.time.sleep = lambda _seconds: steps.acquire()
    else:
        await manager._process_pool().submit(hurry, (0.001,))
    kind = IMPORTERS[name]
    session = manager.open(module.FakeImporter("dsn"))
    assert session.greeting == "A fake importer with an import_file command"

    def give(line: str) -> Task:
        task = session.submit(line)
        assert task is not None
        return task

    first = give("import_file file1")
    state = "RUNNING" if kind == "ThreadedTask" else "SUBMITTED"
    assert repr(first) == f"<{kind} 1 [import_file file1] {state}>"
    steps.release(110)
    await until_output(first, "Imported 100 lines")
    shown = await give("_output 1").when_done()
    assert shown.outlist == [
        f"<{kind} 1 [import_file file1] RUNNING>",
        "Imported 100 lines",
    ]
    second = give("import_file file2")
    listed = await give("_list").when_done()
    assert f"<{kind} 1 [import_file file1] RUNNING>" in listed.outlist
    killing = await give("_kill 1").when_done()
    assert killing.outlist == [f"<{kind} 1 [import_file file1] TOBEKILLED>"]
    assert first.status in (TOBEKILLED, KILLED)
    steps.release(20_000)
    await done(first)
    shown = await give("_output 1").when_done()
    assert shown.outlist[0] == f"<{kind} 1 [import_file file1] KILLED>"
    assert shown.outlist[-1] == "closing the file"
    second.kill()
    await done(second)


# -- the shelve in two forms


def test_the_shelve_as_a_function(load: Load) -> None:
    """ishelve.py: one command whose arguments are the line's words."""
    main = load("ishelve").main
    lines = [".clear", "a=1", "a", "b=2", ".delete=a", "a", "b a", ".help"]
    tasks = compare_main(main, lines)
    assert tasks[2].outlist == ["1"]
    assert tasks[5].outlist == ["a: not found"]


def test_the_shelve_as_a_class(load: Load) -> None:
    """ishelve2.py: entered and exited, with abbreviations, and errors as they come."""
    module = load("ishelve2")
    names = iter(["theirs", "ours"])
    lines = ["set a 1", "set b 2", "showall", "show a b", "del a", "showal", "show a", "s x"]
    tasks = compare(lambda: module.ShelveInterface(next(names)), [*lines, "delete", "showall"])
    assert tasks[3].str == "a = 1\nb = 2"
    assert tasks[6].error.startswith("KeyError")
    assert tasks[7].error.startswith("NameError: Ambiguous command 's'")


def test_the_shelve_from_a_command_line(load: Load) -> None:
    """Its constructor's option is read from the description, as ishelve3.py has it."""
    load("ishelve3")
    with Ours(container_from_string("ishelve2.ShelveInterface -c here")) as ours:
        ours.send("set a 1")
    container, words = container_and_rest("ishelve2.ShelveInterface", ["-c", "here", "show", "a"])
    with Ours(container) as ours:
        task = ours._session.submit(words)
        assert task is not None
        until_done(ours._clock, task)
        assert task.str == "a = 1"


def test_wrong_command_lines(load: Load) -> None:
    """They say what is wrong; plac says so on the standard error only."""
    module = load("ishelve2")
    with Plac(module.ShelveInterface("theirs")) as theirs:
        unknown, wrong = theirs.send("coffee"), theirs.send("set a")
    assert (unknown.status, unknown.str) == (FINISHED, "No command 'coffee'")
    assert (wrong.status, wrong.str) == (FINISHED, "2")
    with Ours(module.ShelveInterface("ours")) as ours:
        our_unknown, our_wrong = ours.send("coffee"), ours.send("set a")
    assert (our_unknown.status, our_unknown.str) == (ABORTED, unknown.str)
    assert our_wrong.outlist == [
        "usage: set [-h] name value",
        "set: error: the following arguments are required: value",
    ]


# -- the pi calculator, in sequence, in threads, in processes


@pytest.mark.parametrize("mode", ["S", "T", "P"])
@pytest_twisted.ensureDeferred
async def test_the_pi_calculator(manager: TaskManager, load: Load, mode: str) -> None:
    """The same figure as plac's from the same seed; in processes the same kind of figure."""
    container = container_from_string(f"picalculator.PiCalculator 2000 -m {mode}")
    module = load("picalculator")
    session = manager.open(container)
    random.seed(2010)
    task = session.submit("calc_pi 2000")
    assert task is not None
    await done(task)
    assert task.status == FINISHED
    random.seed(2010)
    with Plac(module.PiCalculator(2000, mode)) as theirs:
        expected = list(theirs.send("calc_pi 2000").outlist)
    lines = [str(value) for value in expected]
    assert task.outlist[0] == lines[0] == "0M iterations"
    if mode == "P":
        assert 2.5 < task.result < 3.8
        assert task.outlist[1:] == [str(task.result)]
    else:
        assert task.outlist == lines
        assert task.result == expected[-1]


# -- the others


def test_the_version_control_system(load: Load, capsys: pytest.CaptureFixture[str]) -> None:
    """vcs.py: a module is the container, with __missing__ and __exit__."""
    module = load("vcs")
    lines = ["checkout url", "ci", "commit", "commit -m hello", "status -q", "st", "coffee"]
    tasks = compare(lambda: module, lines)
    assert tasks[0].outlist == ["checkout ", "url"]
    assert tasks[6].outlist == ["Command 'coffee' does not exist"]
    assert capsys.readouterr().out == "ok\nok\n"  # its __exit__, in plac and here


def test_a_main_function_of_any_arguments(load: Load) -> None:
    """example12.py: an option, positional arguments, name=value."""
    main = load("example12").main
    compare_main(main, ["-o yes", "a b", "a c=1", "-o yes a b c=1"])


@pytest_twisted.ensureDeferred
async def test_a_process_that_wishes_to_leave(manager: TaskManager, load: Load) -> None:
    """tkmon.py: Interpreter.Exit, raised in a process."""
    session = manager.open(load("tkmon").Hello())
    for line, lines, wants_exit in (("hello", ["hello"], False), ("quit", [], True)):
        task = session.submit(line)
        assert task is not None
        await done(task)
        assert (task.status, task.outlist) == (FINISHED, lines)
        assert task.wants_exit is wants_exit
