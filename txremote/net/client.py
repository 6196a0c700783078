"""
`RemoteClient`: a connection that comes back.

Twisted's `ClientService` decides when to dial again. `connect` is the endpoint that it dials; the
login and ``on_connect`` are its ``prepareConnection``. In the reactor's next turn the
connection is live, and the Deferreds that wait have it.

Nothing is sent twice: a call that is in flight when its connection ends fails with
`ConnectionLost`; one that waits for a connection has not been sent, and fails with
`DeadReferenceError` if none comes in time. No code of a user's runs while `ClientService` is in
the midst of a transition: it could not be stopped from there (Twisted 26.10: RuntimeError).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NoReturn

from twisted.application.internet import ClientService, backoffPolicy
from twisted.application.service import Service
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import (
    CancelledError,
    Deferred,
    gatherResults,
    maybeDeferred,
)
from twisted.internet.interfaces import IDelayedCall, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from txremote.config import ConnectionConfig, make_config, with_values
from txremote.errors import ConnectionLost, DeadReferenceError, ServerStopping
from txremote.eventloop.client_status import ClientStatus, next_delay
from txremote.eventloop.executor import LoopExecutor
from txremote.eventloop.login_refusals import in_words
from txremote.eventloop.reactor import chosen_reactor
from txremote.eventloop.stop_order import stop_order
from txremote.levels import Logger
from txremote.net.client_endpoint import ClientEndpoint, until_lost
from txremote.net.client_login import log_in
from txremote.net.connect import connect
from txremote.net.connection_waiters import ConnectionWaiters
from txremote.net.tls import client_endpoint_of
from txremote.peer.connection import Connection
from txremote.peer.pending_calls import already_answered
from txremote.peer.tls_words import refused_own
from txremote.refs.awaiting import awaitable, failed, succeeded
from txremote.refs.clock import Reactor, steady
from txremote.refs.reference import LateReference, RemotePath, RemoteReference
from txremote.refs.sharing import follow
from txremote.service import VoidService, check_service

_log = Logger("txremote")

_usual_policy = backoffPolicy()

_STOPPING = "the server is stopping"


class _Stopped(CancelledError):
    """Fails waiting Deferreds when the service is stopped, as `ClientService` does."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the client of {name} is stopped")


