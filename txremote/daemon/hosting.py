"""
What twistd starts and stops: the parts of a plan as Twisted services, and their order.

Ports are taken before twistd gives up its privileges; what keeps one from being
taken ends the process with a sentence. Stopping goes from the outside in:

1. No port listens any more. Calls that have begun may end, new ones are refused
   (`ServerStopping`), and clients that are txremote are told so; the tasks of
   consoles are killed.
2. After ``drain`` seconds what has not ended is cancelled, and every connection is
   closed.
3. The pools stop, which calls may have used until then.
4. Threads of the reactor's that are still at work have another `LAST_WORDS`. They
   are left behind then: nothing can stop a thread, and none keeps the process.

A second SIGTERM or SIGINT is for whoever does not want to wait: it skips to the end.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, Final, NoReturn

from twisted.application.service import MultiService
from twisted.application.service import Service as TwistedService
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IReactorThreads
from twisted.logger import Logger
from twisted.python.failure import Failure

from txremote.daemon.plan import Source
from txremote.daemon.resolve import Console, Place, Resolved, Server
from txremote.net.listen import ServingFactory, listen_guarded, refusal_of_hosted
from txremote.net.unixsockets import forget
from txremote.peer.logging import set_verbose
from txremote.refs.clock import steady
from txremote.work.running import running_pools, set_default_pool

_log = Logger("txremote")

#: Seconds that clients have to hear of the end when nobody wants to wait for them,
#: and threads to come to theirs.
LAST_WORDS: Final = 1.0

_daemon_thread = partial(threading.Thread, daemon=True)


class Refused(SystemExit, Exception):
    """
    Ends the process with a sentence. An Exception too, for twistd as a daemon
    tells its parent, which waits to hear, of nothing else.
    """


def refuse(problems: Iterable[str]) -> NoReturn:
    """
    End the process.

    Args:
        problems: Why, each a sentence.

    Raises:
        Refused: always.
    """
    raise Refused("\n".join(f"txremote: {each}" for each in problems))


class ListeningService(TwistedService):
    """
    One endpoint, served from start to stop.

    Args:
        place: Where.
        factory: Makes the connections. If they give their clients more than what is
            exposed, an address that strangers can reach is refused.
        drain: Seconds that calls in flight have when it stops.
        source: Where its plan was written.
        reactor: The reactor.

    Attributes:
        description: The endpoint, as it was written.
    """

    def __init__(
        self,
        place: Place,
        factory: ServingFactory,
        *,
        drain: float,
        source: Source,
        reactor: Any,
    ) -> None:
        self.description = place.description
        self._endpoint: Any = place.endpoint
        self._factory = factory
        self._drain = drain
        self._source = source
        self._reactor = reactor
        self._port: IListeningPort | None = None
        self._failed: Failure | None = None
        self._starting: Deferred[Any] | None = None

    def privilegedStartService(self) -> None:
        """
        Take the port, before twistd gives up its privileges.

        Raises:
            SystemExit: it cannot be taken.
        """
        why_not = refusal_of_hosted(self._factory.served, self._factory.config)
        listening = Deferred.fromCoroutine(listen_guarded(self._endpoint, self._factory, why_not))
        self._starting = listening
        listening.addCallbacks(self._listening, self._refused)
        if self._failed is not None:
            refuse([self._refusal(self._failed)])

    def startService(self) -> None:
        """Take the port, where nobody asked for that before."""
        super().startService()  # type: ignore[no-untyped-call]
        if self._starting is None:
            self.privilegedStartService()

    def _listening(self, port: IListeningPort) -> None:
        self._port = port
        host: Any = port.getHost()
        where = f"{host.host}:{host.port}" if hasattr(host, "port") else str(host)
        _log.info("txremote serves on {where} ({what})", where=where, what=self.description)

    @property
    def ports(self) -> list[IListeningPort]:
        """Where it listens: one port, or none."""
        return [] if self._port is None else [self._port]

    def _refused(self, failure: Failure) -> None:
        self._failed = failure
        if self.running:  # too late to exit with a sentence
            _log.failure("txremote cannot listen", failure)

    def _refusal(self, failure: Failure) -> str:
        error = failure.value
        where = f"{self._source.at('listen')}cannot listen on {self.description}: "
        if isinstance(error, CannotListenError):
            reason = getattr(error.socketError, "strerror", None) or error.socketError
            other = self._source.spelled("listen")
            return f"{where}{reason}. Choose another port with {other}, or stop what uses it"
        # that of a path tells of the lock beside it, too
        return f"{where}{getattr(error, 'strerror', None) or error}"

    async def _stop(self) -> None:
        port, self._port = self._port, None
        stopping = port.stopListening() if port is not None else None
        finishing = self._factory.finish_all(self._drain)
        if stopping is not None:
            await stopping
        await finishing

    def stopService(self) -> Deferred[None]:
        """Give the port back, let the calls in flight end, and close every connection."""
        super().stopService()  # type: ignore[no-untyped-call]
        if self._starting is not None:
            self._starting.cancel()
        return Deferred.fromCoroutine(self._stop())

    def hurry(self) -> None:
        """Close every connection now: while it stops."""
        self._factory.close_all()
        steady(self._reactor).callLater(LAST_WORDS, self._factory.drop_all)


class ListeningConsole(MultiService):
    """
    A console; what keeps it from listening ends twistd with a sentence.

    Args:
        console: Which.
    """

    def __init__(self, console: Console) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._source = console.plan.source
        self._console: Any = console.service
        console.service.setServiceParent(self)

    @property
    def ports(self) -> list[IListeningPort]:
        """Where it listens."""
        ports: list[IListeningPort] = self._console.ports
        return ports

    def privilegedStartService(self) -> None:
        """
        Take its ports.

        Raises:
            SystemExit: one cannot be taken.
        """
        try:
            super().privilegedStartService()  # type: ignore[no-untyped-call]
        except (CannotListenError, ValueError, OSError) as problem:
            sentence = str(problem).rstrip(".")
            other = self._source.spelled("listen", "tcp:PORT:interface=127.0.0.1")
            refuse([f"{self._source.of('listen')}: {sentence}. Say where with {other}"])


class Hosting(MultiService):
    """
    All that one process hosts.

    Args:
        resolved: What its plan is made of.
        reactor: The reactor.
    """

    def __init__(self, resolved: Resolved, reactor: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._reactor = reactor
        self._verbose = resolved.plan.verbose
        self._pools = list(resolved.pools)
        self._servers = [
            each for server in resolved.servers for each in _listening(server, resolved, reactor)
        ]
        self._consoles = [ListeningConsole(each) for each in resolved.consoles]
        self._no_patience: Deferred[None] = Deferred()
        self._last_words: Any = None
        self._stopping: Deferred[None] | None = None
        self._trigger: Any = None
        self._handlers: dict[int, Any] = {}  # of signals, before ours
        self._told_to_stop = False
        for each in (*self._pools, *self._consoles, *self._servers):
            each.setServiceParent(self)

    def privilegedStartService(self) -> None:
        """
        Take all ports. What keeps one from being taken ends the process, and then the
        files of those that are taken are not left behind.

        Raises:
            SystemExit: one cannot be taken.
        """
        try:
            super().privilegedStartService()  # type: ignore[no-untyped-call]
        except SystemExit:
            taken = [port for server in self._servers for port in server.ports]
            for port in [*taken, *(port for each in self._consoles for port in each.ports)]:
                forget(port)
            raise

    def startService(self) -> None:
        """Start the pools, then the rest."""
        if IReactorThreads.providedBy(self._reactor):
            _let_go_of(self._reactor.getThreadPool())
        # before the pools do so, which stop with the reactor as well
        self._trigger = self._reactor.addSystemEventTrigger("before", "shutdown", self._shut_down)
        set_verbose(self._verbose)
        if self._pools:
            set_default_pool(self._pools[0])
        super().startService()  # type: ignore[no-untyped-call]
        self._reactor.callWhenRunning(self._listen_to_signals)

    def _shut_down(self) -> Deferred[None]:
        self._trigger = None  # it cannot be taken back any more
        return self.stopService()

    def stopService(self) -> Deferred[None]:
        """
        Stop everything, in order.

        Returns:
            A Deferred that fires when nothing is left: after ``drain``, if need be,
            the seconds a client gets to read what was sent, and the grace of a pool.
        """
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
        ending = _stop_all([*self._servers, *self._consoles])
        await DeferredList([ending, self._no_patience], fireOnOneCallback=True)
        if self._last_words is not None and self._last_words.active():
            self._last_words.cancel()
        unused.callback(None)
        await _stop_all(self._pools)
        if running_pools.default in self._pools:
            set_default_pool(None)
        set_verbose(True)  # as it was
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _listen_to_signals(self) -> None:
        """Hear of the signals that stop the reactor; the first is the reactor's own affair."""
        if self._stopping is not None or threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            handler = signal.getsignal(number)
            if callable(handler):  # else the reactor does not handle it
                self._handlers[number] = handler
                signal.signal(number, self._signalled)

    def _signalled(self, number: int, frame: Any) -> None:
        again = self._told_to_stop or self._stopping is not None
        self._told_to_stop = True
        if again:
            self._reactor.callFromThread(self._hurry)
        else:
            self._handlers[number](number, frame)

    def _hurry(self) -> None:
        if self._last_words is None:
            _log.info("told again to stop: it does not wait for what is in flight")
            for each in self._servers:
                each.hurry()
            # what has not ended then is left behind
            self._last_words = steady(self._reactor).callLater(
                2 * LAST_WORDS, self._no_patience.callback, None
            )


