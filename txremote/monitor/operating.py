"""
The `Monitor` over the wire, for operators: the users of ``--operators``.

A server that has operators says so in HELLO. A client of theirs asks for the operations by a
request of our own (OPERATIONS), and gets a reference to an `Operations`, or PermissionError: it is
made for one connection whose user is an operator, and works for no other, even where the operator
hands it on. All that it shows is what the `Monitor` shows. Each act is logged with its user.

A service's methods may run in a thread of their own, and the monitor is the reactor's: so every
operation goes through one place, `Operations._ask`, which checks the connection and then asks
there. Rows leave as values to a peer that takes them; to a stock RPyC as tuples of pairs, of
which ``dict()`` makes what it can read.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Protocol

from msgspec import Struct
from msgspec.structs import asdict
from twisted.internet.defer import Deferred, maybeDeferred

from txremote.levels import Logger
from txremote.monitor.fresh import when_fresh
from txremote.monitor.rows import plain
from txremote.peer.connection import Connection
from txremote.peer.context import current_call
from txremote.peer.logging import RateLimitedCount
from txremote.refs.clock import EventLoop, Reactor, steady
from txremote.refs.reactorthread import in_reactor, may_call_here
from txremote.service import exposed
from txremote.wire.consts import FEATURE_VALUES
from txremote.wire.naming import with_article
from txremote.wire.values import AsValue

_log = Logger("txremote.monitor")


class Asked(Protocol):
    """The part of a `Monitor` that operators reach."""

    def refresh(self) -> Deferred[None] | None:
        """As that of the `Monitor`."""

    def ask(self, name: str, *arguments: Any) -> object:
        """As that of the `Monitor`."""


class Operators:
    """
    Lets the operators of a server in: called with a connection, as `ServerService` calls it.

    Args:
        users: Their names, as they log in.
        monitor: The monitor of the process.
        reactor: Its reactor.
    """

    def __init__(self, users: Collection[str], monitor: Asked, reactor: Reactor) -> None:
        loop: Any = reactor
        self._users = frozenset(users)
        self._monitor = monitor
        self._reactor: EventLoop = loop
        self._refused = RateLimitedCount()

    def __call__(self, connection: Connection) -> Operations:
        """Return what a connection's user may do, or raise PermissionError."""
        user = connection.user
        if user is None:
            raise PermissionError("operators log in first: root.login(user, password), or --login")
        if user not in self._users:
            count = self._refused.one_more(steady(self._reactor).seconds())
            if count:
                _log.warn(
                    "{user!r} is no operator, and wanted to be one ({count} refused)",
                    user=plain(user),
                    count=count,
                )
            raise PermissionError(f"{plain(user)!r} is no operator here (option --operators)")
        return Operations(connection, user, self._monitor, self._reactor)


class Operations:
    """The operations of one operator's connection; their rows are those of the `Monitor`."""

    def __init__(
        self, connection: Connection, user: str, monitor: Asked, reactor: EventLoop
    ) -> None:
        self._connection = connection
        self._user = user
        self._monitor = monitor
        self._reactor = reactor

    def _ask(self, name: str, *arguments: object) -> object:
        """Ask in the reactor's thread, for this connection alone; return the answer as sent."""
        if current_call().connection is not self._connection:
            raise PermissionError("these operations are for another connection: ask for your own")
        if may_call_here(self._reactor):
            return self._answer(name, arguments)
        answer: Deferred[object] = Deferred()

        def there() -> None:
            maybeDeferred(self._answer, name, arguments).chainDeferred(answer)

        in_reactor(self._reactor, there)
        return answer

    def _answer(self, name: str, arguments: tuple[object, ...]) -> object:
        found = when_fresh(self._monitor, lambda: self._monitor.ask(name, *arguments))
        return found.addCallback(self._sent) if isinstance(found, Deferred) else self._sent(found)

    def _sent(self, answer: object) -> object:
        return AsValue(answer) if FEATURE_VALUES in self._connection.features else pairs(answer)

    @exposed
    def overview(self) -> object:
        """Return the process as a whole."""
        return self._ask("overview")

    @exposed
    def listeners(self) -> object:
        """Return the servers."""
        return self._ask("listeners")

    @exposed
    def connections(self) -> object:
        """Return the open connections."""
        return self._ask("connections")

    @exposed
    def calls(self) -> object:
        """Return the calls under way."""
        return self._ask("calls")

    @exposed
    def slowest(self) -> object:
        """Return the slowest calls of the last minutes."""
        return self._ask("slowest")

    @exposed
    def methods(self) -> object:
        """Return the methods that were called."""
        return self._ask("methods")

    @exposed
    def objects(self) -> object:
        """Return the exported objects by class."""
        return self._ask("objects")

    @exposed
    def topics(self) -> object:
        """Return the topics."""
        return self._ask("topics")

    @exposed
    def pools(self) -> object:
        """Return the pools."""
        return self._ask("pools")

    @exposed
    def tasks(self) -> object:
        """Return the tasks of consoles."""
        return self._ask("tasks")

    @exposed
    def certificates(self) -> object:
        """Return the certificates of the servers."""
        return self._ask("certificates")

    @exposed
    def log(self) -> object:
        """Return the last warnings and errors."""
        return self._ask("log")

    @exposed
    def series(self) -> object:
        """Return the figures of the last hour."""
        return self._ask("series")

    @exposed
    def task_output(self, console: str, number: int, since: int = 0) -> object:
        """Return a task's output from a line on. KeyError: there is no such task."""
        _check(console=(console, str), number=(number, int), since=(since, int))
        return self._ask("task_output", console, number, since)

    @exposed
    def close_connection(self, number: int) -> object:
        """Close a connection; tell whether there was one. PermissionError: not allowed."""
        _check(number=(number, int))
        return self._ask("close_connection", number, self._user)

    @exposed
    def kill_task(self, console: str, number: int) -> object:
        """Kill a task; tell whether there was anything to end. PermissionError: not allowed."""
        _check(console=(console, str), number=(number, int))
        return self._ask("kill_task", console, number, self._user)

    @exposed
    def log_level(self, written: str | None = None) -> object:
        """
        Set a level of the log, if one is given: ``LEVEL`` or ``NAMESPACE=LEVEL``.

        Returns:
            The levels from then on, such as ``info, txremote.call=debug``.

        Raises:
            ValueError: There is no such level or namespace.
            PermissionError: Warnings would not be logged any more, and the server has no
                ``--admin-write``.
        """

        if written is not None:
            _check(written=(written, str))
        return self._ask("log_level", written, self._user)


def _check(**given: tuple[object, type]) -> None:
    """Raise TypeError for an argument that is not exactly of its type: a reference, say."""
    for name, (value, kind) in given.items():
        if type(value) is not kind:
            raise TypeError(f"{name} is {with_article(kind.__name__)}")


def pairs(answer: object) -> object:
    """Return rows as tuples alone, which any RPyC takes: a row is its fields' names and values."""
    if isinstance(answer, Struct):
        answer = asdict(answer)
    if isinstance(answer, dict):
        return tuple((name, pairs(value)) for name, value in answer.items())
    return tuple(map(pairs, answer)) if isinstance(answer, list | tuple) else answer
