"""
The program of a worker: a whole server, which listens on sockets that it has inherited.

It is told what to do by its supervisor (`txremote.daemon.workers.launch`), serves as ``twistd
txremote`` does, and says when it listens. SIGTERM ends it, as it ends any server; so does the end
of the supervisor.

Consoles, and servers of their tasks, are not among what it serves until it is made the keeper:
then they are resolved, too, and listen.
"""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.logger import globalLogBeginner

from txremote.daemon.hosting import Hosting
from txremote.daemon.plan import Plan
from txremote.daemon.problems import PlanError
from txremote.daemon.resolve import resolve, serves_tasks
from txremote.daemon.tap import plan_of
from txremote.daemon.workers.control import ControlOfSupervisor
from txremote.daemon.workers.launch import (
    CONTROL,
    InheritedSockets,
    Launch,
    install_reactor,
    received,
)
from txremote.daemon.workers.relay import Relay
from txremote.daemon.workers.remote import SupervisorsMonitor
from txremote.daemon.workers.reports import Report, report_of
from txremote.errors import TxRemoteError
from txremote.levels import levels
from txremote.refs.clock import steady

#: Connections of a worker have numbers from this times its serial number on.
NUMBERS: Final = 1_000_000

_LOOK_AGAIN: Final = 0.02  # seconds


class Worker:
    """A worker's services to its supervisor (`txremote.daemon.workers.control.InWorker`)."""

    def __init__(self, launch: Launch, reactor: Any) -> None:
        self._launch = launch
        self._reactor = reactor
        self._sockets = InheritedSockets(launch.sockets)
        whole = plan_of(launch.options)
        self.plan = _own(whole)
        self._ending = False
        kept = [each for each in self.plan.servers if serves_tasks(each)]
        self._kept = replace(self.plan, servers=tuple(kept), pool=())
        rest = tuple(each for each in self.plan.servers if each not in kept)
        own = replace(self.plan, servers=rest, consoles=())
        self.supervisor = SupervisorsMonitor()
        resolved = resolve(own, reactor, maker=self._sockets)
        # without an admin site of its own that would be refused; operators ask by the supervisor
        may_write = replace(resolved.plan, admin_write=whole.admin_write)
        resolved = replace(resolved, plan=may_write)
        self.hosting = Hosting(resolved, reactor, operators_ask=self.supervisor)
        self.hosting.levels_told = launch.levels
        self.hosting.monitor.number_from(launch.serial * NUMBERS)

    def begin(self, control: ControlOfSupervisor, relay: Relay) -> None:
        """Start, and say so."""
        self._control = control
        self.supervisor.connect(control)
        reactor = self._reactor
        self.hosting.privilegedStartService()
        self.hosting.startService()
        reactor.addSystemEventTrigger("before", "shutdown", self._last_words, relay)
        reactor.callWhenRunning(self._tell_when_ready)

    def _tell_when_ready(self) -> None:
        if self.hosting.monitor.health().ready:
            self._control.ready().addErrback(lambda _lost: None)
        elif not self._ending:
            steady(self._reactor).callLater(_LOOK_AGAIN, self._tell_when_ready)

    def _last_words(self, relay: Relay) -> Deferred[None]:
        self._ending = True

        async def say() -> None:
            await self.hosting.stopService()
            with suppress(TxRemoteError):  # the supervisor may be gone
                await self._control.last_report(self.report())
                await relay.flush()
            await self._control.close()

        return Deferred.fromCoroutine(say())

    def lost(self) -> None:
        """End: the supervisor is gone."""
        if not self._ending:
            self._ending = True
            self._reactor.callWhenRunning(self._reactor.stop)

    # -- for the supervisor

    def report(self) -> Report:
        """Return all rows."""
        return report_of(self.hosting.monitor)

    def accept(self, clients: bool) -> None:
        """Accept clients, or none for now."""
        self.hosting.accept(clients)

    def keep(self) -> None:
        """Serve the consoles and their tasks."""
        if not self._kept.consoles or self._ending:
            return
        self.hosting.host(resolve(self._kept, self._reactor, maker=self._sockets))

    def take_levels(self, written: list[str], debugging: bool) -> None:
        """Log as much as the supervisor does."""
        levels.take(written, debugging)

    def do(self, name: str, arguments: list[Any]) -> object:
        """Do what an operator wants; what is wrong with that is raised."""
        return self.hosting.monitor.ask(name, *arguments)


def _own(plan: Plan) -> Plan:
    """Return the plan of one worker: the admin site and the registry are the supervisor's."""
    servers = tuple(replace(each, register=(), advertise=None) for each in plan.servers)
    without_site = replace(plan, admin=None, admin_token=None, admin_write=False)
    return replace(without_site, servers=servers, registry=None, workers=0)


def main() -> int:
    """Run a worker, and return its exit status."""
    control = socket.socket(fileno=CONTROL)
    os.set_inheritable(CONTROL, False)
    os.setpgid(0, 0)  # Ctrl-C is for the supervisor
    launch = received(control)
    control.setblocking(False)
    install_reactor(launch)
    reactor: Any = import_module("twisted.internet.reactor")
    relay = Relay(reactor)
    try:
        worker = Worker(launch, reactor)
    except PlanError as error:
        sys.stderr.write("".join(f"{each}\n" for each in error.problems))
        return 1
    os.chdir(launch.working)
    levels.begin(worker.plan.verbose, *worker.plan.log_level)
    globalLogBeginner.beginLoggingTo([relay])
    supervisor = ControlOfSupervisor(reactor, control, worker, worker.lost)
    relay.begin(supervisor)
    worker.begin(supervisor, relay)
    reactor.run()
    return 0
