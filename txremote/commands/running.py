"""
A command that needs a server: the reactor, the connection, Ctrl-C.

The reactor runs for one coroutine. SIGINT and SIGTERM cancel it, and the reactor goes on until it
has cleaned up.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Awaitable, Callable, Coroutine

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorCore
from twisted.internet.task import react

from txremote.commands.command import INTERRUPTED, NOT_MADE, complain
from txremote.not_reached import NotReached
from txremote.peer.connection import Connection
from txremote.reaching import reach, server_of

Work = Callable[[IReactorCore, Connection, Namespace], Awaitable[int]]


def run_with_server(options: Namespace, work: Work) -> int:
    """Connect to a command's server, and have the command do its work; return the exit status."""
    try:
        server = server_of(options)
    except NotReached as problem:
        complain(str(problem))
        return NOT_MADE

    async def run(reactor: IReactorCore) -> int:
        try:
            connection = await reach(server, reactor)
        except CancelledError:  # Ctrl-C
            return INTERRUPTED
        except NotReached as problem:
            complain(str(problem))
            return NOT_MADE
        try:
            return await work(reactor, connection, options)
        finally:
            await connection.close()

    return run_in_reactor(run)


def run_in_reactor(main: Callable[[IReactorCore], Coroutine[Deferred[object], object, int]]) -> int:
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
