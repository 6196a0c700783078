"""
`Command`: a row of the table of commands, and the exit statuses that they have in common.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from txremote.wire.naming import printable

#: Exit statuses: it is done; the answer is no, or an error; it could not be tried; Ctrl-C.
DONE: Final = 0
FAILED: Final = 1
NOT_MADE: Final = 2
INTERRUPTED: Final = 130


class Command(NamedTuple):
    """
    A command of ``txremote``.

    Attributes:
        name: The word that is typed.
        summary: A line for the list of commands.
        description: A sentence or two for its own help.
        declare: Adds its options to its parser.
        run: Does the work and returns the exit status.
    """

    name: str
    summary: str
    description: str
    declare: Callable[[ArgumentParser], object]
    run: Callable[[Namespace], int]


def complain(sentence: str) -> None:
    """Tell the user what is wrong, on standard error; a server may have said a part of it."""
    sys.stderr.write(f"txremote: {printable(sentence)}\n")


def print_lines(lines: Iterable[str]) -> None:
    """Print lines on standard output, until its reader, ``head`` say, has seen enough."""
    try:
        sys.stdout.writelines(f"{line}\n" for line in lines)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes it once more at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
