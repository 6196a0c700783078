"""The rows of a monitor: true, and JSON as they are."""

from __future__ import annotations

import os
import time

import msgspec
import pytest_twisted

from tests.monitor.watched import watched
from tests.net.servers import logged


@pytest_twisted.ensureDeferred
async def test_the_overview_is_the_truth_and_every_row_is_json() -> None:
    async with watched() as here:
        conn = await here.client()
        here.submit("says hello")
        await conn.root.same(1)
        found = here.monitor.overview()
        assert (found.pid, found.state, found.connections) == (os.getpid(), "serving", 1)
        assert (found.calls_running, found.can_write) == (0, False)
        assert abs(found.started + found.uptime - time.time()) < 1
        rows = [
            *(found, here.monitor.series(), here.monitor.health()),
            *here.monitor.listeners(),
            *here.monitor.connections(),
            *here.monitor.calls(),
            *here.monitor.slowest(),
            *here.monitor.methods(),
            *here.monitor.objects(),
            *here.monitor.pools(),
            *here.monitor.tasks(),
            *here.monitor.log(),
            here.monitor.task_output("desk", 1),
        ]
        for row in rows:
            assert msgspec.json.decode(msgspec.json.encode(row), type=type(row)) == row


@pytest_twisted.ensureDeferred
async def test_health_goes_from_starting_to_stopped() -> None:
    async with logged(), watched() as here:
        monitor = here.monitor
        assert (monitor.health().healthy, monitor.health().ready) == (True, True)
        monitor.note_draining()
        assert not monitor.health().ready
        assert monitor.overview().state == "draining"
    assert monitor.overview().state == "stopped"
    monitor.startService()
    assert monitor.overview().state == "draining"  # its server has stopped
    monitor.stopService()
