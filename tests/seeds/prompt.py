"""
A prompt that types a transcript, as a user would, and compares what comes.

Run as a process of its own, with whatever libraries are on its path::

    python -m tests.seeds.prompt TRANSCRIPT...

All transcripts are one session: names are kept. It ends with status 0, or says which
line gave something else.

What a user does without being told, it does too. It looks again at what changes by
itself (`res.ready`), waits for what another thread prints, polls again, and writes to
the watched file once more if the monitor had not had its first look yet. It does not
type anything twice that a user would not.
"""

from __future__ import annotations

import ast
import doctest
import faulthandler
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
PATIENCE = 15.0

#: Seconds after which the monitor must have seen that the file was changed.
NUDGE = 3.0

AGAIN = re.compile(r"conn\.poll_all\(|print\(mon\)|f\.write\(|f\.flush\(")


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
        typed: How many steps it has run.
    """

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self.typed = 0
        self._printed: list[str] = []  # by whatever thread; appending is atomic
        self._last_write = ""

    # -- what stands for sys.stdout

    def write(self, text: str) -> None:
        """
        Take what is printed.
        """
        self._printed.append(text)

    def flush(self) -> None:
        """
        Do nothing.
        """

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
                self.typed += 1
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

    def _matches(self, want: str, more: bool) -> bool:
        got = normal("".join(self._printed))
        if CHECKER.check_output(want, got, FLAGS):
            return True
        return more and CHECKER.check_output(f"...{want}...", got, FLAGS)

    def _run(self, step: Step) -> None:
        self._printed.clear()
        self._type(step.source)
        if ".write(" in step.source:
            self._last_write = step.source
        if step.quiet:
            self._wait_for_bytes()
        want = normal(step.want)
        looks = _is_look(step.source)
        again = AGAIN.match(step.source) is not None and "file changed" in want
        started = nudged = time.monotonic()
        while not self._matches(want, again and nudged > started):
            now = time.monotonic()
            if now - started > PATIENCE:
                got = normal("".join(self._printed))
                raise AssertionError(f">>> {step.source}\nExpected:\n{want}Got:\n{got}")
            time.sleep(0.005)
            if looks:
                self._printed.clear()
                self._type(step.source)
            elif again and now - nudged > NUDGE:
                nudged = now
                self._type(self._last_write)
                if not step.source.startswith("f."):
                    self._wait_for_bytes()
                self._type(step.source)

    def _wait_for_bytes(self) -> None:
        """
        Wait until an event must be waiting in the socket.
        """
        conn = self.names["conn"]
        for _ in range(5):
            if select.select([conn.fileno()], [], [], NUDGE)[0]:
                return
            self._type(self._last_write)


def _is_look(source: str) -> bool:
    tree = ast.parse(source).body
    node: Any = tree[0].value if tree and isinstance(tree[0], ast.Expr) else None
    return isinstance(node, (ast.Attribute, ast.Name, ast.Tuple))


def main() -> None:
    """
    Type the transcripts that the command line names.
    """
    faulthandler.dump_traceback_later(60, exit=True)  # a hang shall say where
    prompt = Prompt()
    for file in sys.argv[1:]:
        prompt.run(Path(file).read_text())
    print(f"{prompt.typed} lines typed, all as expected")


if __name__ == "__main__":
    main()
