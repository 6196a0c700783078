"""
`Supervisor`: the service that twistd runs for ``--workers N``.

It opens the sockets while twistd has its privileges, and starts the workers when it has given them
up. SIGHUP replaces the workers one by one, SIGUSR2 has all log everything, SIGTERM has all end
their calls, and a second one has them drop these. Where no worker can start, it ends with status 1.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Any, Final

from twisted.application.service import Service as TwistedService
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IReactorCore, IReactorFromThreads

from txremote.buses.host import ENVIRONMENT, HostBus, serve, socket_path
from txremote.daemon.hosting import cannot_listen, refuse, sites_of
from txremote.daemon.registering import Entry, places_of, registering
from txremote.daemon.resolve import Resolved
from txremote.daemon.stopping import StoppedInOrder
from txremote.daemon.workers.crew import Crew
from txremote.daemon.workers.launch import Launch, loop_of, words_of
from txremote.daemon.workers.monitor import WorkersMonitor
from txremote.daemon.workers.process import WorkerProcess
from txremote.daemon.workers.relay import write_line
from txremote.daemon.workers.reports import LogLine, Report
from txremote.daemon.workers.sockets import CannotOpen, OpenSockets
from txremote.levels import Logger, levels
from txremote.monitor.fresh import when_fresh
from txremote.monitor.systemd import SystemdNotifier
from txremote.monitor.web.tokenfile import BadToken
from txremote.net.tls import speaks_tls
from txremote.refs.clock import EventLoop

_log = Logger("txremote")

_SIGNALS: Final = tuple(
    found
    for name in ("SIGHUP", "SIGUSR2", "SIGTERM", "SIGINT")
    if (found := getattr(signal, name, None)) is not None
)


class Supervisor(StoppedInOrder):
    """
    Looks after the workers of one server.

    Args:
        resolved: The parts of the plan, which the workers resolve again for themselves.
        options: The options as they were typed, for the workers.

    Attributes:
        monitor: The `WorkersMonitor` that adds them up.
        crew: The workers.
    """

    def __init__(
        self, resolved: Resolved, options: Mapping[str, Any], reactor: IReactorCore
    ) -> None:
        super().__init__(reactor)
        loop: Any = reactor
        self._resolved = resolved
        self._plan = resolved.plan
        self._options = words_of(options)
        self._folder = os.getcwd()
        self._sockets = OpenSockets()
        self._environ: dict[str, str] = {}
        self._planned_levels = levels.told()
        self._bus: HostBus | None = None
        self.monitor: WorkersMonitor = WorkersMonitor(loop, can_write=self._plan.admin_write)
        self._loop: EventLoop = loop
        self.crew = Crew(
            self._plan.workers,
            self._spawn,
            loop,
            self,
            drain=self._plan.drain,
            has_consoles=bool(resolved.consoles),
            hopeless=self._give_up,
            ended=self.monitor.collector.worker_ended,
        )
        self.monitor.collector.crew = self.crew
        self._systemd = SystemdNotifier(self.monitor, reactor)
        self._sites = sites_of(resolved.admin, self.monitor, reactor)
        registry = resolved.registry
        self._registering = registering(registry, self._entries, self.monitor, reactor)
        for service in (self.monitor, *self._sites, self._systemd, *self._registering):
            service.setServiceParent(self)

    def _entries(self) -> Iterator[Entry]:
        """Give what is to be registered: the workers' ports are one place."""
        ports = iter(self._sockets.ports)
        for console in self._resolved.consoles:
            for _address in console.addresses:
                next(ports, None)
        for server in self._resolved.servers:
            for address in server.addresses:
                found = next(ports, None)
                if found is not None and server.plan.register:
                    is_tls = speaks_tls(address.endpoint)
                    for place in places_of([found[1]], is_tls, server.plan.advertise):
                        yield Entry(server.plan.register, place)

    # -- its start

    def privilegedStartService(self) -> None:
        """Open all sockets, or leave no file of those behind and raise SystemExit."""
        TwistedService.privilegedStartService(self)
        try:
            self._sockets.open(self._resolved)
        except CannotOpen as problem:
            where = problem.address.description
            refuse([cannot_listen(where, problem.origin, "listen", problem.cause)])
        for site in self._sites:
            try:
                site.privilegedStartService()
            except Exception as problem:  # each kind of endpoint fails in its own way
                self._sockets.forget()
                refuse([cannot_listen(site.description, self._plan.origin, "admin", problem)])

    def startService(self) -> None:
        """Start the workers."""
        self._stop_before_reactor()
        levels.begin(self._plan.verbose, *self._plan.log_level)
        self._planned_levels = levels.told()
        try:
            super().startService()  # type: ignore[no-untyped-call]
        except BadToken as problem:
            self._sockets.forget()
            refuse([str(problem)])
        self._reactor.callWhenRunning(self._begin)

    def _begin(self) -> None:
        if self._stopping is None:
            self._handle_signals()
            self._serve_bus()
            self.crew.start()

    def _serve_bus(self) -> None:
        """Serve the bus of the host's topics, unless another process does: workers come and go."""
        try:
            path = socket_path()
            self._bus = serve(path, self._reactor)
        except (OSError, CannotListenError) as problem:
            _log.warn("the workers' topics are not joined: {why}", why=str(problem))
        else:
            self._environ[ENVIRONMENT] = path

    def _spawn(self, worker: WorkerProcess) -> None:
        now = levels.told()
        launch = Launch(
            number=worker.number,
            serial=worker.serial,
            options=self._options,
            folder=self._folder,
            working=os.getcwd(),
            reactor=type(self._reactor).__module__,
            sockets=tuple(description for description, _port in self._sockets.ports),
            levels=None if now == self._planned_levels else now,
            loop=loop_of(self._reactor),
        )
        worker.start(launch, self._sockets.descriptors, self._environ)

    def _give_up(self, why: str) -> None:
        """End with status 1: what is wrong with one worker is wrong with all."""
        if self._stopping is None:
            _log.critical("the server ends: {why}", why=why)
            atexit.register(_end_in_failure)
            self._reactor.stop()

    # -- its end

    async def _stop_parts(self) -> None:
        # a client that comes now is refused, and does not wait for workers that will not accept
        closed = self._sockets.close()
        await self.crew.stop()
        await closed
        if self._bus is not None:
            await self._bus.stop()

    # -- signals

    def _handle_signals(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for number in _SIGNALS:
            self._handlers[number] = signal.signal(number, self._signalled)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        call = IReactorFromThreads(self._reactor).callFromThread
        if number == signal.SIGHUP:
            call(self.crew.roll)
        elif number == signal.SIGUSR2:
            call(self.monitor.toggle_debug)
        elif self._told_to_stop or self._stopping is not None:
            call(self._close_now)
        else:
            self._told_to_stop = True
            handler = self._handlers[number]
            if callable(handler):
                handler(number, frame)
            else:
                call(self._reactor.stop)

    def _close_now(self) -> None:
        _log.info("told again to stop: it does not wait for what is in flight")
        self.crew.signal(signal.SIGTERM)

    # -- for the workers (`txremote.daemon.workers.control.WorkerEvents`)

    def log(self, number: int, lines: list[LogLine]) -> None:
        """Write lines of a worker's log."""
        for line in lines:
            write_line(number, line)

    def ask(self, name: str, arguments: list[Any]) -> object:
        """Answer an operator who is connected to a worker."""
        return when_fresh(self.monitor, lambda: self.monitor.ask(name, *arguments))

    def last_report(self, worker: WorkerProcess, report: Report) -> None:
        """Keep what a worker has counted, which is about to end."""
        self.monitor.collector.last_report(worker, report)


def _end_in_failure() -> None:
    """End the process with status 1: twistd's is 0 whatever was wrong."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
