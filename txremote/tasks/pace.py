"""
How fast a task comes on: `Pace`, the part of a `Task` that counts.

The rate is the average since the task began to run, so everyone who looks sees the same figure,
and one who comes late sees no burst. A task that counts anew, in a second phase say, yields a
smaller figure than before; then the average is taken since the figure before that one.
"""

from __future__ import annotations

from math import inf, isfinite

from twisted.internet.interfaces import IReactorTime

from txremote.tasks.stepping import Progress


class Pace:
    """
    The progress of a task, and the rate of it. For the reactor's thread.

    Attributes:
        progress: The last `Progress` it yielded, or None.
        started: When it began to run, or None.
        ended: When it ended, or None.
    """

    progress: Progress | None = None
    started: float | None = None
    ended: float | None = None
    clock: IReactorTime
    _counts_since: float | None = None  # None: since it began
    _counted_at = 0.0  # when the last progress came

    def _count(self, progress: Progress) -> None:
        """Note a figure."""
        now = self.clock.seconds()
        if self.progress is not None and progress.done < self.progress.done:
            self._counts_since = self._counted_at
        self._counted_at = now
        self.progress = progress

    def counted_for(self) -> float:
        """Return the seconds in which the last figure has been reached; 0.0 if there is none."""
        since = self.started if self._counts_since is None else self._counts_since
        if self.progress is None or since is None:
            return 0.0
        return max(0.0, (self.clock.seconds() if self.ended is None else self.ended) - since)

    def progress_rate(self) -> float | None:
        """Return how much is done in a second, since the task began; None if it is not known."""
        seconds = self.counted_for()
        if self.progress is None or not seconds or self.progress.done <= 0:
            return None
        return self.progress.done / seconds

    def time_left(self) -> float | None:
        """Return the seconds until the total is reached at this rate; None if it is not known."""
        rate = self.progress_rate()
        if self.ended is not None or not rate or self.progress is None:
            return None
        total = self.progress.total
        left = inf if total is None else max(0.0, total - self.progress.done) / rate
        return left if isfinite(left) else None
