"""
``txremote call``: a remote method from a command line.

Exit status: 0 done, 1 the remote call raised, 2 it could not be made, or was not answered.
"""

from __future__ import annotations

import argparse
import ast
import sys
from functools import partial

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorCore
from twisted.python.failure import Failure

from txremote.commands.command import DONE, FAILED, INTERRUPTED, NOT_MADE, Command, complain
from txremote.commands.running import run_with_server
from txremote.errors import ConnectionLost
from txremote.peer.connection import Connection
from txremote.reaching import add_server_options
from txremote.refs.clock import steady
from txremote.refs.operations import repr_remote
from txremote.refs.reference import RemotePath, RemoteReference
from txremote.refs.typed import step
from txremote.wire.consts import HANDLE_INSPECT
from txremote.wire.exceptions import without_remote_traceback
from txremote.wire.naming import printable


def _declare(call: argparse.ArgumentParser) -> None:
    add_server_options(call)
    add = call.add_argument
    add("name", help="a method or an attribute of the service; a.b goes deeper")
    literals = "Python literals (2, 1.5, '[1, 2]'); any other word is a str"
    add("args", nargs="*", default=[], help=literals)
    keyword = "a keyword argument; may be repeated"
    add("-k", "--keyword", action="append", default=[], metavar="NAME=VALUE", help=keyword)
    add("--traceback", action="store_true", help="print the remote traceback of an error")


def parse_literal(text: str) -> object:
    """Return the value of a word of the command line: a Python literal, else the word."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def _run(options: argparse.Namespace) -> int:
    keywords = {}
    for pair in options.keyword:
        name, equals, value = pair.partition("=")
        if not equals or not name.isidentifier():
            complain(f"--keyword takes NAME=VALUE, not {pair!r}")
            return NOT_MADE
        keywords[name] = parse_literal(value)
    args = [parse_literal(word) for word in options.args]
    return run_with_server(options, partial(_call_once, args=args, keywords=keywords))


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
        sys.stdout.write(f"{await calling}\n")
    except (ConnectionLost, NoAnswer) as problem:
        complain(str(problem))
        return NOT_MADE
    except CancelledError:  # Ctrl-C
        return INTERRUPTED
    except Exception as problem:  # the remote method may raise anything
        _print_error(problem, options)
        return FAILED
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
        return printable(str(await repr_remote(result)))
    return repr(result)


class NoAnswer(Exception):
    """A call was not answered in time; a TimeoutError may be the method's own."""


def _no_answer(_result: str | Failure, seconds: float) -> Failure:
    return Failure(NoAnswer(f"no answer within {seconds:g} s"))


def _print_error(problem: Exception, options: argparse.Namespace) -> None:
    remote_traceback = getattr(problem, "_remote_tb", None)
    if options.traceback and remote_traceback:
        sys.stderr.write(f"{printable(remote_traceback.rstrip())}\n")
        return
    kind = type(problem)
    text = without_remote_traceback(problem)
    said = f"{kind.__name__}: {text}" if text else kind.__name__
    sys.stderr.write(f"{printable(said)}\n")


CALL = Command(
    "call",
    "call a remote method and print its result",
    "Call a remote method, or read an attribute, and print the result.",
    _declare,
    _run,
)
