"""
The commands that every session has: plac's special commands, for a live program.

They run as foreground tasks that are not remembered, so ``-1`` is never one of them. None of them
writes a file, as plac's ``.output`` does: a client would name the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from twisted.internet.defer import Deferred

from txremote.console.extra import annotated
from txremote.console.parsing import PREFIX
from txremote.tasks.keeper import TaskKeeper
from txremote.tasks.states import FINAL, RUNNING, STATES
from txremote.tasks.stepping import Call, LeaveSession
from txremote.tasks.task import Lines, Task


class Builtins:
    """The built-in commands on the tasks of a keeper."""

    def __init__(self, keeper: TaskKeeper) -> None:
        self._keeper = keeper

    def by_name(self) -> dict[str, Callable[..., object]]:
        """Return the commands by name."""
        names = ("list", "output", "kill", "last_tb", "quit")
        return {PREFIX + name: getattr(self, name) for name in names}

    @annotated(status=("of the tasks", "positional", None, str.upper, STATES))
    def list(self, status: str = RUNNING) -> Iterator[str]:
        """list the tasks with a given status"""
        for task in self._keeper.tasks(status):
            yield repr(task)

    @annotated(
        taskno=("number of the task", "positional", None, int),
        follow=("go on with what comes, until it ends or you do", "flag", "f"),
    )
    def output(self, taskno: int = -1, follow: bool = False) -> Iterator[object]:
        """show the output of a given task (-1 is the latest)"""
        task = self._keeper.find(taskno)
        if task is None:
            yield _nothing("show", taskno)
            return
        yield repr(task)
        seen = 0
        while True:
            is_over = task.done or not follow
            if seen < task.output.first:
                yield f"... {task.output.first - seen} lines were dropped"
            lines = task.output.lines(seen)
            seen = task.output.next
            yield Lines(lines)
            if is_over:
                break
            # more may have come while that was written
            if seen == task.output.next and not task.done:
                yield _news_of(task)
        if follow:
            yield repr(task)

    @annotated(taskno=("number of the task", "positional", None, int))
    def kill(self, taskno: int = -1) -> Iterator[str]:
        """kill a given task (-1 is the latest that runs)"""
        task = self._keeper.find(taskno, RUNNING)
        if task is None:
            yield _nothing("kill", taskno)
        elif task.status in FINAL:
            yield f"Already finished {task!r}"
        else:
            task.kill()
            yield repr(task)

    @annotated(taskno=("number of the task", "positional", None, int))
    def last_tb(self, taskno: int = -1) -> Iterator[str]:
        """show the traceback of a given task (-1 is the latest), if it has one"""
        task = self._keeper.find(taskno)
        yield _nothing("show", taskno) if task is None else task.traceback.rstrip("\n")

    def quit(self) -> None:
        """leave; tasks in the background go on"""
        raise LeaveSession


def follows(call: Call) -> bool:
    """Return whether a call is ``.output -f``, which its user stops with an empty line."""
    return getattr(call.function, "__func__", None) is Builtins.output and bool(call.args[1])


def _nothing(verb: str, taskno: int) -> str:
    # plac's sentences
    return f"Nothing to {verb}" if taskno < 0 else f"Unknown task {taskno}"


def _news_of(task: Task) -> Deferred[None]:
    """Return a Deferred that fires when a task has put something out, or ended."""
    news: Deferred[None] = Deferred(lambda _news: stop())

    def fire(*_task_and_news: object) -> None:
        stop()
        if not news.called:
            news.callback(None)

    stop = task.listen(output=fire, state=fire)
    return news
