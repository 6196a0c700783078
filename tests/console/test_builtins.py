"""
The commands that every session has: plac's, about everybody's tasks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.tasks.task_helpers import turn, until_done
from txremote.console.builtins import Builtins, follows
from txremote.console.session import Session
from txremote.console.tasks import TaskManager
from txremote.tasks.states import RUNNING, TOBEKILLED
from txremote.tasks.stepping import Call, Progress
from txremote.tasks.task import Task


class Worker:
    """Works when it is told."""

    asyncommands = ["work", "rest", "crash"]
    commands = ["answer"]

    def __init__(self) -> None:
        self.go: Deferred[Any] = Deferred()

    def work(self, name: str) -> Iterator[Any]:
        try:
            while True:
                yield f"{name}: {(yield self.go)}"
        finally:
            print("closing", name)

    def rest(self) -> Iterator[Any]:
        yield "one"
        yield self.go

    def crash(self) -> Iterator[Any]:
        yield "one"
        raise ValueError("a bug")

    def answer(self) -> str:
        return "at once"

    def tell(self, word: str) -> None:
        """Have everybody put out a word."""
        go, self.go = self.go, Deferred()
        go.callback(word)


class Desk:
    """A session whose commands are answered at once."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.worker = Worker()
        self.manager = TaskManager(reactor=clock, max_lines=3)
        self.session: Session = self.manager.open(self.worker)

    def submit(self, line: str) -> Task:
        """Give a command."""
        task = self.session.submit(line)
        assert task is not None
        turn(self.clock, 3)
        return task

    def ask(self, line: str) -> list[str]:
        """Give a command, and return what it says."""
        task = self.submit(line)
        until_done(self.clock, task)
        assert task.error == ""
        return task.outlist


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk(Clock())
    yield desk
    desk.manager.stop()
    turn(desk.clock, 3)


def test_list(desk: Desk) -> None:
    """The tasks that run, or those of another status, in either case."""
    assert desk.ask(".list") == []
    desk.submit("work a")
    desk.submit("work b")
    desk.ask("answer")
    running = ["<AsynTask 2 [work a] RUNNING>", "<AsynTask 3 [work b] RUNNING>"]
    assert desk.ask(".list") == desk.ask("_list") == desk.ask(".li running") == running
    assert desk.ask(".list FINISHED") == ["<SynTask 4 [answer] FINISHED>"]
    assert desk.ask(".list fin") == ["<SynTask 4 [answer] FINISHED>"]
    assert "no status 'coffee': there is SUBMITTED, RUNNING" in desk.ask(".list coffee")[1]


def test_output(desk: Desk) -> None:
    """A task's repr and its lines, by number; without one the latest."""
    assert desk.ask(".output") == ["Nothing to show"]
    task = desk.submit("work a")
    for word in ("one", "two"):
        desk.worker.tell(word)
        turn(desk.clock, 3)
    expected = ["<AsynTask 2 [work a] RUNNING>", "a: one", "a: two"]
    assert desk.ask(f".output {task.no}") == desk.ask("_output") == expected
    assert desk.ask(".output -1") == expected
    assert desk.ask(".output 99") == ["Unknown task 99"]
    assert desk.ask(".output -2") == ["Nothing to show"]
    assert desk.ask(".output x")[1].endswith("invalid int value: 'x'")


def test_output_says_what_is_lost(desk: Desk) -> None:
    """If lines have fallen out of what is kept."""
    desk.submit("work a")
    for number in range(5):
        desk.worker.tell(str(number))
        turn(desk.clock, 3)
    assert desk.ask(".output") == ["a: 2", "a: 3", "a: 4"]  # its own output is bounded, too
    lines: list[str] = []
    task = desk.session.submit(".output")
    assert task is not None
    lines += task.outlist
    task.listen(output=lambda _task, new: lines.extend(new))
    until_done(desk.clock, task)
    assert lines[:2] == ["<AsynTask 1 [work a] RUNNING>", "... 2 lines were dropped"]


def test_output_of_a_killed_task(desk: Desk) -> None:
    """The prints of its finally are there."""
    desk.submit("work a")
    desk.submit(".kill")
    assert desk.ask(".output") == ["<AsynTask 1 [work a] KILLED>", "closing a"]


