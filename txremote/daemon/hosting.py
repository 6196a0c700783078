"""
The parts of a plan as Twisted services: how they start, and in which order they stop.

Ports are taken before twistd gives up its privileges. Stopping goes from the outside in:

1. No port listens any more. Calls that have begun may end, new ones are refused
   (`ServerStopping`), and txremote clients get a message that the server stops; the
   tasks of consoles are killed.
2. After ``drain`` seconds the other calls are cancelled, and every connection is closed.
3. The pools stop, which calls may have used until then.
4. Threads of the reactor's that are still at work have another `FINAL_GRACE`. They
   are left behind then: nothing can stop a thread, and none keeps the process.

A second SIGTERM or SIGINT skips to the end.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable, Iterator
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias

from twisted.application.service import Service as TwistedService
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IDelayedCall,
    IReactorCore,
    IReactorFromThreads,
    IReactorThreads,
)

from txremote.daemon.addresses import ListenAddress
from txremote.daemon.adminsite import Admin
from txremote.daemon.advice import advice, certificate_files
from txremote.daemon.plan import ConsolePlan, ServerPlan
from txremote.daemon.ports import error_text
from txremote.daemon.problems import ConfigOrigin
from txremote.daemon.registering import Entry, places_of, registering
from txremote.daemon.resolve import Console, Resolved, Server
from txremote.daemon.stopping import StoppedInOrder, stop_all
from txremote.eventloop.stop_order import stop_order
from txremote.levels import Logger, levels
from txremote.monitor.certificates import CertificateRows
from txremote.monitor.monitor import Monitor
from txremote.monitor.operating import Asked, Operators
from txremote.monitor.systemd import SystemdNotifier
from txremote.monitor.web.service import AdminService
from txremote.monitor.web.tokenfile import BadToken
from txremote.net.listen import refusal_of_hosted
from txremote.net.server_service import LAST_WORDS, ServerService
from txremote.net.unixsockets import forget
from txremote.refs.clock import steady
from txremote.tasks.taskfile import UnusableFile
from txremote.tracing.exporting import Exporting
from txremote.work.running import running_pools, set_default_pool

if TYPE_CHECKING:  # the console needs plac
    from txremote.console.server import ConsoleService

    _Listening: TypeAlias = "HostedServer | ConsoleService | AdminService"

_log = Logger("txremote")

# Windows has no such signal
_toggles: Final = getattr(signal, "SIGUSR2", None)

#: Seconds for threads to end.
FINAL_GRACE: Final = 1.0

_daemon_thread = partial(threading.Thread, daemon=True)


class Refused(SystemExit, Exception):
    """Ends the process. It is an Exception too: a daemon reports nothing else to its parent."""


def refuse(problems: Iterable[str]) -> NoReturn:
    """End the process with a sentence for each problem."""
    raise Refused("\n".join(f"txremote: {each}" for each in problems))


class HostedServer(ServerService):
    """One address of a server, as twistd hosts it."""

    def __init__(
        self, server: Server, address: ListenAddress, drain: float, reactor: IReactorCore
    ) -> None:
        assert address.endpoint is not None  # it was made when the plan was resolved
        super().__init__(
            address.endpoint,
            server.root,
            config=server.config,
            threaded_service=server.plan.threaded or None,
            drain=drain,
            reactor=reactor,
        )
        self.description = address.description
        self.names = server.plan.register
        self.advertise = server.plan.advertise

    @property
    def refusal(self) -> str | None:
        """Why strangers must not be able to connect; None if they may."""
        return refusal_of_hosted(self._factory.served, self._factory.config)


class Hosting(StoppedInOrder):
    """
    All that one process hosts.

    Attributes:
        monitor: The `Monitor` that watches all of it.
        levels_told: How much is logged, if another process has told it (`Levels.told`).
    """

    levels_told: tuple[list[str], bool] | None = None

    def __init__(
        self, resolved: Resolved, reactor: IReactorCore, operators_ask: Asked | None = None
    ) -> None:
        super().__init__(reactor)
        self._plan = resolved.plan
        self._pools = list(resolved.pools)
        self._exporting = [Exporting(reactor)] if resolved.plan.tracing else []
        # with the places where their plans were written
        self._listening: dict[HostedServer | ConsoleService, ConfigOrigin] = {
            each.service: each.plan.origin for each in resolved.consoles
        }
        self._waited_enough: Deferred[None] = Deferred()
        self._final_call: IDelayedCall | None = None
        self.monitor = Monitor(
            reactor, slow=resolved.plan.slow, can_write=resolved.plan.admin_write
        )
        self._operators_ask: Asked = operators_ask or self.monitor
        self._watch(resolved)
        self._systemd = SystemdNotifier(self.monitor, reactor)
        self._sites = sites_of(resolved.admin, self.monitor, reactor)
        # the monitor first, so that it sees how the others start
        watching = (self.monitor, *self._exporting)
        registry = resolved.registry
        self._registering = registering(registry, self._entries, self.monitor, reactor)
        after = (*self._sites, self._systemd, *self._registering)
        for service in (*watching, *self._pools, *self._listening, *after):
            service.setServiceParent(self)

    def _watch(self, resolved: Resolved) -> None:
        """Make the servers, and have the monitor watch all that is hosted."""
        parts: tuple[Server | Console, ...] = (*resolved.servers, *resolved.consoles)
        for each in parts:
            self._advise(each.plan, each.addresses)
        for server in resolved.servers:
            services = list(_listening(server, resolved.plan.drain, self._reactor))
            self._listening.update(dict.fromkeys(services, server.plan.origin))
            for hosted in services:
                self.monitor.watch_server(hosted, self._name_of(server))
                if server.operators:
                    operators = Operators(server.operators, self._operators_ask, self._reactor)
                    hosted.offer_operations(operators)
        for pool in resolved.pools:
            self.monitor.watch_pool(pool)
        for console in resolved.consoles:
            self.monitor.watch_tasks(console.plan.name, console.service.manager)

    def _entries(self) -> Iterator[Entry]:
        """Give what is to be registered, as long as it listens."""
        for hosted in self._listening:
            if isinstance(hosted, HostedServer) and hosted.names:
                for place in places_of(hosted.ports, hosted.speaks_tls, hosted.advertise):
                    yield Entry(hosted.names, place)

    def host(self, resolved: Resolved) -> None:
        """Host more servers and consoles from now on, while it runs; no pool is started."""
        before = set(self._listening)
        self._listening.update({each.service: each.plan.origin for each in resolved.consoles})
        self._watch(resolved)
        for service in self._listening:
            if service not in before:
                hosted: Any = service
                hosted.setServiceParent(self)

    def accept(self, clients: bool) -> None:
        """Accept clients of the servers, or leave them to the processes that share the ports."""
        for service in self._listening:
            if isinstance(service, HostedServer):
                for port in service.ports:
                    listening: Any = port
                    (listening.startReading if clients else listening.stopReading)()

    def _advise(self, plan: ServerPlan | ConsolePlan, addresses: tuple[ListenAddress, ...]) -> None:
        """Log what an operator should know, and have the monitor show the certificates."""
        for sentence in advice(plan, addresses):
            _log.warn("{sentence}", sentence=sentence)
        files = certificate_files(plan, addresses)
        if files:
            name = plan.name if isinstance(plan, ConsolePlan) else plan.what
            self.monitor.watch_certificates(CertificateRows(name, files))

    def _name_of(self, server: Server) -> str:
        """Return a name for the next address of a server: numbered, from the second one on."""
        name, number = server.plan.what, 1
        while name in self.monitor.servers:
            number += 1
            name = f"{server.plan.what} {number}"
        return name

    def privilegedStartService(self) -> None:
        """Take all ports, or leave no file of those behind and raise SystemExit."""
        TwistedService.privilegedStartService(self)
        for service, origin in self._listening.items():
            self._take_port(service, origin, "listen")
        for site in self._sites:
            self._take_port(site, self._plan.origin, "admin")

    def _take_port(self, service: _Listening, origin: ConfigOrigin, key: str) -> None:
        try:
            service.privilegedStartService()
        except Exception as problem:  # each kind of endpoint fails in its own way
            self._forget_ports()
            where = getattr(service, "description", "")
            refuse([cannot_listen(where, origin, key, problem)])

    def _forget_ports(self) -> None:
        for service in (*self._listening, *self._sites):
            for port in service.ports:
                forget(port)

    def startService(self) -> None:
        """Start the pools, then the rest."""
        threads = IReactorThreads(self._reactor, None)
        if threads is not None:
            let_go_of(threads.getThreadPool())
        self._stop_before_reactor()  # and before the pools, which stop with it as well
        levels.begin(self._plan.verbose, *self._plan.log_level)
        if self.levels_told is not None:
            levels.take(*self.levels_told)
        if self._pools:
            set_default_pool(self._pools[0])
        try:
            super().startService()  # type: ignore[no-untyped-call]
        except (BadToken, UnusableFile) as problem:
            self._forget_ports()
            refuse([str(problem)])
        self._reactor.callWhenRunning(self._handle_signals)

    async def _stop_parts(self) -> None:
        unused: Deferred[None] = Deferred()
        stop_order.keep_for(unused)
        ending = stop_all({each: each.stopService for each in self._listening})
        await DeferredList([ending, self._waited_enough], fireOnOneCallback=True)
        if self._final_call is not None and self._final_call.active():
            self._final_call.cancel()
        unused.callback(None)
        await stop_all({each: each.stop for each in self._pools})
        await stop_all({each: each.stop for each in self._exporting})
        if running_pools.default in self._pools:
            set_default_pool(None)

    def _handle_signals(self) -> None:
        """Have a second signal that stops the reactor close everything at once."""
        if self._stopping is not None or threading.current_thread() is not threading.main_thread():
            return
        if _toggles is not None:
            self._handlers[_toggles] = signal.signal(_toggles, self._toggle_debug)
        for number in (signal.SIGTERM, signal.SIGINT):
            handler = signal.getsignal(number)
            if callable(handler):  # else the reactor does not handle it
                self._handlers[number] = handler
                signal.signal(number, self._signalled)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        again = self._told_to_stop or self._stopping is not None
        self._told_to_stop = True
        if again:
            IReactorFromThreads(self._reactor).callFromThread(self._close_now)
        else:
            self._handlers[number](number, frame)

    def _toggle_debug(self, _number: int, _frame: FrameType | None) -> None:
        IReactorFromThreads(self._reactor).callFromThread(self.monitor.toggle_debug)

    def _close_now(self) -> None:
        if self._final_call is None:
            _log.info("told again to stop: it does not wait for what is in flight")
            for each in self._listening:
                if isinstance(each, HostedServer):
                    each.close_now()
            # the rest is left behind then
            self._final_call = steady(self._reactor).callLater(
                2 * LAST_WORDS, self._waited_enough.callback, None
            )


def cannot_listen(where: str, origin: ConfigOrigin, key: str, problem: Exception) -> str:
    """Return the sentence about a port that could not be taken."""
    # not its text: for a path that names the lock beside it, too
    reason = getattr(problem, "strerror", None) or error_text(problem)
    if isinstance(problem, CannotListenError):
        where = where or ":".join(str(part) for part in (problem.interface, problem.port) if part)
        reason = getattr(problem.socketError, "strerror", None) or error_text(problem.socketError)
        reason = f"{reason}. Choose another port, or stop what uses it"
    on = f" on {where}" if where else ""
    return f"{origin.prefix}{origin.spelled(key)}: cannot listen{on}: {reason}"


def sites_of(admin: Admin | None, monitor: Monitor, reactor: IReactorCore) -> list[AdminService]:
    """Make the service of an admin site, if there is to be one."""
    if admin is None:
        return []
    assert admin.endpoint is not None  # it was made when the plan was resolved
    site = AdminService(
        admin.endpoint,
        admin.description,
        monitor,
        token=admin.token,
        secure=admin.secure,
        exposition=admin.exposition,
        reactor=reactor,
    )
    return [site]


def _listening(server: Server, drain: float, reactor: IReactorCore) -> Iterator[HostedServer]:
    """Make the services of a server, one for each address."""
    for note in server.notes:
        _log.info("{note}", note=note)
    for address in server.addresses:
        yield HostedServer(server, address, drain, reactor)


def let_go_of(threads: Any, grace: float = FINAL_GRACE) -> None:
    """
    Have no thread of a Twisted pool, which waits for each, keep the process from ending.

    Its stop waits ``grace`` seconds for them. Threads that it has started already keep it.
    """
    if threads.threadFactory is _daemon_thread:
        return  # that is done
    threads.threadFactory = _daemon_thread
    stop = threads.stop

    def stop_soon() -> None:
        stopping = threading.Thread(target=stop, name="txremote stop", daemon=True)
        stopping.start()
        stopping.join(grace)
        if stopping.is_alive():
            _log.warn("threads of the reactor are still at work, and are left behind")

    threads.stop = stop_soon
