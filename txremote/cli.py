"""
The ``txremote`` command: the table of its commands, and its help.

A command is a file in `txremote.commands` with a `Command`, and a word in `GROUPS`. The exit
statuses of all are in ``docs/reference.rst``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import Final

from txremote.commands.call import CALL
from txremote.commands.command import DONE, Command
from txremote.commands.completion import COMPLETION
from txremote.commands.health import HEALTH
from txremote.commands.local import CHECK, DEMO, STUBS
from txremote.commands.operating import LOG_LEVEL, TOP
from txremote.commands.passwd import PASSWD
from txremote.commands.prompts import CONSOLE, SHELL
from txremote.commands.registries import FIND, REGISTRY
from txremote.commands.tasks import TASKS
from txremote.versions import version_line

#: All commands, by what one wants to do. A new one is a word here.
GROUPS: Final[tuple[tuple[str, tuple[Command, ...]], ...]] = (
    ("try", (DEMO, CALL, SHELL)),
    ("serve", (CHECK, PASSWD, CONSOLE, REGISTRY)),
    ("operate", (TOP, HEALTH, TASKS, LOG_LEVEL, FIND)),
    ("develop", (STUBS, COMPLETION)),
)

ABOUT: Final = "Remote objects for Twisted that speak RPyC's wire."


def commands() -> Iterator[Command]:
    """Give all commands, in the order of the help."""
    for _group, rows in GROUPS:
        yield from rows


def _overview() -> str:
    """Return the commands, grouped, with a line for each."""
    width = max(len(row.name) for row in commands())
    parts = []
    for group, rows in GROUPS:
        lines = [f"  {row.name:<{width}}  {row.summary}" for row in rows]
        parts.append("\n".join([f"{group}:", *lines]))
    return "\n\n".join(parts)


_LAST = "txremote COMMAND --help says more of one; twistd txremote --help of the server's options."


class _Parser(argparse.ArgumentParser):
    """The parser of all; its help has the commands in groups, which argparse does not know."""

    def format_help(self) -> str:
        options = "  -h, --help  show this help\n  --version   show the versions"
        usage = "usage: txremote COMMAND ...\n       txremote --version"
        return "\n\n".join([usage, ABOUT, _overview(), f"options:\n{options}", f"{_LAST}\n"])


def parser() -> argparse.ArgumentParser:
    """Return the parser of ``txremote``."""
    made = _Parser(prog="txremote", usage="txremote [-h] [--version] COMMAND ...")
    made.add_argument("--version", action="version", version=version_line())
    made.set_defaults(parser=made)
    kind = argparse.ArgumentParser
    rows = made.add_subparsers(dest="command", prog="txremote", parser_class=kind)
    rows.metavar = "COMMAND"
    for row in commands():
        about = row.summary.replace("%", "%%")
        command = rows.add_parser(row.name, help=about, description=row.description)
        command.set_defaults(run=row.run)
        row.declare(command)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command, of the process's own words if there are no others; return its exit status."""
    made = parser()
    options = made.parse_args(argv)
    if options.command is None:
        sys.stdout.write(f"{ABOUT}\n\n{_overview()}\n\n{_LAST}\n")
        return DONE
    status: int = options.run(options)
    return status
