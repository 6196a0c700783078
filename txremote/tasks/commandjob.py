"""
A command in a process of a pool: the child's side of `txremote.tasks.mptask`.

The command is made and stepped here, so nothing but the container and the words'
meaning has to be carried over. What it puts out goes to the parent's sink as it
comes. Nobody waits for an answer to each line, but no more than `WINDOW` of them
are on their way: a parent that cannot follow slows the command down.

TERM raises an exception that is no `Exception` in the main thread, which is
where this runs (`txremote.work.child`). So the command's ``finally`` is run, and
what that prints has arrived before the process ends.
"""

from __future__ import annotations

from collections import deque
from contextlib import redirect_stdout
from typing import Any, NoReturn, TextIO, cast

from twisted.internet.defer import Deferred

from txremote.refs.asyncresult import AsyncResult
from txremote.refs.helpers import async_
from txremote.refs.sharing import follow
from txremote.tasks.capture import LineWriter, shortened
from txremote.tasks.stepping import (
    Call,
    Ending,
    Killed,
    Progress,
    Wait,
    course,
    drive,
    ending_of,
)
from txremote.tasks.task import text_of, unwrap

#: How many messages may be on their way.
WINDOW = 64


class _Reporter:
    """
    Tells the parent's sink what the command puts out.

    Args:
        sink: The sink, by reference.
    """

    def __init__(self, sink: Any) -> None:
        self._tell_line = async_(sink.line)
        self._tell_progress = async_(sink.progressed)
        self._under_way: deque[AsyncResult] = deque()
        self.writer = LineWriter(self._line)

    def show(self, value: Any) -> None:
        """Put out a value that the command yields."""
        if isinstance(value, Progress):
            self._sent(self._tell_progress(value.done, value.total, value.text))
        elif value is not None:
            self.writer.finish()
            self._line(text_of(value))

    def _line(self, text: str) -> None:
        self._sent(self._tell_line(shortened(text)))

    def _sent(self, message: AsyncResult) -> None:
        under_way = self._under_way
        under_way.append(message)
        while under_way and (len(under_way) > WINDOW or under_way[0].ready):
            under_way.popleft().wait()

    def finish(self) -> None:
        """See to it that everything has arrived."""
        self.writer.finish()
        while self._under_way:
            self._under_way.popleft().wait()


def run_command(call: Call, sink: Any) -> tuple[str, Any, bool]:
    """
    Run a command, in a child process.

    Args:
        call: The command, as it was carried over.
        sink: The `txremote.tasks.mptask.Sink` in the parent, by reference.

    Returns:
        The status, FINISHED or KILLED, the result, and whether the user wants to
        leave.

    Raises:
        Exception: what the command raised. The sink has got the traceback.
    """
    reporter = _Reporter(sink)
    sink.began()
    try:
        with redirect_stdout(cast(TextIO, reporter.writer)):
            result = drive(course(call, reporter.show), _cannot_wait, lambda: False)
        ending = Ending("FINISHED", result)
    except (Exception, Killed, GeneratorExit, KeyboardInterrupt, SystemExit) as error:
        ending = ending_of(error, False)
    except BaseException:  # TERM: the process ends when this returns
        reporter.finish()
        raise
    reporter.finish()
    if ending.error is not None:
        sink.failed(ending.traceback)
    sink.ended()
    if ending.error is not None:
        raise ending.error
    return ending.status, ending.result, ending.wants_exit


def _cannot_wait(wait: Wait) -> Any:
    found: list[Any] = []
    follow(wait.deferred).addBoth(found.append)
    if not found:
        _refuse(wait.deferred)
    return unwrap(found[0]) if wait.consume else None


def _refuse(deferred: Deferred[Any]) -> NoReturn:
    raise RuntimeError(
        f"a command in a process cannot wait for {deferred!r}: no reactor runs there. "
        "Put it into thcommands or asyncommands"
    )
