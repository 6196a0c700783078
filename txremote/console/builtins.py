"""
The commands that every session has: plac's special commands, for a live program.

They run as foreground tasks that are not remembered, so ``-1`` is never one of them. None of them
writes a file, as plac's ``.output`` does: a client would name the file.
"""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator

from txremote.console.extra import annotated
from txremote.console.following import Audiences, follow as show_all
from txremote.console.parsing import PREFIX
from txremote.tasks.keeper import TaskKeeper
from txremote.tasks.listing import row_of
from txremote.tasks.states import FINAL, RUNNING, state_from_text
from txremote.tasks.stepping import Call, LeaveSession


def _state(text: str) -> str:
    """Return the state that a word means, for plac's parser."""
    try:
        return state_from_text(text)
    except ValueError as problem:
        raise ArgumentTypeError(str(problem)) from None


class Builtins:
    """The built-in commands on the tasks of a keeper, and what follows those tasks."""

    def __init__(self, keeper: TaskKeeper, audiences: Audiences | None = None) -> None:
        self._keeper = keeper
        self._audiences = audiences or Audiences()

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
        followed = self._audiences.followed(found)
        if follow:
            yield from show_all(followed)
            return
        for each in followed:
            yield each.shown()
            yield from each.news()

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
    return getattr(call.function, "__func__", None) is Builtins.output and bool(call.args[0])


def _nothing(verb: str, taskno: int) -> str:
    # plac's sentences
    return f"Nothing to {verb}" if taskno < 0 else f"Unknown task {taskno}"
