"""
The servers of a process in a registry: `Registering`.

A server is listed while the process is ready, as ``/readyz`` tells it, and has taken its port. It
leaves when it begins to drain; one that is killed, or whose event loop is stuck, is not renewed
and goes by its lease. A registry that cannot be reached keeps nobody from being served.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from twisted.application.service import Service as TwistedService
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall, IListeningPort, IReactorTime

from txremote.daemon.addresses import ListenAddress
from txremote.daemon.plan import Plan, ServerPlan
from txremote.daemon.problems import Problems
from txremote.levels import Logger
from txremote.monitor.rows import Health, Overview
from txremote.refs.clock import steady
from txremote.registry.choosing import registry_from
from txremote.registry.messages import MAX_NAME, MAX_NAMES
from txremote.registry.ports import Place, Registration, Registry
from txremote.registry.rpyc_registry import TLS_MARK
from txremote.registry.urls import registry_url

_log = Logger("txremote.registry")

#: Seconds between two looks at whether the process is ready.
LOOK_EVERY: Final = 0.5


@dataclass(frozen=True)
class Entry:
    """A server as it is registered: its names, and its place."""

    names: tuple[str, ...]
    place: Place


class Registering(TwistedService):
    """
    Keeps servers registered from its start to its stop, while a process is ready.

    Args:
        registry: Where; it is closed at the end.
        entries: Called for what is to be registered now.
        is_ready: Tells whether the process is.
        load: Tells how busy it is.
        clock: The reactor's.
    """

    def __init__(
        self,
        registry: Registry,
        entries: Callable[[], Iterable[Entry]],
        is_ready: Callable[[], bool],
        load: Callable[[], float],
        clock: IReactorTime,
    ) -> None:
        self._registry = registry
        self._entries = entries
        self._is_ready = is_ready
        self._load = load
        self._clock = clock
        self._kept: dict[Entry, Registration] = {}
        self._leaving: list[Deferred[None]] = []
        self._timer: IDelayedCall | None = None

    def startService(self) -> None:
        """Begin to look whether the process is ready."""
        super().startService()  # type: ignore[no-untyped-call]
        self._timer = self._clock.callLater(0, self._look)  # when the reactor runs

    def _look(self) -> None:
        wanted = set(self._entries()) if self._is_ready() else set()
        # not while one leaves: the registry may hear the two in either order
        for entry in wanted - self._kept.keys() if not self._leaving else ():
            self._kept[entry] = self._registry.register(entry.names, entry.place)
            _log.info("registers {what}", what=_in_words(entry))
        self._leave(self._kept.keys() - wanted)
        if self._kept:
            load = self._load()
            for registration in self._kept.values():
                registration.load(load)
        self._timer = self._clock.callLater(LOOK_EVERY, self._look)

    def _leave(self, entries: Iterable[Entry]) -> None:
        for entry in list(entries):
            _log.info("takes {what} out of the registry", what=_in_words(entry))
            left = self._kept.pop(entry).leave()
            self._leaving.append(left)
            left.addCallback(self._has_left, left)

    def _has_left(self, _none: None, left: Deferred[None]) -> None:
        self._leaving.remove(left)

    def leave(self) -> None:
        """Take everything out, at once; it stays out."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        self._leave(self._kept)

    def stopService(self) -> Deferred[None]:
        """Do as `leave`; the Deferred fires when the registry has been told, or cannot be."""
        super().stopService()  # type: ignore[no-untyped-call]
        self.leave()
        left = DeferredList(list(self._leaving))
        return left.addCallback(lambda _done: self._registry.close())


class Watched(Protocol):
    """The part of a monitor that tells how the process is."""

    def health(self) -> Health:
        """Tell whether it is ready."""

    def overview(self) -> Overview:
        """Tell how many calls run."""


def registering(
    registry: Registry | None,
    entries: Callable[[], Iterable[Entry]],
    monitor: Watched,
    reactor: Any,
) -> list[Registering]:
    """Return what keeps the servers of a process registered; nothing where there is no registry."""
    if registry is None:
        return []
    return [
        Registering(
            registry,
            entries,
            lambda: monitor.health().ready,
            lambda: float(monitor.overview().calls_running),
            steady(reactor),
        )
    ]


def _in_words(entry: Entry) -> str:
    return f"{', '.join(entry.names)} at {entry.place.name}"


def places_of(ports: Iterable[IListeningPort], speaks_tls: bool) -> list[Place]:
    """Return the places of ports that listen; UNIX sockets, which nobody else reaches, are none."""
    found = []
    for port in ports:
        where = port.getHost()
        if isinstance(where, (IPv4Address, IPv6Address)):
            found.append(Place(where.host, where.port, "tls" if speaks_tls else "tcp"))
    return found


def resolve_registry(
    plan: Plan,
    addresses: Iterable[tuple[ServerPlan, tuple[ListenAddress, ...]]],
    reactor: object,
    problems: Problems,
) -> Registry | None:
    """Return the registry of a plan; None if it has none, or a problem, which is noted."""
    registered = [each for each in addresses if each[0].register]
    origin = plan.origin
    if not any(each.register for each in plan.servers):
        if plan.registry is not None:
            how = origin.spelled("register", "NAME")
            problems.note_mismatch(origin, "registry", f" is of use with {how} only")
        return None
    before = len(problems)
    registry = None
    with problems.noting(origin, "registry" if plan.registry is not None else ""):
        url = registry_url(plan.registry)
        registry = registry_from(plan.registry, reactor)
        for server, listened in registered:
            _check(server, listened, url.is_here, str(url), problems)
    return registry if len(problems) == before else None


def _check(
    server: ServerPlan,
    addresses: tuple[ListenAddress, ...],
    is_here: bool,
    url: str,
    problems: Problems,
) -> None:
    """Note what is wrong with a server's names, and with its addresses."""
    origin = server.origin
    if len(server.register) > MAX_NAMES:
        problems.note(origin, "register", f": {MAX_NAMES} names at most")
    for name in server.register:
        if not 0 < len(name) <= MAX_NAME or name.upper().endswith(TLS_MARK):
            words = f": a name has 1 to {MAX_NAME} letters, and does not end in {TLS_MARK}"
            problems.note(origin, "register", words, name)
    if addresses and all(each.description.startswith("unix:") for each in addresses):
        problems.note_mismatch(origin, "register", " needs a TCP port, which others can reach")
    for each in addresses:
        if each.is_loopback and not is_here:
            words = (
                f" {each.description}: it is registered at {url}, where others would find "
                "themselves at that address: listen on interface=ADDRESS of this machine, or leave "
                "interface out"
            )
            problems.note_mismatch(origin, "listen", words)
