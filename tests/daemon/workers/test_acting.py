"""
What an operator does where there are several workers.
"""

from __future__ import annotations

import pytest

from tests.daemon.workers.made_up import row
from tests.daemon.workers.watching import Worker, told, watching
from txremote.levels import levels
from txremote.monitor.rows import ConnectionRow


def test_what_an_operator_does_is_done_by_the_worker_that_has_it() -> None:
    """A connection by its number, a task by the keeper; the log's level by all."""
    rows = [row(ConnectionRow, number=2_000_001)]
    one, two = Worker(1, told(2)), Worker(2, told(5, connections=rows))
    monitor, _clock = watching(one, two)
    monitor.close_connection(2_000_001, by="ann")
    assert two.done == [("close_connection", 2_000_001, "ann")]
    assert monitor.close_connection(1, by="ann") is False
    monitor.kill_task("console", 3, by="ann")
    assert one.done == [("kill_task", "console", 3, "ann")]
    monitor.stopService()
    monitor, _clock = watching(one, two, can_write=False)
    with pytest.raises(PermissionError):
        monitor.close_connection(2_000_001, by="ann")
    monitor.stopService()


def test_levels_of_the_log_are_told_to_all_workers() -> None:
    """Set or toggled; an operator who only asks changes nothing."""
    one, two = Worker(1, told(2)), Worker(2, told(5))
    monitor, _clock = watching(one, two)
    try:
        levels.begin(False)
        assert monitor.log_level("txremote.call=warn", by="ann") == "info, txremote.call=warn"
        monitor.toggle_debug()
    finally:
        levels.reset()
        monitor.stopService()
    written = ["txremote=info", "txremote.call=warn"]
    assert one.done == two.done == [(written, False), (written, True)]
