"""
`Line`: one connection of a `RemoteClient` to one place, made again whenever it is lost.

Twisted's `ClientService` decides when to dial again. `connect` is the endpoint that it dials; the
login and ``on_connect`` are its ``prepareConnection``. In the reactor's next turn the connection
is live, and the line's owner is told.

No code of a user's runs while `ClientService` is in the midst of a transition: it could not be
stopped from there (Twisted 26.10: RuntimeError).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NoReturn, Protocol as Port

from twisted.application.internet import ClientService, backoffPolicy
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import CancelledError, Deferred, gatherResults, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from txremote.errors import ConnectionLost, DeadReferenceError, ServerStopping
from txremote.eventloop.client_status import ClientStatus, next_delay
from txremote.eventloop.login_refusals import in_words
from txremote.levels import Logger
from txremote.net.client_endpoint import ClientEndpoint, until_lost
from txremote.net.client_login import log_in
from txremote.peer.connection import Connection
from txremote.peer.tls_words import refused_own
from txremote.refs.sharing import follow

_log = Logger("txremote")

_usual_policy = backoffPolicy()

_STOPPING = "the server is stopping"


class LineStopped(CancelledError):
    """Fails what waits for a connection when the client is stopped, as `ClientService` does."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the client of {name} is stopped")


@dataclass
class Manner:
    """
    The steps of a client on each of its connections, and when it tries again. For the arguments see
    `RemoteClient`.
    """

    clock: IReactorTime
    timeout: float | None = 30
    login: tuple[str, str] | None = None
    on_connect: Callable[[Connection], object] | None = None
    retry_policy: Callable[[int], float] | None = None


class LineOwner(Port):
    """The client, as its lines use it. None of these stops the line that calls it."""

    def went_live(self, line: Line, connection: Connection) -> None:
        """Take in that calls may be sent on a connection."""

    def went_down(self, line: Line) -> None:
        """Take in that no new call is to be sent on a line."""

    def attempt_failed(self, line: Line, failure: Failure) -> None:
        """Take in that a try has failed."""

    def was_refused(self, line: Line, error: UnauthorizedLogin) -> None:
        """Take in that the credentials were refused: the line tries no more."""


