"""
`ConnectionTimeouts`: the time limits of a connection.

Each connection of a reactor has one of these and, while any of its limits is set, one timer,
which is moved only when it rings:

``frame_timeout``      a message that has begun, or TLS's handshake, has to be complete
                       by then
``keepalive``          a txremote peer that was silent for that long is sent a ping, and
                       has ``keepalive_timeout`` to answer it
``idle_timeout``       a connection without calls in either direction is closed
``login_timeout``      a peer that has to log in has to do it by then

A stock RPyC peer answers nothing while it is idle, so it is sent no ping; TCP's own
keepalive looks after those (`txremote.net.transport`). So it is with a script on txremote's
blocking facet, which serves only while it waits. A connection without a clock has
`NO_TIMEOUTS`.
"""

from __future__ import annotations

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from txremote.errors import AsyncResultTimeout, ConnectionLost, DeadReferenceError
from txremote.peer.ports import ConnectionPort
from txremote.wire.consts import FEATURE_KEEPALIVE


class Timeouts:
    """
    Time limits that are none: of a connection without a clock.

    Attributes:
        active: Set when a call is made or answered. No method, for each call sets it.
    """

    __slots__ = ("active",)

    def __init__(self) -> None:
        self.active = False

    def data_received(self, whole_message: bool, at_boundary: bool) -> None:
        """Note bytes: whether a message is complete, and whether another has not begun."""

    def note_activity(self) -> None:
        """Note that a call has ended that took its time."""

    def expect_handshake(self) -> None:
        """Apply ``frame_timeout`` to the TLS handshake, which begins now."""

    def handshake_done(self) -> None:
        """Note that the TLS handshake is complete."""

    def expect_login(self) -> None:
        """Give the peer ``login_timeout`` from now to log in."""

    def logged_in(self) -> None:
        """Note that the peer has logged in."""

    def peer_known(self) -> None:
        """Begin the keepalive of a peer that has said that it answers pings."""

    def stop(self) -> None:
        """Stop: the connection has ended."""


#: Shared by all connections without a clock.
NO_TIMEOUTS = Timeouts()


class ConnectionTimeouts(Timeouts):
    """The time limits of one connection."""

    __slots__ = (
        "_clock",
        "_connection",
        "_frame_since",
        "_last_data",
        "_last_use",
        "_login_due",
        "_pinged",
        "_pinging",
        "_timer",
    )

    def __init__(self, connection: ConnectionPort, clock: IReactorTime) -> None:
        super().__init__()
        self._connection = connection
        self._clock = clock
        now = connection.opened
        self._last_data = now
        self._last_use = now
        self._frame_since: float | None = None
        self._login_due: float | None = None
        self._pinging = False
        self._pinged = now
        self._timer: IDelayedCall | None = None
        self._set_timer(now)

    def data_received(self, whole_message: bool, at_boundary: bool) -> None:
        now = self._last_data = self._clock.seconds()
        if self.active:
            self.active = False
            self._last_use = now
        if at_boundary:
            self._frame_since = None
        elif whole_message or self._frame_since is None:
            self._frame_since = now
            if self._connection.config.frame_timeout is not None:
                self._ring_by(now + self._connection.config.frame_timeout)

    def note_activity(self) -> None:
        if self._connection.config.idle_timeout is not None:
            self._last_use = self._clock.seconds()

    def expect_handshake(self) -> None:
        self._frame_since = self._clock.seconds()
        if self._connection.config.frame_timeout is not None:
            self._ring_by(self._frame_since + self._connection.config.frame_timeout)

    def handshake_done(self) -> None:
        self._frame_since = None

    def expect_login(self) -> None:
        if self._connection.config.login_timeout is not None:
            self._login_due = self._clock.seconds() + self._connection.config.login_timeout
            self._ring_by(self._login_due)

    def logged_in(self) -> None:
        self._login_due = None

    def peer_known(self) -> None:
        self._set_timer(self._clock.seconds())

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def _answers_pings(self) -> bool:
        return FEATURE_KEEPALIVE in self._connection.features

    def _ring_by(self, when: float) -> None:
        if self._timer is None or self._timer.getTime() > when:
            self.stop()
            left = max(0.0, when - self._clock.seconds())
            self._timer = self._clock.callLater(left, self._ring)

    def _set_timer(self, now: float) -> None:
        config = self._connection.config
        due = []
        if self._frame_since is not None and config.frame_timeout is not None:
            due.append(self._frame_since + config.frame_timeout)
        if config.keepalive is not None and self._answers_pings and not self._pinging:
            due.append(self._last_data + config.keepalive)
        if config.idle_timeout is not None:
            due.append(self._last_use + config.idle_timeout)
        if self._login_due is not None:
            due.append(self._login_due)
        if due:
            self._ring_by(max(min(due), now))

    def _ring(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        connection = self._connection
        config = connection.config
        if self.active or connection.backpressure.busy:
            self.active = False
            self._last_use = now
        if self._frame_since is not None and connection.backpressure.paused:
            self._frame_since = now  # the rest of the message may have long come
        if connection.backpressure.sending:
            # a ping would stand behind it, and TCP itself sees whether it is taken
            self._last_data = now
        if _over(self._frame_since, config.frame_timeout, now):
            connection.closing.abort(
                "a message, or TLS's handshake, was not complete within "
                f"{config.frame_timeout:g} s (option frame_timeout)"
            )
        elif self._login_due is not None and now >= self._login_due:
            connection.closing.hang_up(
                f"no login within {config.login_timeout:g} s (option login_timeout)"
            )
        elif _over(self._last_use, config.idle_timeout, now):
            connection.closing.hang_up(
                f"unused for {config.idle_timeout:g} s (option idle_timeout)"
            )
        else:
            if self._answers_pings and _over(self._last_data, config.keepalive, now):
                self._ping()
            self._set_timer(now)

    def _ping(self) -> None:
        if self._pinging:
            return
        self._pinging = True
        self._pinged = self._clock.seconds()
        pinging = self._connection.ping(b"", self._connection.config.keepalive_timeout)
        self.active = False  # a ping is no use
        pinging.addCallbacks(self._alive, self._dead)

    def _alive(self, _answer: object) -> None:
        self._pinging = False
        self.active = False
        self._set_timer(self._clock.seconds())

    def _dead(self, failure: Failure) -> None:
        if failure.check(AsyncResultTimeout):
            # A reactor that was busy runs its timers first, and then reads what
            # has long come.
            self.stop()
            self._timer = self._clock.callLater(0, self._give_up_if_silent)
        elif not failure.check(ConnectionLost, DeadReferenceError):
            self._alive(failure)  # a wrong answer shows that it lives, too

    def _give_up_if_silent(self) -> None:
        self._timer = None
        self._pinging = False
        if self._last_data >= self._pinged or self._connection.backpressure.sending:
            self._ring()  # the answer stands behind something long, in either direction
        else:
            config = self._connection.config
            self._connection.closing.abort(
                f"the peer gave no sign of life for {config.keepalive_timeout:g} s after "
                f"{config.keepalive:g} s of silence (options keepalive, keepalive_timeout)"
            )


def _over(since: float | None, most: float | None, now: float) -> bool:
    return since is not None and most is not None and now >= since + most
