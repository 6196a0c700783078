"""Editing, history and completion at a prompt: readline, where there is one."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from typing import Final

_LENGTH: Final = 1000


def use_readline(
    complete: Callable[[str, int], str | None], path: str, delimiters: str
) -> Callable[[], None]:
    """Set up history and completion, and return a function that saves the history."""
    if find_spec("readline") is None:
        return lambda: None
    import readline

    path = os.path.expanduser(path)
    try:
        readline.read_history_file(path)
    except OSError:  # the first time there is none
        pass
    readline.set_history_length(_LENGTH)
    readline.set_completer(complete)
    readline.set_completer_delims(delimiters)
    readline.parse_and_bind("tab: complete")

    def save() -> None:
        try:
            readline.write_history_file(path)
        except OSError:  # a home that cannot be written
            return

    return save


def line_before() -> str:
    """Return the line that is being typed, up to the cursor; empty without readline."""
    if find_spec("readline") is None:
        return ""
    import readline

    return readline.get_line_buffer()[: readline.get_endidx()]
