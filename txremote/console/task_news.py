"""
`Subscription`: the news of a task, on their way to a client.

One message is sent at a time, and the next one after the answer, with all the news since then. So
a slow client costs nothing: the output is in the task's ring anyway, and a line says how many have
fallen out. A client that fails, or does not answer for a while, is sent nothing more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from txremote.peer.logging import logger_for
from txremote.service import exposed
from txremote.tasks.states import RUNNING, TOBEKILLED
from txremote.tasks.stepping import Figures
from txremote.tasks.task import Task

_log = logger_for("console")

#: Seconds that a subscriber may take to answer a message.
PATIENCE: Final = 60.0

# Output that is sent in one message, in lines and, about, in characters.
_MOST_LINES: Final = 1000
_MOST_TEXT: Final = 1 << 18

#: A client's function, which is called with the new lines, the status and the progress.
#: It may return a Deferred.
OnNews: TypeAlias = Callable[[tuple[str, ...], str, Figures | None], object]


def figures_of(task: Task) -> Figures | None:
    """Return how far a task is, as numbers and a text; None if it has not said."""
    return None if task.progress is None else task.progress.figures


class Subscription:
    """A client's subscription to the news of a task. The client holds it by reference."""

    def __init__(
        self,
        task: Task,
        on_news: OnNews,
        since: int,
        clock: IReactorTime,
        ended: Callable[[Subscription], object],
    ) -> None:
        self._task = task
        self._on_news = on_news
        self._next = max(0, since)
        self._clock = clock
        self._ended = ended
        self._sent: tuple[str, Figures | None] | None = None  # status and progress, the last
        self._sending = False
        self._over = False
        self._stop_listening = task.listen(self._changed, self._changed, self._changed)
        self._clock.callLater(0, self._changed)  # after the answer to subscribe()

    @exposed
    def cancel(self) -> None:
        """Send nothing more."""
        if not self._over:
            self._over = True
            self._stop_listening()
            self._ended(self)

    def _changed(self, *_task_and_news: object) -> None:
        """Send the news, unless an answer is waited for."""
        if self._over or self._sending:
            return
        task = self._task
        lines = self._take_lines()
        status = task.status
        if task.done and self._next < task.output.next:
            # as it was when it had put out no more than this, and none that is over already
            status = TOBEKILLED if self._sent and self._sent[0] == TOBEKILLED else RUNNING
        state = status, figures_of(task)
        if lines or state != self._sent:
            self._sent = state
            self._sending = True
            sending: Deferred[object] = maybeDeferred(self._on_news, tuple(lines), *state)
            sending.addTimeout(PATIENCE, self._clock)
            sending.addCallbacks(self._answered, self._failed)
        elif task.done:
            self.cancel()

    def _take_lines(self) -> list[str]:
        output = self._task.output
        lines = output.lines(self._next)[:_MOST_LINES]
        size = 0
        for count, line in enumerate(lines, 1):
            size += len(line)
            if size > _MOST_TEXT:
                del lines[count:]
        lost = output.first - self._next
        if lines:
            self._next = max(self._next, output.first) + len(lines)
            if lost > 0:
                lines.insert(0, f"... {lost} lines were dropped")
        return lines

    def _answered(self, _answer: object) -> None:
        self._sending = False
        self._changed()

    def _failed(self, failure: Failure) -> None:
        _log.debug(
            "a subscriber of {task} is sent nothing more: {problem}",
            task=self._task,
            problem=failure.value,
        )
        self.cancel()
