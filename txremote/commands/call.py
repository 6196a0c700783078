"""
``txremote call``: a remote method from a command line.

A result is printed; of a stream each item is, a line each, as it comes, and so is each event of a
topic that is subscribed to. Those are waited for until the stream ends, or Ctrl-C.

It connects as a script does, which begins sooner than a reactor, but for names of servers that
only a reactor can follow. Exit status: 0 done, 1 the remote call raised, or what came cannot be
printed, 2 it could not be made, or was not answered.
"""

from __future__ import annotations

import argparse
import ast
import signal
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from twisted.internet.defer import CancelledError, Deferred

from txremote.blocking.connection import BlockingConnection
from txremote.commands.command import Command
from txremote.commands.scripts import reach_in_script, scripts_know
from txremote.errors import AsyncResultTimeout, ConnectionLost
from txremote.not_reached import NotReached
from txremote.peer.connection import Connection
from txremote.printing import DONE, FAILED, INTERRUPTED, NOT_MADE, complain, put
from txremote.reaching import Server, add_server_options, server_of
from txremote.refs.clock import steady
from txremote.refs.operations import repr_remote
from txremote.refs.reading import Items, is_stream
from txremote.refs.reference import RemotePath, RemoteReference
from txremote.refs.typed import step
from txremote.wire.consts import HANDLE_INSPECT
from txremote.wire.exceptions import without_remote_traceback
from txremote.wire.naming import printable

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime


def _declare(call: argparse.ArgumentParser) -> None:
    add_server_options(call)
    add = call.add_argument
    add("name", metavar="NAME", help="a method or an attribute of the service; a.b goes deeper")
    literals = "Python literals (2, 1.5, '[1, 2]'); any other word is a str"
    add("args", metavar="ARGS", nargs="*", default=[], help=literals)
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
    call = Call(options.name, args, keywords)
    try:
        server = server_of(options)
        if scripts_know(server.name):
            return _tell(_call_in_script(server, call), options)
    except NotReached as problem:
        complain(str(problem))
        return NOT_MADE
    except KeyboardInterrupt:
        return INTERRUPTED
    return _run_in_reactor(options, call)


class Call(NamedTuple):
    """A name, perhaps with dots, and the arguments that it is called with."""

    name: str
    args: list[object]
    keywords: dict[str, object]


class Outcome(NamedTuple):
    """
    How a call has ended: the text to print, a stream whose items are to be printed, or an error;
    with the command's exit status.
    """

    status: int
    text: str = ""
    error: Exception | None = None
    stream: RemoteReference | None = None


def _call_in_script(server: Server, call: Call) -> Outcome:
    """Connect and call with this thread. KeyboardInterrupt: Ctrl-C, or SIGTERM."""
    with _ended_by_term():
        conn = reach_in_script(server)
        try:
            outcome = _wait(conn, server.timeout, _outcome(conn.protocol, call))
            if outcome.stream is not None:
                outcome = _wait(conn, None, _print_items(outcome.stream))
            return outcome
        except AsyncResultTimeout as late:  # none of the method's, which are in the outcome
            return Outcome(NOT_MADE, str(late))
        finally:
            conn.close()


def _wait(
    conn: BlockingConnection, timeout: float | None, steps: Coroutine[Any, Any, Outcome]
) -> Outcome:
    outcome: Outcome = conn._wait_for_answer(timeout, lambda: Deferred.fromCoroutine(steps))
    return outcome


@contextmanager
def _ended_by_term() -> Iterator[None]:
    """Have SIGTERM end this as Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _run_in_reactor(options: argparse.Namespace, call: Call) -> int:
    """Connect and call in a reactor: plugins of Twisted's may know the server's name."""
    from txremote.running import run_with_server

    return run_with_server(options, partial(_call_once, call=call))


async def _call_once(
    reactor: IReactorTime, connection: Connection, options: argparse.Namespace, *, call: Call
) -> int:
    calling = Deferred.fromCoroutine(_outcome(connection, call))
    late = Outcome(NOT_MADE, f"no answer within {options.timeout:g} s")
    calling.addTimeout(options.timeout, steady(reactor), lambda _failure, _seconds: late)
    try:
        outcome = await calling
        if outcome.stream is not None:
            outcome = await _print_items(outcome.stream)
        return _tell(outcome, options)
    except CancelledError:  # Ctrl-C
        return INTERRUPTED


def _tell(outcome: Outcome, options: argparse.Namespace) -> int:
    """Print how a call has ended, and return the exit status."""
    with suppress(OSError):  # nobody reads standard error: the status says it all the same
        if outcome.error is not None:
            _print_error(outcome.error, options)
        elif outcome.status != DONE:
            complain(outcome.text)
    if outcome.status == DONE and outcome.stream is None:
        put(f"{outcome.text}\n")
    return outcome.status


async def _outcome(connection: Connection, call: Call) -> Outcome:
    """Make a call, and return how it has ended."""
    first, *rest = call.name.split(".")
    path = step(connection.root, first)
    for name in rest:
        path = step(path, name)
    try:
        result = await _result(connection, path, call)
        if is_stream(result):
            return Outcome(DONE, stream=result)
        return Outcome(DONE, await _text_of(result))
    except CancelledError:  # it took too long, or Ctrl-C
        raise
    except Exception as problem:
        return _ended_by(problem)


async def _print_items(stream: RemoteReference) -> Outcome:
    """Print the items of a stream as they come, and return how it has ended."""
    items = Items(stream)
    while True:
        try:
            line = await _text_of(await anext(items))
        except StopAsyncIteration:
            return Outcome(DONE, stream=stream)
        except CancelledError:  # Ctrl-C
            raise
        except Exception as problem:
            return _ended_by(problem)
        put(f"{line}\n")


def _ended_by(problem: Exception) -> Outcome:
    if isinstance(problem, ConnectionLost):
        return Outcome(NOT_MADE, str(problem))
    return Outcome(FAILED, error=problem)  # the remote method may raise anything


async def _result(connection: Connection, path: RemotePath, call: Call) -> Any:
    """Return the result of a call, or without arguments perhaps an attribute."""
    if call.args or call.keywords:
        return await path(*call.args, **call.keywords)
    result = await path
    if isinstance(result, RemoteReference):
        methods = await connection.request(HANDLE_INSPECT, result._pack)
        if any(name == "__call__" for name, _doc in methods):
            return await path()  # by its name: an annotated method gives a stream
    return result


async def _text_of(result: object) -> str:
    """Return how a result prints: a reference as its owner prints the object."""
    if isinstance(result, RemoteReference):
        return printable(str(await repr_remote(result)))
    return repr(result)


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
