"""The recent log: warnings and errors of txremote's own, and failures that nobody handled."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from txremote.monitor.recentlog import KEPT, RecentLog


@pytest.fixture
def recent() -> Iterator[RecentLog]:
    """A log that observes."""
    log = RecentLog()
    log.start()
    yield log
    log.stop()


def test_warnings_and_errors_are_kept_and_nothing_else(recent: RecentLog) -> None:
    Logger("txremote.call").warn("{peer} broke it", peer="a\x1b[2Jb")
    Logger("txremote").info("nothing to see")
    Logger("txremote").debug("nothing at all")
    Logger("somebody.else").error("not ours")
    Logger("txremotely").error("not ours either")
    Logger("txremote").error("{x}", x="y" * 1000)
    rows = recent.rows()
    assert [(row.level, row.namespace, row.text[:20]) for row in rows] == [
        ("warn", "txremote.call", "a [2Jb broke it"),
        ("error", "txremote", "y" * 20),
    ]
    assert len(rows[1].text) == 200


def test_a_failure_that_nobody_handled_is_kept_with_its_message(recent: RecentLog) -> None:
    failure = Failure(ValueError("no such shelf"))
    Logger("somebody.else").emit(LogLevel.critical, "Unhandled", log_failure=failure)
    assert [row.text for row in recent.rows()] == ["Unhandled: no such shelf"]


def test_so_many_are_kept_and_none_once_it_has_stopped(recent: RecentLog) -> None:
    for number in range(KEPT + 5):
        Logger("txremote").warn("{n}", n=number)
    recent.stop()
    Logger("txremote").warn("too late")
    assert [row.text for row in recent.rows()] == [str(n) for n in range(5, KEPT + 5)]
