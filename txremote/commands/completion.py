"""
``txremote completion``: a script with which a shell completes commands, options and files.

`shtab`, of the extra ``completion``, writes it from the parser of all commands, which ``parser`` of
the options makes: see `txremote.cli`.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _SubParsersAction

from txremote.commands.command import Command
from txremote.printing import DONE, NOT_MADE, complain, put

_SHELLS = ("bash", "zsh", "fish")


def _declare(completion: ArgumentParser) -> None:
    completion.add_argument("shell", choices=_SHELLS, help="the shell that it is for")


def _run(options: Namespace) -> int:
    try:
        import shtab
    except ImportError:
        complain("completion needs shtab: pip install 'txremote[completion]'")
        return NOT_MADE
    parser = options.parser()
    _complete_files(parser, shtab.FILE)
    put(f"{shtab.complete(parser, options.shell).rstrip()}\n")
    return DONE


def _complete_files(parser: ArgumentParser, file: object) -> None:
    """Mark each argument that is a file's name, of a parser and of those below it."""
    for action in parser._actions:  # as shtab reads them: there is no public way
        if isinstance(action, _SubParsersAction):
            for below in action.choices.values():
                _complete_files(below, file)
        elif "FILE" in (action.metavar, action.dest.upper()):
            action.complete = file  # type: ignore[attr-defined]


COMPLETION = Command(
    "completion",
    "a script for bash, zsh or fish that completes its words",
    'Print a script for a shell. bash and zsh: eval "$(txremote completion bash)"; fish: '
    "txremote completion fish | source.",
    _declare,
    _run,
)
