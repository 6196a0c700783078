"""
``.output``: the output of tasks, as far as it has come, and as it comes.

Many may follow one task that puts out thousands of lines in a second. To wake each of them for
each line would cost more than all else, so those who follow a task are its `Audience`: they are
woken together, in the reactor's next turn, or as soon as a quarter of what the task keeps has come,
so that nothing falls out before they look. All that have seen as much are given the same `Lines`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple
from weakref import WeakValueDictionary

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from txremote.tasks.listing import ProgressLines
from txremote.tasks.task import Lines, Task

# Those who have not seen this part of what is kept are woken at once.
_PART = 4


class Seen(NamedTuple):
    """How much of a task's output was seen: lines and bytes from the beginning."""

    lines: int = 0
    size: int = 0


class Audience:
    """Those who follow one task. For the reactor's thread."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._waiting: dict[Callable[[], object], None] = {}
        self._seen = Seen()  # what all who wait have
        self._stop: Callable[[], None] | None = None  # listening
        self._due: IDelayedCall | None = None
        self._last: tuple[int, int, Lines] = 0, 0, Lines()

    def is_late(self, seen: Seen) -> bool:
        """Tell whether so much has come since that it would soon fall out."""
        output = self._task.output
        lines, size = output.next - seen.lines, output.written - seen.size
        return lines * _PART >= output.max_lines or size * _PART >= output.max_bytes

    def add(self, wake: Callable[[], object], seen: Seen) -> None:
        """Call a function, once, when there is more than was seen, or the task has ended."""
        self._seen = min(self._seen, seen) if self._waiting else seen
        self._waiting[wake] = None
        if self._stop is None:
            self._stop = self._task.listen(self._came, self._progressed, self._changed)
        if self._task.output.next > seen.lines:
            self._progressed()

    def discard(self, wake: Callable[[], object]) -> None:
        """Do not call a function."""
        self._waiting.pop(wake, None)
        if not self._waiting:
            self._rest()

    def lines(self, since: int) -> Lines:
        """Return the lines that are kept from a number on: the same to all who ask for them."""
        output = self._task.output
        first, end, lines = self._last
        if first != since or end != output.next:
            lines = Lines(output.lines(since))
            self._last = since, output.next, lines
        return lines

    def _came(self, *_task_and_lines: object) -> None:
        if self.is_late(self._seen):
            self._wake()
        elif self._due is None:
            self._due = self._task.clock.callLater(0, self._wake)

    def _progressed(self, *_task_and_progress: object) -> None:
        if self._due is None:
            self._due = self._task.clock.callLater(0, self._wake)

    def _changed(self, *_task_and_state: object) -> None:
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, {}
        self._rest()
        for wake in waiting:
            wake()

    def _rest(self) -> None:
        """Stop listening."""
        due, self._due = self._due, None
        if due is not None and due.active():
            due.cancel()
        if self._stop is not None:
            self._stop()
            self._stop = None


class FollowedTask:
    """
    A task whose output is shown.

    Args:
        task: The task.
        audience: Those who follow it.
        numbered: Whether its lines begin with its number, since there are others.
    """

    def __init__(self, task: Task, audience: Audience, numbered: bool) -> None:
        self.task = task
        self.audience = audience
        self.seen = Seen()
        self._prefix = f"{task.no}| " if numbered else ""
        self._progress = ProgressLines(task.clock)

    def shown(self) -> str:
        """Return how it stands."""
        return repr(self.task)

    def news(self) -> Iterator[Lines]:
        """
        Give the lines that it has put out since this was called before, and notes about them.

        The notes come apart from the lines, which may be as many as the output keeps of the
        command that shows them: one more would push the note about those that were dropped out.
        """
        output = self.task.output
        lost = output.first - self.seen.lines
        lines = self.audience.lines(self.seen.lines)
        self.seen = Seen(output.next, output.written)
        progress = None if self.task.done else self._progress.of(self.task)
        if lost > 0:
            yield self._prefixed([f"... {lost} lines were dropped"])
        yield self._prefixed(lines) if self._prefix else lines
        if progress is not None:
            yield self._prefixed([progress])

    def _prefixed(self, lines: list[str]) -> Lines:
        return Lines([f"{self._prefix}{line}" for line in lines])

    @property
    def is_urgent(self) -> bool:
        """Whether it has ended, or lines would soon fall out."""
        return self.task.done or self.audience.is_late(self.seen)


class Audiences:
    """The audience of each task that is followed."""

    def __init__(self) -> None:
        self._by_task: WeakValueDictionary[Task, Audience] = WeakValueDictionary()

    def followed(self, tasks: list[Task]) -> list[FollowedTask]:
        """Return some tasks, to be shown."""
        return [FollowedTask(task, self._of(task), len(tasks) > 1) for task in tasks]

    def _of(self, task: Task) -> Audience:
        audience = self._by_task.get(task)
        if audience is None:
            audience = self._by_task[task] = Audience(task)
        return audience


def follow(followed: list[FollowedTask]) -> Iterator[object]:
    """Show what comes of some tasks until all have ended."""
    for each in followed:
        yield each.shown()
    while followed:
        left = []
        for each in followed:
            is_over = each.task.done
            yield from each.news()
            if is_over:
                yield each.shown()
            else:
                left.append(each)
        followed = left
        if followed and not any(each.is_urgent for each in followed):
            yield _news_of(followed)


def _news_of(followed: list[FollowedTask]) -> Deferred[None]:
    """Return a Deferred that fires when one of some tasks has put something out, or ended."""
    news: Deferred[None] = Deferred(lambda _news: stop())

    def wake() -> None:
        stop()
        if not news.called:
            news.callback(None)

    def stop() -> None:
        for each in followed:
            each.audience.discard(wake)

    for each in followed:
        each.audience.add(wake, each.seen)
    return news
