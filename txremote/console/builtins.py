"""
The commands that every session has: plac's special commands, for a live program.

They run as foreground tasks that are not remembered, so ``-1`` is never one of them. None of them
writes a file, as plac's ``.output`` does: a client would name the file.
"""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator

from twisted.internet.defer import Deferred

from txremote.console.extra import annotated
from txremote.console.parsing import PREFIX
from txremote.tasks.keeper import TaskKeeper
from txremote.tasks.listing import ProgressLines, row_of
from txremote.tasks.states import FINAL, RUNNING, state_from_text
from txremote.tasks.stepping import Call, LeaveSession
from txremote.tasks.task import Lines, Task


def _state(text: str) -> str:
    """Return the state that a word means, for plac's parser."""
    try:
        return state_from_text(text)
    except ValueError as problem:
        raise ArgumentTypeError(str(problem)) from None


class Builtins:
    """The built-in commands on the tasks of a keeper."""

    def __init__(self, keeper: TaskKeeper) -> None:
        self._keeper = keeper

    def by_name(self) -> dict[str, Callable[..., object]]:
        """Return the commands by name."""
        names = ("list", "output", "kill", "last_tb", "quit")
        found = {PREFIX + name: getattr(self, name) for name in names}
        return {**found, "_list": self.plac_list}

    @annotated(status=("of the tasks, or its beginning", "positional", None, _state))
    def plac_list(self, status: str = RUNNING) -> Iterator[str]:
        """list the tasks with a given status, as plac does"""
        for task in self._keeper.tasks(status):
            yield repr(task)

    @annotated(status=("of the tasks, or its beginning", "positional", None, _state))
    def list(self, status: str = RUNNING) -> Iterator[str]:
        """list the tasks with a given status"""
        for task in self._keeper.tasks(status):
            yield row_of(task)

    @annotated(
        follow=("go on with what comes, until it ends or you do", "flag", "f"),
        tasknos=("number of the task, or of several", "positional", None, int),
    )
    def output(self, follow: bool = False, *tasknos: int) -> Iterator[object]:
        """show the output of given tasks (-1 is the latest)"""
        # plac gives options that it does not know to an argument that takes all words
        unknown = [str(word) for word in tasknos if type(word) is not int]
        if unknown:
            yield f"unrecognized arguments: {' '.join(unknown)}"
            return
        found = []
        for taskno in dict.fromkeys(tasknos or (-1,)):
            task = self._keeper.find(taskno)
            if task is None:
                yield _nothing("show", taskno)
            elif task not in found:
                found.append(task)
        followed = [FollowedTask(task, len(found) > 1) for task in found]
        if follow:
            yield from _follow(followed)
            return
        for each in followed:
            yield each.shown()
            yield each.news()

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


class FollowedTask:
    """
    A task whose output is shown.

    Args:
        task: The task.
        numbered: Whether its lines begin with its number, since there are others.
    """

    def __init__(self, task: Task, numbered: bool) -> None:
        self.task = task
        self._prefix = f"{task.no}| " if numbered else ""
        self._seen = 0
        self._progress = ProgressLines(task.clock)

    def shown(self) -> str:
        """Return how it stands."""
        return repr(self.task)

    def news(self) -> Lines:
        """Return the lines that it has put out since this was called before."""
        output = self.task.output
        lost = output.first - self._seen
        lines = output.lines(self._seen)
        self._seen = output.next
        if lost > 0:
            lines.insert(0, f"... {lost} lines were dropped")
        progress = None if self.task.done else self._progress.of(self.task)
        if progress is not None:
            lines.append(progress)
        return Lines([f"{self._prefix}{line}" for line in lines] if self._prefix else lines)

    @property
    def has_news(self) -> bool:
        """Whether there are lines that were not shown."""
        return self._seen < self.task.output.next


def _follow(followed: list[FollowedTask]) -> Iterator[object]:
    """Show what comes of some tasks until all have ended."""
    for each in followed:
        yield each.shown()
    while followed:
        left = []
        for each in followed:
            is_over = each.task.done
            yield each.news()
            if is_over:
                yield each.shown()
            else:
                left.append(each)
        followed = left
        # more may have come while that was written
        if followed and not any(each.has_news or each.task.done for each in followed):
            yield _news_of([each.task for each in followed])


def follows(call: Call) -> bool:
    """Return whether a call is ``.output -f``, which its user stops with an empty line."""
    return getattr(call.function, "__func__", None) is Builtins.output and bool(call.args[0])


def _nothing(verb: str, taskno: int) -> str:
    # plac's sentences
    return f"Nothing to {verb}" if taskno < 0 else f"Unknown task {taskno}"


def _news_of(tasks: list[Task]) -> Deferred[None]:
    """Return a Deferred that fires when one of some tasks has put something out, or ended."""
    news: Deferred[None] = Deferred(lambda _news: stop())

    def fire(*_task_and_news: object) -> None:
        stop()
        if not news.called:
            news.callback(None)

    stops = [task.listen(output=fire, progress=fire, state=fire) for task in tasks]

    def stop() -> None:
        for each in stops:
            each()

    return news
