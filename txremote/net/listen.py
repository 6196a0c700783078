"""Serving: `listen`, and the factory that makes a `Connection` for each client."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from typing import Any

from twisted.cred.portal import Portal
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import Factory
from twisted.logger import LogLevel

from txremote.classic import opens_everything
from txremote.config import ConnectionConfig, make_config, with_values
from txremote.eventloop.connection_limits import ConnectionLimits, host_of
from txremote.eventloop.executor import LaneExecutor, LoopExecutor
from txremote.eventloop.login_throttle import LoginThrottle
from txremote.eventloop.reactor import chosen_reactor
from txremote.eventloop.worker_pool import WorkerPool
from txremote.gate.access import AccessPolicy
from txremote.levels import Logger
from txremote.net.draining import WHY as STOPPING, Draining
from txremote.net.login import LoginService
from txremote.net.tls import asks_for_certificates
from txremote.net.transport import prepare
from txremote.net.unixsockets import server_endpoint, take_port
from txremote.peer.abandoned import Closings
from txremote.peer.connection import Connection, is_local
from txremote.peer.exports import ClassNumbers
from txremote.peer.failing import FailureLog
from txremote.peer.imports import ReleaseSweeper
from txremote.peer.inbound import Operations
from txremote.peer.lifecycle import GOODBYE
from txremote.peer.logging import RateLimitedCount, logger_for
from txremote.peer.memory_budget import MemoryBudget
from txremote.peer.naming import about, address_text
from txremote.peer.request import MakeRequest, Request
from txremote.peer.variables import Variables
from txremote.refs.awaiting import awaitable
from txremote.refs.clock import Reactor, steady
from txremote.refs.threadguard import LoopGuard
from txremote.servername import listening_description
from txremote.service import VoidService, check_service, config_of, is_threaded
from txremote.wire.naming import class_name

_log = Logger("txremote")
_events = logger_for("connection")

#: How many clients at once are told that they cannot be served (further ones are dropped), and
#: how many seconds they have to ask.
MOST_TURNED_AWAY = 100
TURNED_AWAY_FOR = 5.0

#: Seconds that generators have to close when the last connection has ended.
LAST_STEPS = 1.0


def refusal(service: object, config: ConnectionConfig) -> str | None:
    """
    Return why strangers must not be able to connect, as a sentence, or None if they may.

    The switches are those of its connections, the service's own included (`config_of`).
    """
    if opens_everything(service):
        return _refusal("a classic service", "this whole account")
    if config.allow_all_attrs:
        return _refusal("access='classic' (option allow_all_attrs)", "this whole account")
    return None


def refusal_of_hosted(service: object, config: ConnectionConfig) -> str | None:
    """
    Do as `refusal`, stricter, for what twistd hosts: an operator sets switches for a service
    that somebody else wrote, so strangers get nothing that is not exposed.
    """
    loose = ", ".join(config.looser_than_exposed)
    why_not = refusal(service, config)
    return _refusal(loose, "more than what is exposed") if loose and why_not is None else why_not


def _refusal(cause: str, given: str) -> str:
    return (
        f"{cause} gives whoever connects {given}: it is served on loopback "
        "(interface=127.0.0.1), on a UNIX socket (unix:PATH), or with TLS that requires client "
        "certificates"
    )


class ServingFactory(Factory):
    """
    Makes the connections of a listener; for its arguments see `listen`.

    Args:
        slots: How many worker threads may run at once; None for the usual number.

    Attributes:
        served: The service, or the one that users have after their login.
        config: The switches of its connections, the service's own included.
        stopping: Whether `finish_all` was called: it takes no clients any more.
        make_request: Makes the requests of the connections that are still to come.
        operations: The operators' methods (`InboundCalls.offer_operations`); None for nothing.
        refused_total: How many clients were turned away.
        past_requests: How many requests were received over connections that have ended.
    """

    noisy = False

    def __init__(
        self,
        reactor: Reactor,
        root: object,
        config: ConnectionConfig | Mapping[str, Any] | None = None,
        threaded_service: bool | None = None,
        slots: int | None = None,
    ) -> None:
        self._portal = root if isinstance(root, Portal) else None
        # what the users see, as far as that can be told
        served = getattr(root.realm, "service", VoidService) if isinstance(root, Portal) else root
        self.served = check_service(served)
        self.config = config_of(served, make_config(config))
        self._reactor = reactor = chosen_reactor(reactor)
        self._clock = steady(reactor)
        self._workers = WorkerPool(slots, self.config.max_threads)
        self._closings = Closings()
        self._executor = LoopExecutor(reactor, self._workers, self._closings)
        self._threaded = is_threaded(served) if threaded_service is None else threaded_service
        self._make_connection = partial(
            Connection,
            config=self.config,
            policy=AccessPolicy(self.config),
            clock=self._clock,
            prepare=prepare,
        )
        self._classes = ClassNumbers()
        self._sweeper = ReleaseSweeper(self._clock)
        self.limits = ConnectionLimits(self.config)
        self._turned_away: set[Connection] = set()
        self._refused = RateLimitedCount()
        self._broken = RateLimitedCount()
        self._failures = FailureLog(self._clock)
        self._memory = MemoryBudget(
            self.config.max_held, self.config.max_held_per_address, self.limits.connections.get
        )
        self.stopping = False
        self.make_request: MakeRequest = Request
        self.operations: Operations | None = None
        self.refused_total = 0
        self.past_requests = 0
        self._throttle = LoginThrottle(self._clock)
        self._draining = Draining(_name_of(self.served), lambda: self.connections, self._clock)
        self._ended = self._gone  # one bound method for all

    def logPrefix(self) -> str:
        """Return its name for Twisted's log."""
        return "txremote"

    def buildProtocol(self, addr: IAddress | None) -> Connection | None:
        """Make a connection; None drops the client: its service could not be made, say."""
        host = host_of(addr)
        refusal = STOPPING if self.stopping else self.limits.refusal(host)
        if refusal is not None:
            return self._turn_away(addr, refusal)
        executor = LaneExecutor(self._executor) if self._threaded else self._executor
        variables = executor.variables()
        try:
            service = self._make_service(variables)
        except Exception:
            where = address_text(addr)
            _log.failure("{root!r} could not be made for {peer}", root=self.served, peer=where)
            return None
        connection = self._make_connection(
            service,
            executor=executor,
            classes=self._classes,
            sweeper=self._sweeper,
            ended=self._ended,
            variables=variables,
            make_request=self.make_request,
        )
        if self.operations is not None:
            connection.inbound.offer_operations(self.operations)
        connection.factory = self
        connection.log_limit = self._broken
        connection.inbound.answers.failures = self._failures
        _events.debug("{peer} has come", peer=address_text(addr))
        connection.join(self._memory)
        self.limits.add(connection, host, expects_login=self._portal is not None)
        return connection

    def _make_service(self, variables: Variables) -> object:
        if self._portal is not None:
            return LoginService(self._portal, self._reactor, self._throttle, self.limits.logged_in)
        return variables.run(self.served) if isinstance(self.served, type) else self.served

    @property
    def connections(self) -> Mapping[Connection, str | None]:
        """Those that are open, each with its client's host."""
        return self.limits.connections

    def _gone(self, connection: Connection) -> None:
        self.limits.remove(connection)
        requests = connection.inbound.received
        self.past_requests += requests
        ordinary = connection.why_ended == GOODBYE
        # peers that speak no RPyC may be thousands a second, and have been logged in numbers
        _events.emit(
            LogLevel.debug if connection.closing.protocol_broken else LogLevel.info,
            "{who} left after {seconds:.1f} s, {requests} "
            f"{'request' if requests == 1 else 'requests'}{'' if ordinary else ': {why}'}",
            seconds=round(self._clock.seconds() - connection.opened, 3),
            requests=requests,
            why=connection.why_ended,
            **about(connection),
        )

    @property
    def expects_login(self) -> bool:
        """Whether its clients have to log in."""
        return self._portal is not None

    @property
    def refusal(self) -> str | None:
        """Why strangers must not be able to connect, to log in even; None if they may."""
        return refusal(self.served, self.config)

    def _turn_away(self, addr: IAddress | None, why: str) -> Connection | None:
        self.refused_total += 1
        count = self._refused.one_more(self._clock.seconds())
        if count:
            _log.warn(
                "refused {count} connections, the last of {peer}: {why}",
                count=count,
                peer=address_text(addr),
                why=why,
            )
        if len(self._turned_away) >= MOST_TURNED_AWAY:
            return None
        connection = self._make_connection(
            VoidService(), executor=self._executor, ended=self._turned_away.discard
        )
        connection.log_limit = self._broken
        connection.closing.turn_away(ConnectionRefusedError(why), TURNED_AWAY_FOR)
        self._turned_away.add(connection)
        return connection

    def close_all(self) -> Deferred[object]:
        """
        Close every connection; the Deferred fires when the last one has ended, and the
        generators that their peers have left are closed, or `LAST_STEPS` seconds later.
        """
        if self.stopping:
            self._draining.cut()
        everybody = [*self.connections, *self._turned_away]
        ending = DeferredList([connection.close() for connection in everybody])
        return ending.addCallback(self._generators_closed)

    def _generators_closed(self, result: object) -> Deferred[object]:
        closed = self._closings.ended()
        if not closed.called:
            closed.addTimeout(LAST_STEPS, self._clock, lambda *_too_long: None)
        return closed.addCallback(lambda _none: result)

    def drop_all(self) -> None:
        """Close every connection at once, whatever is still unsent."""
        for connection in [*self.connections, *self._turned_away]:
            connection.stream.abortConnection()

    def finish_all(self, drain: float) -> Deferred[object]:
        """
        Refuse new calls, let those in flight end, for ``drain`` seconds at most, and close; the
        Deferred is as that of `close_all`.
        """
        self.stopping = True
        if drain <= 0:
            return self.close_all()
        ending = self._draining.begin(drain, self.close_all)
        for connection in list(self._turned_away):
            connection.close()
        return ending.addCallback(self._generators_closed)


