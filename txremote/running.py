"""
A command that needs a server: the reactor, the connection, Ctrl-C.

`reach` is for what has a reactor's methods, too. The reactor runs for one coroutine. SIGINT and
SIGTERM cancel it, and the reactor goes on until it has cleaned up.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Awaitable, Callable, Coroutine

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorCore, IStreamClientEndpoint
from twisted.internet.task import react

from txremote.eventloop.reactor import chosen_reactor
from txremote.net.client_login import log_in
from txremote.net.connect import connect
from txremote.net.tls import client_from_string, unchecked_client
from txremote.not_reached import NotReached
from txremote.peer.connection import Connection
from txremote.printing import INTERRUPTED, NOT_MADE, NotPrinted, complain
from txremote.reaching import Server, check_logs_in, login_failed, not_connected, server_of
from txremote.refs.clock import EventLoop, Reactor, steady
from txremote.refs.reference import RemoteReference

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
    unprinted: NotPrinted | None = None

    async def run(reactor: IReactorCore) -> None:
        nonlocal status, unprinted
        running = Deferred.fromCoroutine(main(reactor))
        ended: Deferred[None] = Deferred()

        def stop() -> Deferred[None]:
            running.cancel()
            return ended  # the reactor goes on until it has cleaned up

        reactor.addSystemEventTrigger("before", "shutdown", stop)
        try:
            status = await running
        except NotPrinted as problem:
            unprinted = problem
        finally:
            ended.callback(None)

    try:
        react(lambda reactor: Deferred.fromCoroutine(run(reactor)))
    except SystemExit as finished:
        if finished.code:
            return NOT_MADE
    if unprinted is not None:
        raise unprinted
    return status


async def reach(server: Server, reactor: Reactor) -> Connection:
    """
    Connect to a server, and log in. Cancelling it closes what is open.

    Raises:
        NotReached: It cannot be reached, or does not let this user in.
    """
    try:
        connection = await connect(
            _where(server, chosen_reactor(reactor)),
            timeout=server.timeout,
            registry=server.registry,
            reactor=reactor,
        )
    except CancelledError:
        raise
    except Exception as problem:
        raise not_connected(server, problem) from None
    try:
        root = connection.root
        check_logs_in(server, root._pack[0] if isinstance(root, RemoteReference) else "")
        if server.login is not None:
            entering = Deferred.fromCoroutine(log_in(connection, *server.login))
            await entering.addTimeout(server.timeout, steady(reactor), _timed_out)
    except BaseException as problem:
        connection.stream.abortConnection()
        if isinstance(problem, Exception) and not isinstance(problem, CancelledError | NotReached):
            raise login_failed(server, problem) from None
        raise
    return connection


def _where(server: Server, reactor: EventLoop) -> str | IStreamClientEndpoint:
    """Return what `connect` takes."""
    name = server.name
    if name.kind == "registry":
        return name.description
    return client_from_string(reactor, name) if server.checked else unchecked_client(reactor, name)


def _timed_out(_result: object, _seconds: float) -> None:
    raise TimeoutError
