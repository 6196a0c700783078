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
from typing import TYPE_CHECKING, Any, Final, NoReturn

from twisted.application.service import IService, MultiService, Service as TwistedService
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IDelayedCall,
    IListeningPort,
    IReactorCore,
    IReactorFromThreads,
    IReactorThreads,
)
from twisted.logger import Logger
from twisted.python.failure import Failure

from txremote.daemon.addresses import ListenAddress
from txremote.daemon.problems import ConfigOrigin
from txremote.daemon.resolve import Resolved, Server
from txremote.net.listen import ServingFactory, listen_guarded, refusal_of_hosted
from txremote.net.unixsockets import forget
from txremote.peer.logging import set_verbose
from txremote.refs.clock import steady
from txremote.work.running import running_pools, set_default_pool

if TYPE_CHECKING:  # the console needs plac
    from txremote.console.server import ConsoleService

_log = Logger("txremote")

#: Seconds for clients to read their answers after a second signal, and for threads to end.
FINAL_GRACE: Final = 1.0

_daemon_thread = partial(threading.Thread, daemon=True)


class Refused(SystemExit, Exception):
    """Ends the process. It is an Exception too: a daemon reports nothing else to its parent."""


def refuse(problems: Iterable[str]) -> NoReturn:
    """End the process with a sentence for each problem."""
    raise Refused("\n".join(f"txremote: {each}" for each in problems))


class ListeningService(TwistedService):
    """One endpoint, served from start to stop; calls in flight have ``drain`` seconds then."""

    def __init__(
        self, address: ListenAddress, factory: ServingFactory, drain: float, reactor: IReactorCore
    ) -> None:
        self.description = address.description
        self.ports: list[IListeningPort] = []
        self._endpoint = address.endpoint
        self._factory = factory
        self._drain = drain
        self._reactor = reactor
        self._starting: Deferred[None] | None = None

    def privilegedStartService(self) -> None:
        """Take the port, or raise CannotListenError, or another kind of endpoint's error."""
        failed: list[Failure] = []

        def not_taken(failure: Failure) -> None:
            failed.append(failure)
            if self.running:  # too late for an exception to reach anybody
                _log.failure("txremote cannot listen", failure)

        assert self._endpoint is not None  # it was made when the plan was resolved
        why_not = refusal_of_hosted(self._factory.served, self._factory.config)
        listening = Deferred.fromCoroutine(listen_guarded(self._endpoint, self._factory, why_not))
        self._starting = listening.addCallbacks(self._port_taken, not_taken)
        if failed:
            failed[0].raiseException()

    def startService(self) -> None:
        """Take the port, unless `privilegedStartService` has done so."""
        super().startService()  # type: ignore[no-untyped-call]
        if self._starting is None:
            self.privilegedStartService()

    def _port_taken(self, port: IListeningPort) -> None:
        self.ports.append(port)
        host: Any = port.getHost()
        where = f"{host.host}:{host.port}" if hasattr(host, "port") else str(host)
        _log.info("txremote serves on {where} ({what})", where=where, what=self.description)

    async def _stop(self) -> None:
        ports, self.ports = self.ports, []
        stopping = [maybeDeferred(port.stopListening) for port in ports]
        finishing = self._factory.finish_all(self._drain)
        for each in stopping:
            await each
        await finishing

    def stopService(self) -> Deferred[None]:
        """Give the port back, let the calls in flight end, and close every connection."""
        super().stopService()  # type: ignore[no-untyped-call]
        if self._starting is not None:
            self._starting.cancel()
        return Deferred.fromCoroutine(self._stop())

    def close_now(self) -> None:
        """Close every connection now, while it stops."""
        self._factory.close_all()
        steady(self._reactor).callLater(FINAL_GRACE, self._factory.drop_all)


