"""
Who listens to tasks: to one, or to all of a manager.

Listeners are strangers' code. One that raises is logged and dropped; the task does
not notice, and the others hear on.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.logger import Logger

_log = Logger("txremote")

#: Called with a task and its news.
Listener = Callable[[Any, Any], object]


class Listeners:
    """Who wants to hear of something. One that raises is logged, and hears no more."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def add(self, listener: Listener) -> Callable[[], None]:
        """
        Add one.

        Returns:
            What takes it out again; it may be called more than once.
        """
        mine = partial(listener)  # the same function may listen twice
        self._listeners = [*self._listeners, mine]
        return partial(self._remove, mine)

    def _remove(self, listener: Listener) -> None:
        self._listeners = [other for other in self._listeners if other is not listener]

    def tell(self, task: Any, news: Any) -> None:
        """Tell all of them."""
        for listener in self._listeners:
            try:
                listener(task, news)
            except Exception:  # it is a stranger's code, and no concern of the task
                _log.failure("a listener of {task} failed, and is dropped", task=task)
                self._remove(listener)


class Audience:
    """The listeners of tasks, by what they want to hear."""

    def __init__(self) -> None:
        self.output = Listeners()
        self.progress = Listeners()
        self.state = Listeners()

    def listen(
        self,
        output: Listener | None = None,
        progress: Listener | None = None,
        state: Listener | None = None,
    ) -> Callable[[], None]:
        """Add listeners; see `Task.listen`."""
        wanted = ((self.output, output), (self.progress, progress), (self.state, state))
        stops = [kind.add(listener) for kind, listener in wanted if listener is not None]

        def stop() -> None:
            for each in stops:
                each()

        return stop
