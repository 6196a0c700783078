"""
The monitor of the supervisor: sums, what is kept of workers that have ended, and silence.
"""

from __future__ import annotations

from msgspec.structs import replace

from tests.daemon.workers.watching import Worker, told, watching
from txremote.monitor.metrics import exposition


def test_figures_are_sums_and_those_of_a_worker_that_has_ended_stay() -> None:
    """Counters never go back, which Prometheus takes for a restart."""
    one, two = Worker(1, told(2)), Worker(2, told(5))
    monitor, _clock = watching(one, two)
    overview = monitor.overview()
    assert (overview.connections, overview.calls_total, overview.workers) == (2, 7, 2)
    assert overview.p99 == 0.5 and overview.cpu >= 7.0
    assert (overview.streams_sent, overview.streams_read) == (4, 2)
    assert [(each.worker, each.published) for each in monitor.topics()] == [(1, 2), (2, 5)]
    assert monitor.listeners()[0].refused_total == 7
    assert b"txremote_workers 2.0" in exposition(monitor)[1]
    monitor.collector.last_report(two, replace(told(6)))  # type: ignore[arg-type]
    monitor.collector.worker_ended(two)  # type: ignore[arg-type]
    overview = monitor.overview()
    assert (overview.connections, overview.calls_total) == (1, 8)
    assert monitor.listeners()[0].refused_total == 8
    _kind, page = exposition(monitor)
    assert b'txremote_refused_connections_total{server="Shop"} 8.0' in page
    assert b'txremote_topic_published_events_total{topic="news"} 8.0' in page
    assert b'txremote_topic_subscribers{topic="news"} 1.0' in page
    assert b'txremote_topic_bus_joined{topic="news"} 1.0' in page
    monitor.stopService()


def test_points_of_the_plots_are_those_of_all_workers() -> None:
    """Each few seconds, what is new since the point before."""
    one, two = Worker(1, told(2)), Worker(2, told(5))
    monitor, clock = watching(one, two)
    clock.pump([0.5] * 11)
    one.told = told(12)
    clock.pump([0.5] * 11)
    assert monitor.series().columns["calls"][-1] == 10.0
    assert monitor.series().columns["connections"][-1] == 2.0
    monitor.stopService()
