"""The `Monitor`: what it measures by its clock, whom it tells, and where it hangs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.logger import Logger

from txremote.monitor import Monitor
from txremote.monitor.rows import CertificateRow
from txremote.monitor.series import STEP
from txremote.peer.request import Request


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def monitor(clock: Clock) -> Any:
    """A monitor that runs by a fake clock."""
    made = Monitor(clock)
    made.startService()
    yield made
    made.stopService()
    assert not clock.getDelayedCalls()


def test_a_point_is_added_every_five_seconds(clock: Clock, monitor: Monitor) -> None:
    clock.pump([0.5] * 40)
    series = monitor.series()
    assert series.step == STEP
    assert len(series.at) == 4
    assert series.columns["calls"] == [0, 0, 0, 0]
    assert series.columns["p50"] == [None] * 4
    assert series.columns["connections"] == [0] * 4
    assert all(rss is not None and rss >= 0 for rss in series.columns["rss"])


def test_a_late_turn_of_the_loop_is_lag(clock: Clock, monitor: Monitor) -> None:
    clock.advance(0.5)
    assert monitor.overview().loop_lag == 0.0
    clock.advance(2.5)
    assert monitor.overview().loop_lag == 2.0
    clock.pump([0.5] * 4)
    assert monitor.overview().loop_lag == 0.0
    assert monitor.series().columns["loop_lag"] == [2.0]  # the worst of the span


def test_names_are_given_once() -> None:
    monitor = Monitor(Clock())
    server: Any = SimpleNamespace(make_request=Request)
    monitor.watch_server(server, "shop")
    monitor.watch_tasks("desk", server)
    with pytest.raises(ValueError, match="'shop' is watched already"):
        monitor.watch_server(server, "shop")
    with pytest.raises(ValueError, match="'desk' is watched already"):
        monitor.watch_tasks("desk", server)
    with pytest.raises(RuntimeError, match="observed already"):
        Monitor(Clock()).watch_server(server, "shop")
    with pytest.raises(ValueError, match="slow is a number of seconds"):
        Monitor(Clock(), slow=-1)


class Broken:
    """A pool that cannot tell its figures, and a keeper that cannot tell its tasks."""

    description, kind, running = "shed", "threads", True

    def statistics(self) -> Any:
        raise OSError("no figures")

    def tasks(self) -> Any:
        raise OSError("no tasks")


def test_a_pool_that_cannot_tell_its_figures_hides_no_others(
    clock: Clock, monitor: Monitor
) -> None:
    pool: Any = Broken()
    monitor.watch_pool(pool)
    (row,) = monitor.pools()
    assert (row.name, row.workers, row.state) == ("shed", 0, "fails to tell: OSError")
    clock.pump([0.5] * 20)
    assert monitor.series().columns["queued"] == [0, 0]


def test_the_heart_beats_on_where_a_point_cannot_be_made(clock: Clock, monitor: Monitor) -> None:
    keeper: Any = Broken()
    monitor.watch_tasks("shed", keeper)
    clock.pump([0.5] * 11)
    del monitor._snapshots.keepers["shed"]
    clock.pump([0.5] * 10)
    assert len(monitor.series().at) == 1
    assert [row.text for row in monitor.log()] == [
        "a point of the monitor's figures is missing: no tasks"
    ]


def test_certificates_are_asked_of_whoever_has_them(monitor: Monitor) -> None:
    row = CertificateRow("shop", "CN=shop", "CN=shop", 0.0, 1.0, -1.0, "expired", "shop.pem")
    monitor.watch_certificates(lambda: [row])
    assert monitor.certificates() == [row]


def test_it_starts_and_measures_where_certificates_cannot_be_told(clock: Clock) -> None:
    def broken() -> Any:
        raise OSError("no such folder")

    monitor = Monitor(clock)
    monitor.watch_certificates(broken)
    monitor.startService()
    clock.pump([0.5] * 11)
    assert len(monitor.series().at) == 1
    assert {row.text for row in monitor.log()} == {
        "the certificates cannot be looked at: no such folder"
    }
    monitor.stopService()


def test_warnings_are_kept_while_it_runs(clock: Clock) -> None:
    monitor = Monitor(clock)
    Logger("txremote").warn("before")
    monitor.startService()
    Logger("txremote").warn("meanwhile")
    monitor.stopService()
    Logger("txremote").warn("after")
    assert [row.text for row in monitor.log()] == ["meanwhile"]
