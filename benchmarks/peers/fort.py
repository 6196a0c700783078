"""
A server to be attacked: what the tests of ``tests/hostile``, `benchmarks.fuzz` and
`benchmarks.soak` go for. No contestant.

It has doors: listeners of its own each, with switches, TLS and logins as they are
asked for, and one of them may be the admin page (`fort_page`). All live in one reactor,
as they would in a program. ``goods`` of its root has values, streams and topics
(`fort_goods`). ``state`` looks at what its connections hold, and ``trouble`` tells what
its log has heard that nobody should ever hear.
"""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import LogLevel, formatEvent, globalLogBeginner

import txremote
from benchmarks.peers import fort_goods
from benchmarks.peers.fort_page import Page
from txremote import Connection, ServerService, Service, exposed
from txremote.net.login import portal_for
from txremote.net.tls import tls_server
from txremote.peer.event_flows import EventFlow
from txremote.peer.incoming import Incoming
from txremote.peer.incoming_events import IncomingEvents
from txremote.peer.outgoing import Outgoing
from txremote.topics.subscriber import Subscriber
from txremote.versions import version_line

if find_spec("numpy"):
    from benchmarks.peers.fort_arrays import Arrays as _Arrays
else:
    _Arrays = None  # type: ignore[assignment, misc]

REACTOR = True

#: Whoever is at the doors with a password.
USERS = {"ann": b"secret"}

_NOWHERE = "tcp:0:interface=127.0.0.1:backlog=1000"

#: What ends with a connection, and the connection.
_WITH_CONNECTIONS = {Connection, Outgoing, Incoming, EventFlow, IncomingEvents, Subscriber}

_factories: dict[str, Any] = {}
_pages: list[Page] = []
_calls: dict[Any, Deferred[Any]] = {}
_jobs: Counter[str] = Counter()
_made: Counter[str] = Counter()
_events = count(1)
_trouble: list[str] = []


class Thing:
    """Goes by reference."""

    def __init__(self, number: int) -> None:
        self.exposed_number = number

    @property
    def exposed_same(self) -> Thing:
        """A path that leads nowhere, however long it is."""
        return self


class Gate:
    """A context that raises what it is left with."""

    def __enter__(self) -> Gate:
        return self

    def __exit__(self, _kind: Any, error: Any, _traceback: Any) -> None:
        if error is not None:
            raise error


class Fort(Service):
    """One instance for each connection."""

    def __init__(self) -> None:
        self._kept: Any = ()
        self._listeners: list[Any] = []
        self._telling: list[LoopingCall] = []
        self._fired = 0
        self.exposed_list = [1, 2, 3]
        self.exposed_goods = fort_goods.Goods()
        self.exposed_arrays = None if _Arrays is None else _Arrays()

    def on_disconnect(self, conn: Any) -> None:
        self._kept = ()
        self._listeners.clear()
        for telling in self._telling:
            telling.stop()

    @exposed
    def add(self, a: Any, b: Any) -> Any:
        """The sum."""
        return a + b

    @exposed
    def echo(self, value: Any) -> Any:
        """The same."""
        return value

    @exposed
    def blob(self, size: int) -> bytes:
        """Many bytes; no more than a server would give to anybody."""
        _made["blobs"] += 1
        return bytes(min(size, 1 << 20))

    @exposed
    def thing(self, number: int = 0) -> Thing:
        """An object."""
        return Thing(number)

    @exposed
    def things(self, count: int) -> tuple[Thing, ...]:
        """Objects."""
        return tuple(map(Thing, range(min(count, 10_000))))

    @exposed
    def gate(self) -> Gate:
        """A context."""
        return Gate()

    @exposed
    def numbers(self) -> Iterator[int]:
        """An iterator."""
        yield from range(50)

    @exposed
    def fail(self, text: str) -> None:
        """Raise."""
        raise ValueError(text)

    @exposed
    def keep(self, *things: Any) -> int:
        """Hold the caller's objects."""
        self._kept = things
        return len(things)

    @exposed
    def never(self, *_args: Any) -> Deferred[Any]:
        """Does not answer."""
        return Deferred()

    @exposed
    def wait(self, name: str) -> Deferred[Any]:
        """Answers when somebody says `go`."""
        if len(_calls) > 10_000:
            _calls.clear()
        return _calls.setdefault(name, Deferred())

    @exposed
    def go(self, name: str) -> bool:
        """Whether somebody still waited."""
        waiting = _calls.pop(name, None)
        if waiting is None or waiting.called:
            return False
        waiting.callback(name)
        return True

    @exposed
    def call(self, function: Any, *args: Any) -> Any:
        """What a function of the caller's gives."""
        return function(*args)

    @exposed
    async def nest(self, function: Any, depth: int) -> Any:
        """How deep calls back went."""
        return 0 if depth <= 0 else 1 + await function(depth - 1)

    @exposed
    def job(self, name: str) -> str:
        """Note that it was done."""
        _jobs[name] += 1
        return name

    @exposed
    async def slow_job(self, name: str, seconds: float) -> str:
        """The same, and answer later."""
        from twisted.internet import reactor

        self.job(name)
        clock: Any = reactor
        await deferLater(clock, min(seconds, 1.0))
        return name

    @exposed
    def tell(self, listener: Any, seconds: float) -> None:
        """Tell an event again and again, of all events of all connections the next."""

        def event() -> None:
            listener(next(_events)).addErrback(lambda _failure: None)

        telling = LoopingCall(event)
        self._telling.append(telling)
        telling.start(max(seconds, 0.001))

    @exposed
    def subscribe(self, listener: Any) -> None:
        """Events go there from now on."""
        self._listeners.append(listener)

    @exposed
    def fire(self, count: int, size: int = 0) -> None:
        """Tell events, each with its number, and with some bytes."""
        for _ in range(min(count, 100_000)):
            self._fired += 1
            for listener in self._listeners:
                listener(self._fired, bytes(size)).addErrback(lambda _failure: None)


