"""
`TaskStore`: the tasks of a keeper in a file of SQLite, so that they outlive a restart.

The reactor notes which tasks have changed. Twice a second it takes from them what is new, their
states and the lines of their rings, and hands that to a thread, which writes it in one transaction;
there is one such batch at a time. So nothing waits for a disk, what waits is never more than the
rings hold, and a process that is killed loses the last second at most. If the disk is full that is
logged once, the tasks go on, and it is tried again.

A file is used by one process. The tasks that are read again are `KeptTask` objects, which have
ended. Those that ran when the process before this one ended are ABORTED with `TaskLost`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from txremote.levels import Logger
from txremote.refs.clock import steady
from txremote.tasks.listeners import TaskListeners
from txremote.tasks.ring import OutputRing
from txremote.tasks.stepping import Call
from txremote.tasks.task import Submission, Task
from txremote.tasks.taskfile import (
    Batch,
    FileInUse,
    Row,
    UnusableFile,
    Writer,
    check_file,
    connected,
    prepare,
    read_rows,
)

_log = Logger("txremote")

#: Seconds between two writings, and after one that has failed.
INTERVAL: Final = 0.5
AFTER_FAILURE: Final = 5.0

#: Most characters of a result, and of a traceback, that are kept.
LONGEST: Final = 10_000


class TaskLost(Exception):
    """The server ended while the task ran."""


class TaskFailed(Exception):
    """The exception of a task that ran before the server was started anew: its text alone."""


class KeptTask(Task):
    """A task that ran before the server was started anew. It has ended."""

    def __init__(self, row: Row, ring: OutputRing, clock: IReactorTime) -> None:
        self.kind = row.kind
        self.kept_error = row.error
        self._text = row.result
        super().__init__(_submission(row, ring, clock))
        self.status, self.done = row.status, True
        self.submitted, self.started, self.ended = row.submitted, row.started, row.ended
        self.traceback = row.traceback
        name, _colon, text = row.error.partition(": ")
        if row.error:
            self.exc = TaskLost(text) if name == TaskLost.__name__ else TaskFailed(row.error)

    def __repr__(self) -> str:
        return f"<{self.kind} {self.no} [{' '.join(self.arglist)}] {self.status}>"

    @property
    def result(self) -> Any:
        """The text of the command's result; raises as `Task.result`."""
        if self.exc is not None:
            raise self.exc
        return self._text

    @property
    def error(self) -> str:
        """The exception as a line, or ""."""
        return self.kept_error

    def declares_result(self) -> bool:
        """Return False: what is kept is a text."""
        return False


def _submission(row: Row, ring: OutputRing, clock: IReactorTime) -> Submission:
    reactor: Any = clock
    words = json.loads(row.words)
    nothing = TaskListeners()
    return Submission(
        *(row.no, words, Call(str), reactor, clock, ring, nothing, lambda _task: None, row.owner)
    )


