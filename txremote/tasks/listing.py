"""
Tasks as lines for people: a row of a list, and how far one is.

A row begins as plac has it, ``<ThreadedTask 3 [import_file a] RUNNING>``, with its command cut
where the row would not fit, and goes on with progress, duration, time left and owner. No control
character of a command reaches a terminal: anybody may have typed it.
"""

from __future__ import annotations

import re
from typing import Final

from twisted.internet.interfaces import IReactorTime

from txremote.tasks.stepping import Figures
from txremote.tasks.task import Task
from txremote.wire.naming import one_line

#: Columns of a row.
WIDTH: Final = 80

#: Seconds between two lines about a task's progress.
PROGRESS_INTERVAL: Final = 5.0

# Characters of an owner, and of a command that is cut.
_OWNER = 20
_COMMAND = 12

_SHOWN = re.compile(r"(<\w+ \d+ \[)(.*)(\] [A-Z]+>)", re.DOTALL)


def time_text(seconds: float) -> str:
    """Return a time as people read it: ``9 s``, ``2:05`` minutes, ``1:02:05`` hours."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def progress_text(figures: Figures, rate: float | None, left: float | None) -> str:
    """Return how far something is: ``45% (9/20 files), 3/s, 0:04 left``."""
    done, total, text = figures
    counted = f"{done:g}" if total is None else f"{done:g}/{total:g}"
    shown = f"{counted} {text}".rstrip()
    if total:
        shown = f"{done / total:.0%} ({shown})"
    if rate is not None:
        shown += f", {rate:.3g}/s"
    if left is not None:
        shown += f", {time_text(left)} left"
    return one_line(shown)


def row(
    shown: str,
    *,
    figures: Figures | None = None,
    duration: float | None = None,
    left: float | None = None,
    owner: str = "",
    error: str = "",
    width: int = WIDTH,
) -> str:
    """
    Return the row of a task, of its repr and of what else is known of it.

    The most important is at the beginning, for a terminal that is narrower.
    """
    parts = []
    if figures is not None:
        done, total, _text = figures
        parts.append(f"{done / total:.0%}" if total else f"{done:g}")
    if duration is not None and duration >= 1:
        parts.append(time_text(duration))
    if left is not None:
        parts.append(f"{time_text(left)} left")
    if owner:
        parts.append(cut(owner, _OWNER))
    if error:
        parts.append(error)
    details = cut(", ".join(parts), width // 2)
    head = cut(_shortened(shown, width - len(details) - 1), width)
    room = width - len(head) - 1
    return one_line(f"{head} {cut(details, room)}".rstrip())


def row_of(task: Task) -> str:
    """Return the row of a task of this program."""
    return row(
        repr(task),
        figures=None if task.progress is None else task.progress.figures,
        duration=task.duration,
        left=task.time_left(),
        owner=task.owner,
        error=task.error,
    )


def _shortened(shown: str, room: int) -> str:
    """Return a task's repr with its command cut, so that it fits."""
    parts = _SHOWN.fullmatch(shown)
    if len(shown) <= room or parts is None:
        return cut(shown, room)
    before, command, after = parts.groups()
    return before + cut(command, max(_COMMAND, room - len(before) - len(after))) + after


def cut(text: str, most: int) -> str:
    """Return a text, with an ellipsis for its end if it has too many characters."""
    return text if len(text) <= most else f"{text[: max(0, most - 3)]}..."[:most]


class ProgressLines:
    """Lines about a task's progress, one each `PROGRESS_INTERVAL` seconds. Reactor's thread."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._due = clock.seconds() + PROGRESS_INTERVAL
        self._told: Figures | None = None

    def of(self, task: Task) -> str | None:
        """Return a line if one is due, and the progress is another than before."""
        progress = task.progress
        if progress is None or self._clock.seconds() < self._due or progress.figures == self._told:
            return None
        self._due = self._clock.seconds() + PROGRESS_INTERVAL
        self._told = progress.figures
        return progress_text(progress.figures, task.progress_rate(), task.time_left())
