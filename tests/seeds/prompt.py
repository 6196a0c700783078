"""
A prompt that types a transcript, as a user would, and compares what comes.

Run as a process of its own, with whatever libraries are on its path::

    python -m tests.seeds.prompt TRANSCRIPT... [-- TRANSCRIPT...]...

The transcripts up to a ``--`` are one session: names are kept. For each session it
says ``ok:`` and its number, or ``FAILED:`` and which line gave something else.

What a user does without being told, it does too. It looks again at what changes by
itself (`res.ready`), waits for what another thread prints, polls again, and waits a
little for a file monitor to have a look at the original file.
"""

from __future__ import annotations

import ast
import doctest
import faulthandler
import os
import re
import select
import sys
import textwrap
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKER = doctest.OutputChecker()
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

#: Seconds until it gives up on a line.
PATIENCE = 30.0

#: Seconds in which a monitor that has had its first look notices a change.
NOTICED = 1.5

#: Seconds after which it polls once more. (A stock RPyC polls one message at a time.)
POLLING = 0.1
#: A monitor that looks in the middle of a write sees the new time, and the old size.
UNFINISHED = re.compile(r"\n?file changed\n.* st_size=(\d+), .*\n.* st_size=\1, .*\n")

POLLS = re.compile(r"conn\.poll_all\(|print\(mon\)")


@dataclass
class Step:
    """
    What is typed, and what is to come.

    Attributes:
        source: The lines.
        want: What they print.
        quiet: Whether nothing may be printed, though events have come.
    """

    source: str
    want: str = ""
    quiet: bool = False


def parse(text: str) -> Iterator[Step]:
    """
    Give the steps of a transcript. What stands between them for the reader, in
    lines that start with ``#``, is left out.
    """
    step = Step("")
    for line in textwrap.dedent(text).splitlines():
        if line.startswith(">>>"):
            if step.source:
                yield step
            step = Step(line[4:])
        elif line.startswith("...") and (step.source.endswith(":") or "\n" in step.source):
            step.source += "\n" + line[4:]
        elif line.strip().startswith("#"):
            step.quiet |= "nothing is printed" in line
        else:
            step.want += line + "\n"
    if step.source:
        yield step


def normal(text: str) -> str:
    """
    Return what was printed without what differs each time: addresses, the stack of
    a traceback, empty lines.
    """
    text = re.sub(r"(at )?(0x[0-9a-f]+|#\d+)>", "...>", text)
    text = re.sub(UNFINISHED, "", text)
    # what a stock RPyC calls the classes that it makes of remote exceptions
    text = text.replace("_get_exception_class.<locals>.Derived: inv", "ValueError: inv")
    lines = []
    in_stack = False
    for line in text.splitlines():
        if in_stack and (line.startswith(" ") or line == "..."):
            continue
        in_stack = line.startswith("Traceback (most recent call last)")
        if line.strip():
            lines.append(line)
    return "\n".join(lines) + "\n" if lines else ""


class Prompt:
    """
    One session.

    Attributes:
        names: What it has defined.
    """

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self._printed: list[str] = []  # by whatever thread; appending is atomic
        self._new_monitor = False
        self._served = False  # by a thread
        self._touches = 0

    # -- what stands for sys.stdout

    def write(self, text: str) -> None:
        """Take what is printed."""
        self._printed.append(text)

    def flush(self) -> None:
        """Do nothing."""

    # --

    def run(self, text: str) -> None:
        """
        Type a transcript.

        Raises:
            AssertionError: a line gave something else.
        """
        real = sys.stdout, sys.displayhook
        sys.stdout, sys.displayhook = self, self._show  # type: ignore[assignment]
        try:
            for step in parse(text):
                self._run(step)
        finally:
            sys.stdout, sys.displayhook = real

    def _show(self, value: Any) -> None:
        if value is not None:
            print(repr(value))

    def _type(self, source: str) -> None:
        try:
            exec(compile(source + "\n", "<stdin>", "single"), self.names)
        except Exception:
            self.write(traceback.format_exc())

    def _check(self, step: Step, want: str, more: bool) -> bool:
        """
        Tell whether what was printed is what is to come.

        Args:
            step: For the error.
            want: What is to come.
            more: Whether there may be more, for it was typed more than once.

        Raises:
            AssertionError: there is an exception that is not expected.
        """
        got = normal("".join(self._printed))
        if CHECKER.check_output(want, got, FLAGS):
            return True
        if "Traceback" in got and "Traceback" not in want:
            raise AssertionError(_difference(step, want, got))
        return more and CHECKER.check_output(f"...{want}...", got, FLAGS)

    def _run(self, step: Step) -> None:
        if ".write(" in step.source and self._new_monitor:
            self._wait_a_little()
        self._new_monitor |= "FileMonitor(" in step.source
        self._served = "bgsrv" in step.source or (self._served and "connect(" not in step.source)
        self._printed.clear()
        self._type(step.source)
        if step.quiet:
            self._wait_for_bytes()
        want = normal(step.want)
        looks = _is_look(step.source)
        polls = POLLS.match(step.source) is not None and "file changed" in want
        started = polled = time.monotonic()
        while not self._check(step, want, polls and polled > started):
            now = time.monotonic()
            if now - started > PATIENCE:
                raise AssertionError(_difference(step, want, normal("".join(self._printed))))
            time.sleep(0.005)
            if looks:
                self._printed.clear()
                self._type(step.source)
            elif polls and now - polled > POLLING:
                polled = now
                self._type(step.source)

    def _wait_a_little(self) -> None:
        """
        Wait until the monitor has looked at the file: until it notices that the file
        was touched.
        """
        self._new_monitor = False
        name = self.names["f"].name
        for _ in range(5):
            self._touches += 1  # a time of its own each: stat results compare by seconds
            os.utime(name, ns=(self._touches * 10**9, os.stat(name).st_mtime_ns))
            touched = time.monotonic()
            while time.monotonic() < touched + NOTICED:
                if "new stat" in "".join(self._printed):
                    return
                if not self._served:
                    self.names["conn"].poll_all()
                time.sleep(0.005)
        raise AssertionError("the monitor does not look at the file")

    def _wait_for_bytes(self) -> None:
        """Wait until something is waiting in the socket."""
        if not select.select([self.names["conn"].fileno()], [], [], PATIENCE)[0]:
            raise AssertionError("no event comes")


def _difference(step: Step, want: str, got: str) -> str:
    return f">>> {step.source}\nExpected:\n{want}Got:\n{got}"


def _is_look(source: str) -> bool:
    tree = ast.parse(source).body
    node: Any = tree[0].value if tree and isinstance(tree[0], ast.Expr) else None
    return isinstance(node, (ast.Attribute, ast.Name, ast.Tuple))


def main() -> None:
    """Type the transcripts that the command line names."""
    faulthandler.dump_traceback_later(90, exit=True)  # a hang shall say where
    os.umask(0o022)  # as is usual: st_mode is among what is compared
    sessions: list[list[str]] = [[]]
    for word in sys.argv[1:]:
        if word == "--":
            sessions.append([])
        else:
            sessions[-1].append(word)
    for number, files in enumerate(sessions):
        prompt = Prompt()
        try:
            for file in files:
                prompt.run(Path(file).read_text())
        except AssertionError as problem:
            print(f"FAILED: {number}\n{problem}", flush=True)
        else:
            print(f"ok: {number}", flush=True)


if __name__ == "__main__":
    main()
