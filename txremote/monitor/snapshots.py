"""
The rows of this moment: what is watched, looked at when somebody asks.

Nothing is counted here that its owner does not count already, so a monitor that nobody asks costs
nothing in here. The texts are peers' and users', and pass `plain`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from heapq import nlargest, nsmallest
from inspect import getattr_static
from operator import itemgetter
from time import perf_counter_ns
from types import FunctionType
from typing import Any, Final
from weakref import WeakKeyDictionary

from twisted.internet.interfaces import IReactorTime

from txremote.eventloop.executor import LaneExecutor
from txremote.eventloop.lane_calls import LaneCall
from txremote.gate.threaded import ThreadedMethod
from txremote.interfaces import IPool
from txremote.monitor.rows import (
    CallRow,
    CertificateRow,
    ConnectionRow,
    ListenerRow,
    PoolRow,
    TaskOutput,
    TaskRow,
    Where,
    plain,
)
from txremote.monitor.system import connection_bytes
from txremote.net.server_service import ServerService
from txremote.peer.called import Called, called_by, called_later, called_text, name_in
from txremote.peer.connection import Connection
from txremote.peer.lasting import Flow
from txremote.peer.lifecycle import HANDSHAKING
from txremote.peer.naming import address_text
from txremote.streams.source import Stream, source_name
from txremote.tasks.keeper import TaskKeeper
from txremote.tasks.task import Task
from txremote.topics.subscription import Subscription
from txremote.wire.naming import class_name
from txremote.work.named import OFFLOADED_MARK

#: Gives the certificates of a server.
Certificates = Callable[[], Iterable[CertificateRow]]

#: How many connections, and how many calls, have rows, where there are more.
MOST_ROWS: Final = 1_000

# What calls wait for that have not begun.
_ITS_TURN: Final = "its turn"
_RESULTS: Final = "results of other calls"

# Most characters of one line of a task's output.
_LONGEST_LINE: Final = 4_000


class Snapshots:
    """
    The servers, pools and tasks that are watched. For the reactor's thread.

    Args:
        clock: The clock of the connections and the tasks.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self.servers: dict[str, ServerService] = {}
        self.pools: list[IPool] = []
        self.keepers: dict[str, TaskKeeper] = {}
        self.certificates: list[Certificates] = []
        self._numbers: WeakKeyDictionary[Connection, int] = WeakKeyDictionary()
        self._last_number = 0

    def unix_time(self, seconds: float) -> float:
        """Return a time of the clock as a unix time."""
        return time.time() - (self._clock.seconds() - seconds)

    def number_from(self, first: int) -> None:
        """Give connections numbers from ``first`` + 1 on."""
        self._last_number = first

    # -- servers and their connections

    def all_connections(self) -> Iterator[tuple[str, Connection]]:
        """Give each open connection with its server's name."""
        for name, server in self.servers.items():
            for connection in list(server.connections):
                yield name, connection

    def count_connections(self) -> int:
        """Return how many are open."""
        return sum(len(server.connections) for server in self.servers.values())

    def count_calls(self) -> int:
        """Return how many calls are under way, those that wait for anything included."""
        return sum(len(each.inbound) for _name, each in self.all_connections())

    def count_streams(self) -> tuple[int, int]:
        """Return how many streams of ours clients read, and how many of theirs are read here."""
        found = [each.streams for _name, each in self.all_connections() if each.streams is not None]
        return sum(len(each.outgoing) for each in found), sum(len(each.incoming) for each in found)

    def count_requests(self) -> int:
        """Return how many calls the servers have had."""
        return sum(server.requests_total for server in self.servers.values())

    def number_of(self, connection: Connection) -> int:
        """Return a connection's number, which is given to no other."""
        number = self._numbers.get(connection)
        if number is None:
            self._last_number += 1
            number = self._numbers[connection] = self._last_number
        return number

    def find_connection(self, number: int) -> Connection | None:
        """Return the open connection of a number, or None."""
        for _name, connection in self.all_connections():
            if self._numbers.get(connection) == number:
                return connection
        return None

    def listeners(self) -> list[ListenerRow]:
        """Return a row for each server."""
        return [
            ListenerRow(
                server=plain(name),
                address=plain(", ".join(server.addresses) or server.description),
                tls=server.speaks_tls,
                login=server.expects_login,
                connections=len(server.connections),
                refused_total=server.refused_total,
            )
            for name, server in self.servers.items()
        ]

    def connections(self) -> list[ConnectionRow]:
        """
        Return a row for each connection, by number. Of more than `MOST_ROWS` those that have calls
        under way have one, and of the others the newest.
        """
        found = list(self.all_connections())
        if len(found) > MOST_ROWS:
            found = nlargest(MOST_ROWS, found, key=lambda f: (len(f[1].inbound), f[1].opened))
            found.sort(key=lambda each: each[1].opened)
        return [self._connection(name, each) for name, each in found]

    def calls(self) -> list[CallRow]:
        """Return a row for each call under way, the oldest first, `MOST_ROWS` at most."""
        found: list[tuple[int, Any, Connection, str]] = []
        now, clock = time.time(), perf_counter_ns()
        for _name, connection in self.all_connections():
            inbound = connection.inbound
            found += [(call.begun, call, connection, "") for call in inbound.ledger.running]
            waiting = inbound.ledger.waiting.values()
            found += [(call.begun, call, connection, _ITS_TURN) for call in waiting]
            # when these came is not known
            found += [(clock, call, connection, _RESULTS) for call in inbound.depending]
        return [
            self._call(call, connection, waits_for, now, (clock - begun) / 1e9 if begun else 0.0)
            for begun, call, connection, waits_for in nsmallest(MOST_ROWS, found, key=itemgetter(0))
        ]

    def _call(
        self, call: Any, connection: Connection, waits_for: str, now: float, age: float
    ) -> CallRow:
        waiting = bool(waits_for)
        called = _called(call, waits_for)
        where: Where = "reactor"
        if type(call) is LaneCall or isinstance(connection.executor, LaneExecutor):
            where = "thread"
        elif not waiting:
            where = _where(called)
        flow: Flow | None = getattr(call, "flow", None)
        return CallRow(
            connection=self.number_of(connection),
            user=None if connection.user is None else plain(connection.user),
            method=plain(_method(called)),
            since=now - age,
            age=age,
            where=where,
            waiting=waiting,
            waits_for=waits_for if flow is None else flow.waits_for,
            items=None if flow is None else flow.items_sent,
            bytes_out=None if flow is None else flow.bytes_sent,
        )

    def _connection(self, server: str, connection: Connection) -> ConnectionRow:
        inbound, dialect = connection.inbound, connection.outbox.dialect
        received, sent = connection_bytes(connection.transport)
        spoken = "" if dialect is None else f"RPyC {dialect.name}"
        return ConnectionRow(
            number=self.number_of(connection),
            server=plain(server),
            user=None if connection.user is None else plain(connection.user),
            peer=address_text(connection.peer),
            dialect=f"txremote ({spoken})" if connection.is_txremote else spoken,
            since=self.unix_time(connection.opened),
            requests=inbound.received,
            bytes_in=received,
            bytes_out=sent,
            unsent=connection.outbox.unsent,
            exports=len(inbound.tables.exports),
            imports=inbound.tables.imported,
            running=len(inbound.ledger.running),
            waiting=len(inbound.ledger.waiting) + len(inbound.depending),
            waits_for=_waits_for(connection),
            state=connection.state.name.lower(),
        )

    # -- pools and tasks

    def pool_rows(self) -> list[PoolRow]:
        """Return a row for each pool; one that cannot tell its figures has a row of zeros."""
        return [_pool(pool) for pool in self.pools]

    def task_rows(self) -> list[TaskRow]:
        """Return a row for each task that is remembered, by console and number."""
        return [
            self._task(name, task)
            for name, keeper in self.keepers.items()
            for task in keeper.tasks()
        ]

    def find_task(self, console: str, number: int) -> Task | None:
        """Return a task, or None if there is none (any more)."""
        keeper = self.keepers.get(console)
        return None if keeper is None or number < 0 else keeper.find(number)

    def task_output(self, console: str, number: int, since: int) -> TaskOutput:
        """Return the kept lines of a task from a number on. KeyError: there is no such task."""
        task = self.find_task(console, number)
        if task is None:
            raise KeyError(f"the console {plain(console)!r} has no task {number} (any more)")
        first = min(max(since, task.output.first), task.output.next)
        lines = [plain(line, _LONGEST_LINE) for line in task.output.lines(first)]
        return TaskOutput(first=first, lines=lines, next=task.output.next, ended=task.done)

    def _task(self, console: str, task: Task) -> TaskRow:
        progress = task.progress
        total = None if progress is None else progress.total
        started = None if task.started is None else self.unix_time(task.started)
        ended = None if task.ended is None else self.unix_time(task.ended)
        return TaskRow(
            console=plain(console),
            number=task.no,
            command=plain(" ".join(task.arglist)),
            status=task.status,
            owner=plain(task.owner),
            submitted=self.unix_time(task.submitted),
            started=started,
            ended=ended,
            done_count=None if progress is None else float(progress.done),
            total=None if total is None else float(total),
            rate=task.progress_rate(),
            eta=task.time_left(),
            progress_text="" if progress is None else plain(progress.text),
            lines=task.output.next,
        )


