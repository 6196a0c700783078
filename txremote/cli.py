"""
The ``txremote`` command: the table of its commands, and its help.

A command is a `Command` in a file of `txremote.commands`, where it has its name in capitals, and a
word in `GROUPS`. Its file is imported when it is the one that is typed, or for the help of all. The
exit statuses of all are in ``docs/reference.rst``.
"""

from __future__ import annotations

import argparse
import gc
import io
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Final

from txremote.commands.command import Command
from txremote.printing import (
    DONE,
    FAILED,
    INTERRUPTED,
    NotPrinted,
    complain,
    print_nothing_more,
    put,
)

#: The commands by what they are for, each with its file. A new one is a word here.
GROUPS: Final[dict[str, dict[str, str]]] = {
    "try": {"demo": "local", "call": "call", "shell": "prompts"},
    "serve": {
        "check": "local",
        "passwd": "passwd",
        "console": "prompts",
        "registry": "registries",
    },
    "operate": {
        "top": "operating",
        "health": "health",
        "tasks": "tasks",
        "log-level": "operating",
        "find": "registries",
    },
    "develop": {"stubs": "local", "completion": "completion"},
}
_FILES: Final = {name: file for files in GROUPS.values() for name, file in files.items()}

ABOUT: Final = "Remote objects for Twisted that speak RPyC's wire."


def command(name: str) -> Command:
    """Return a command by its name."""
    file = import_module(f"txremote.commands.{_FILES[name]}")
    found: Command = getattr(file, name.upper().replace("-", "_"))
    return found


def commands() -> Iterator[Command]:
    """Give all commands, in the order of the help."""
    return map(command, _FILES)


def _overview() -> str:
    """Return the commands, grouped, with a line for each."""
    width = max(map(len, _FILES))
    parts = []
    for group, names in GROUPS.items():
        lines = [f"  {name:<{width}}  {command(name).summary}" for name in names]
        parts.append("\n".join([f"{group}:", *lines]))
    return "\n\n".join(parts)


_LAST = "txremote COMMAND --help says more of one; twistd txremote --help of the server's options."


class _Parser(argparse.ArgumentParser):
    """The parser of all; its help has the commands in groups, which argparse does not know."""

    def format_help(self) -> str:
        options = "  -h, --help  show this help\n  --version   show the versions"
        usage = "usage: txremote COMMAND ...\n       txremote --version"
        return "\n\n".join([usage, ABOUT, _overview(), f"options:\n{options}", f"{_LAST}\n"])


def parser(only: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of ``txremote``, of all commands or of one."""
    made = _Parser(prog="txremote", usage="txremote [-h] [--version] COMMAND ...")
    made.add_argument("--version", action=_Version, nargs=0)
    made.set_defaults(parser=parser)
    kind = argparse.ArgumentParser
    rows = made.add_subparsers(dest="command", prog="txremote", parser_class=kind)
    rows.metavar = "COMMAND"
    for row in map(command, _FILES if only is None else [only]):
        about = row.summary.replace("%", "%%")
        below = rows.add_parser(row.name, help=about, description=row.description)
        below.set_defaults(run=row.run)
        row.declare(below)
    return made


class _Version(argparse.Action):
    """Prints the versions, which are looked up for that alone."""

    def __call__(self, parser: argparse.ArgumentParser, *_rest: object) -> None:
        put(f"{import_module('txremote.versions').version_line()}\n")
        parser.exit()


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run a command, of the process's own words if there are no others; return its exit status.

    It is 0 where the reader of the output has gone: it has seen what it wanted. Ctrl-C ends any
    command with `INTERRUPTED`, one that is still being imported, too.
    """
    try:
        try:
            return _run(sys.argv[1:] if argv is None else argv)
        finally:
            put()
    except NotPrinted as problem:
        if not problem.seen_enough:
            complain(str(problem))
        return DONE if problem.seen_enough else FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        print_nothing_more()


def _run(words: Sequence[str]) -> int:
    if isinstance(sys.stdout, io.TextIOWrapper):  # what a server says may not be of its encoding
        sys.stdout.reconfigure(errors="backslashreplace")
    # What is imported is no garbage, and to look for some takes a tenth of the time.
    collects = gc.isenabled()
    gc.disable()
    try:
        made = parser(words[0] if words and words[0] in _FILES else None)
    finally:
        if collects:
            gc.enable()
    options = made.parse_args(words)
    if options.command is None:
        put(f"{ABOUT}\n\n{_overview()}\n\n{_LAST}\n")
        return DONE
    status: int = options.run(options)
    return status