class Line:
    """
    One connection that comes back.

    Args:
        client: Of which client it is, for the log.

    Attributes:
        name: Of its place, for people.
        clock: The loop that it runs in.
        live: The connection that calls are sent on, or None. It may have ended just now: see
            `usable`.
        refused: The refusal of the credentials, or None.
    """

    def __init__(
        self,
        owner: LineOwner,
        name: str,
        connect: Callable[[], Deferred[Connection]],
        manner: Manner,
        client: str,
    ) -> None:
        self._owner = owner
        self.name = name
        self._connect = connect
        self._manner = manner
        self._client = client
        self.clock = manner.clock
        self._redialling = ClientService(
            ClientEndpoint(self._dial, name),
            Factory.forProtocol(Protocol),
            retryPolicy=self._delay,
            clock=self.clock,
            prepareConnection=self._prepare,
        )
        self._status = ClientStatus("stopped", "not started yet")
        self._next_try: float | None = None  # on its clock
        self._running = False
        self._stopping = 0  # how many stop() are under way
        self.refused: UnauthorizedLogin | None = None
        self.live: Connection | None = None
        self._going_live: IDelayedCall | None = None
        self._open: set[Connection] = set()  # those that are prepared or closed included

    def __repr__(self) -> str:
        return f"<RemoteClient of {self._client} ({self._status.state})>"

    @property
    def status(self) -> ClientStatus:
        """How it is doing now."""
        if self.live is not None and not _is_open(self.live):  # of which it is told soon
            return ClientStatus("connecting", "the connection is being closed")
        if self._next_try is None:
            return self._status
        return replace(self._status, next_try=max(0.0, self._next_try - self.clock.seconds()))

    @property
    def usable(self) -> Connection | None:
        """The connection that a call can be sent on, if there is one."""
        live = self.live
        return live if live is not None and _is_open(live) else None

    def start(self) -> None:
        """Start connecting, also after credentials that were refused."""
        self._running = True
        self.refused = None
        self._note("connecting", "started", tries=0)
        if not self._stopping:
            self._redialling.startService()

    def stop(self) -> Deferred[None]:
        """Close the connection and try no more. The Deferred fires when nothing is left."""
        return self._end(Connection.close)

    def leave(self) -> Deferred[None]:
        """Do as `stop`, but let calls end on connections that their server is about to close."""
        return self._end(
            lambda each: each.when_disconnected() if each.peer_stopping else each.close()
        )

    def _end(self, end: Callable[[Connection], Deferred[Any]]) -> Deferred[None]:
        def ended(_ended: object) -> None:
            self._stopping -= 1
            if self._running and not self._stopping:  # started again meanwhile
                self._redialling.startService()

        self._running = False
        self._stopping += 1
        self._note("stopped", "stopped by stopService()")
        self._end_live()
        endings: list[Deferred[Any]] = [self._redialling.stopService()]
        endings += [end(connection) for connection in list(self._open)]
        return gatherResults(endings).addCallback(ended)

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
        return deferLater(self.clock, 0).addCallback(dial).addErrback(not_dialled)

    def _prepare(self, protocol: Any) -> Deferred[None]:
        connection: Connection = protocol.transport.connection
        self._open.add(connection)
        connection.when_disconnected().addCallback(lambda _ended: self._open.discard(connection))
        outcome = until_lost(Deferred.fromCoroutine(self._introduce(connection)), connection)
        if self._manner.timeout is not None:

            def timed_out(_result: object, timeout: float) -> NoReturn:
                raise TimeoutError(f"login and on_connect took longer than {timeout:g} s")

            outcome.addTimeout(self._manner.timeout, self.clock, timed_out)

        def prepared(_done: object) -> None:
            if self._stopping:  # by on_connect
                raise LineStopped(self.name)
            if not _is_open(connection):  # on_connect waited for that, or did it
                raise ConnectionLost(connection.why_ended)
            if connection.peer_stopping:
                raise ServerStopping(_STOPPING)
            connection.when_disconnected().addCallback(lost)
            connection.on_peer_stopping = leave
            self._going_live = self.clock.callLater(0, self._went_live, connection)

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
        manner = self._manner
        if manner.login is not None:
            await log_in(connection, *manner.login)
        if manner.on_connect is None:
            return
        try:
            await follow(maybeDeferred(manner.on_connect, connection))
        except (CancelledError, ConnectionLost, DeadReferenceError, UnauthorizedLogin):
            raise
        except Exception:  # the user's own, who has to see where it came from
            _log.failure("on_connect of {client!r} failed", client=self)
            raise

    def _went_live(self, connection: Connection) -> None:
        self._going_live = None
        self.live = connection
        self._note("connected", f"reached {self.name}")
        self._tell(_log.info)
        self._owner.went_live(self, connection)

    def _end_live(self) -> None:
        self.live = None
        if self._going_live is not None:
            self._going_live.cancel()
            self._going_live = None

    def _dial_anew(self, happened: str, error: BaseException, protocol: Any) -> None:
        self._end_live()
        if not self._stopping:
            self._note("connecting", happened, error, tries=0)
            self._tell(_log.warn)
            self._owner.went_down(self)
        protocol.connectionLost(Failure(error))

    def _failed(self, failure: Failure, where: str) -> Failure:
        if not self._stopping:
            error = failure.value
            assert error is not None
            self._note("connecting", f"{where}: {in_words(error)}", error)
            self._tell(_log.warn)
            self._owner.attempt_failed(self, failure)
        return failure

    def _give_up(self, failure: Failure) -> Failure | Deferred[object]:
        """End the trying: the try lasts on until it is cancelled, by `stop`."""
        error: Any = failure.value
        self.refused = error
        self._note("refused", str(error), error)
        self._tell(_log.error)
        self._owner.was_refused(self, error)
        # one of those that waited may have stopped it just now
        return failure if self._stopping else Deferred()

    def _tell(self, log: Callable[..., None]) -> None:
        log("{client!r}: {happened}", client=self, happened=self._status.happened)

    def _delay(self, failures: int) -> float:
        """Return the seconds until the next try (`ClientService`'s ``retryPolicy``)."""
        # an exception would stop ClientService without a word
        policy = self._manner.retry_policy or _usual_policy
        delay = next_delay(self, failures, policy, _usual_policy)
        self._status = replace(self._status, state="waiting")
        self._next_try = self.clock.seconds() + delay
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