class ThreadedFort(Service):
    """The same in worker threads."""

    threaded_service = True

    @exposed
    def add(self, a: Any, b: Any) -> Any:
        """The sum."""
        return a + b

    @exposed
    def nest(self, function: Any, depth: int) -> Any:
        """How deep calls back went."""
        return 0 if depth <= 0 else 1 + function(depth - 1)


def _listen_for_trouble(event: dict[str, Any]) -> None:
    level = event.get("log_level")
    if level is not None and level >= LogLevel.error:
        text = formatEvent(event) or ""
        failure = event.get("log_failure")
        if failure is not None:
            text += "\n" + failure.getTraceback()
        if len(_trouble) < 100:
            _trouble.append(text)


async def listen(reactor: Any, doors: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """
    Open the doors; return the port of each.

    Args:
        reactor: Where.
        doors: Of each the ``config``; ``threaded`` for worker threads; ``login`` for
            a portal in the service's place; ``cert`` and ``ca``, paths, for TLS with
            client certificates. ``token``, a path, makes it the admin page of the others.
    """
    globalLogBeginner.beginLoggingTo([_listen_for_trouble], redirectStandardIO=False)
    services, ports = {}, {}
    for name, door in doors.items():
        root: Any = ThreadedFort if door.get("threaded") else Fort
        if door.get("login"):
            checker = InMemoryUsernamePasswordDatabaseDontUse(**USERS)
            root = portal_for(root, [checker])
        where: Any = _NOWHERE
        if "cert" in door:
            where = tls_server(_NOWHERE, door["cert"], ca=door.get("ca"), reactor=reactor)
        if "token" not in door:
            config = dict(door.get("config", {}))
            services[name] = ServerService(where, root, config=config, reactor=reactor)
    for name, door in doors.items():
        if "token" in door:
            page = Page(reactor, door["token"], services)
            _pages.append(page)
            ports[name] = page.port
    for name, service in services.items():
        service.startService()
        _factories[name] = service._factory
        port: Any = service.ports[0]
        ports[name] = port.getHost().port
    fort_goods.publish(reactor)
    gc.freeze()  # what is there by now stays: `state` need not look at it
    return ports


def state(guests: str | None = None) -> dict[str, int]:
    """
    Count what the connections hold.

    Args:
        guests: The address whose connections are left out.
    """
    from twisted.internet import reactor

    gc.collect()
    clock: Any = reactor
    everybody: list[Any] = [c for f in _factories.values() for c in f.connections]
    seen = [c for c in everybody if c.transport.getPeer().host != guests]
    away = [c for f in _factories.values() for c in f._turned_away]
    streams, subscriptions = _flows(seen)
    return {
        "connections": len(seen),
        "strangers": sum(len(f.limits.without_login) for f in _factories.values()),
        "turned away": len(away),
        "addresses": sum(len(f.limits.hosts) for f in _factories.values()),
        "exports": sum(len(c._tables.exports) for c in seen),
        "imports": sum(len(c._tables.imports) for c in seen),
        "pending": sum(len(c.outbound.pending) for c in seen),
        "unanswered": sum(len(c.inbound) for c in seen),
        "streams": streams,
        "subscriptions": subscriptions,
        **fort_goods.held(),
        "page clients": sum(page.clients for page in _pages),
        "pages": sum(page.watching for page in _pages),
        "undead": _undead(everybody, away),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "timers": len(clock.getDelayedCalls()),
        "trouble": len(_trouble),
    }


def _flows(connections: list[Any]) -> tuple[int, int]:
    """Count the streams and the subscriptions of connections, those that are read and sent."""
    flows = [c.streams for c in connections if c.streams is not None]
    events = [c.subscriptions for c in connections if c.subscriptions is not None]
    return (
        sum(len(each.incoming) + len(each.outgoing) for each in flows),
        sum(len(each._incoming) + len(each._flows) for each in events),
    )


def _undead(everybody: list[Any], away: list[Any]) -> int:
    """Count connections, streams and subscriptions that are over, and that something keeps."""
    alive = len(everybody) + len(away) + sum(_flows(everybody)) + fort_goods.held()["subscribers"]
    return sum(type(each) in _WITH_CONNECTIONS for each in gc.get_objects()) - alive


def version() -> str:
    """Return which txremote this is, where it is, and whether it is compiled."""
    return f"{version_line()}, from {Path(txremote.__file__).parent}"


def jobs() -> dict[str, int]:
    """Return how often each job was done since the last time."""
    found = dict(_jobs)
    _jobs.clear()
    return found


def blobs() -> int:
    """Return how many blobs were made since the last time."""
    return _made.pop("blobs", 0)


def trouble() -> list[str]:
    """Return what the log has heard that is worse than a warning."""
    return list(_trouble)


def begin_peak() -> int:
    """Return the resident memory, and let the peak begin there."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def peak() -> int:
    """Return the most resident memory since then, in bytes."""
    return _status("VmHWM")


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0]) * 1024
    raise LookupError(name)