def _name_of(served: object) -> str:
    return class_name(served if isinstance(served, type) else type(served))


def server_endpoint_of(reactor: Any, where: object) -> IStreamServerEndpoint:
    """Return the endpoint of what says where to listen; for both see `listen`."""
    no_place = (
        f"no place to listen: {where!r}. It is 'HOST:PORT', 'unix:PATH', a server endpoint or its "
        "description"
    )
    if isinstance(where, str):
        try:
            return server_endpoint(reactor, listening_description(where))
        except ValueError as problem:
            if str(problem).startswith("Unknown endpoint type"):  # Twisted's words
                raise ValueError(no_place) from None
            raise
    if not hasattr(where, "listen"):
        raise TypeError(no_place)
    endpoint: Any = where
    return endpoint  # type: ignore[no-any-return]


def address_of_port(port: IListeningPort) -> str:
    """Return where a port listens, as `connect` takes it: ``127.0.0.1:18861``, ``unix:PATH``."""
    where: Any = port.getHost()
    if isinstance(where, IPv4Address):
        return f"{where.host}:{where.port}"
    if isinstance(where, IPv6Address):
        return f"[{where.host}]:{where.port}"
    if isinstance(where, UNIXAddress):
        return f"unix:{os.fsdecode(where.name or b'')}"
    return str(where)


