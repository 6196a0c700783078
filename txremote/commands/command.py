"""`Command`: a row of the table of commands, and the exit statuses that they have in common."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple

from txremote.printing import NotPrinted, put
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
    with suppress(NotPrinted):  # nobody reads it: the status says it all the same
        put(f"txremote: {printable(sentence)}\n", sys.stderr)
