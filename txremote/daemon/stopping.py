"""
`StoppedInOrder`: the service that twistd runs, which stops its parts one after the other.

It begins as the reactor is told to stop, or when it is stopped itself, whichever is first: the
registry is told at once, and operators, systemd and the monitor see that the server drains. Then
come the parts that serve, which take as long as their calls do; and last what shows how it goes.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from typing import Any

from twisted.application.service import IService, MultiService, Service as TwistedService
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IReactorCore
from twisted.python.failure import Failure

from txremote.daemon.registering import Registering
from txremote.levels import Logger, levels
from txremote.monitor.monitor import Monitor
from txremote.monitor.systemd import SystemdNotifier
from txremote.monitor.web.service import AdminService

_log = Logger("txremote")


class StoppedInOrder(MultiService):
    """
    Services of one process that stop in order. Its subclass sets the attributes.

    Args:
        reactor: It is asked to wait for the end.

    Attributes:
        monitor: Shows how it goes.
    """

    monitor: Monitor
    _systemd: SystemdNotifier
    _sites: list[AdminService]
    _registering: list[Registering]

    def __init__(self, reactor: IReactorCore) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._reactor = reactor
        self._trigger: object = None
        self._stopping: Deferred[None] | None = None
        self._handlers: dict[int, Any] = {}  # of signals, before ours
        self._told_to_stop = False

    def _stop_before_reactor(self) -> None:
        """Have the reactor stop this first: before the parts that would do so themselves."""
        self._trigger = self._reactor.addSystemEventTrigger("before", "shutdown", self._shut_down)

    def _shut_down(self) -> Deferred[None]:
        self._trigger = None  # it cannot be taken back any more
        return self.stopService()

    def stopService(self) -> Deferred[None]:
        """Stop everything, in order; fires when nothing is left."""
        if self._stopping is None:
            TwistedService.stopService(self)  # not yet the parts
            self.monitor.note_draining()
            self._systemd.stopping()
            for each in self._registering:
                each.leave()
            self._stopping = Deferred.fromCoroutine(self._stop())
            self._stopping.addErrback(
                lambda failure: _log.failure("txremote did not stop well", failure)
            )
        mine: Deferred[None] = Deferred()
        self._stopping.addCallback(lambda _none: mine.callback(None))
        return mine

    async def _stop(self) -> None:
        if self._trigger is not None:
            self._reactor.removeSystemEventTrigger(self._trigger)
            self._trigger = None
        await self._stop_parts()
        self._systemd.stopService()
        await stop_all({each: each.stopService for each in self._registering})
        for site in self._sites:  # it has shown what the rest waited for
            await maybeDeferred(site.stopService)
        await maybeDeferred(self.monitor.stopService)
        levels.reset()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    async def _stop_parts(self) -> None:
        """Stop what serves."""
        raise NotImplementedError


def stop_all(services: Mapping[IService, Callable[[], Deferred[None]]]) -> Deferred[Any]:
    """Stop services side by side; one that fails is logged, and the others go on."""

    def failed(failure: Failure, service: IService) -> None:
        _log.failure("{service} did not stop well", failure, service=service)

    return DeferredList(
        [maybeDeferred(stop).addErrback(failed, each) for each, stop in services.items()]
    )
