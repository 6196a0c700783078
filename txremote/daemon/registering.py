"""
The servers of a process in a registry: `Registering`.

A server is listed while the process is ready, as ``/readyz`` tells it, and has taken its port. It
leaves when it begins to drain; one that is killed, or whose event loop is stuck, is not renewed
and goes by its lease. A registry that cannot be reached keeps nobody from being served.

Its place is that of its port. One that listens on all addresses has the one that the registry
sees, or by which Redis is reached. Where others reach it elsewhere, since a proxy or a container's
network stands between, ``--advertise`` says so. An entry that cannot be right is refused before
the start.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

from twisted.application.service import Service as TwistedService
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall, IListeningPort, IReactorTime

from txremote.daemon.addresses import ListenAddress
from txremote.daemon.plan import Plan, ServerPlan
from txremote.daemon.problems import Problems
from txremote.levels import Logger
from txremote.monitor.rows import Health, Overview
from txremote.net.tls import speaks_tls
from txremote.refs.clock import steady
from txremote.registry.choosing import registry_from
from txremote.registry.messages import Register, checked_names, encoded, entered_names
from txremote.registry.ports import Place, Registration, Registry
from txremote.registry.urls import RegistryURL, registry_url

_log = Logger("txremote.registry")

#: Longest name of a host.
MAX_HOST: Final = 255

_WITH_PORT: Final = re.compile(r"^(\[.*\]|[^:]*):[0-9]{1,5}$", re.ASCII)
_HOST: Final = re.compile(r"[\w.:%-]*", re.ASCII)

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
        self._has_told = False
        self._timer: IDelayedCall | None = None

    def startService(self) -> None:
        """Begin to look whether the process is ready."""
        super().startService()  # type: ignore[no-untyped-call]
        self._timer = self._clock.callLater(0, self._look)  # when the reactor runs

    def _look(self) -> None:
        is_ready = self._is_ready()
        wanted = set(self._entries()) if is_ready else set()
        if is_ready and not wanted and not self._has_told:
            self._has_told = True  # each look finds the same
            _log.warn("nothing is registered: no TCP port listens, and --advertise names no place")
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
    place = entry.place
    where = place.name
    if place.is_anywhere:
        where = f"port {place.port} of the address that the registry sees"
    return f"{', '.join(entry.names)} at {where}"


class Advertised(NamedTuple):
    """Where others reach a server: "" for the address that it listens on, 0 for the port."""

    host: str = ""
    port: int = 0

    @classmethod
    def of(cls, text: str) -> Advertised:
        """Take ``HOST``, ``HOST:PORT`` or ``:PORT`` apart. ValueError: it is none of them."""
        host, colon, port = text.rpartition(":") if _WITH_PORT.search(text) else (text, "", "")
        bare = host.removeprefix("[").removesuffix("]")
        if (":" in bare) != (len(bare) == len(host) - 2) or not (host or colon):
            raise ValueError("it is HOST, HOST:PORT or :PORT, an address of IPv6 in brackets")
        if bare in ("0.0.0.0", "::") or len(bare) > MAX_HOST or not _HOST.fullmatch(bare):
            raise ValueError(f"{bare!r} is no address or name of a host that others can reach")
        if colon and not 0 < int(port) < 65536:
            raise ValueError("a port is a number from 1 to 65535")
        return cls(bare, int(port or 0))


def places_of(
    ports: Iterable[IListeningPort], speaks_tls: bool, advertise: str | None
) -> list[Place]:
    """
    Return the places of ports that listen, or what is advertised for them. A UNIX socket has one
    only if a host and a port are.
    """
    host, port = Advertised.of(advertise) if advertise is not None else Advertised()
    scheme = "tls" if speaks_tls else "tcp"
    found = []
    for each in ports:
        where = each.getHost()
        if isinstance(where, (IPv4Address, IPv6Address)):
            found.append(Place(host or where.host, port or where.port, scheme))
        elif host and port:
            found.append(Place(host, port, scheme))
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
    for each in plan.servers:
        if each.advertise is not None and not each.register:
            how = each.origin.spelled("register", "NAME")
            problems.note_mismatch(each.origin, "advertise", f" is of use with {how} only")
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
            _check(server, listened, url, problems)
    return registry if len(problems) == before else None


def _check(
    server: ServerPlan,
    addresses: tuple[ListenAddress, ...],
    url: RegistryURL,
    problems: Problems,
) -> None:
    """Note what is wrong with a server's names, and with its places."""
    origin = server.origin
    with problems.noting(origin, "register"):
        names = checked_names(server.register)
        if url.is_rpyc:
            is_tls = any(speaks_tls(each.endpoint) for each in addresses)
            encoded(Register(entered_names(names, "tls" if is_tls else "tcp"), 65535))
    advertised = Advertised()
    if server.advertise is not None:
        with problems.noting(origin, "advertise", server.advertise):
            advertised = Advertised.of(server.advertise)
            _check_advertised(advertised, addresses, url)
    unix = [each for each in addresses if each.description.startswith("unix:")]
    if addresses and len(unix) == len(addresses) and not all(advertised):
        how = origin.spelled("advertise", "HOST:PORT")
        words = f" needs a TCP port, which others can reach, or {how}"
        problems.note_mismatch(origin, "register", words)
    for each in addresses:
        if each.is_loopback and not url.is_here and not advertised.host:
            words = (
                f" {each.description}: it is registered at {url}, where others would find "
                "themselves at that address: listen on interface=ADDRESS of this machine, or leave "
                "interface out"
            )
            problems.note_mismatch(origin, "listen", words)


def _check_advertised(
    advertised: Advertised, addresses: tuple[ListenAddress, ...], url: RegistryURL
) -> None:
    """Raise ValueError where what is advertised cannot be registered as it is meant."""
    if advertised.host and url.is_rpyc:
        raise ValueError(
            f"the registry at {url} takes the address that it sees, as RPyC's do, so :PORT alone "
            "can be another one there; a registry in Redis takes any"
        )
    if advertised.port and len(addresses) > 1:
        raise ValueError(
            f"it names one port, and the server listens at {len(addresses)} places: leave the port "
            "out, or make them servers of their own"
        )