class TaskStore:
    """
    The file of one keeper. For the reactor's thread.

    Args:
        path: The file; it is made at `open`.
        reactor: The reactor.

    Raises:
        UnusableFile: the file is damaged, of a newer version, no file of tasks, or in no folder.
    """

    def __init__(self, path: str, reactor: Any) -> None:
        self.path = os.path.abspath(path)
        self._reactor = reactor
        self._clock: IReactorTime = steady(reactor)
        self._changed: dict[int, Task] = {}
        self._under_way: dict[int, Task] = {}  # in the batch that is being written
        self._forgotten: list[tuple[int]] = []
        self._stored: dict[int, int] = {}  # by task: the number of the first line not written
        self._timer: IDelayedCall | None = None
        self._writing: Deferred[None] | None = None
        self._failing = False
        self._writer: Writer | None = None
        folder = os.path.dirname(self.path)
        if not os.path.isdir(folder) or os.path.isdir(self.path):
            why = f"there is no folder {folder}" if not os.path.isdir(folder) else "it is a folder"
            raise UnusableFile(f"cannot open {self.path}: {why}")
        if os.path.exists(self.path) and os.path.getsize(self.path):
            with closing(connected(self.path, "ro")) as found, suppress(FileInUse):
                check_file(self.path, found)  # a server that uses it now may end before this does

    @property
    def is_open(self) -> bool:
        """Whether tasks are written."""
        return self._writer is not None

    def open(self, make_ring: Callable[[], OutputRing]) -> list[KeptTask]:
        """Make the file, or read it: return its tasks by number. UnusableFile: as above."""
        database = connected(self.path, "rwc")
        try:
            prepare(self.path, database)
            found = [self._kept(row, lines, make_ring()) for row, lines in read_rows(database)]
        except BaseException:
            database.close()
            raise
        self._writer = Writer(database)
        self._stored = {task.no: task.output.next for task in found}
        return found

    def _kept(self, row: Row, lines: list[tuple[int, str]], ring: OutputRing) -> KeptTask:
        if lines:
            ring.dropped = lines[0][0]
        for _number, text in lines:
            ring.append(text)
        return KeptTask(row, ring, self._clock)

    def changed(self, task: Task, _news: object = None) -> None:
        """Have a task written soon."""
        if self._writer is not None:
            self._changed[task.no] = task
            self._write_later(INTERVAL)

    def forget(self, no: int) -> None:
        """Have a task deleted soon."""
        self._changed.pop(no, None)
        under_way = self._under_way.pop(no, None) is not None
        if (self._stored.pop(no, None) is not None or under_way) and self._writer is not None:
            self._forgotten.append((no,))
            self._write_later(INTERVAL)

    async def close(self) -> None:
        """Write what is left, and close the file."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._writing is not None:
            await self._writing
        self._write()
        if self._writing is not None:
            await self._writing
        writer, self._writer = self._writer, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if writer is not None:
            closed: Deferred[Any] = Deferred()
            self._run(writer, writer.close, closed)
            await closed.addErrback(self._failed)

    def _write_later(self, seconds: float) -> None:
        if self._timer is None and self._writing is None:
            self._timer = self._clock.callLater(seconds, self._write)

    def _write(self) -> None:
        self._timer = None
        writer = self._writer
        if writer is None or self._writing is not None:
            return
        if not (self._changed or self._forgotten):
            return
        tasks, self._changed = self._changed, {}
        self._under_way = under_way = dict(tasks)  # without those that are forgotten meanwhile
        forgotten, self._forgotten = self._forgotten, []
        batch = _batch_of(tasks, self._stored, forgotten)
        next_lines = {no: task.output.next for no, task in tasks.items()}
        self._writing = Deferred()
        written: Deferred[Any] = Deferred()

        def done(_none: object) -> None:
            self._stored.update({no: next_lines[no] for no in under_way})
            if self._failing:
                self._failing = False
                _log.info("the tasks are written to {path} again", path=self.path)

        def failed(failure: Failure) -> None:
            self._changed = {**under_way, **self._changed}
            self._forgotten = forgotten + self._forgotten
            self._failed(failure)

        def over(_none: object) -> None:
            writing, self._writing = self._writing, None
            self._under_way = {}
            if self._changed or self._forgotten:
                self._write_later(AFTER_FAILURE if self._failing else INTERVAL)
            if writing is not None:
                writing.callback(None)

        written.addCallbacks(done, failed).addBoth(over)
        self._run(writer, lambda: writer.write(batch), written)

    def _run(self, writer: Writer, function: Callable[[], object], ended: Deferred[Any]) -> None:
        writer.do(function, lambda found: self._reactor.callFromThread(ended.callback, found))

    def _failed(self, failure: Failure) -> None:
        if not self._failing:
            self._failing = True
            _log.error(
                "the tasks cannot be written to {path}, and go on: {problem}",
                path=self.path,
                problem=failure.value,
            )


def _batch_of(tasks: dict[int, Task], stored: dict[int, int], forgotten: list[tuple[int]]) -> Batch:
    """Return what is new of some tasks."""
    lines = []
    for no, task in tasks.items():
        first = max(stored.get(no, 0), task.output.first)
        new = task.output.lines(first)
        lines += [(no, first + at, _storable(text)) for at, text in enumerate(new)]
    firsts = [(no, task.output.first) for no, task in tasks.items()]
    return Batch([_row_of(task) for task in tasks.values()], lines, firsts, forgotten)


def _row_of(task: Task) -> Row:
    result = ""
    if task.done and task.exc is None and not isinstance(task, KeptTask):
        result = _text_of_result(task.result)
    kind = task.kind if isinstance(task, KeptTask) else type(task).__name__
    return Row(
        *(task.no, kind, json.dumps(list(task.arglist)), _storable(task.owner), task.status),
        *(task.submitted, task.started, task.ended),
        *(_storable(task.error), _storable(task.traceback), result),
    )


def _text_of_result(result: object) -> str:
    try:
        return _storable("" if result is None else str(result))
    except Exception as problem:  # the command's own class
        return f"a result whose text cannot be had: {type(problem).__name__}"


def _storable(text: str) -> str:
    """Return a text as SQLite takes it: half a surrogate pair is no UTF-8."""
    return text[-LONGEST:].encode("utf-8", "replace").decode("utf-8")
