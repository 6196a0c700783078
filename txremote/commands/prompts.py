"""
The commands with a prompt: ``shell``, with a connection in it, and ``console``, with a container's
commands and no server.
"""

from __future__ import annotations

import os
import sys
from argparse import REMAINDER, ArgumentParser, Namespace

from txremote.commands.command import Command
from txremote.not_reached import NotReached
from txremote.printing import DONE, INTERRUPTED, NOT_MADE, complain
from txremote.reaching import add_server_options, server_of
from txremote.running import run_in_reactor


def _declare_shell(shell: ArgumentParser) -> None:
    add_server_options(shell)
    add = shell.add_argument
    about = "a prompt that takes await, in which nothing blocks: with asyncio and Twisted"
    add("--await", dest="awaits", action="store_true", help=about)
    add("--plain", action="store_true", help="the plain prompt, even if IPython is installed")


def _run_shell(options: Namespace) -> int:
    sys.path.insert(0, os.getcwd())  # as at Python's own prompt
    try:
        return _await_shell(options) if options.awaits else _script_shell(options)
    except NotReached as problem:
        complain(str(problem))
        return NOT_MADE


def _script_shell(options: Namespace) -> int:
    from txremote.commands.scripts import reach_in_script
    from txremote.shell import run_shell

    conn = reach_in_script(server_of(options))
    try:
        run_shell(conn, options.plain)
    finally:
        conn.close()
    return DONE


def _await_shell(options: Namespace) -> int:
    from txremote.await_shell import run_await_shell

    try:
        run_await_shell(server_of(options))
    except KeyboardInterrupt:
        return INTERRUPTED
    return DONE


SHELL = Command(
    "shell",
    "a prompt with a connection in it",
    "A prompt with a connection in it: conn, and its service as root. Calls wait for their "
    "answers.",
    _declare_shell,
    _run_shell,
)


def _declare_console(console: ArgumentParser) -> None:
    about = "package.module.Class, or in quotes with the arguments of the class"
    console.add_argument("container", metavar="CONTAINER", help=about)
    words = "the arguments that the class needs, and behind them a command to run"
    console.add_argument("args", nargs=REMAINDER, metavar="ARGS", help=words)


def _run_console(options: Namespace) -> int:
    try:
        from txremote.console import terminal
    except ImportError as problem:
        complain(str(problem))
        return NOT_MADE
    sys.path.insert(0, os.getcwd())  # as with twistd
    return run_in_reactor(lambda reactor: terminal.run(reactor, options.container, options.args))


CONSOLE = Command(
    "console",
    "a prompt with the commands of a container, as plac has them",
    "Run the commands of a container: the one that is given, or those that are typed, or the "
    "lines of a pipe.",
    _declare_console,
    _run_console,
)
