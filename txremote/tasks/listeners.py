"""
The listeners to one task, or to all tasks of a keeper.

A listener is the program's code. If it raises, that is logged and the listener is
dropped: neither the task nor the other listeners notice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias, TypeVar

from txremote.levels import Logger
from txremote.tasks.stepping import Progress

_log = Logger("txremote")

News = TypeVar("News")

#: Called with a `Task` and its news.
Listener: TypeAlias = Callable[[Any, News], object]


class Listeners(list[Listener[News]]):
    """The listeners to one kind of news. It is a list, so that none at all cost no call."""

    def add(self, listener: Listener[News]) -> Callable[[], None]:
        """Add a listener; return a function that removes it again, and may be called twice."""
        mine = partial(listener)  # the same function may listen twice
        self.append(mine)
        return partial(self._discard, mine)

    def _discard(self, listener: Listener[News]) -> None:
        if listener in self:
            self.remove(listener)

    def notify(self, task: object, news: News) -> None:
        """Call all listeners that there are now."""
        for listener in tuple(self):
            try:
                listener(task, news)
            except Exception:  # the program's code, and no concern of the task
                _log.failure("a listener of {task} failed, and is dropped", task=task)
                self._discard(listener)


@dataclass(slots=True)
class TaskListeners:
    """The listeners to a task, by the kind of news."""

    output: Listeners[list[str]] = field(default_factory=Listeners)
    progress: Listeners[Progress] = field(default_factory=Listeners)
    state: Listeners[str] = field(default_factory=Listeners)

    def add(self, **listeners: Listener[Any] | None) -> Callable[[], None]:
        """Add listeners by the kind of news; return a function that removes them again."""
        stops = [
            getattr(self, kind).add(listener)
            for kind, listener in listeners.items()
            if listener is not None
        ]

        def stop() -> None:
            for each in stops:
                each()

        return stop
