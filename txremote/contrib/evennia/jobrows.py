"""
All that runs in the background of a game, as one list: `rows`.

It has the jobs that the game's `run_async` has begun, and the tasks of the line console, whose
numbers have a ``c`` before them. For the reactor's thread. `table` and `line` are for screens of 80
columns, whatever a job is called and however long its error is; ``str`` of a row has all of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from txremote.contrib.evennia.joblist import RUNNING as JOB_RUNS, WAITING, GameJob, jobs
from txremote.contrib.evennia.runtime import runtime
from txremote.tasks.listing import cut
from txremote.tasks.states import RUNNING, SUBMITTED, TOBEKILLED
from txremote.tasks.task import Task
from txremote.wire.naming import one_line

_UNENDED: Final = (WAITING, JOB_RUNS, SUBMITTED, RUNNING, TOBEKILLED)

#: Characters of a line that is listed, at most: a terminal's, without its last column.
WIDTH: Final = 79

# the columns of `table` and their widths; the last one has the rest
_COLUMNS: Final = (("id", 4), ("job", 14), ("for", 8), ("where", 11), ("state", 9), ("seconds", 7))
_LAST: Final = WIDTH - sum(width + 1 for _title, width in _COLUMNS)


@dataclass(frozen=True)
class Row:
    """
    A job or a task, at one moment.

    Attributes:
        id: Its number, as `find_row` takes it.
        kill: Ends it.
    """

    id: str
    name: str
    who: str
    where: str
    state: str
    seconds: float
    progress: str
    error: str
    kill: Callable[[], object]

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self.state not in _UNENDED

    def __str__(self) -> str:
        about = f"{self.state} after {self.seconds:.1f} s" if self.ended else self.state
        told = self.error or self.progress
        return f"{self.id} {self.name}: {about}" + (f", {told}" if told else "")


def _of_job(job: GameJob) -> Row:
    progress = "" if job.done is None else f"{job.done:g}"
    if progress and job.of:
        progress = f"{100 * job.done / job.of:.0f}%" if job.done is not None else ""
    return Row(
        str(job.number),
        job.name,
        "" if job.who is None else str(getattr(job.who, "key", "")),
        job.where.partition(":init=")[0],
        job.state,
        time.time() - job.since if job.seconds is None else job.seconds,
        f"{progress} {job.text}".strip(),
        job.error,
        job.kill,
    )


def _of_task(task: Task) -> Row:
    progress = task.progress
    return Row(
        f"c{task.no}",
        " ".join(task.arglist),
        "console",
        "console",
        task.status,
        task.duration or 0.0,
        "" if progress is None else str(progress),
        "" if task.exc is None else f"{type(task.exc).__name__}: {task.exc}",
        task.kill,
    )


def rows(ended: bool = True) -> list[Row]:
    """Return the jobs and the tasks that are known, those that have ended last."""
    found = [_of_job(job) for job in (*jobs.ended(), *jobs.unended())]
    if runtime.console is not None:
        found += [_of_task(task) for task in runtime.console.manager.tasks()]
    return sorted((row for row in found if ended or not row.ended), key=lambda row: row.ended)


def find_row(wanted: str) -> Row | None:
    """Return a job by its number, ``"3"``, or a task by ``"c3"``; None: there is none."""
    return next((row for row in rows() if row.id == wanted.strip().lower()), None)


def line(row: Row) -> str:
    """Return a row in a line, cut to `WIDTH`."""
    return cut(one_line(str(row)), WIDTH)


def table(found: Iterable[Row]) -> list[str]:
    """Return the lines of a table, with a head: none is longer than `WIDTH`."""
    lines = [_joined([title for title, _width in _COLUMNS], "progress")]
    for row in found:
        seconds = f"{row.seconds:.1f}"
        cells = [row.id, row.name, row.who, row.where, row.state, seconds]
        lines.append(_joined(cells, row.error or row.progress))
    return lines


def _joined(cells: list[str], last: str) -> str:
    columns = zip(cells, _COLUMNS, strict=True)
    parts = [f"{cut(one_line(cell), width):<{width}}" for cell, (_title, width) in columns]
    return " ".join([*parts, cut(one_line(last), _LAST)]).rstrip()
