"""
The prints of a command, taken out of `sys.stdout` for the task that runs it.

While there are tasks a stand-in is in the place of `sys.stdout`. It finds the task whose code is
running: each one runs its command in a context of its own (`contextvars`), where `sink` is set.
All other prints go where they always went: those of a thread that a command starts by itself,
which has an empty context, and those in the reactor's thread in the context of a task in another
one (asyncio's reactor takes the context along with ``callFromThread``).
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from contextvars import Context, ContextVar
from typing import Any, TextIO

from txremote.refs.reactorthread import is_loop_thread

#: Longest line in characters; a longer one comes in pieces.
LONGEST_LINE = 64 * 1024

#: Most characters, and most lines, that are taken at once, from one ``print`` say: more
#: than a task keeps of its output. The rest is left out, and a sentence says so.
MOST_AT_ONCE = 1_000_000
MOST_LINES_AT_ONCE = 10_000


def shortened(text: str) -> str:
    """Return a text that was put out, cut to `MOST_AT_ONCE`."""
    beyond = len(text) - MOST_AT_ONCE
    return text if beyond <= 0 else text[:MOST_AT_ONCE] + left_out(beyond)


def left_out(count: int) -> str:
    """Return the sentence that stands in the place of some characters."""
    return f" ... {count} characters that were put out at once are left out"


class LineWriter:
    """
    A text stream, as far as ``print`` needs one, that makes lines. For any thread.

    With ``in_thread`` its task runs in a thread, which may wait here for the reactor: then prints
    in the reactor's thread are not the task's.
    """

    encoding = "utf-8"
    errors = "strict"

    def __init__(self, line: Callable[[str], object], in_thread: bool = False) -> None:
        # whether its task's code runs just now: a context outlives that, in timers say
        self.active = False
        self._line = line
        self._in_thread = in_thread
        self.begun = ""  # a line that has no end yet
        # a signal's handler may print in the middle of a write
        self._lock = threading.RLock()

    @property
    def is_current(self) -> bool:
        """Whether a print here and now is its task's."""
        return self.active and not (self._in_thread and is_loop_thread())

    def write(self, text: str) -> int:
        """Write some text."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        with self._lock:
            *lines, rest = (self.begun + text[:MOST_AT_ONCE]).split("\n", MOST_LINES_AT_ONCE)
            beyond = 0
            if len(lines) == MOST_LINES_AT_ONCE and "\n" in rest:
                rest, beyond = "", len(rest)
            start = 0
            while len(rest) - start > LONGEST_LINE:
                lines.append(rest[start : start + LONGEST_LINE])
                start += LONGEST_LINE
            rest = rest[start:]
            if beyond or len(text) > MOST_AT_ONCE:
                rest += left_out(max(0, len(text) - MOST_AT_ONCE) + beyond)
            self.begun = rest
            for line in lines:
                self._line(line)
        return len(text)

    def writelines(self, texts: Iterable[str]) -> None:
        """Write some texts."""
        for text in texts:
            self.write(text)

    def flush(self) -> None:
        """Do nothing: a line without an end is none yet."""

    def finish(self) -> None:
        """End the line that was begun, if there is one."""
        with self._lock:
            rest, self.begun = self.begun, ""
            if rest:
                self._line(rest)

    def isatty(self) -> bool:
        """Return False."""
        return False

    def writable(self) -> bool:
        """Return True."""
        return True


#: Where the prints of the code that runs here go; None if it is no task's.
sink: ContextVar[LineWriter | None] = ContextVar("txremote.task_output", default=None)


class Redirection:
    """The stand-in for `sys.stdout`; the original still does all but the writing."""

    def __init__(self, original: TextIO) -> None:
        self._original = original
        self._users = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._target(), name)

    def write(self, text: str) -> int:
        """Write to the task whose command runs here, or else to the original."""
        return self._target().write(text)

    def _target(self) -> LineWriter | TextIO:
        writer = sink.get()
        return self._original if writer is None or not writer.is_current else writer

    def release(self) -> None:
        """End one use of it; with the last one the original comes back. Reactor's thread."""
        self._users -= 1
        if not self._users and sys.stdout is self:
            sys.stdout = self._original


def redirect_prints() -> Redirection:
    """Send prints to `sink`, where it is set, until the result is released. Reactor's thread."""
    stream: Any = sys.stdout
    if not isinstance(stream, Redirection):
        stream = sys.stdout = Redirection(stream)
    stream._users += 1
    found: Redirection = stream
    return found


class ContextPrints(LineWriter):
    """The prints in one context, from now until `close`. For the reactor's thread."""

    def __init__(self, line: Callable[[str], object], context: Context) -> None:
        super().__init__(line)
        context.run(sink.set, self)
        self._redirection = redirect_prints()

    def close(self) -> None:
        """End the line that was begun, and the redirection."""
        self.finish()
        self._redirection.release()
