"""
`Closing`: how a connection ends, which it does once.

This side may end it, in order or at once, or the peer, or the network: the first cause wins.

`Closing.reason` is derived from what was said, and not from what the socket reports: whether
a close leaves a reset behind depends on what the other side has just sent. After a good-bye
of either side it is `ConnectionDone`. After an abort, or a close that was not finished in
time, it is `ConnectionAborted`. Without a good-bye the transport's reason stands, but an end
in the middle of a message is a loss.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.error import (
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost as TwistedConnectionLost,
)
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from txremote.errors import ConnectionLost, RemoteProtocolError, ServerStopping
from txremote.peer.inbound import InboundCalls
from txremote.peer.lifecycle import (
    ABORTING,
    CLOSED,
    CLOSING,
    DRAINING,
    GOODBYE,
    HANDSHAKING,
)
from txremote.peer.logging import logger_for
from txremote.peer.naming import about
from txremote.peer.outbox import Outbox
from txremote.peer.ports import ConnectionPort
from txremote.peer.tls_words import BEFORE_TLS, in_words
from txremote.peer.variables import outside_calls
from txremote.refs.awaiting import awaitable, succeeded
from txremote.wire.consts import FEATURE_STOPPING, HANDLE_CLOSE, HANDLE_PING, HANDLE_STOPPING
from txremote.wire.framing import SPOKE_TLS
from txremote.wire.messages import PING_DATA

_events = logger_for("connection")

#: Seconds that a peer has to take the unsent bytes when this side closes.
CLOSE_TIMEOUT = 5.0

#: Seconds that a peer has to read that this side stops. What it has sent until then is served.
LEAVE_TIMEOUT = 2.0

_LOST = "the connection was lost"
_IN_MID_MESSAGE = "the peer closed the connection in the middle of a message"


class Closing:
    """
    The end of one connection. Without a clock it is not bounded in time.

    Attributes:
        reason: The exception that says how it has ended, or None as long as it has not.
        awaited: Whether the peer has not read yet that this side stops.
    """

    __slots__ = (
        "_clock",
        "_connection",
        "_inbound",
        "_outbox",
        "_timer",
        "_watchers",
        "awaited",
        "protocol_broken",
        "reason",
        "why",
    )

    def __init__(
        self,
        connection: ConnectionPort,
        *,
        outbox: Outbox,
        inbound: InboundCalls,
        clock: IReactorTime | None,
    ) -> None:
        self._connection = connection
        self._outbox = outbox
        self._inbound = inbound
        self._clock = clock
        self._timer: IDelayedCall | None = None
        self._watchers: list[Deferred[BaseException]] = []
        self.why = _LOST
        self.reason: BaseException | None = None
        self.protocol_broken = False
        self.awaited = False

    def watch(self) -> Deferred[BaseException]:
        """Return a new Deferred that fires with the `reason` when it has ended."""
        if self.reason is not None:
            return succeeded(self.reason)
        watchers = self._watchers

        def forget(watcher: Deferred[BaseException]) -> None:
            # `notify` leaves the list as it is, so this holds then, too
            watchers.remove(watcher)

        watcher: Deferred[BaseException] = Deferred(forget)
        watchers.append(watcher)
        return awaitable(watcher, self._connection.executor.guard)

    # -- this side ends it

    def hang_up(self, why: str) -> None:
        """Close in order, for a reason other than the user's wish, which is logged."""
        _events.debug("{who}: {why}", why=why, **about(self._connection))
        self.close(why)

    def close(self, why: str, say_goodbye: bool = True) -> None:
        """Say good-bye, let unsent bytes go out, and close: within `CLOSE_TIMEOUT` seconds."""
        connection = self._connection
        if connection.state >= CLOSING:
            return
        if say_goodbye and self._outbox.dialect is not None:
            connection.outbound.send_oneway(HANDLE_CLOSE)
            if connection.state >= CLOSING:  # that was more than may be unsent
                return
        self.why = why
        connection.enter(CLOSING)
        self._outbox.finish()
        connection.stream.loseConnection()
        if self._clock is not None and self.reason is None:
            self._stop_timer()
            self._timer = self._clock.callLater(CLOSE_TIMEOUT, self._abort)

    def abort(self, why: str) -> None:
        """End it at once: nothing that is sent would arrive."""
        if self._connection.state < CLOSING:
            self.why = why
            _events.debug("{who}: {why}", why=why, **about(self._connection))
            self._abort()

    def fail(self, error: RemoteProtocolError) -> None:
        """Close because nothing that the peer sends could be understood any more."""
        if self._connection.other_dialect is None:  # else it is dialled once more
            self.protocol_broken = True
            self._log_failure(error)
        said = str(error)
        why = said if said == SPOKE_TLS else f"the peer broke the protocol: {said}"
        self.close(why, say_goodbye=False)

    def _log_failure(self, error: RemoteProtocolError) -> None:
        connection, limit = self._connection, self._connection.log_limit
        count = 1 if limit is None else limit.one_more(connection.seconds())
        # as text: the error's frames hold the whole connection, and a log may keep events
        fields = {**about(connection), "error": str(error)}
        if count == 1 and str(error) == SPOKE_TLS and not connection.knows_peer:
            _events.warn("{who} spoke TLS to a plain port", **fields)
        elif count == 1:
            _events.warn("{who} broke the protocol: {error}", **fields)
        elif count:
            _events.warn(
                "{count} connections broke the protocol, the last of {who}: {error}",
                count=count,
                **fields,
            )

    def drain(self, why: str) -> Deferred[BaseException]:
        """
        Answer the calls that have begun, refuse new ones, and close. Nothing bounds that in
        time: the caller may close it meanwhile.

        A peer that can leave in time has none of its calls refused: those that it has sent before
        it reads that this side stops are served, too. A PING sent behind that tells when it has.
        """
        connection = self._connection
        if connection.state < DRAINING:
            self.why = why
            connection.enter(DRAINING)
            if FEATURE_STOPPING in connection.features:
                connection.outbound.send_oneway(HANDLE_STOPPING)
                self._await_peer()
            self._inbound.ledger.refuse(ServerStopping(why))
            if connection.subscriptions is not None:  # else they would never be over
                connection.subscriptions.end_all(ServerStopping(why))
            self._inbound.close_if_drained()
        return self.watch()

    def _await_peer(self) -> None:
        if self._clock is None:
            return

        def has_read(_result: object) -> None:
            self.awaited = False
            self._inbound.close_if_drained()

        self.awaited = True
        # while it is unanswered, new calls are taken (`CallLedger.admit`)
        asked = self._connection.outbound.request(HANDLE_PING, (PING_DATA,), LEAVE_TIMEOUT, None)
        asked.addBoth(has_read)

    def turn_away(self, error: Exception, timeout: float) -> None:
        """Answer the peer's first request with an error, and close, or after a time-out."""
        self.why = str(error)
        self._inbound.refusal = error
        assert self._clock is not None
        self._timer = self._clock.callLater(timeout, self._abort)

    def _abort(self) -> None:
        self._stop_timer()
        self._connection.enter(ABORTING)
        self._connection.stream.abortConnection()

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    # -- the transport has ended

    def lost(self, reason: BaseException, at_boundary: bool) -> None:
        """Note that the transport has ended, between two messages of the peer's or not."""
        connection = self._connection
        if connection.state is ABORTING:
            reason = ConnectionAborted()
        elif connection.state is CLOSING:
            reason = ConnectionDone()
        else:
            if not at_boundary and isinstance(reason, ConnectionDone):
                reason = ConnectionLost(_IN_MID_MESSAGE)
            # TLS's transport may know more: see txremote.net.tls_checks
            told = getattr(connection.stream, "tls_problem", None)
            in_handshake = connection.state is HANDSHAKING
            self.why = told or _explain(reason, in_handshake)
        self.reason = reason
        connection.enter(CLOSED)
        self._stop_timer()

    def notify(self) -> None:
        """Tell the watchers that it has ended."""
        assert self.reason is not None
        watchers, self._watchers = self._watchers, []
        for watcher in watchers:
            if not watcher.called:  # an earlier one's callback may have cancelled it
                outside_calls(None, watcher.callback, self.reason)


def _explain(reason: BaseException, in_handshake: bool) -> str:
    if in_handshake and isinstance(reason, ConnectionDone | TwistedConnectionLost):
        return BEFORE_TLS
    if isinstance(reason, ConnectionDone):
        return GOODBYE
    if type(reason) is TwistedConnectionLost:  # its text is another in each facet
        return _LOST
    return in_words(reason) or str(reason) or type(reason).__name__