class Hosting(MultiService):
    """All that one process hosts."""

    def __init__(self, resolved: Resolved, reactor: IReactorCore) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._reactor = reactor
        self._verbose = resolved.plan.verbose
        self._pools = list(resolved.pools)
        # with the places where their plans were written
        self._listening: dict[ListeningService | ConsoleService, ConfigOrigin] = {
            each.service: each.plan.origin for each in resolved.consoles
        }
        self._waited_enough: Deferred[None] = Deferred()
        self._final_call: IDelayedCall | None = None
        self._stopping: Deferred[None] | None = None
        self._trigger: object = None
        self._handlers: dict[int, Any] = {}  # of signals, before ours
        self._told_to_stop = False
        for server in resolved.servers:
            services = _listening(server, resolved.plan.drain, reactor)
            self._listening.update(dict.fromkeys(services, server.plan.origin))
        for service in (*self._pools, *self._listening):
            service.setServiceParent(self)  # type: ignore[no-untyped-call]

    def privilegedStartService(self) -> None:
        """Take all ports, or leave no file of those behind and raise SystemExit."""
        TwistedService.privilegedStartService(self)
        for service, origin in self._listening.items():
            try:
                service.privilegedStartService()
            except Exception as problem:  # each kind of endpoint fails in its own way
                for port in (port for other in self._listening for port in other.ports):
                    forget(port)
                refuse([_cannot_listen(service, origin, problem)])

    def startService(self) -> None:
        """Start the pools, then the rest."""
        threads = IReactorThreads(self._reactor, None)
        if threads is not None:
            _let_go_of(threads.getThreadPool())
        # before the pools do so, which stop with the reactor as well
        self._trigger = self._reactor.addSystemEventTrigger("before", "shutdown", self._shut_down)
        set_verbose(self._verbose)
        if self._pools:
            set_default_pool(self._pools[0])
        super().startService()  # type: ignore[no-untyped-call]
        self._reactor.callWhenRunning(self._handle_signals)

    def _shut_down(self) -> Deferred[None]:
        self._trigger = None  # it cannot be taken back any more
        return self.stopService()

    def stopService(self) -> Deferred[None]:
        """Stop everything, in order; fires when nothing is left."""
        if self._stopping is None:
            TwistedService.stopService(self)  # not yet the parts
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
        unused: Deferred[None] = Deferred()
        running_pools.keep_for(unused)
        ending = _stop_all(self._listening)
        await DeferredList([ending, self._waited_enough], fireOnOneCallback=True)
        if self._final_call is not None and self._final_call.active():
            self._final_call.cancel()
        unused.callback(None)
        await _stop_all(self._pools)
        if running_pools.default in self._pools:
            set_default_pool(None)
        set_verbose(True)  # as it was
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _handle_signals(self) -> None:
        """Have a second signal that stops the reactor close everything at once."""
        if self._stopping is not None or threading.current_thread() is not threading.main_thread():
            return
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

    def _close_now(self) -> None:
        if self._final_call is None:
            _log.info("told again to stop: it does not wait for what is in flight")
            for each in self._listening:
                if isinstance(each, ListeningService):
                    each.close_now()
            # the rest is left behind then
            self._final_call = steady(self._reactor).callLater(
                2 * FINAL_GRACE, self._waited_enough.callback, None
            )


def _cannot_listen(
    service: ListeningService | ConsoleService, origin: ConfigOrigin, problem: Exception
) -> str:
    """Return the sentence about a port that could not be taken."""
    where = getattr(service, "description", "")
    # not its text: for a path that names the lock beside it, too
    reason = getattr(problem, "strerror", None) or problem
    if isinstance(problem, CannotListenError):
        where = where or ":".join(str(part) for part in (problem.interface, problem.port) if part)
        reason = getattr(problem.socketError, "strerror", None) or problem.socketError
        reason = f"{reason}. Choose another port, or stop what uses it"
    on = f" on {where}" if where else ""
    return f"{origin.prefix}{origin.spelled('listen')}: cannot listen{on}: {reason}"


def _listening(server: Server, drain: float, reactor: IReactorCore) -> Iterator[ListeningService]:
    """Make the services of a server, one for each address."""
    plan = server.plan
    for note in server.notes:
        _log.info("{note}", note=note)
    for address in server.addresses:
        if plan.auth and address.exposed and not plan.tls_cert and address.is_plain:
            _log.warn(
                "passwords travel in the clear on {what}: {how} protects them",
                what=address.description,
                how=plan.origin.spelled("tls-cert"),
            )
        factory = ServingFactory(reactor, server.root, server.config, plan.threaded or None)
        yield ListeningService(address, factory, drain, reactor)


def _let_go_of(threads: Any) -> None:
    """Have no thread of a Twisted pool, which waits for each, keep the process from ending."""
    if threads.threadFactory is _daemon_thread:
        return  # that is done
    threads.threadFactory = _daemon_thread
    stop = threads.stop

    def stop_soon() -> None:
        stopping = threading.Thread(target=stop, name="txremote stop", daemon=True)
        stopping.start()
        stopping.join(FINAL_GRACE)
        if stopping.is_alive():
            _log.warn("threads of the reactor are still at work, and are left behind")

    threads.stop = stop_soon


def _stop_all(services: Iterable[IService]) -> Deferred[Any]:
    """Stop services side by side; one that fails is logged, and the others go on."""

    def failed(failure: Failure, service: IService) -> None:
        _log.failure("{service} did not stop well", failure, service=service)

    return DeferredList(
        [maybeDeferred(each.stopService).addErrback(failed, each) for each in services]
    )
