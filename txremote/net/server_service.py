"""
`ServerService`: a server as a service of an application (`IService`).

It listens from its start to its stop. A stop goes from the outside in: the port is given back,
new calls are refused and txremote clients are told that the server stops, calls that have begun
may end within ``drain`` seconds and are cancelled then, and every connection is closed with a
good-bye. The pools and `RemoteClient` services of the same application wait for that
(`txremote.eventloop.stop_order`).

It stops with its application, and with the reactor where nobody else stops it: clients are told
either way. Each start has a `ServingFactory` of its own, so it may be started again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import Any, Final

from twisted.application.service import Service as TwistedService
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IListeningPort, IReactorCore, IStreamServerEndpoint
from twisted.python.failure import Failure

from txremote.config import ConnectionConfig, make_config, with_values
from txremote.eventloop.reactor import chosen_reactor
from txremote.eventloop.stop_order import stop_order
from txremote.levels import Logger
from txremote.net.listen import (
    ServingFactory,
    address_of_port,
    listen_guarded,
    server_endpoint_of,
)
from txremote.net.tls import speaks_tls
from txremote.peer.connection import Connection
from txremote.peer.inbound import Operations
from txremote.peer.request import MakeRequest
from txremote.refs.awaiting import AwaitableDeferred, awaitable, succeeded
from txremote.refs.clock import EventLoop, Reactor, steady
from txremote.refs.sharing import follow
from txremote.refs.threadguard import LoopGuard

_log = Logger("txremote")

#: Seconds for clients to read their last answers after `ServerService.close_now`.
LAST_WORDS: Final = 1.0

#: Seconds that calls have to end in when a server stops, if it is not told otherwise.
DRAIN: Final = 10.0


class ServerService(TwistedService):
    """
    A server that listens from start to stop, as a service of an application.

    It may be hung under an application, a `MultiService` or another service that runs already, be
    stopped and started again, or be started and stopped by hand. For the reactor's thread.

    Args:
        endpoint: Where to listen; see `listen`.
        root: The object that is served; see `listen`.
        config: Switches, as a `ConnectionConfig` or a mapping.
        threaded_service: See `listen`.
        values: The switch ``values``, if not None.
        drain: Seconds that calls which have begun may take to end when it stops; 0: none.
        reactor: The reactor; the running one if None.

    Attributes:
        description: Where it listens, as it was said: for the log.
        drain: As above; may be set until it stops.
        ports: The `IListeningPort` that it listens on, in a list; empty while it does not.

    Raises:
        TypeError, ValueError: As `listen` has them.
    """

    def __init__(
        self,
        endpoint: str | IStreamServerEndpoint,
        root: object,
        *,
        config: ConnectionConfig | Mapping[str, Any] | None = None,
        threaded_service: bool | None = None,
        values: bool | None = None,
        drain: float = DRAIN,
        reactor: Reactor | None = None,
    ) -> None:
        if not (isinstance(drain, (int, float)) and drain >= 0):
            raise ValueError(f"drain is a number of seconds, 0 or more, not {drain!r}")
        loop: Any = chosen_reactor(reactor)
        switches = with_values(make_config(config), values)
        self._make_factory = partial(ServingFactory, loop, root, switches, threaded_service)
        self._factory = self._make_factory()  # what is wrong with the arguments is told here
        self._endpoint = server_endpoint_of(loop, endpoint)
        self._loop: EventLoop = loop
        self._reactor: IReactorCore = loop  # the same, as Twisted's types have it
        self.description = endpoint if isinstance(endpoint, str) else repr(endpoint)
        self.drain = drain
        self.ports: list[IListeningPort] = []
        self._taking: Deferred[None] | None = None
        self._trigger: object = None
        self._ports_closing: Deferred[Any] | None = None
        self._stopping: Deferred[None] | None = None

    def __repr__(self) -> str:
        state = f"on {', '.join(self.addresses)}" if self.ports else "not listening"
        return f"<{type(self).__name__} of {self.description}: {state}>"

    @property
    def addresses(self) -> list[str]:
        """Where it listens, as `connect` takes it: ``["127.0.0.1:18861"]``."""
        return [address_of_port(port) for port in self.ports]

    @property
    def connections(self) -> Collection[Connection]:
        """Those that are open."""
        return self._factory.connections.keys()

    @property
    def served(self) -> object:
        """The root that is served; with logins what users have after them."""
        return self._factory.served

    @property
    def refusal(self) -> str | None:
        """Why strangers must not be able to connect, as a sentence; None if they may."""
        return self._factory.refusal

    @property
    def make_request(self) -> MakeRequest:
        """
        The maker of the peers' requests (`txremote.peer.request.MakeRequest`). May be set, to one
        that calls the maker before it: connections that come from then on have their requests
        made by it.
        """
        return self._factory.make_request

    @make_request.setter
    def make_request(self, make_request: MakeRequest) -> None:
        self._factory.make_request = make_request

    @property
    def speaks_tls(self) -> bool:
        """Whether its endpoint speaks TLS, as far as that can be told."""
        return speaks_tls(self._endpoint)

    @property
    def expects_login(self) -> bool:
        """Whether its clients have to log in."""
        return self._factory.expects_login

    @property
    def refused_total(self) -> int:
        """How many clients were turned away since it was made."""
        return self._factory.refused_total

    @property
    def requests_total(self) -> int:
        """How many requests it has received since it was made, but for PING and the like."""
        open_ones = sum(connection.inbound.received for connection in self.connections)
        return self._factory.past_requests + open_ones

    @property
    def stopping(self) -> bool:
        """Whether it lets calls in flight end, or has stopped."""
        return self._factory.stopping

    def offer_operations(self, operations: Operations) -> None:
        """
        Let operators in, of the connections that come from now on.

        Args:
            operations: Called with a connection; returns the object that its user is given, or
                raises PermissionError. See `txremote.monitor.operating`.
        """
        self._factory.operations = operations

    def _next_factory(self) -> None:
        before, self._factory = self._factory, self._make_factory()
        self._factory.make_request = before.make_request
        self._factory.operations = before.operations
        self._factory.refused_total = before.refused_total
        self._factory.past_requests = before.past_requests

    # -- its start

    def privilegedStartService(self) -> None:
        """
        Take the port.

        Raises:
            CannotListenError, OSError: it is taken, or cannot be had. An endpoint that finds that
                out later has it logged.
            ValueError: strangers could reach what only this machine's users may.
        """
        if self._taking is not None:
            return
        if self._factory.stopping:
            self._next_factory()
        raised: list[Failure] = []
        at_once = True

        def not_taken(failure: Failure) -> None:
            if at_once:
                raised.append(failure)
            elif not failure.check(CancelledError):  # it was stopped meanwhile
                _log.failure("txremote cannot listen on {what}", failure, what=self.description)

        self._taking = Deferred.fromCoroutine(self._take()).addErrback(not_taken)
        at_once = False
        if raised:
            self._taking = None  # another start may have better luck
            raised[0].raiseException()

    async def _take(self) -> None:
        factory = self._factory
        if self._ports_closing is not None:  # those of the time before
            await follow(self._ports_closing)
        port = await listen_guarded(self._endpoint, factory, self.refusal)
        if factory.stopping:  # an endpoint may take no notice of being cancelled
            port.stopListening()
            return
        self.ports.append(port)
        where = address_of_port(port)
        _log.info("txremote serves on {where} ({what})", where=where, what=self.description)

    def startService(self) -> None:
        """Take the port, unless `privilegedStartService` has done so; see there."""
        if self.running:
            return
        self.privilegedStartService()
        super().startService()  # type: ignore[no-untyped-call]
        stop_order.enter(self)
        self._trigger = self._reactor.addSystemEventTrigger("before", "shutdown", self._shut_down)

    def _shut_down(self) -> Deferred[None]:
        self._trigger = None  # it cannot be taken back any more
        return self.stopService()

    # -- its end

    def stopService(self) -> Deferred[None]:
        """
        Give the port back, let the calls in flight end, and close every connection.

        Returns:
            A Deferred that fires when nothing is left: at once if no call is in flight and the
            clients read; soon after ``drain`` seconds at the latest.
        """
        super().stopService()  # type: ignore[no-untyped-call]
        stop_order.leave(self)
        if self._trigger is not None:
            self._reactor.removeSystemEventTrigger(self._trigger)
            self._trigger = None
        taking, self._taking = self._taking, None
        if taking is not None:
            self._stopping = Deferred.fromCoroutine(self._stop(taking)).addErrback(
                lambda failure: _log.failure("{service} did not stop well", failure, service=self)
            )
            stop_order.keep_for(self._stopping)
        return self._stopped()

    def _stopped(self) -> Deferred[None]:
        """Return a new Deferred of the end of the last stop."""
        if self._stopping is None:
            return succeeded(None)
        told: AwaitableDeferred[None] = AwaitableDeferred(lambda _told: None)

        def tell(_none: None) -> None:
            if not told.called:
                told.callback(None)

        self._stopping.addCallback(tell)
        return awaitable(told, LoopGuard(self._loop))

    async def _stop(self, taking: Deferred[None]) -> None:
        finishing = self._factory.finish_all(self.drain)
        taking.cancel()
        ports, self.ports = self.ports, []
        stopping = [closed for port in ports if (closed := port.stopListening()) is not None]
        self._ports_closing = DeferredList(stopping, consumeErrors=True)
        await follow(self._ports_closing)
        await finishing

    def close_now(self) -> None:
        """Close every connection now, while it stops: calls in flight are cancelled."""
        self._factory.close_all()
        steady(self._reactor).callLater(LAST_WORDS, self._factory.drop_all)
