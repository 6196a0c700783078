"""Actions: done only where that is allowed, and logged with who has done them."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted

from tests.monitor.watched import watched
from tests.net.servers import logged


def events_by(events: list[Any], name: str) -> list[str]:
    """Return the texts of the events that name a user."""
    from twisted.logger import formatEvent

    return [formatEvent(event) for event in events if event.get("by") == name]


@pytest_twisted.ensureDeferred
async def test_a_connection_is_closed_by_its_number() -> None:
    async with logged() as events, watched(can_write=True) as here:
        first, second = await here.client(), await here.client()
        peer = f"127.0.0.1:{second.transport.getHost().port}"
        number = next(row.number for row in here.monitor.connections() if row.peer == peer)
        assert here.monitor.close_connection(number, by="ann\n")
        await second.when_disconnected()
        assert await first.root.same(3) == 3
        assert not here.monitor.close_connection(number, by="ann\n")
        assert not here.monitor.close_connection(12345, by="ann\n")
        assert events_by(events, "ann ") == [f"ann  closes the connection {number} of {peer}"]


@pytest_twisted.ensureDeferred
async def test_nothing_is_done_where_that_is_not_allowed() -> None:
    async with logged() as events, watched() as here:
        conn = await here.client()
        task = here.submit("forever")
        (row,) = here.monitor.connections()
        with pytest.raises(PermissionError, match="--admin-write"):
            here.monitor.close_connection(row.number, by="eve")
        with pytest.raises(PermissionError, match="--admin-write"):
            here.monitor.kill_task("desk", task.no, by="eve")
        assert await conn.root.same(3) == 3
        assert not task.done
        assert len(events_by(events, "eve")) == 2


@pytest_twisted.ensureDeferred
async def test_a_task_is_killed_by_its_number() -> None:
    async with logged() as events, watched(can_write=True) as here:
        task = here.submit("forever")
        assert here.monitor.kill_task("desk", task.no, by="ann")
        await task.when_done()
        assert task.status == "KILLED"
        assert not here.monitor.kill_task("desk", task.no, by="ann")
        assert not here.monitor.kill_task("desk", -1, by="ann")
        assert not here.monitor.kill_task("no such console", task.no, by="ann")
        (text,) = events_by(events, "ann")
        assert "forever" in text
