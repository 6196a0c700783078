"""
What workers report: asked for once for all, and not answered for long.
"""

from __future__ import annotations

from typing import Any

from tests.daemon.workers.watching import Worker, told, watching
from txremote.daemon.workers.collector import FRESH
from txremote.monitor.health import STUCK_AFTER


def test_rows_are_asked_for_once_for_all_who_want_them_now() -> None:
    """And again when they are older."""
    one = Worker(1, told(2))
    monitor, clock = watching(one)
    assert monitor.refresh() is None
    clock.advance(FRESH)
    one.told = told(3)
    refreshed = monitor.refresh()
    assert refreshed is not None and refreshed.called
    assert monitor.overview().calls_total == 3
    monitor.stopService()


def test_a_worker_that_does_not_answer_is_told_of_and_all_are_unhealthy() -> None:
    """One alone leaves the server healthy: the others serve."""
    one, two = Worker(1, told(2)), Worker(2, told(5))
    monitor, clock = watching(one, two)
    assert monitor.health().ready
    two.told = None
    for _step in range(12):
        clock.advance(STUCK_AFTER / 10)
        monitor.refresh()
    health = monitor.health()
    assert health.healthy and health.ready and health.reasons == ("no answer from worker 2",)
    one.told = None
    for _step in range(12):
        clock.advance(STUCK_AFTER / 10)
        monitor.refresh()
    health = monitor.health()
    assert not health.healthy and health.reasons == ("no answer from worker 1, 2",)
    one.told = told(2)
    clock.advance(FRESH)
    monitor.refresh()
    assert monitor.health().healthy
    monitor.note_draining()
    assert not monitor.health().ready
    monitor.stopService()


def test_the_last_words_of_a_worker_that_was_killed_meanwhile_are_not_counted_again() -> None:
    """Its end may be known before what it has written is read; its rows would never go."""
    one, two = Worker(1, told(2)), Worker(2, told(5))
    monitor, _clock = watching(one, two)
    crew: Any = monitor.collector.crew
    for last in (told(3), told(4)):  # the first is in time
        monitor.collector.last_report(two, last)  # type: ignore[arg-type]
        if two in crew.alive:
            crew.alive.remove(two)
            monitor.collector.worker_ended(two)  # type: ignore[arg-type]
    assert monitor.overview().calls_total == 2 + 3
    assert monitor.overview().connections == 1
    monitor.stopService()
