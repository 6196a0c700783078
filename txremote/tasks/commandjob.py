"""
A command in a process of a pool: the child's side of `txremote.tasks.mptask`.

Each line goes to the parent's sink as it comes, with at most `WINDOW` of them unanswered: a parent
that cannot follow slows the command down. They and the end arrive before the job's outcome, which
goes the same way after them, so nothing is waited for but the parent's leave to begin.

TERM raises an exception that is no `Exception` in the main thread, where this runs
(`txremote.work.child`). So the command's ``finally`` is run, and its prints have arrived before the
process ends.
"""

from __future__ import annotations

from collections import deque
from contextlib import redirect_stdout
from typing import Any, TextIO, cast

from txremote.refs.asyncresult import AsyncResult
from txremote.refs.helpers import async_
from txremote.refs.sharing import follow
from txremote.tasks.capture import LineWriter, shortened
from txremote.tasks.states import FINISHED
from txremote.tasks.stepping import (
    AwaitDeferred,
    Call,
    Killed,
    Progress,
    TaskOutcome,
    outcome_of,
    run_steps,
    steps,
)
from txremote.tasks.task import text_of, unwrap

#: How many messages may be on their way.
WINDOW = 64


class _Reporter:
    """Sends the command's output, and how it ended, to the parent's sink."""

    def __init__(self, sink: Any) -> None:
        self._sink = sink
        self._send_line = async_(sink.line)
        self._send_progress = async_(sink.progressed)
        self._under_way: deque[AsyncResult] = deque()
        self.writer = LineWriter(self._line)

    def show(self, value: object) -> None:
        """Put out a value that the command yields."""
        if isinstance(value, Progress):
            self._sent(self._send_progress(*value.figures))
        elif value is not None:
            self.writer.finish()
            self._line(text_of(value))

    def _line(self, text: str) -> None:
        self._sent(self._send_line(shortened(text)))

    def _sent(self, message: AsyncResult) -> None:
        under_way = self._under_way
        under_way.append(message)
        if len(under_way) > WINDOW:
            under_way.popleft().wait()

    def end(self, traceback: str) -> None:
        """Say that the command has ended by itself, with a traceback or without."""
        self.writer.finish()
        if traceback:
            self._sent(async_(self._sink.failed)(traceback))
        self._sent(async_(self._sink.ended)())

    def finish(self) -> None:
        """Wait until everything has arrived."""
        self.writer.finish()
        while self._under_way:
            self._under_way.popleft().wait()


def run_command(call: Call, sink: Any) -> tuple[str, object, bool]:
    """
    Run a command, in a child process, and report to the `Sink` in the parent.

    Returns the status, FINISHED or KILLED, the result, and whether the command wants its session
    to end. Raises the command's exception; the sink has got the traceback.
    """
    reporter = _Reporter(sink)
    sink.began()
    try:
        with redirect_stdout(cast(TextIO, reporter.writer)):
            result = run_steps(steps(call, reporter.show), _result_of, lambda: False)
        outcome = TaskOutcome(FINISHED, result)
    except (Exception, Killed, GeneratorExit, KeyboardInterrupt, SystemExit) as error:
        outcome = outcome_of(error, False)
    except BaseException:  # TERM: the process ends when this returns
        reporter.finish()
        raise
    reporter.end(outcome.traceback)
    if outcome.error is not None:
        raise outcome.error
    return outcome.status, outcome.result, outcome.wants_exit


def _result_of(wait: AwaitDeferred) -> object:
    found: list[object] = []
    follow(wait.deferred).addBoth(found.append)
    if not found:
        raise RuntimeError(
            f"a command in a process cannot wait for {wait.deferred!r}: no reactor runs there. "
            "Put it into thcommands or asyncommands"
        )
    return unwrap(found[0]) if wait.consume else None
