"""
How the commands of ``txremote`` tell what has come of them: lines, complaints, exit statuses.

The reader of the lines may have gone, as ``head`` does. So a command prints by `put` or
`put_lines`, and lets a `NotPrinted` pass: `txremote.cli.main` ends quietly for all of them.
Whatever prints otherwise is seen there when the rest is flushed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Final, TextIO

from txremote.wire.naming import printable

#: Exit statuses: it is done; the answer is no, or an error; it could not be tried; Ctrl-C.
DONE: Final = 0
FAILED: Final = 1
NOT_MADE: Final = 2
INTERRUPTED: Final = 130


class NotPrinted(Exception):
    """
    A file, standard output mostly, has not taken a text.

    Attributes:
        seen_enough: Whether its reader, ``head`` say, has gone.
    """

    def __init__(self, problem: OSError) -> None:
        super().__init__(f"cannot print what has come: {problem.strerror}")
        self.seen_enough = isinstance(problem, BrokenPipeError)


def put(text: str = "", file: TextIO | None = None) -> None:
    """Print a text, on standard output or elsewhere, and what was printed before. NotPrinted."""
    out = sys.stdout if file is None else file
    if not out:  # it is closed; as print() does
        return
    try:
        out.write(text)
        out.flush()
    except OSError as problem:
        raise NotPrinted(problem) from None


def put_lines(lines: Iterable[str], file: TextIO | None = None) -> None:
    """Print lines, as `put` prints a text."""
    put("".join(f"{line}\n" for line in lines), file)


def complain(sentence: str) -> None:
    """Tell the user what is wrong, on standard error; a server may have said a part of it."""
    with suppress(NotPrinted):  # nobody reads it: the status says it all the same
        put(f"txremote: {printable(sentence)}\n", sys.stderr)


def print_nothing_more() -> None:
    """Drop what standard output and error do not take: Python would try again at its end."""
    for file in (sys.stdout, sys.stderr):
        if not file:
            continue
        try:
            file.flush()
        except OSError:
            with suppress(OSError):  # of a file that has no descriptor
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, file.fileno())
                os.close(nowhere)
