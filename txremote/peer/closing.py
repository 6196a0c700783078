"""
`Ending`: how a connection ends, which it does once.

It may be this side that hangs up, in order (`Ending.hang_up`: what is unsent goes
out first) or at once (`Ending.give_up`: nothing that is sent would arrive); or the
peer, or the network. Whoever is first says why, in words that whoever asks later
gets to see: `Ending.why`.

How it ended is told by what was said, and not by what the socket makes of it: whether
a side that closes leaves a reset behind is a matter of what the other has just sent.
After a good-bye, of either side, it ended well (`ConnectionDone`); given up, or hung
up and not finished in time, it was aborted (`ConnectionAborted`); without a good-bye
it was the transport's affair, but what ends in the middle of a message was lost.

A connection that has been hung up reads nothing more. It ends within
`CLOSE_TIMEOUT` seconds even if the peer reads nothing; then, and not before, those
who watch it are told.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.error import ConnectionLost as TwistedConnectionLost

from txremote.errors import ConnectionLost, RemoteProtocolError, ServerStopping
from txremote.peer.inbound import InboundCalls
from txremote.peer.logging import RateLimitedCount, logger_for
from txremote.peer.outbound import OutboundCalls
from txremote.peer.outbox import Outbox
from txremote.peer.pending_calls import Clock
from txremote.wire.consts import FEATURE_STOPPING, HANDLE_CLOSE, HANDLE_STOPPING

_events = logger_for("connection")

#: Seconds that a peer has to take what is still unsent when this side hangs up.
CLOSE_TIMEOUT = 5.0

_LOST = "the connection was lost"
_IN_MID_MESSAGE = "the peer closed the connection in the middle of a message"


class Ending:
    """
    The end of one connection.

    Args:
        connection: Which.
        outbox: What is unsent.
        inbound: What the peer has asked.
        outbound: How the peer is told.
        clock: Where time comes from; None: it is not bounded.

    Attributes:
        begun: Whether nothing more can be asked: it has ended, or has been hung up.
        reason: The exception that says how it ended, or None as long as it has not:
            `ConnectionDone` where it ended well.
        broken_off: Whether it ended because the peer broke the protocol.
        sparing: Tells when that is worth an event, where it is shared with other
            connections, or None: each is.
    """

    __slots__ = (
        "_aborted",
        "_clock",
        "_connection",
        "_farewell",
        "_inbound",
        "_lost_why",
        "_outbound",
        "_outbox",
        "_timer",
        "_watchers",
        "begun",
        "broken_off",
        "reason",
        "sparing",
    )

    def __init__(
        self,
        connection: Any,
        *,
        outbox: Outbox,
        inbound: InboundCalls,
        outbound: OutboundCalls,
        clock: Clock | None,
    ) -> None:
        self._connection = connection
        self._outbox = outbox
        self._inbound = inbound
        self._outbound = outbound
        self._clock = clock
        self.begun = False
        self._farewell: str | None = None  # why this side hung up, if it did
        self._lost_why = _LOST
        self._timer: Any = None
        self._aborted = False
        self._watchers: list[Deferred[BaseException]] = []
        self.reason: BaseException | None = None
        self.broken_off = False
        self.sparing: RateLimitedCount | None = None

    @property
    def why(self) -> str:
        """Why it has ended, in words."""
        return self._farewell or self._lost_why

    def watch(self) -> Deferred[BaseException]:
        """Return a new Deferred that fires with the `reason` when it has ended."""
        if self.reason is not None:
            return succeed(self.reason)
        watchers = self._watchers

        def forget(watcher: Deferred[BaseException]) -> None:
            # `tell` leaves the list as it is, so this holds then, too
            watchers.remove(watcher)

        watcher: Deferred[BaseException] = Deferred(forget)
        watchers.append(watcher)
        return watcher

    # -- this side's

    def hang_up(self, why: str) -> None:
        """End it in order, for a reason other than its user's wish."""
        _events.debug("{peer}: {why}", peer=self._peer(), why=why)
        self.close(why)

    def close(self, why: str, say_goodbye: bool = True) -> None:
        """
        Say good-bye, let what is unsent go out, and close.

        Args:
            why: The reason, for whoever asks on this side.
            say_goodbye: Whether the peer is told.
        """
        if self.begun:
            return
        if say_goodbye and self._outbox.dialect is not None:
            self._outbound.tell(HANDLE_CLOSE)
        self._farewell, self.begun = why, True
        self._outbox.finish()
        self._connection.transport.loseConnection()
        if self._clock is not None and self.reason is None:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._clock.callLater(CLOSE_TIMEOUT, self._abort)

    def give_up(self, why: str) -> None:
        """End it at once: nothing that is sent would arrive."""
        if not self.begun:
            self._farewell, self.begun = why, True
            _events.debug("{peer}: {why}", peer=self._peer(), why=why)
            self._abort()

    def break_off(self, error: RemoteProtocolError) -> None:
        """End it because nothing that the peer sends could be understood any more."""
        if self._connection.other_dialect is None:  # else it is dialled once more
            # as text: the error's frames hold all of this, and a log may keep events
            self.broken_off = True
            sparing = self.sparing
            count = 1 if sparing is None else sparing.one_more(self._connection.seconds())
            about = {"peer": self._peer(), "error": str(error)}
            if count == 1:
                _events.warn("{peer} broke the protocol: {error}", **about)
            elif count:
                _events.warn(
                    "{count} connections broke the protocol, the last of {peer}: {error}",
                    count=count,
                    **about,
                )
        self.close(f"the peer broke the protocol: {error}", say_goodbye=False)

    def finish(self, why: str) -> Deferred[BaseException]:
        """
        Answer what was asked, begin nothing new, and close.

        Args:
            why: What new calls are told, as a sentence.

        Returns:
            A Deferred that fires when it has ended; it is for the caller to lose
            patience, and to close.
        """
        if not self.begun:
            if FEATURE_STOPPING in self._connection.features:
                self._outbound.tell(HANDLE_STOPPING)
            self._inbound.finish_all(ServerStopping(why), lambda: self.hang_up(why))
        return self.watch()

    def turn_away(self, why: Exception, patience: float) -> None:
        """
        Tell the peer, at its first request, why it cannot be served, and close.

        Args:
            why: What it is told.
            patience: Seconds until it is closed without having asked.
        """
        self._inbound.turned_away = why
        assert self._clock is not None
        self._timer = self._clock.callLater(patience, self._abort)

    def _abort(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()
        self._aborted = True
        self._connection.transport.abortConnection()

    # -- the transport's

    def lost(self, reason: BaseException, at_boundary: bool) -> None:
        """
        Note that the transport has ended.

        Args:
            reason: How.
            at_boundary: Whether that was between two messages of the peer's.
        """
        if self._aborted:
            reason = ConnectionAborted()
        elif self._farewell is not None:
            reason = ConnectionDone()
        elif not at_boundary and isinstance(reason, ConnectionDone):
            reason = ConnectionLost(_IN_MID_MESSAGE)
        self.reason, self.begun = reason, True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._lost_why = self._farewell or _explain(reason)

    def tell(self) -> None:
        """Tell those who watch."""
        watchers, self._watchers = self._watchers, []
        for watcher in watchers:
            if not watcher.called:  # an earlier one's callback may have cancelled it
                watcher.callback(self.reason)  # type: ignore[arg-type]

    def _peer(self) -> Any:
        transport = self._connection.transport
        return transport.getPeer() if transport is not None else None


def _explain(reason: BaseException) -> str:
    if isinstance(reason, ConnectionDone):
        return "the peer closed the connection"
    if type(reason) is TwistedConnectionLost:  # its text is another in each facet
        return _LOST
    return str(reason) or type(reason).__name__
