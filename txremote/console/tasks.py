"""
`TaskManager`: containers of commands, run as tasks.

It is a `txremote.tasks.keeper.TaskKeeper` that reads command lines. Containers
that are shared are entered when they are needed first, and exited when the
manager stops; one that is a class is made anew for each session.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from txremote.console.builtins import Builtins, follows
from txremote.console.containers import LiveContainer, container_from
from txremote.console.parsing import HelpAsked, split_line
from txremote.console.session import Session
from txremote.errors import UsageError
from txremote.tasks.keeper import SYNCHRONOUS, TaskKeeper
from txremote.tasks.stepping import Call
from txremote.tasks.task import Task


class TaskManager(TaskKeeper):
    """
    Runs the commands of containers, and remembers them. For the reactor's thread.

    Args:
        **options: See `TaskKeeper`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # with what it was made of, so that no other object gets its id
        self._sessions: set[Session] = set()
        self._shared: dict[int, tuple[Any, LiveContainer]] = {}

    def open(self, container: Any) -> Session:
        """
        Begin a session with a container.

        Args:
            container: A `Container`, or anything that
                `txremote.console.containers.container_from` takes.

        Raises:
            ContainerError: it is none.
            PoolStopped: the manager has been stopped.
            Exception: what its constructor or its ``__enter__`` raises.
        """
        self._check_running()
        session = Session(self._enter(container), self._submit)
        self._sessions = {other for other in self._sessions if not other.closed} | {session}
        return session

    def submit(self, container: Any, line: str | Sequence[str]) -> Task:
        """
        Run one command.

        Args:
            container: As for `open`. An instance of a class is made for this task
                alone, and exited after it.
            line: The command line, or its words.

        Returns:
            Its task. Whatever is wrong with the container or the line is the
            exception of a task that is ABORTED.

        Raises:
            PoolStopped: the manager has been stopped.
        """
        self._check_running()
        try:
            live = self._enter(container)
        except Exception as problem:  # a container's constructor: any code
            words = line.split() if isinstance(line, str) else line
            return self.add(SYNCHRONOUS, Call(_refuse, (problem,)), words)
        try:
            return self._submit(live, line) or self._run(live, [])
        finally:
            live.release()

    def _enter(self, container: Any) -> LiveContainer:
        """Return a container that was entered, held for the caller."""
        recipe = container_from(container)
        known = self._shared.get(id(recipe.source))
        if known is not None:
            known[1].hold()
            return known[1]
        live = recipe.enter(Builtins(self).by_name())
        if recipe.shared:
            self._shared[id(recipe.source)] = (recipe.source, live)
            live.hold()
        return live

    def _submit(self, live: LiveContainer, line: str | Sequence[str]) -> Task | None:
        """Make a task of a command line, unless it is empty."""
        try:
            words = split_line(line) if isinstance(line, str) else list(line)
        except UsageError as problem:
            return self.add(SYNCHRONOUS, Call(_refuse, (problem,)), [str(line)])
        return self._run(live, words) if words else None

    def _run(self, live: LiveContainer, words: Sequence[str]) -> Task:
        """Make a task of the words of a command line."""
        try:
            kind, call = live.read(words)
        except HelpAsked as asked:
            kind, call = SYNCHRONOUS, Call(str, (asked,))
        except Exception as problem:  # a converter of an argument: any code
            kind, call = SYNCHRONOUS, Call(_refuse, (problem,))
        task = self.add(kind, call, words, remembered=not live.is_builtin(words))
        task.stops_on_line = follows(call)
        if not task.done:
            live.hold()
            task.when_done().addCallback(lambda _task: live.release())
        return task

    def _tasks_ended(self) -> None:
        for session in self._sessions:
            session.close()
        shared, self._shared = self._shared, {}
        for _source, live in shared.values():
            live.release()


def _refuse(problem: Exception) -> None:
    """Run, as a command, what cannot be run."""
    if isinstance(problem, UsageError):
        sys.stdout.write(f"{problem}\n")
        problem.with_traceback(None)  # of the parser, and of no interest
    raise problem
