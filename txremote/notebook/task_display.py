"""`watch`: a task of a server's `TaskService`, with its progress and its output as they come."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Generator
from typing import Any, Final

from twisted.internet.defer import Deferred

from txremote.errors import ConnectionLost
from txremote.notebook.displays import Bundle, LiveDisplay, ProgressBar, redraws, say
from txremote.notebook.markup import escaped, preformatted, printable, shortened
from txremote.refs.reference import RemoteReference
from txremote.tasks.states import FINAL, SUBMITTED
from txremote.tasks.stepping import Figures

#: Lines of output that are shown, and their length in characters.
MOST_LINES: Final = 20
LONGEST_LINE: Final = 500


class TaskDisplay:
    """
    A task that is watched. Awaited, it gives the task's result, or raises its exception.

    Cancelling that, or interrupting the cell, leaves the task alone, and the display goes on.

    Attributes:
        status: The task's state.
        lines: The last lines of its output.
    """

    def __init__(self, task: RemoteReference, title: str) -> None:
        self._task: Any = task
        self.status = SUBMITTED
        self.lines: deque[str] = deque(maxlen=MOST_LINES)
        self._bar = _Bar(title)
        self._has_progress = False
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._display = LiveDisplay(self.draw) if redraws() else None
        connection: Any = task._connection
        self._until_lost: Deferred[Any] = connection.when_disconnected()
        self._until_lost.addCallbacks(self._lost, lambda _cancelled: None)
        task.subscribe(self._news).addErrback(self._refused)

    def __await__(self) -> Generator[Any, None, Any]:
        return self._result().__await__()

    async def _result(self) -> Any:
        await asyncio.shield(self._ended)
        return await self._task.result()

    def _news(self, lines: tuple[str, ...], status: str, progress: Figures | None) -> None:
        """Take the news that the server sends."""
        new = [shortened(str(line), LONGEST_LINE) for line in lines[-MOST_LINES:]]
        self.lines.extend(new)
        if progress is not None:
            self._bar.set(*progress)
            self._has_progress = True
        self._enter(shortened(str(status)), new)

    def _enter(self, status: str, lines: list[str]) -> None:
        self.status = status
        over = status in FINAL
        if self._display is None:
            for line in [*lines, f"{self._bar.title}: {status}"] if over else lines:
                say(line)
        elif over:
            self._display.finish()
        else:
            self._display.changed()
        if over and not self._ended.done():
            self._ended.set_result(None)
            self._until_lost.cancel()  # else the connection would keep this

    def _lost(self, how: BaseException) -> None:
        self._fail(ConnectionLost(f"the connection was lost: {how}"), "connection lost")

    def _refused(self, failure: Any) -> None:
        if self._task._connection.closed:
            return  # `_lost` follows, and says so
        self._fail(failure.value, f"not watched: {failure.value}")

    def _fail(self, error: BaseException, words: str) -> None:
        if self._ended.done():
            return
        self._ended.set_exception(error)
        self._ended.exception()  # it need not be awaited
        self.status = shortened(words)
        if self._display is not None:
            self._display.finish()

    def draw(self) -> Bundle:
        """Return how it looks now."""
        head = f"{self._bar.title}: {self.status}"
        plain, html = [head], f"<div><b>{escaped(head)}</b></div>"
        if self._has_progress:
            bar = self._bar.draw()
            plain.append(bar["text/plain"])
            html += bar["text/html"]
        if self.lines:
            html += preformatted(self.lines)
        return {
            "text/plain": "\n".join([*map(printable, plain), *map(printable, self.lines)]),
            "text/html": html,
        }


class _Bar(ProgressBar):
    """The bar in a task's display, which draws it."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.done, self.total, self.text = 0.0, None, ""


def watch(task: RemoteReference, title: str = "task") -> TaskDisplay:
    """
    Show a task's state, its progress and its last lines, where this is called, as they come.

    Args:
        task: The reference that a `TaskService` gave, by ``submit`` or ``find``.
        title: The line above it.

    Returns:
        A `TaskDisplay`: ``await`` it for the task's result.

    Raises:
        TypeError: that is no reference.
    """
    if type(task) is not RemoteReference:
        raise TypeError(f"watch takes a task of a TaskService, not {task!r:.100}")
    return TaskDisplay(task, title)
