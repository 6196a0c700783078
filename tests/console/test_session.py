"""
One client's session with a container: lines in, tasks out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import plac
import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.tasks.task_helpers import turn, until_done
from tests.work.doubles import outcome
from txremote.console.tasks import TaskManager
from txremote.errors import ContainerError, PoolStopped, UsageError
from txremote.tasks.states import ABORTED, FINISHED, KILLED, RUNNING

LOG: list[Any] = []


class Shelf:
    "A shelf\nwith things"

    commands = ["put", "leave", "crash"]
    asyncommands = ["wait"]

    def __init__(self) -> None:
        self.things: list[str] = []

    def __enter__(self) -> Shelf:
        LOG.append("entered")
        return self

    def __exit__(self, *_error: Any) -> None:
        LOG.append(f"exited with {len(self.things)}")

    def put(self, thing: str) -> str:
        "put something on it"
        self.things.append(thing)
        return f"{len(self.things)} things"

    def wait(self) -> Iterator[Any]:
        yield Deferred()

    def leave(self) -> None:
        raise plac.Interpreter.Exit

    def crash(self) -> None:
        raise ValueError("it fell down")


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


def test_what_a_client_is_shown(manager: TaskManager) -> None:
    """A greeting as plac shows it, a name for the prompt, the commands for completion."""
    session = manager.open(Shelf)
    assert session.greeting == "A shelf\nwith things"
    assert session.name == "Shelf"
    assert session.commands == [
        *(".help", ".kill", ".last_tb", ".list", ".output", ".quit"),
        *("crash", "help", "leave", "put", "wait"),
    ]
    assert repr(session) == "<Session Shelf>"


def test_lines_are_tasks(manager: TaskManager, clock: Clock) -> None:
    """Of a line or of words; what needs no time has ended already."""
    session = manager.open(Shelf)
    task = session.submit("put 'a book'")
    assert task is not None
    assert repr(task) == "<SynTask 1 [put a book] FINISHED>"
    assert task.outlist == ["1 things"]
    task = session.submit(["put", "a # pen"])
    assert task is not None and task.outlist == ["2 things"]
    task = session.submit("wait")
    assert repr(task) == "<AsynTask 3 [wait] SUBMITTED>"
    assert session.tasks == [task]


@pytest.mark.parametrize("line", ["", "   ", "# a comment", [], "\n"])
def test_a_line_without_words_is_none(manager: TaskManager, line: Any) -> None:
    """It takes no number."""
    session = manager.open(Shelf)
    assert session.submit(line) is None
    task = session.submit("put x")
    assert task is not None and task.no == 1


@pytest.mark.parametrize(
    ("line", "output"),
    [
        ("coffee", ["No command 'coffee'"]),
        (
            "put",
            [
                "usage: put [-h] thing",
                "put: error: the following arguments are required: thing",
            ],
        ),
        ("put 'x", ["No closing quotation: put 'x"]),
    ],
)
def test_a_wrong_line_is_an_aborted_task(
    manager: TaskManager, line: str, output: list[str]
) -> None:
    """Its output says what is wrong, and nothing is said twice."""
    task = manager.open(Shelf).submit(line)
    assert task is not None
    assert (task.status, task.outlist, task.error) == (ABORTED, output, "")
    assert isinstance(task.exc, UsageError)
    assert task.foreground


def test_a_crash_is_told_as_plac_tells_it(manager: TaskManager) -> None:
    """As a line."""
    task = manager.open(Shelf).submit("crash")
    assert task is not None
    assert (task.status, task.outlist, task.error) == (ABORTED, [], "ValueError: it fell down")
    assert "in crash" in task.traceback


def test_a_command_may_wish_to_leave(manager: TaskManager) -> None:
    """With plac's own Interpreter.Exit."""
    task = manager.open(Shelf).submit("leave")
    assert task is not None
    assert (task.status, task.wants_exit) == (FINISHED, True)


def test_help_on_the_line(manager: TaskManager) -> None:
    """-h is answered in the output."""
    task = manager.open(Shelf).submit("put -h")
    assert task is not None
    assert task.status == FINISHED
    assert "put something on it" in task.str


def test_each_session_has_its_own_instance(manager: TaskManager, clock: Clock) -> None:
    """Entered at its start; exited after its last task, not before."""
    first, second = manager.open(Shelf), manager.open(Shelf)
    assert LOG == ["entered", "entered"]
    first.submit("put x")
    waiting = [first.submit("wait"), first.submit("wait")]
    turn(clock)
    assert outcome(second.close()) == [None]
    assert LOG[2:] == ["exited with 0"]
    closed = outcome(first.close())
    assert first.closed
    for task in waiting:
        assert (LOG[3:], closed) == ([], [])
        assert task is not None and task.status == RUNNING
        task.kill()
        turn(clock, 2)
    assert (LOG[3:], closed) == (["exited with 1"], [None])
    assert first.tasks == []


def test_a_closed_session_takes_no_more(manager: TaskManager) -> None:
    """And may be closed again."""
    session = manager.open(Shelf)
    session.close()
    session.close()
    assert LOG == ["entered", "exited with 0"]
    assert repr(session) == "<Session Shelf closed>"
    with pytest.raises(RuntimeError, match="takes no more commands"):
        session.submit("put x")


def test_a_shared_container_stays(manager: TaskManager, clock: Clock) -> None:
    """It is entered with the first session, and exited when the manager stops."""
    shelf = Shelf()
    first, second = manager.open(shelf), manager.open(shelf)
    for session in (first, second):
        session.submit("put x")
        session.close()
    assert LOG == ["entered"]
    third = manager.open(shelf)
    task = third.submit("wait")
    turn(clock)
    assert task is not None
    stopped = outcome(manager.stop())
    turn(clock, 3)
    assert (stopped, task.status) == ([None], KILLED)
    assert LOG == ["entered", "exited with 2"]
    assert third.closed
    with pytest.raises(PoolStopped):
        manager.open(shelf)


def test_sessions_share_tasks(manager: TaskManager, clock: Clock) -> None:
    """One sees and ends what another has started."""
    ann, bob = manager.open(Shelf), manager.open(Shelf)
    task = ann.submit("wait")
    turn(clock)
    listed = bob.submit(".list")
    assert task is not None and listed is not None
    until_done(clock, listed)
    assert listed.outlist == ["<AsynTask 1 [wait] RUNNING>"]
    bob.submit(".kill 1")
    until_done(clock, task)
    assert task.status == KILLED


def test_a_session_that_cannot_be_opened(manager: TaskManager) -> None:
    """The container's exception is the caller's."""

    class Closed(Shelf):
        def __enter__(self) -> Closed:
            raise OSError("closed")

    with pytest.raises(OSError, match="closed"):
        manager.open(Closed)
    with pytest.raises(ContainerError, match="has no commands"):
        manager.open(3)
