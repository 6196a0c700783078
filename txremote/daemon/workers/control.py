"""
The connection between the supervisor and one worker: a connection of txremote's over a pair of
sockets, which nobody else can reach.

Each side serves the other one object. Anything more than a text travels as JSON in one bytes value.
The worker's side ends the worker when the connection does: the supervisor is gone then.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, Final, Protocol

import msgspec
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from zope.interface import implementer

from txremote.config import ConnectionConfig
from txremote.daemon.workers.reports import LogLine, Report
from txremote.net.connect import connect
from txremote.net.listen import ServingFactory
from txremote.peer.connection import Connection
from txremote.refs.clock import EventLoop, steady
from txremote.refs.reference import RemoteReference
from txremote.service import Service, exposed

#: Seconds that an answer may take.
PATIENCE: Final = 5.0

_CONFIG: Final = ConnectionConfig(request_timeout=None, sync_request_timeout=None)


class FromWorker(Protocol):
    """Takes the first word of a worker."""

    def note_ready(self) -> None:
        """It listens."""


class WorkerEvents(Protocol):
    """All that workers may ask of the supervisor."""

    def log(self, number: int, lines: list[LogLine]) -> None:
        """Write lines of a worker's log."""

    def ask(self, name: str, arguments: list[Any]) -> object:
        """Answer an operator who is connected to a worker: a value, or a Deferred of one."""

    def last_report(self, worker: Any, report: Report) -> None:
        """Keep what a worker has counted, which is about to end."""


class SupervisorSide(Service):
    """The methods that a worker can call."""

    def __init__(self, worker: FromWorker, number: int, events: WorkerEvents) -> None:
        self._worker = worker
        self._number = number
        self._events = events

    @exposed
    def ready(self) -> None:
        """Note that the worker listens."""
        self._worker.note_ready()

    @exposed
    def log(self, lines: bytes) -> None:
        """Write lines of its log."""
        self._events.log(self._number, msgspec.json.decode(lines, type=list[LogLine]))

    @exposed
    def last_report(self, report: bytes) -> None:
        """Keep what it has counted: it is about to end."""
        self._events.last_report(self._worker, msgspec.json.decode(report, type=Report))

    @exposed
    def ask(self, name: str, arguments: bytes) -> Deferred[bytes]:
        """Answer a question of an operator's; raises what the monitor raises."""
        asked = maybeDeferred(self._events.ask, name, msgspec.json.decode(arguments))
        return asked.addCallback(msgspec.json.encode)


class InWorker(Protocol):
    """A worker's services to the supervisor."""

    def report(self) -> Report:
        """Return all rows."""

    def accept(self, clients: bool) -> None:
        """Accept clients, or none for now."""

    def keep(self) -> None:
        """Become the keeper of the consoles."""

    def do(self, name: str, arguments: list[Any]) -> object:
        """Do what an operator wants of this worker."""

    def take_levels(self, written: list[str], debugging: bool) -> None:
        """Log as much as the supervisor does; see `txremote.levels.Levels.take`."""


class WorkerSide(Service):
    """The methods that the supervisor can call."""

    def __init__(self, worker: InWorker) -> None:
        self._worker = worker

    @exposed
    def report(self) -> bytes:
        """Return all rows."""
        return msgspec.json.encode(self._worker.report())

    @exposed
    def accept(self, clients: bool) -> None:
        """Accept clients, or none for now."""
        self._worker.accept(clients)

    @exposed
    def keep(self) -> None:
        """Become the keeper of the consoles."""
        self._worker.keep()

    @exposed
    def do(self, name: str, arguments: bytes) -> Deferred[bytes]:
        """Do what an operator wants."""
        done = maybeDeferred(self._worker.do, name, msgspec.json.decode(arguments))
        return done.addCallback(msgspec.json.encode)

    @exposed
    def take_levels(self, told: bytes) -> None:
        """Log as much as the supervisor does."""
        self._worker.take_levels(*msgspec.json.decode(told, type=tuple[list[str], bool]))


