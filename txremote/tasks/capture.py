"""
What a command prints: taken out of `sys.stdout` for the task that runs it.

There is one `sys.stdout` and there are many tasks, in threads and in turns on
the reactor. So while there are tasks a stand-in is in its place, which looks up
whose code is running: each task runs its command in a context of its own
(`contextvars`), where `sink` is set. What is printed outside of all of them goes
where it always went.

A thread that a command starts by itself has an empty context: what it prints is
the program's, not the task's (`asyncio.to_thread` takes the context along). So is what
is printed in the reactor's thread in the context of a task in another one: asyncio's
reactor takes it along to what that thread hands over (``callFromThread``).
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any, TextIO

from twisted.python import threadable

#: Longest line that is waited for, in characters; a longer one comes in pieces.
LONGEST_LINE = 64 * 1024

#: Most characters, and most lines, that are taken at once, from one ``print`` say: more
#: than a task keeps of its output. What is beyond is left out, which a sentence tells.
MOST_AT_ONCE = 1_000_000
MOST_LINES_AT_ONCE = 10_000


def shortened(text: str) -> str:
    """Return a text that was put out, without what is too much of it."""
    return text if len(text) <= MOST_AT_ONCE else text[:MOST_AT_ONCE] + left_out(len(text))


def left_out(size: int, kept: int | None = None) -> str:
    """
    Return the sentence that tells what is left out of a text.

    Args:
        size: How many characters it has.
        kept: How many are there still; None: `MOST_AT_ONCE`.
    """
    left = size - (MOST_AT_ONCE if kept is None else kept)
    return f" ... {left} characters that were put out at once are left out"


class LineWriter:
    """
    A text stream, as far as ``print`` needs one, that makes lines. Any thread.

    Args:
        line: Called with each line, without its end.
        in_thread: Whether its task runs in a thread, which may wait here for the
            reactor: then what the reactor's thread prints is not the task's.

    Attributes:
        active: Whether its task's code runs just now. A context outlives that:
            the timers of asyncio's reactor take it along, say.
    """

    encoding = "utf-8"
    errors = "strict"

    def __init__(self, line: Callable[[str], object], in_thread: bool = False) -> None:
        self.active = False
        self._line = line
        self._in_thread = in_thread
        self._rest = ""
        # a signal's handler may print in the middle of a write
        self._lock = threading.RLock()

    @property
    def is_meant(self) -> bool:
        """Whether what is printed here and now is its task's."""
        return self.active and not (self._in_thread and threadable.isInIOThread())

    def write(self, text: str) -> int:
        """Take in some text."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        with self._lock:
            *lines, rest = (self._rest + text[:MOST_AT_ONCE]).split("\n", MOST_LINES_AT_ONCE)
            beyond = 0
            if len(lines) == MOST_LINES_AT_ONCE and "\n" in rest:
                rest, beyond = "", len(rest)
            start = 0
            while len(rest) - start > LONGEST_LINE:
                lines.append(rest[start : start + LONGEST_LINE])
                start += LONGEST_LINE
            rest = rest[start:]
            if beyond or len(text) > MOST_AT_ONCE:
                rest += left_out(len(text), min(len(text), MOST_AT_ONCE) - beyond)
            self._rest = rest
            for line in lines:
                self._line(line)
        return len(text)

    def writelines(self, texts: Iterable[str]) -> None:
        """Take in some texts."""
        for text in texts:
            self.write(text)

    def flush(self) -> None:
        """Do nothing: what has no end of line yet is no line."""

    def finish(self) -> None:
        """Take what was begun for a whole line."""
        with self._lock:
            rest, self._rest = self._rest, ""
            if rest:
                self._line(rest)

    def isatty(self) -> bool:
        """Return False."""
        return False

    def writable(self) -> bool:
        """Return True."""
        return True


#: Where the prints of the code that runs here go; None: they are nobody's.
sink: ContextVar[LineWriter | None] = ContextVar("txremote.task_output", default=None)


class Redirection:
    """
    The stand-in for `sys.stdout`.

    Args:
        original: What it stands in for; all but the writing is still its.
    """

    def __init__(self, original: TextIO) -> None:
        self._original = original
        self._users = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target(), name)

    def write(self, text: str) -> int:
        """Write to the task whose command runs here, else to the original."""
        return self._target().write(text)

    def _target(self) -> LineWriter | TextIO:
        writer = sink.get()
        return self._original if writer is None or not writer.is_meant else writer

    def release(self) -> None:
        """
        Say that one user needs it no more. Reactor's thread.

        With the last one the original comes back, unless somebody has put
        something else in its place meanwhile.
        """
        self._users -= 1
        if not self._users and sys.stdout is self:
            sys.stdout = self._original


def redirect_prints() -> Redirection:
    """
    Have prints go to `sink`, in the contexts where it is set. Reactor's thread.

    Returns:
        What is in the place of `sys.stdout` now; to be released.
    """
    now: Any = sys.stdout
    if not isinstance(now, Redirection):
        now = sys.stdout = Redirection(now)
    now._users += 1
    found: Redirection = now
    return found
