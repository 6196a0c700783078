"""`Command`: a row of the table of commands."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import NamedTuple


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
