"""
`TaskManager`: containers of commands, run as tasks.

A container that is shared is entered when it is needed first, and exited when the manager stops.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from txremote.console.builtins import Builtins, follows
from txremote.console.containers import Command, LiveContainer, container_from, refusal
from txremote.console.following import Audiences
from txremote.console.session import Session
from txremote.tasks.keeper import TaskKeeper
from txremote.tasks.task import Task


class TaskManager(TaskKeeper):
    """
    Runs the commands of containers, and remembers them. For the reactor's thread.

    Args:
        **options: See `TaskKeeper`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._sessions: set[Session] = set()
        self._audiences = Audiences()
        # by the id of their source, which is kept so that no other object gets that id
        self._shared: dict[int, tuple[object, LiveContainer]] = {}

    def open(self, container: object, owner: str = "") -> Session:
        """
        Begin a session with a `Container`, or an object that stands for one.

        The owner, a user or an address, is that of its tasks.

        Raises:
            ContainerError: it is none.
            PoolStopped: the manager has been stopped.
            Exception: of its constructor or its ``__enter__``.
        """
        self._check_running()
        session = Session(self._enter(container), partial(self._submit, owner=owner))
        self._sessions = {other for other in self._sessions if not other.closed} | {session}
        return session

    def submit(self, container: object, line: str | Sequence[str], owner: str = "") -> Task:
        """
        Run one command.

        Args:
            container: As for `open`. An instance of a class is made for this task
                alone, and exited after it.
            line: The command line, or its words.
            owner: The user or the address that it is done for.

        Returns:
            Its task. If the container or the line is wrong it is ABORTED with the error
            as its exception.

        Raises:
            PoolStopped: the manager has been stopped.
        """
        self._check_running()
        try:
            live = self._enter(container)
        except Exception as problem:  # a container's constructor: any code
            words = line.split() if isinstance(line, str) else line
            return self._run(None, refusal(problem, words), owner)
        try:
            return self._run(live, live.read(line), owner)
        finally:
            live.release()

    def _enter(self, container: object) -> LiveContainer:
        """Return a container that was entered; the caller releases it."""
        recipe = container_from(container)
        known = self._shared.get(id(recipe.source))
        if known is not None:
            known[1].hold()
            return known[1]
        live = recipe.enter(Builtins(self, self._audiences).by_name())
        if recipe.shared:
            self._shared[id(recipe.source)] = (recipe.source, live)
            live.hold()
        return live

    def _submit(self, live: LiveContainer, line: str | Sequence[str], owner: str) -> Task | None:
        """Make a task of a command line, unless it is empty."""
        command = live.read(line)
        return self._run(live, command, owner) if command.words else None

    def _run(self, live: LiveContainer | None, command: Command, owner: str) -> Task:
        """Make a task of a command, which keeps its container from being exited."""
        kind, call, words, is_builtin = command
        task = self.add(kind, call, words, remembered=not is_builtin, owner=owner)
        if is_builtin:
            task.waits_for_screen = True
            task.stops_on_line = follows(call)
        if live is not None and not task.done:
            live.hold()
            task.at_end(lambda _task: live.release())
        return task

    def _tasks_ended(self) -> None:
        for session in self._sessions:
            session.close()
        shared, self._shared = self._shared, {}
        for _source, live in shared.values():
            live.release()
