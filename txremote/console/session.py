"""`Session`: one client and one container, plac's Interpreter."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred, DeferredList

from txremote.console.containers import LiveContainer
from txremote.tasks.task import Task

Submit = Callable[[LiveContainer, str | Sequence[str]], Task | None]


class Session:
    """Turns lines into tasks, which are its manager's. It owns a hold on its container."""

    def __init__(self, live: LiveContainer, submit: Submit) -> None:
        self.name = live.name
        self.greeting = live.greeting
        self.commands = live.commands
        self.closed = False
        self._live = live
        self._submit = submit
        self._tasks: dict[Task, None] = {}

    def __repr__(self) -> str:
        return f"<Session {self.name}{' closed' if self.closed else ''}>"

    def submit(self, line: str | Sequence[str]) -> Task | None:
        """Run a line, or its words. Returns its task, ABORTED if it is wrong; None if empty."""
        if self.closed:
            raise RuntimeError(f"{self!r} takes no more commands")
        task = self._submit(self._live, line)
        if task is not None and not task.done:
            self._tasks[task] = None
            task.at_end(self._tasks.pop)
        return task

    @property
    def tasks(self) -> list[Task]:
        """Those of its tasks that have not ended."""
        return list(self._tasks)

    def close(self) -> Deferred[None]:
        """Take no more commands. Fires when the last task has ended and the container is left."""
        ends = DeferredList([task.when_done() for task in self._tasks])
        if not self.closed:
            self.closed = True
            self._live.release()
        return ends.addCallback(lambda _ends: None)
