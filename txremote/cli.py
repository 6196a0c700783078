"""
The ``txremote`` command.

Exit status: 0 done, 1 the remote call raised, 2 it could not be made, or was not answered.
"""

from __future__ import annotations

import argparse
import ast
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorCore
from twisted.internet.task import react
from twisted.python.failure import Failure

from txremote import __version__
from txremote.errors import ConnectionLost
from txremote.not_reached import NotReached
from txremote.peer.connection import Connection
from txremote.reaching import add_server_options, reach, server_of
from txremote.refs.clock import steady
from txremote.refs.operations import repr_remote
from txremote.refs.reference import RemotePath, RemoteReference
from txremote.refs.typed import step
from txremote.wire.consts import HANDLE_INSPECT

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

DONE, RAISED, NOT_MADE, INTERRUPTED = 0, 1, 2, 130


def _parser() -> argparse.ArgumentParser:
    about = "Remote objects for Twisted that speak RPyC's wire."
    parser = argparse.ArgumentParser(prog="txremote", description=about)
    parser.add_argument("--version", action="version", version=f"txremote {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    about = "show the features of txremote, on loopback, in a minute"
    commands.add_parser("demo", help=about).set_defaults(run=_demo)
    for add in (_add_call, _add_shell, _add_check, _add_stubs, _add_console, _add_tasks):
        add(commands)
    return parser


def _add_call(commands: Commands) -> None:
    call = commands.add_parser(
        "call",
        help="call a remote method and print its result",
        description="Call a remote method, or read an attribute, and print the result.",
    )
    call.set_defaults(run=_call)
    add = call.add_argument
    add_server_options(call)
    add("name", help="a method or an attribute of the service; a.b goes deeper")
    literals = "Python literals (2, 1.5, '[1, 2]'); any other word is a str"
    add("args", nargs="*", default=[], help=literals)
    keyword = "a keyword argument; may be repeated"
    add("-k", "--keyword", action="append", default=[], metavar="NAME=VALUE", help=keyword)
    add("--traceback", action="store_true", help="print the remote traceback of an error")


def _add_shell(commands: Commands) -> None:
    shell = commands.add_parser(
        "shell",
        help="a prompt with a connection in it",
        description="A prompt with blocking netrefs: conn and root are in scope.",
    )
    shell.set_defaults(run=_shell)
    add = shell.add_argument
    add_server_options(shell)
    about = "a prompt that takes await, in which nothing blocks: with asyncio and Twisted"
    add("--await", dest="awaits", action="store_true", help=about)
    add("--plain", action="store_true", help="the plain prompt, even if IPython is installed")


def _add_check(commands: Commands) -> None:
    check = commands.add_parser(
        "check",
        help="check a file for twistd txremote --config, without starting anything",
        description="Print all that is wrong with a file for twistd txremote --config, or what "
        "it would serve. The modules of its services are imported.",
    )
    check.set_defaults(run=_check)
    check.add_argument("file", help="the TOML file")


def _add_stubs(commands: Commands) -> None:
    stubs = commands.add_parser(
        "stubs",
        help="write what type checkers know of a service's clients",
        description="Write a module of Protocols for a class and those that it leads to: what "
        "its methods take and give at the other end of a connection. Its module is imported.",
    )
    stubs.set_defaults(run=_stubs)
    add = stubs.add_argument
    add("name", help="pkg.mod.Class: a service, a Protocol or a zope interface")
    add("-o", "--output", metavar="FILE", help="where to write it [default: standard output]")
    flavours = ["reactor", "asyncio", "scripts", "all"]
    whom = "for clients with a reactor, in asyncio, or for scripts [default: all]"
    add("--for", dest="flavour", choices=flavours, default="all", help=whom)


def _add_console(commands: Commands) -> None:
    console = commands.add_parser(
        "console",
        help="a prompt with the commands of a container, as plac has them",
        description="Run the commands of a container: the one that is given, or those that "
        "are typed, or the lines of a pipe.",
    )
    console.set_defaults(run=_console)
    console.add_argument("container", help="pkg.mod.Class, or 'pkg.mod.Class ARGS'")
    words = "the arguments of the class, and behind them a command to run"
    console.add_argument("args", nargs=argparse.REMAINDER, help=words)


def _add_tasks(commands: Commands) -> None:
    tasks = commands.add_parser(
        "tasks",
        help="the tasks of a server that has --container and --listen",
        description="Submit a command to a server, or look after its tasks.",
    )
    tasks.set_defaults(run=_tasks, word=None, follow=False, container=None)
    add_server_options(tasks)
    actions = tasks.add_subparsers(dest="action", required=True, metavar="ACTION")
    submit = actions.add_parser("submit", help="run a command")
    submit.add_argument("word", nargs="+", metavar="COMMAND", help="a command line, or its words")
    owner = "whose command it is [default: the first]"
    submit.add_argument("-c", "--container", metavar="NAME", help=owner)
    listing = actions.add_parser("list", help="list the tasks and their states")
    listing.add_argument("word", nargs="?", metavar="STATUS", help="only those with a status")
    output = actions.add_parser("output", help="print the output of a task")
    kill = actions.add_parser("kill", help="end a task")
    for action in (output, kill):
        latest = "[default: the latest]"
        action.add_argument("word", nargs="?", type=int, default=-1, metavar="N", help=latest)
    for action in (submit, output):
        follow = "print its output until it ends; Ctrl-C leaves the task alone"
        action.add_argument("-f", "--follow", action="store_true", help=follow)


def parse_literal(text: str) -> object:
    """Return the value of a word of the command line: a Python literal, else the word."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def _complain(sentence: str) -> None:
    print(f"txremote: {sentence}", file=sys.stderr)


def _demo(_options: argparse.Namespace) -> int:
    from txremote.demo import run_demo

    return run_demo()


def _check(options: argparse.Namespace) -> int:
    from twisted.internet import reactor

    from txremote.daemon.check import run_check

    return run_check(options.file, reactor)


def _shell(options: argparse.Namespace) -> int:
    sys.path.insert(0, os.getcwd())  # as at Python's own prompt
    if options.awaits:
        return _await_shell(options)
    from txremote.shell import reach_in_script, run_shell

    try:
        conn = reach_in_script(server_of(options))
    except NotReached as problem:
        _complain(str(problem))
        return NOT_MADE
    try:
        run_shell(conn, options.plain)
    finally:
        conn.close()
    return DONE


def _await_shell(options: argparse.Namespace) -> int:
    from txremote.await_shell import run_await_shell

    try:
        run_await_shell(server_of(options))
    except NotReached as problem:
        _complain(str(problem))
        return NOT_MADE
    except KeyboardInterrupt:
        return INTERRUPTED
    return DONE


def _stubs(options: argparse.Namespace) -> int:
    from txremote.stubs.command import run_stubs

    sys.path.insert(0, os.getcwd())  # as with twistd
    return run_stubs(options.name, options.flavour, options.output)


def _console(options: argparse.Namespace) -> int:
    try:
        from txremote.console import terminal
    except ImportError as problem:
        _complain(str(problem))
        return NOT_MADE
    sys.path.insert(0, os.getcwd())  # as with twistd
    return _run(lambda reactor: terminal.run(reactor, options.container, options.args))


def _tasks(options: argparse.Namespace) -> int:
    from txremote.console import remote

    return _run_with(options, remote.run)


Work = Callable[[IReactorCore, Connection, argparse.Namespace], Awaitable[int]]


def _run_with(options: argparse.Namespace, work: Work) -> int:
    """Connect to a command's server, and have the command do its work; return the exit status."""
    try:
        server = server_of(options)
    except NotReached as problem:
        _complain(str(problem))
        return NOT_MADE

    async def run(reactor: IReactorCore) -> int:
        try:
            connection = await reach(server, reactor)
        except CancelledError:  # Ctrl-C
            return INTERRUPTED
        except NotReached as problem:
            _complain(str(problem))
            return NOT_MADE
        try:
            return await work(reactor, connection, options)
        finally:
            await connection.close()

    return _run(run)


def _run(main: Callable[[IReactorCore], Coroutine[Deferred[object], object, int]]) -> int:
    """Run a coroutine in the reactor; SIGINT and SIGTERM cancel it. Return its exit status."""
    status = NOT_MADE

    async def run(reactor: IReactorCore) -> None:
        nonlocal status
        running = Deferred.fromCoroutine(main(reactor))
        ended: Deferred[None] = Deferred()

        def stop() -> Deferred[None]:
            running.cancel()
            return ended  # the reactor goes on until it has cleaned up

        reactor.addSystemEventTrigger("before", "shutdown", stop)
        try:
            status = await running
        finally:
            ended.callback(None)

    try:
        react(lambda reactor: Deferred.fromCoroutine(run(reactor)))
    except SystemExit as finished:
        if finished.code:
            return NOT_MADE
    return status


def _call(options: argparse.Namespace) -> int:
    keywords = {}
    for pair in options.keyword:
        name, equals, value = pair.partition("=")
        if not equals or not name.isidentifier():
            _complain(f"--keyword takes NAME=VALUE, not {pair!r}")
            return NOT_MADE
        keywords[name] = parse_literal(value)
    args = [parse_literal(word) for word in options.args]
    return _run_with(options, partial(_call_once, args=args, keywords=keywords))


async def _call_once(
    reactor: IReactorCore,
    connection: Connection,
    options: argparse.Namespace,
    *,
    args: list[object],
    keywords: dict[str, object],
) -> int:
    first, *rest = options.name.split(".")
    path = step(connection.root, first)
    for name in rest:
        path = step(path, name)
    calling = Deferred.fromCoroutine(_outcome(connection, path, args, keywords))
    calling.addTimeout(options.timeout, steady(reactor), _no_answer)
    try:
        print(await calling)
    except (ConnectionLost, NoAnswer) as problem:
        _complain(str(problem))
        return NOT_MADE
    except CancelledError:  # Ctrl-C
        return INTERRUPTED
    except Exception as problem:  # the remote method may raise anything
        _print_error(problem, options)
        return RAISED
    return DONE


async def _outcome(
    connection: Connection, path: RemotePath, args: list[object], keywords: dict[str, object]
) -> str:
    """Return how the result prints: a call's, or without arguments perhaps an attribute's."""
    if args or keywords:
        result = await path(*args, **keywords)
    else:
        result = await path
        if isinstance(result, RemoteReference):
            methods = await connection.request(HANDLE_INSPECT, result._pack)
            if any(name == "__call__" for name, _doc in methods):
                result = await result()
    if isinstance(result, RemoteReference):
        return str(await repr_remote(result))
    return repr(result)


class NoAnswer(Exception):
    """A call was not answered in time; a TimeoutError may be the method's own."""


def _no_answer(_result: str | Failure, seconds: float) -> Failure:
    return Failure(NoAnswer(f"no answer within {seconds:g} s"))


def _print_error(problem: Exception, options: argparse.Namespace) -> None:
    remote_traceback = getattr(problem, "_remote_tb", None)
    if options.traceback and remote_traceback:
        print(remote_traceback.rstrip(), file=sys.stderr)
        return
    kind = type(problem)
    text = str(problem).split("\n\n========= Remote Traceback", 1)[0]
    print(f"{kind.__name__}: {text}" if text else kind.__name__, file=sys.stderr)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command, of the process's own words if there are no others; return its exit status."""
    options = _parser().parse_args(argv)
    status: int = options.run(options)
    return status