def _called(call: Any, waits_for: str) -> Called:
    if not waits_for:
        found: Called = call.called
        return found
    return called_later(call.handler, call.args) if waits_for is _RESULTS else called_by(call)


def _method(called: Called) -> str:
    """Return the name of what is called; of a stream what it is of, of a subscription its topic."""
    target = called[0] if len(called) == 1 else None
    if type(target) is Stream:
        return f"stream of {source_name(target)}"
    if type(target) is Subscription:
        return f"events of {target.topic.name}"
    return called_text(called)


def _where(called: Called) -> Where:
    """Return where a method runs whose Deferred has not fired: by how its class declares it."""
    name = name_in(called)
    if name is None:
        return "deferred"
    for spelled in (name, f"exposed_{name}"):
        found = getattr_static(type(called[0]), spelled, None)
        if type(found) is ThreadedMethod:
            return "thread"
        if type(found) is FunctionType and OFFLOADED_MARK in vars(found):
            return "pool"
    return "deferred"


def _waits_for(connection: Connection) -> str:
    """Return the end of the sentence "it waits for", or "" where it does not."""
    if connection.state <= HANDSHAKING:
        return "TLS"
    if connection.user is None and getattr(connection.service, "expects_login", False):
        return "login"
    inbound = connection.inbound
    if inbound.ledger.paused:
        return "the peer reads its answers"
    if inbound.ledger.running or inbound.depending:
        return "its calls"
    return "an answer of the peer" if len(connection.calls) else ""


def _pool(pool: Any) -> PoolRow:
    state = "running" if pool.running else "stopped"
    try:
        statistics = pool.statistics()
    except Exception as problem:  # it is somebody else's, and one of many
        statistics, state = None, f"fails to tell: {class_name(type(problem))}"

    def count(name: str) -> int:  # a pool of somebody else's may lack one
        return int(getattr(statistics, name, 0))

    return PoolRow(
        name=plain(str(pool.description)),
        kind=plain(str(pool.kind)),
        workers=count("workers"),
        busy=count("busy"),
        queued=count("queued"),
        done=count("done"),
        failed=count("failed"),
        killed=count("killed"),
        restarted=count("restarted"),
        state=state,
    )