def test_no_output_is_written_to_a_file(desk: Desk) -> None:
    """plac's second argument is none here."""
    desk.ask("answer")
    assert "invalid int value: '/tmp/x'" in desk.ask(".output 1 /tmp/x")[1]


def test_output_followed(desk: Desk) -> None:
    """Output is shown as it comes, to the end, with the state that the task ended in."""
    task = desk.submit("work a")
    desk.worker.tell("one")
    turn(desk.clock, 3)
    lines: list[str] = []
    following = desk.session.submit(".output -f")
    assert following is not None
    assert following.stops_on_line and following.foreground
    assert not task.stops_on_line
    lines += following.outlist
    following.listen(output=lambda _task, new: lines.extend(new))
    turn(desk.clock, 5)
    assert lines == ["<AsynTask 1 [work a] RUNNING>", "a: one"]
    desk.worker.tell("two")
    turn(desk.clock, 5)
    assert lines[2:] == ["a: two"]
    assert following.status == RUNNING
    task.kill()
    until_done(desk.clock, following)
    assert lines[3:] == ["closing a", "<AsynTask 1 [work a] KILLED>"]


def test_output_followed_to_the_end_at_once(desk: Desk) -> None:
    """A task that has ended has nothing more to come."""
    desk.ask("answer")
    assert desk.ask(".output 1 -f") == [
        "<SynTask 1 [answer] FINISHED>",
        "at once",
        "<SynTask 1 [answer] FINISHED>",
    ]


def test_the_output_of_several_tasks(desk: Desk) -> None:
    """Each line with its task's number, followed until all have ended."""
    first, second = desk.submit("work a"), desk.submit("work b")
    assert desk.ask(".output 99 1 2 1") == [
        "Unknown task 99",
        "<AsynTask 1 [work a] RUNNING>",
        "<AsynTask 2 [work b] RUNNING>",
    ]
    following = desk.submit(".output 1 2 -f")
    lines: list[str] = []
    following.listen(output=lambda _task, new: lines.extend(new))
    desk.worker.tell("one")
    turn(desk.clock, 5)
    assert sorted(lines) == ["1| a: one", "2| b: one"]
    first.kill()
    turn(desk.clock, 5)
    assert lines[2:] == ["1| closing a", "<AsynTask 1 [work a] KILLED>"]
    second.kill()
    until_done(desk.clock, following)
    assert lines[4:] == ["2| closing b", "<AsynTask 2 [work b] KILLED>"]


def test_progress_is_told_now_and_then(desk: Desk) -> None:
    """To those who follow a task, and where somebody waits for it: each five seconds."""
    task = desk.submit("work a")
    following = desk.submit(".output -f")
    for done in (1, 2, 3):
        desk.clock.advance(2)
        task._show(Progress(done, 12, "files"))
        turn(desk.clock, 5)
    assert following.outlist[1:] == ["25% (3/12 files), 0.5/s, 18 s left"]


def test_a_task_that_ends_while_its_output_is_written(desk: Desk) -> None:
    """Its follower sees the end, though there is no more output."""
    desk.submit("rest")
    following = Builtins(desk.manager).output(follow=True)
    assert [next(following), next(following)] == ["<AsynTask 1 [rest] RUNNING>", ["one"]]
    desk.worker.tell("")
    turn(desk.clock, 3)
    assert list(following) == [[], "<AsynTask 1 [rest] FINISHED>"]


def test_a_follower_keeps_up_with_many_lines(desk: Desk) -> None:
    """However many come at once, it is one step to show them: none falls out meanwhile."""
    task = desk.submit("work a")
    following = desk.submit(".output -f")
    shown: list[list[str]] = []
    following.listen(output=lambda _task, new: shown.append(new))
    task._put_out(["one", "two", "three"])
    turn(desk.clock, 3)
    assert shown == [["one", "two", "three"]]


def test_following_can_be_stopped(desk: Desk) -> None:
    """It is a task, and can be killed; what it follows goes on, and nobody listens any more."""
    task = desk.submit("work a")
    listeners = len(task._listeners.output)
    following = desk.submit(".output --follow")
    assert len(task._listeners.output) == listeners + 1
    following.kill()
    until_done(desk.clock, following)
    assert task.status == RUNNING
    assert len(task._listeners.output) == listeners


