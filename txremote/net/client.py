"""
`RemoteClient`: connections that come back, to one server or to several.

Its `LinePool` has a `Line` for each connection, which dials again when it is lost. Each call on
`RemoteClient.root` has the connection that is chosen for it then, and waits while there is none.

Nothing is sent twice: a call that is in flight when its connection ends fails with
`ConnectionLost`; one that waits for a connection has not been sent, may go to any place that
is reached, and fails with `DeadReferenceError` if none is in time.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NoReturn, TypeAlias

from twisted.application.service import Service
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.python.failure import Failure

from txremote.config import ConnectionConfig, make_config, with_values
from txremote.errors import DeadReferenceError
from txremote.eventloop.client_status import ClientStatus
from txremote.eventloop.executor import LoopExecutor
from txremote.eventloop.reactor import chosen_reactor
from txremote.eventloop.stop_order import stop_order
from txremote.net.connect import connect
from txremote.net.connection_waiters import ConnectionWaiters
from txremote.net.line import LineStopped, Manner
from txremote.net.line_pool import LinePool
from txremote.net.members import PICKERS
from txremote.net.targets import FromRegistry, Named, Targets
from txremote.peer.connection import Connection
from txremote.peer.unanswered_call import already_answered
from txremote.refs.awaiting import awaitable, failed, succeeded
from txremote.refs.clock import EventLoop, Reactor, steady
from txremote.refs.reference import LateReference, RemotePath, RemoteReference
from txremote.registry.dialled import check_login, check_no_registry
from txremote.registry.ports import Registry
from txremote.servername import server_name
from txremote.service import VoidService, check_service

Endpoint: TypeAlias = "str | IStreamClientEndpoint"


class RemoteClient(Service):
    """
    A connection that is made again whenever it is lost (an `IService`); or some, to several
    servers that offer the same.

    A txremote server that stops in order says so first. From then on new calls go to another
    server, or wait for the next connection; those in flight end on the old one. So it is when a
    connection is lost, but that calls in flight fail: they may have been done, and are never
    sent again.

    All methods are for the reactor's thread. It is started as any service is: by
    ``setServiceParent``, or ``startService()``.

    Args:
        endpoint: A client endpoint, or the server's name, see `connect`; a list of these; or
            ``"registry:NAME"``, whichever servers a registry names as NAME's.
        service: This side's service on each connection; nothing if None.
        config: Switches, as a `ConnectionConfig` or a mapping.
        dialect: ``"6"``, ``"5"`` or ``"auto"``; see `connect`.
        timeout: Seconds that a try may take to connect, and again to log in and
            be done with ``on_connect``. None: for ever.
        wait_timeout: Seconds that a call on `root` waits for a connection. None:
            for ever.
        login: ``(user, password)``: ``root.login(user, password)`` is called on
            each connection, and the reference that it gives is the root from then
            on. If it is refused there are no more tries. Servers that a registry names have to
            show a certificate of yours: ``registry:NAME:ca=FILE``, or ``hostname=NAME``.
        on_connect: Called with each new connection, after the login and before
            any call is sent on it; may give a Deferred or be a coroutine. An
            exception closes the connection and counts as a failed try;
            `twisted.cred.error.UnauthorizedLogin` ends the trying.
        retry_policy: How many failures in a row -> seconds until the next try;
            Twisted's `backoffPolicy()`, which has jitter, if None.
        values: The switch ``values`` for this side's service, if not None.
        pick: Which of several connections has a call: ``"least-busy"``, with the fewest
            unanswered calls; ``"round-robin"``, one after the other; ``"sticky"``, always the
            same server for as long as it can be reached, for what a server keeps in mind. See
            `txremote.net.members`.
        sticky_key: A text: sticky clients that have the same begin with the same server, also
            after a restart. None: one of its own.
        connections: How many there are to each place.
        registry: The registry's URL, or a `Registry`; None: that of ``$TXREMOTE_REGISTRY``.
        reactor: The reactor and clock; the running one if None.

    Attributes:
        root: The server's root, on the connection that is chosen when a path from
            it is called or awaited. A call waits while there is none.

    Raises:
        TypeError: the service is none, or a switch is not known.
        ValueError: the description, the dialect or a time-out is none; a login would be sent to
            anyone whom a registry names.
    """

    def __init__(
        self,
        endpoint: Endpoint | Sequence[Endpoint],
        *,
        service: object = None,
        config: ConnectionConfig | Mapping[str, Any] | None = None,
        dialect: str = "auto",
        timeout: float | None = 30,
        wait_timeout: float | None = 30,
        login: tuple[str, str] | None = None,
        on_connect: Callable[[Connection], object] | None = None,
        retry_policy: Callable[[int], float] | None = None,
        values: bool | None = None,
        pick: str = "least-busy",
        sticky_key: str | None = None,
        connections: int = 1,
        registry: str | Registry | None = None,
        reactor: Reactor | None = None,
    ) -> None:
        reactor = chosen_reactor(reactor)
        self._name, targets = _targets_of(reactor, endpoint, registry, login is not None)
        if dialect not in ("auto", "5", "6"):
            raise ValueError(f"no dialect {dialect!r}: it is 'auto', '6' or '5'")
        for name, seconds in (("timeout", timeout), ("wait_timeout", wait_timeout)):
            if seconds is not None and not seconds > 0:
                raise ValueError(f"{name} is a positive number of seconds or None, not {seconds!r}")
        if pick not in PICKERS:
            raise ValueError(f"pick is one of {', '.join(PICKERS)}, not {pick!r}")
        if connections < 1:
            raise ValueError(f"connections is a number of at least 1, not {connections!r}")
        self._wait_timeout = wait_timeout
        self._clock = steady(reactor)
        self._executor = LoopExecutor(reactor)
        self._manner = Manner(self._clock, timeout, login, on_connect, retry_policy)
        dial = partial(
            connect,
            service=check_service(VoidService if service is None else service),
            config=with_values(make_config(config), values),
            dialect=dialect,
            timeout=timeout,
            reactor=reactor,
        )
        picker = PICKERS[pick](uuid.uuid4().hex if sticky_key is None else sticky_key)
        self._pool = LinePool(self, self._name, targets, picker, dial, self._manner, connections)
        self._stopped = False
        self._waiters = ConnectionWaiters()
        late = LateReference(
            self._fetch_root, self._executor, f"the root of {self._name}", self._root_now
        )
        self.root = RemotePath(late, ())

    def __repr__(self) -> str:
        return f"<RemoteClient of {self._name} ({self.status.state})>"

    @property
    def status(self) -> ClientStatus:
        """How it is doing now; of several connections, as the one that does best."""
        return self._pool.status

    @property
    def statuses(self) -> dict[str, tuple[ClientStatus, ...]]:
        """How each connection is doing, by the name of its place."""
        return self._pool.statuses

    def whenConnected(self, failAfterFailures: int | None = None) -> Deferred[Connection]:
        """
        Return a Deferred of a live connection, the one that a call would have, or of the next one.

        Args:
            failAfterFailures: Give up after this many failed attempts; None: never.

        Returns:
            A Deferred of a `Connection`, logged in and with ``on_connect`` done.
            `CancelledError` where the service is stopped, `UnauthorizedLogin`
            where the credentials were refused. Cancelling it ends the waiting.
        """
        live = self._pool.usable
        if live is not None:
            return succeeded(live)
        if self._stopped:
            return failed(LineStopped(self._name))
        refused = self._pool.refused
        if refused is not None:
            return failed(UnauthorizedLogin(*refused.args))
        self._pool.ask()
        return awaitable(self._waiters.add(failAfterFailures), self._executor.guard)

    def startService(self) -> None:
        """Start connecting; after `stopService` also with credentials that were refused."""
        if self.running:
            return
        super().startService()  # type: ignore[no-untyped-call]
        self._stopped = False
        self._pool.start()

    def stopService(self) -> Deferred[None]:
        """
        Close the connections and try no more. Calls in flight, and those that wait, fail.

        As a part of an application that stops it first waits for the servers of that, whose calls
        may use it until they end.

        Returns:
            A Deferred that fires when nothing is left.
        """
        return awaitable(stop_order.of_service(self, self._stop), self._executor.guard)

    def _stop(self) -> Deferred[None]:
        super().stopService()  # type: ignore[no-untyped-call]
        self._stopped = True
        ending = self._pool.stop()
        self._waiters.fire(lambda: Failure(LineStopped(self._name)))
        return ending

    def _root_now(self) -> RemoteReference | None:
        live = self._pool.first
        root = None if live is None else live.root
        return root if isinstance(root, RemoteReference) else None

    def _fetch_root(self) -> Deferred[RemoteReference]:
        self._executor.guard.check()
        live = self._pool.usable
        if live is not None:
            return already_answered(live.root)
        # a plain Deferred can be iterated, for ever: dict(client.root)
        return already_answered(None).addCallback(lambda _nothing: self._wait_for_root())

    def _wait_for_root(self) -> Deferred[RemoteReference]:
        def waited(_result: object, timeout: float) -> NoReturn:
            status = self.status
            raise DeadReferenceError(
                f"not sent: no connection to {self._name} within {timeout:g} s "
                f"(option wait_timeout); {status}"
            ) from status.error

        def failed(failure: Failure) -> Failure:
            if failure.check(LineStopped):
                raise DeadReferenceError(f"not sent: {failure.value}")
            return failure

        waiting = self.whenConnected()
        if self._wait_timeout is not None and not waiting.called:
            waiting.addTimeout(self._wait_timeout, self._clock, waited)
        return waiting.addCallbacks(lambda connection: connection.root, failed)

    # -- for its pool

    def went_live(self, connection: Connection) -> None:
        """Have those that wait go on."""
        self._waiters.fire(lambda: connection)

    def attempt_failed(self, failure: Failure) -> None:
        """Fail those that have waited through enough failures."""
        self._waiters.attempt_failed(failure)

    def was_refused(self, error: UnauthorizedLogin) -> None:
        """Fail those that wait."""
        self._waiters.fire(lambda: Failure(UnauthorizedLogin(*error.args)))


def _targets_of(
    reactor: EventLoop,
    endpoint: Endpoint | Sequence[Endpoint],
    registry: str | Registry | None,
    logs_in: bool,
) -> tuple[str, Targets]:
    """Return the name of a client's server or servers, and its places."""
    if isinstance(endpoint, str):
        named = server_name(endpoint)
        if named.kind == "registry":
            if logs_in:
                check_login(named)
            return endpoint, FromRegistry(reactor, named, registry)
    check_no_registry(registry, endpoint)
    one = isinstance(endpoint, str) or not isinstance(endpoint, Sequence)
    several: Any = [endpoint] if one else endpoint
    targets = Named(reactor, several)
    return ", ".join(target.name for target in targets.known), targets