class Control:
    """The supervisor's end."""

    def __init__(self, connection: Connection, reactor: EventLoop) -> None:
        self._connection = connection
        self._reactor = reactor

    def when_lost(self) -> Deferred[BaseException]:
        """Return a Deferred of its end."""
        return self._connection.when_disconnected()

    def report(self) -> Deferred[Report]:
        """Ask for all rows."""
        asked = self._call("report")
        return asked.addCallback(lambda found: msgspec.json.decode(found, type=Report))

    def accept(self, clients: bool) -> Deferred[Any]:
        """Have it accept clients, or none for now."""
        return self._call("accept", clients)

    def keep(self) -> Deferred[Any]:
        """Make it the keeper of the consoles. It may take as long as their code takes to load."""
        return self._asked("keep")

    def do(self, name: str, *arguments: object) -> Deferred[Any]:
        """Have it do what an operator wants; gives what it returns, as JSON has it."""
        done = self._call("do", name, msgspec.json.encode(arguments))
        return done.addCallback(msgspec.json.decode)

    def take_levels(self, told: tuple[list[str], bool]) -> Deferred[Any]:
        """Have it log as much as the supervisor does."""
        return self._call("take_levels", msgspec.json.encode(told))

    def _call(self, name: str, *arguments: object) -> Deferred[Any]:
        return self._asked(name, *arguments).addTimeout(PATIENCE, steady(self._reactor))

    def _asked(self, name: str, *arguments: object) -> Deferred[Any]:
        root: Any = self._connection.root
        called: Deferred[Any] = root.callRemote(name, *arguments)
        return called


@implementer(IStreamClientEndpoint)
class _Connected:
    """An endpoint whose connection is there already."""

    def __init__(self, reactor: Any, connected: socket.socket) -> None:
        self._reactor = reactor
        self._connected = connected

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Give the protocol of the connection."""
        adopted: Deferred[IProtocol] = Deferred()
        with self._connected:  # the reactor has a duplicate
            transport = self._reactor.adoptStreamConnection(
                self._connected.fileno(), socket.AF_UNIX, protocolFactory
            )
        adopted.callback(transport.protocol)
        return adopted


def dial_worker(
    reactor: EventLoop, connected: socket.socket, events: WorkerEvents, worker: Any
) -> Deferred[Control]:
    """Connect the supervisor to a worker; the Deferred waits until the worker is up."""
    connecting = connect(
        _Connected(reactor, connected),
        service=SupervisorSide(worker, worker.number, events),
        config=_CONFIG,
        dialect="6",
        timeout=None,
        reactor=reactor,
    )
    return connecting.addCallback(Control, reactor)


class ControlOfSupervisor:
    """The worker's end."""

    def __init__(
        self, reactor: Any, connected: socket.socket, worker: InWorker, lost: Callable[[], object]
    ) -> None:
        factory = ServingFactory(reactor, WorkerSide(worker), _CONFIG)
        with connected:
            transport = reactor.adoptStreamConnection(connected.fileno(), socket.AF_UNIX, factory)
        self._connection: Connection = transport.protocol
        self._connection.when_disconnected().addCallback(lambda _ended: lost())

    def ready(self) -> Deferred[Any]:
        """Tell that this worker listens."""
        return self._call("ready")

    def log(self, lines: list[LogLine]) -> Deferred[Any]:
        """Have lines of the log written."""
        return self._call("log", msgspec.json.encode(lines))

    def last_report(self, report: Report) -> Deferred[Any]:
        """Tell the last rows of this worker."""
        return self._call("last_report", msgspec.json.encode(report))

    def ask(self, name: str, *arguments: object) -> Deferred[Any]:
        """Ask the supervisor's monitor; gives the answer as JSON has it."""
        asked = self._call("ask", name, msgspec.json.encode(arguments))
        return asked.addCallback(msgspec.json.decode)

    def close(self) -> Deferred[BaseException]:
        """Close it; fires when that is done."""
        return self._connection.close()

    def _call(self, name: str, *arguments: object) -> Deferred[Any]:
        def call(root: RemoteReference) -> Deferred[Any]:
            return root.callRemote(name, *arguments)

        return self._connection.fetch_root().addCallback(call)