def test_a_follower_that_is_slow_hears_what_it_missed(desk: Desk) -> None:
    """Lines that went while it was not looking are counted."""
    task = desk.submit("work a")
    following = desk.submit(".output -f")
    lines: list[str] = []
    following.listen(output=lambda _task, new: lines.extend(new))
    task._put_out([str(number) for number in range(10)])
    turn(desk.clock, 10)
    assert lines == ["... 7 lines were dropped", "7", "8", "9"]


def test_kill(desk: Desk) -> None:
    """By number, or the latest that runs."""
    assert desk.ask(".kill") == ["Nothing to kill"]
    tasks = [desk.submit(f"work {name}") for name in "abc"]
    killing = desk.session.submit(f".kill {tasks[0].no}")
    assert killing is not None
    assert tasks[0].status == TOBEKILLED
    assert killing.outlist == ["<AsynTask 2 [work a] TOBEKILLED>"]
    turn(desk.clock, 3)
    assert desk.ask("_kill") == ["<AsynTask 4 [work c] TOBEKILLED>"]
    assert desk.ask(".list") == ["<AsynTask 3 [work b] RUNNING>"]
    assert desk.ask(".kill 2") == ["Already finished <AsynTask 2 [work a] KILLED>"]
    assert desk.ask(".kill 99") == ["Unknown task 99"]
    assert desk.ask(".kill -1") == ["<AsynTask 3 [work b] TOBEKILLED>"]


def test_last_tb(desk: Desk) -> None:
    """The traceback of a task, if it has one."""
    assert desk.ask(".last_tb") == ["Nothing to show"]
    desk.submit("crash")
    (text,) = desk.ask(".last_tb")
    assert text.startswith("Traceback (most recent call last):\n")
    assert text.endswith("ValueError: a bug")
    assert desk.ask("_last_tb 2") == [text]
    desk.ask("answer")
    assert desk.ask(".last_tb") == [""]
    assert desk.ask(".last_tb 99") == ["Unknown task 99"]


def test_quit(desk: Desk) -> None:
    """The wish to leave is the task's; others go on."""
    task = desk.submit("work a")
    leaving = desk.submit(".quit")
    assert leaving.wants_exit and leaving.done
    assert not task.wants_exit
    assert task.status == RUNNING


def test_help(desk: Desk) -> None:
    """The names of all commands, and the help of one."""
    text = "\n".join(desk.ask("help"))
    for name in (".kill", ".last_tb", ".list", ".output", ".quit", "answer", "work"):
        assert name in text
    assert "go on with what comes" in "\n".join(desk.ask("help .output"))
    assert "go on with what comes" in "\n".join(desk.ask("help _output"))
    assert desk.ask("help coffee") == ["Unknown command coffee"]
    assert "  .kill     kill a given task (-1 is the latest that runs)" in text.splitlines()
    assert "special commands\n================" in "\n".join(desk.ask(".help"))


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("anser", "No command 'anser': did you mean 'answer'?"),
        ("lsit", "No command 'lsit': did you mean '.list'?"),
        ("coffee", "No command 'coffee'"),
    ],
)
def test_a_typo_is_an_answer_and_no_task(line: str, answer: str, desk: Desk) -> None:
    """It has no place among the tasks, nor in their history."""
    assert desk.ask(line) == [answer]
    assert desk.manager.tasks() == []


def test_built_in_commands_have_numbers_and_are_not_remembered(desk: Desk) -> None:
    """As in plac: -1 is never one of them, well formed or not."""
    desk.ask("answer")
    for line in (".list", ".lis", "_list", "help", ".list coffee", ".output 1", ".quit"):
        desk.submit(line)
    assert desk.ask("answer") == ["at once"]
    assert [task.no for task in desk.manager.tasks()] == [1, 9]


def test_follows() -> None:
    """Only .output with -f is meant to be stopped."""
    builtins = Builtins(TaskManager(reactor=Clock()))
    assert follows(Call(builtins.output, (True, -1)))
    assert not follows(Call(builtins.output, (False, -1)))
    assert not follows(Call(builtins.kill, (-1,)))
