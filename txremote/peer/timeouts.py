"""
`ConnectionTimeouts`: what time does to a connection.

A peer that has gone without a word, or that holds a connection without using it,
costs memory and says nothing. Each connection of a reactor has one of these and,
while any of its times is set, one timer, which is moved only when it rings:

``frame_timeout``      a message that was begun has to be complete by then, and
                       TLS's handshake
``keepalive``          a txremote peer that was silent for that long is asked for a
                       sign of life, and has ``keepalive_timeout`` to give it
``idle_timeout``       a connection on which nobody asks anything is closed
``login_timeout``      a peer that has to log in has to do it by then

A stock RPyC peer answers nothing while it is idle, so it is never asked; TCP's
own keepalive looks after those (`txremote.net.transport`). Nor is a script on
txremote's blocking facet, which serves only while it waits.
"""

from __future__ import annotations

from typing import Any

from twisted.python.failure import Failure

from txremote.config import ConnectionConfig
from txremote.errors import AsyncResultTimeout, ConnectionLost, DeadReferenceError
from txremote.peer.pending_calls import Clock
from txremote.wire.consts import FEATURE_KEEPALIVE
from txremote.wire.framing import FrameReader


class ConnectionTimeouts:
    """
    The times of one connection.

    Args:
        connection: Whose `Connection`.
        clock: Where time comes from.
        config: How long things may take.
        reader: Cuts the stream into messages.

    Attributes:
        recent: Set to True by whoever asks something, in either direction, or is
            answered.
    """

    __slots__ = (
        "_asked",
        "_asking",
        "_clock",
        "_config",
        "_connection",
        "_frame_since",
        "_heard",
        "_login_due",
        "_reader",
        "_timer",
        "_used",
        "recent",
    )

    def __init__(
        self,
        connection: Any,
        clock: Clock,
        config: ConnectionConfig,
        reader: FrameReader,
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._config = config
        self._reader = reader
        now = clock.seconds()
        self._heard = now
        self._used = now
        self.recent = False
        self._frame_since: float | None = None
        self._login_due: float | None = None
        self._asking = False
        self._asked = now
        self._timer: Any = None
        self._set_timer(now)

    def heard(self, whole_message: bool) -> None:
        """
        Bytes have come.

        Args:
            whole_message: Whether a message was complete with them.
        """
        now = self._heard = self._clock.seconds()
        if self.recent:
            self.recent = False
            self._used = now
        if self._reader.at_boundary:
            self._frame_since = None
        elif whole_message or self._frame_since is None:
            self._frame_since = now
            if self._config.frame_timeout is not None:
                self._ring_by(now + self._config.frame_timeout)

    def used(self) -> None:
        """A call has ended that took its time."""
        if self._config.idle_timeout is not None:
            self._used = self._clock.seconds()

    def expect_handshake(self) -> None:
        """Take TLS's handshake, which begins now, for the first message."""
        self._frame_since = self._clock.seconds()
        if self._config.frame_timeout is not None:
            self._ring_by(self._frame_since + self._config.frame_timeout)

    def handshake_done(self) -> None:
        """It was complete."""
        self._frame_since = None

    def expect_login(self) -> None:
        """Give the peer ``login_timeout`` from now to log in."""
        if self._config.login_timeout is not None:
            self._login_due = self._clock.seconds() + self._config.login_timeout
            self._ring_by(self._login_due)

    def logged_in(self) -> None:
        """Wait for that no more."""
        self._login_due = None

    def peer_known(self) -> None:
        """Begin to look after a peer that has said that it answers."""
        self._set_timer(self._clock.seconds())

    def end(self) -> None:
        """Stop: the connection has ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def _answers_pings(self) -> bool:
        return FEATURE_KEEPALIVE in self._connection.features

    def _ring_by(self, when: float) -> None:
        if self._timer is None or self._timer.getTime() > when:
            self.end()
            left = max(0.0, when - self._clock.seconds())
            self._timer = self._clock.callLater(left, self._ring)

    def _set_timer(self, now: float) -> None:
        config = self._config
        due = []
        if self._frame_since is not None and config.frame_timeout is not None:
            due.append(self._frame_since + config.frame_timeout)
        if config.keepalive is not None and self._answers_pings and not self._asking:
            due.append(self._heard + config.keepalive)
        if config.idle_timeout is not None:
            due.append(self._used + config.idle_timeout)
        if self._login_due is not None:
            due.append(self._login_due)
        if due:
            self._ring_by(max(min(due), now))

    def _ring(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        config, connection = self._config, self._connection
        if self.recent or connection.flow.busy:
            self.recent = False
            self._used = now
        if self._frame_since is not None and connection.flow.paused:
            self._frame_since = now  # the rest of the message may have long come
        if connection.flow.sending:
            # a ping would stand behind it, and TCP itself sees whether it is taken
            self._heard = now
        if _over(self._frame_since, config.frame_timeout, now):
            connection.ending.give_up(
                "a message, or TLS's handshake, was not complete within "
                f"{config.frame_timeout:g} s (option frame_timeout)"
            )
        elif self._login_due is not None and now >= self._login_due:
            connection.ending.hang_up(
                f"no login within {config.login_timeout:g} s (option login_timeout)"
            )
        elif _over(self._used, config.idle_timeout, now):
            connection.ending.hang_up(f"unused for {config.idle_timeout:g} s (option idle_timeout)")
        else:
            if self._answers_pings and _over(self._heard, config.keepalive, now):
                self._ask()
            self._set_timer(now)

    def _ask(self) -> None:
        if self._asking:
            return
        self._asking = True
        self._asked = self._clock.seconds()
        asked = self._connection.ping(b"", self._config.keepalive_timeout)
        self.recent = False  # that was no use
        asked.addCallbacks(self._alive, self._dead)

    def _alive(self, _answer: Any) -> None:
        self._asking = False
        self.recent = False
        self._set_timer(self._clock.seconds())

    def _dead(self, failure: Failure) -> None:
        if failure.check(AsyncResultTimeout):
            # A reactor that was busy runs its timers first, and then reads what
            # has long come.
            self.end()
            self._timer = self._clock.callLater(0, self._give_up_if_silent)
        elif not failure.check(ConnectionLost, DeadReferenceError):
            self._alive(failure)  # a wrong answer is a sign of life, too

    def _give_up_if_silent(self) -> None:
        self._timer = None
        self._asking = False
        if self._heard >= self._asked or self._connection.flow.sending:
            self._ring()  # the answer stands behind something long, in either direction
        else:
            self._connection.ending.give_up(
                f"the peer gave no sign of life for {self._config.keepalive_timeout:g} s after "
                f"{self._config.keepalive:g} s of silence (options keepalive, keepalive_timeout)"
            )


def _over(since: float | None, most: float | None, now: float) -> bool:
    return since is not None and most is not None and now >= since + most