class RemoteClient(Service):
    """
    A connection that is made again whenever it is lost (an `IService`).

    A txremote server that stops in order says so first. From then on new calls wait for
    the next connection; those in flight end on the old one.

    All methods are for the reactor's thread. It is started as any service is: by
    ``setServiceParent``, or ``startService()``.

    Args:
        endpoint: A client endpoint, or the server's name; see `connect`.
        service: This side's service on each connection; nothing if None.
        config: Switches, as a `ConnectionConfig` or a mapping.
        dialect: ``"6"``, ``"5"`` or ``"auto"``; see `connect`.
        timeout: Seconds that a try may take to connect, and again to log in and
            be done with ``on_connect``. None: for ever.
        wait_timeout: Seconds that a call on `root` waits for a connection. None:
            for ever.
        login: ``(user, password)``: ``root.login(user, password)`` is called on
            each connection, and the reference that it gives is the root from then
            on. If it is refused there are no more tries.
        on_connect: Called with each new connection, after the login and before
            any call is sent on it; may give a Deferred or be a coroutine. An
            exception closes the connection and counts as a failed try;
            `twisted.cred.error.UnauthorizedLogin` ends the trying.
        retry_policy: How many failures in a row -> seconds until the next try;
            Twisted's `backoffPolicy()`, which has jitter, if None.
        values: The switch ``values`` for this side's service, if not None.
        reactor: The reactor and clock; the running one if None.

    Attributes:
        root: The server's root, on whichever connection is live when a path from
            it is called or awaited. A call waits while there is none.

    Raises:
        TypeError: the service is none, or a switch is not known.
        ValueError: the description, the dialect or a time-out is none.
    """

    def __init__(
        self,
        endpoint: str | IStreamClientEndpoint,
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
        reactor: Reactor | None = None,
    ) -> None:
        reactor = chosen_reactor(reactor)
        client_endpoint_of(reactor, endpoint)  # to refuse it now and not at each try
        if dialect not in ("auto", "5", "6"):
            raise ValueError(f"no dialect {dialect!r}: it is 'auto', '6' or '5'")
        for name, seconds in (("timeout", timeout), ("wait_timeout", wait_timeout)):
            if seconds is not None and not seconds > 0:
                raise ValueError(f"{name} is a positive number of seconds or None, not {seconds!r}")
        self._name = endpoint if isinstance(endpoint, str) else repr(endpoint)
        self._connect = partial(
            connect,
            endpoint,
            service=check_service(VoidService if service is None else service),
            config=with_values(make_config(config), values),
            dialect=dialect,
            timeout=timeout,
            reactor=reactor,
        )
        self._timeout = timeout
        self._wait_timeout = wait_timeout
        self._login = login
        self._on_connect = on_connect
        self._retry_policy = _usual_policy if retry_policy is None else retry_policy
        self._clock = steady(reactor)
        self._executor = LoopExecutor(reactor)
        self._redialling = ClientService(
            ClientEndpoint(self._dial, self._name),
            Factory.forProtocol(Protocol),
            retryPolicy=self._delay,
            clock=self._clock,
            prepareConnection=self._prepare,
        )
        self._status = ClientStatus("stopped", "not started yet")
        self._next_try: float | None = None  # on its clock
        self._stopping = 0  # how many stopService() are under way
        self._stopped = False
        self._refused: UnauthorizedLogin | None = None
        self._live: Connection | None = None
        self._going_live: IDelayedCall | None = None
        self._open: set[Connection] = set()  # those that are prepared or closed included
        self._waiters = ConnectionWaiters()
        name = f"the root of {self._name}"
        late = LateReference(self._fetch_root, self._executor, name, self._root_now)
        self.root = RemotePath(late, ())

    def __repr__(self) -> str:
        return f"<RemoteClient of {self._name} ({self._status.state})>"

    @property
    def status(self) -> ClientStatus:
        """How it is doing now."""
        if self._next_try is None:
            return self._status
        return replace(self._status, next_try=max(0.0, self._next_try - self._clock.seconds()))

    def whenConnected(self, failAfterFailures: int | None = None) -> Deferred[Connection]:
        """
        Return a Deferred of the live connection, or of the next one.

        Args:
            failAfterFailures: Give up after this many failed attempts; None: never.

        Returns:
            A Deferred of a `Connection`, logged in and with ``on_connect`` done.
            `CancelledError` where the service is stopped, `UnauthorizedLogin`
            where the credentials were refused. Cancelling it ends the waiting.
        """
        live = self._usable()
        if live is not None:
            return succeeded(live)
        if self._stopped:
            return failed(_Stopped(self._name))
        if self._refused is not None:
            return failed(UnauthorizedLogin(*self._refused.args))
        return awaitable(self._waiters.add(failAfterFailures), self._executor.guard)

    def startService(self) -> None:
        """Start connecting; after `stopService` also with credentials that were refused."""
        if self.running:
            return
        super().startService()  # type: ignore[no-untyped-call]
        self._stopped = False
        self._refused = None
        self._note("connecting", "started", tries=0)
        if not self._stopping:
            self._redialling.startService()

    def stopService(self) -> Deferred[None]:
        """
        Close the connection and try no more. Calls in flight, and those that wait, fail.

        As a part of an application that stops it first waits for the servers of that, whose calls
        may use it until they end.

        Returns:
            A Deferred that fires when nothing is left.
        """
        return awaitable(stop_order.of_service(self, self._stop), self._executor.guard)

    def _stop(self) -> Deferred[None]:
        def stopped(_ended: object) -> None:
            self._stopping -= 1
            if self.running and not self._stopping:  # started again meanwhile
                self._redialling.startService()

        super().stopService()  # type: ignore[no-untyped-call]
        self._stopped = True
        self._stopping += 1
        self._note("stopped", "stopped by stopService()")
        self._end_live()
        endings: list[Deferred[Any]] = [self._redialling.stopService()]
        endings += [connection.close() for connection in list(self._open)]
        self._waiters.fire(lambda: Failure(_Stopped(self._name)))
        return gatherResults(endings).addCallback(stopped)

    def _usable(self) -> Connection | None:
        """Return the connection that a call can be sent on, if there is one."""
        live = self._live
        return live if live is not None and _is_open(live) else None

    def _root_now(self) -> RemoteReference | None:
        live = self._usable()
        root = None if live is None else live.root
        return root if isinstance(root, RemoteReference) else None

    def _fetch_root(self) -> Deferred[RemoteReference]:
        self._executor.guard.check()
        live = self._usable()
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
            if failure.check(_Stopped):
                raise DeadReferenceError(f"not sent: {failure.value}")
            return failure

        waiting = self.whenConnected()
        if self._wait_timeout is not None and not waiting.called:
            waiting.addTimeout(self._wait_timeout, self._clock, waited)
        return waiting.addCallbacks(lambda connection: connection.root, failed)

    def _dial(self) -> Deferred[Connection]:
        def dial(_nothing: object) -> Deferred[Connection]:
            status = self._status
            self._note("connecting", status.happened, status.error, status.tries + 1)
            return self._connect()

        def not_dialled(failure: Failure) -> Any:
            error = failure.value
            assert error is not None
            if refused_own(error.__cause__) and not self._stopping:
                return self._give_up(Failure(UnauthorizedLogin(str(error))))
            return self._failed(failure, "no connection")

        # ClientService dials within a transition, and an endpoint may fail at once
        return deferLater(self._clock, 0).addCallback(dial).addErrback(not_dialled)

    def _prepare(self, protocol: Any) -> Deferred[None]:
        connection: Connection = protocol.transport.connection
        self._open.add(connection)
        connection.when_disconnected().addCallback(lambda _ended: self._open.discard(connection))
        outcome = until_lost(Deferred.fromCoroutine(self._introduce(connection)), connection)
        if self._timeout is not None:

            def timed_out(_result: object, timeout: float) -> NoReturn:
                raise TimeoutError(f"login and on_connect took longer than {timeout:g} s")

            outcome.addTimeout(self._timeout, self._clock, timed_out)

        def prepared(_done: object) -> None:
            if self._stopping:  # by on_connect
                raise _Stopped(self._name)
            if not _is_open(connection):  # on_connect waited for that, or did it
                raise ConnectionLost(connection.why_ended)
            if connection.peer_stopping:
                raise ServerStopping(_STOPPING)
            connection.when_disconnected().addCallback(lost)
            connection.on_peer_stopping = leave
            self._going_live = self._clock.callLater(0, self._went_live, connection)

        def lost(ended: BaseException) -> None:
            if not connection.peer_stopping:  # else it was left then
                self._dial_anew(f"lost: {connection.why_ended}", ended, protocol)

        def leave() -> None:
            # calls in flight end on this one, which the server closes after the last of them
            self._dial_anew(_STOPPING, ServerStopping(_STOPPING), protocol)

        def not_prepared(failure: Failure) -> Any:
            connection.close()
            if failure.check(UnauthorizedLogin) and not self._stopping:
                return self._give_up(failure)
            return self._failed(failure, "connected, but")

        return outcome.addCallback(prepared).addErrback(not_prepared)

    async def _introduce(self, connection: Connection) -> None:
        if self._login is not None:
            await log_in(connection, *self._login)
        if self._on_connect is None:
            return
        try:
            await follow(maybeDeferred(self._on_connect, connection))
        except (CancelledError, ConnectionLost, DeadReferenceError, UnauthorizedLogin):
            raise
        except Exception:  # the user's own, who has to see where it came from
            _log.failure("on_connect of {client!r} failed", client=self)
            raise

    def _went_live(self, connection: Connection) -> None:
        self._going_live = None
        self._live = connection
        self._note("connected", f"reached {self._name}")
        _log.info("{client!r}: {happened}", client=self, happened=self._status.happened)
        self._waiters.fire(lambda: connection)

    def _end_live(self) -> None:
        self._live = None
        if self._going_live is not None:
            self._going_live.cancel()
            self._going_live = None

    def _dial_anew(self, happened: str, error: BaseException, protocol: Any) -> None:
        self._end_live()
        if not self._stopping:
            self._note("connecting", happened, error, tries=0)
            _log.warn("{client!r}: {happened}", client=self, happened=happened)
        protocol.connectionLost(Failure(error))

    def _failed(self, failure: Failure, where: str) -> Failure:
        if not self._stopping:
            error = failure.value
            assert error is not None
            self._note("connecting", f"{where}: {in_words(error)}", error)
            _log.warn("{client!r}: {happened}", client=self, happened=self._status.happened)
            self._waiters.attempt_failed(failure)
        return failure

    def _give_up(self, failure: Failure) -> Failure | Deferred[object]:
        """End the trying: the try lasts on until it is cancelled, by `stopService`."""
        error: Any = failure.value
        self._refused = error
        self._note("refused", str(error), error)
        _log.error("{client!r}: {happened}", client=self, happened=self._status.happened)
        self._waiters.fire(lambda: Failure(UnauthorizedLogin(*error.args)))
        # one of those may have stopped it just now
        return failure if self._stopping else Deferred()

    def _delay(self, failures: int) -> float:
        """Return the seconds until the next try (`ClientService`'s ``retryPolicy``)."""
        # an exception would stop ClientService without a word
        delay = next_delay(self, failures, self._retry_policy, _usual_policy)
        self._status = replace(self._status, state="waiting")
        self._next_try = self._clock.seconds() + delay
        return delay

    def _note(
        self,
        state: str,
        happened: str,
        error: BaseException | None = None,
        tries: int | None = None,
    ) -> None:
        self._next_try = None
        tries = self._status.tries if tries is None else tries
        self._status = ClientStatus(state, happened, error, tries)


def _is_open(connection: Connection) -> bool:
    # one that is on its way out would only tell a call that it is dead
    return not (connection.closed or getattr(connection.transport, "disconnecting", False))
