"""The beats of the event loop: their lag, and the points of the plots between them."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher

from txremote.monitor.heartbeat import BEAT, Heartbeat
from txremote.monitor.series import STEP


def test_a_late_beat_is_lag_and_the_worst_is_kept_until_it_is_told() -> None:
    """Each beat tells how long it was."""
    clock, beats = Clock(), []
    heartbeat = Heartbeat(clock)
    heartbeat.start(beats.append, lambda _now: None)
    clock.advance(BEAT)
    clock.advance(BEAT + 0.25)
    assert (beats, heartbeat.lag, heartbeat.worst) == ([BEAT, BEAT + 0.25], 0.25, 0.25)
    clock.advance(BEAT)
    assert (heartbeat.lag, heartbeat.worst) == (0.0, 0.25)
    heartbeat.forget_worst()
    assert heartbeat.worst == 0.0
    heartbeat.stop()
    assert not clock.getDelayedCalls()


def test_a_point_that_fails_is_logged_and_the_heart_beats_on() -> None:
    """The next one is due at its time."""
    clock, due, events = Clock(), [], []

    def point(now: float) -> None:
        due.append(now)
        raise ValueError("no figures")

    globalLogPublisher.addObserver(events.append)
    heartbeat = Heartbeat(clock)
    try:
        heartbeat.start(lambda _seconds: None, point)
        clock.pump([BEAT] * int(2 * STEP / BEAT))
    finally:
        globalLogPublisher.removeObserver(events.append)
        heartbeat.stop()
    assert due == [STEP, 2 * STEP]
    told = [event["log_failure"].getErrorMessage() for event in events if "log_failure" in event]
    assert told == ["no figures"] * 2