def _listening(server: Server, resolved: Resolved, reactor: Any) -> Iterator[ListeningService]:
    plan = server.plan
    for note in server.notes:
        _log.info("{note}", note=note)
    for place in server.places:
        if plan.auth and place.exposed and not plan.tls_cert and place.is_plain:
            _log.warn(
                "passwords travel in the clear on {what}: {how} protects them",
                what=place.description,
                how=plan.source.spelled("tls-cert"),
            )
        yield ListeningService(
            place,
            ServingFactory(reactor, server.root, server.config, plan.threaded or None),
            drain=resolved.plan.drain,
            source=plan.source,
            reactor=reactor,
        )


def _let_go_of(threads: Any) -> None:
    """
    See to it that no thread of a pool of Twisted's keeps the process from ending: it
    waits for each, and so does Python unless they are daemons.
    """
    if threads.threadFactory is _daemon_thread:
        return  # that is done
    threads.threadFactory = _daemon_thread
    stop = threads.stop

    def stop_soon() -> None:
        stopping = threading.Thread(target=stop, name="txremote stop", daemon=True)
        stopping.start()
        stopping.join(LAST_WORDS)
        if stopping.is_alive():
            _log.warn("threads of the reactor are still at work, and are left behind")

    threads.stop = stop_soon


def _stop_all(services: list[Any]) -> Deferred[Any]:
    """Stop services side by side; one that fails is logged and keeps nobody."""

    def failed(failure: Failure, service: Any) -> None:
        _log.failure("{service} did not stop well", failure, service=service)

    return DeferredList(
        [maybeDeferred(each.stopService).addErrback(failed, each) for each in services]
    )
