"""``txremote tasks``: the tasks of a server. `txremote.console.remote` does the work."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from txremote.commands.command import Command
from txremote.reaching import add_server_options
from txremote.running import run_with_server


def _declare(tasks: ArgumentParser) -> None:
    tasks.set_defaults(word=None, follow=False, container=None)
    add_server_options(tasks)
    actions = tasks.add_subparsers(dest="action", required=True, metavar="ACTION")
    submit = actions.add_parser("submit", help="run a command")
    submit.add_argument("word", nargs="+", metavar="COMMAND", help="a command line, or its words")
    owner = "whose command it is [default: the first]"
    submit.add_argument("-c", "--container", metavar="NAME", help=owner)
    listing = actions.add_parser("list", help="list the tasks and their states")
    listing.add_argument("word", nargs="?", metavar="STATUS", help="only those with a status")
    output = actions.add_parser("output", help="print the output of tasks")
    latest = "[default: the latest]"
    output.add_argument("word", nargs="*", type=int, metavar="N", help=latest)
    kill = actions.add_parser("kill", help="end a task")
    kill.add_argument("word", nargs="?", type=int, default=-1, metavar="N", help=latest)
    for action in (submit, output):
        follow = "print its output until it ends; Ctrl-C leaves the task alone"
        action.add_argument("-f", "--follow", action="store_true", help=follow)


def _run(options: Namespace) -> int:
    from txremote.console import remote

    return run_with_server(options, remote.run)


TASKS = Command(
    "tasks",
    "the tasks of a server that has --container and --listen",
    "Submit a command to a server, or look after its tasks.",
    _declare,
    _run,
)
