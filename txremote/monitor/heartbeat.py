"""
`Heartbeat`: the timer by which a monitor sees how the event loop turns.

It beats every `BEAT` seconds, for the heart from which the health is read; by how much a beat is
late is the event loop's lag. Every `STEP` seconds a point of the plots is due.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from txremote.levels import Logger
from txremote.monitor.health import Heart
from txremote.monitor.series import STEP

_log = Logger("txremote")

#: Seconds between two beats.
BEAT: Final = 0.5


class Heartbeat:
    """
    Beats while it runs. For the reactor's thread.

    Attributes:
        heart: Hears the beats. Any thread may ask it.
        lag: By how many seconds the last beat was late.
        worst: The most since `forget_worst`.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self.heart = Heart()
        self.lag = self.worst = 0.0
        self._clock = clock
        self._beat_at = self._point_at = 0.0
        self._timer: IDelayedCall | None = None

    def start(
        self, beaten: Callable[[float], object], point_due: Callable[[float], object]
    ) -> None:
        """
        Begin to beat.

        Args:
            beaten: Called at each beat, with the seconds since the one before.
            point_due: Called with the time when a point is due; what it raises is logged.
        """
        self._beaten, self._point_due = beaten, point_due
        self._point_at = self._clock.seconds() + STEP
        self.heart.beat()
        self._next()

    def stop(self) -> None:
        """Beat no more."""
        self.heart.stop()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def forget_worst(self) -> None:
        """Begin anew to look for the worst lag."""
        self.worst = 0.0

    def _next(self) -> None:
        self._beat_at = self._clock.seconds() + BEAT
        self._timer = self._clock.callLater(BEAT, self._beat)

    def _beat(self) -> None:
        now = self._clock.seconds()
        self.heart.beat()
        self.lag = max(0.0, now - self._beat_at)
        self.worst = max(self.worst, self.lag)
        self._beaten(BEAT + self.lag)
        if now >= self._point_at:
            self._point_at = now + STEP
            try:
                self._point_due(now)
            except Exception:  # of what a program has watched; the heart goes on beating
                _log.failure("a point of the monitor's figures is missing")
        self._next()