async def listen_guarded(
    endpoint: IStreamServerEndpoint, factory: IProtocolFactory, why_not: str | None
) -> IListeningPort:
    """
    Listen on an endpoint; where `refusal` or `refusal_of_hosted` says ``why_not``, only if
    strangers cannot connect to it.

    Raises:
        CannotListenError: it is taken.
        ValueError: strangers could connect to it; the text is the reason.
    """
    port = await take_port(endpoint, factory, why_not is not None)
    if why_not is None or is_local(port.getHost()) or asks_for_certificates(endpoint):
        return port
    port.stopListening()  # at once: nobody has been accepted yet, and nobody will be
    raise ValueError(why_not)


def listen(
    endpoint: str | IStreamServerEndpoint,
    root: object,
    *,
    config: ConnectionConfig | Mapping[str, Any] | None = None,
    threaded_service: bool | None = None,
    values: bool | None = None,
    reactor: Reactor | None = None,
) -> Deferred[IListeningPort]:
    """
    Serve objects on an endpoint. To be called in the reactor's thread.

    Args:
        endpoint: ``"HOST:PORT"``, such as ``"127.0.0.1:18861"``; a server endpoint, or its
            description as `twisted.internet.endpoints.serverFromString` takes it, such as
            ``"tcp:18861:interface=127.0.0.1"``. A description without
            ``interface`` listens on every address of the machine. A UNIX socket
            without ``mode=`` has the rights that the umask leaves; 0600 where
            whoever connects may do more than what is exposed.
        root: A `Service` subclass, of which each connection gets an instance;
            or an instance, which all share; or a `twisted.cred.portal.Portal`,
            whose avatars are what a user sees after ``root.login(user, password)``
            (see `txremote.net.login`).
        config: Switches, as a `ConnectionConfig` or a mapping.
        threaded_service: Whether a connection's requests run one after the
            other in a worker thread, with netrefs for references, as RPyC runs
            them. None: for services that are not txremote's own, such as an
            ``rpyc.Service``, and for those whose ``threaded_service`` says so.
        values: The switch ``values``, if not None: whether what is annotated with value types
            travels as copies, and is checked.
        reactor: The reactor; the running one if None.

    Returns:
        A Deferred of the port; `CannotListenError` where it is taken.

    Raises:
        TypeError: the root is no service, a switch is not known, or the endpoint is none.
        ValueError: the description is none, or a switch is out of range. The
            Deferred has it too, for a classic service that strangers can reach, or
            another with ``access="classic"``.
    """
    reactor = chosen_reactor(reactor)
    switches = with_values(make_config(config), values)
    factory = ServingFactory(reactor, root, switches, threaded_service)
    where = server_endpoint_of(reactor, endpoint)
    listening = Deferred.fromCoroutine(listen_guarded(where, factory, factory.refusal))
    return awaitable(listening, LoopGuard(reactor))
