"""Figures of the operating system, beside what can be seen of them."""

from __future__ import annotations

import os
import sys

import psutil
import pytest
import pytest_twisted
from twisted.logger import capturedLogs, formatEvent

from tests.net.servers import Desk, joined, until
from txremote.monitor import system
from txremote.monitor.system import (
    DescriptorWatch,
    connection_bytes,
    most_descriptors,
    open_descriptors,
    resident_memory,
)

linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux tells it")


@linux
def test_memory_and_descriptors_are_what_others_see() -> None:
    process = psutil.Process()
    assert resident_memory() == pytest.approx(process.memory_info().rss, rel=0.1)
    before = open_descriptors()
    pair = os.pipe()
    assert open_descriptors() == before + 2
    assert process.num_fds() - open_descriptors() in (0, 1)  # psutil has the folder open
    for each in pair:
        os.close(each)
    assert most_descriptors() == process.rlimit(psutil.RLIMIT_NOFILE)[0]


@linux
def test_few_descriptors_are_told_once_and_enough_again(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = iter([10, 93, 94, 100, 60, 60])
    monkeypatch.setattr(system, "open_descriptors", lambda: next(opened))
    monkeypatch.setattr(system, "most_descriptors", lambda: 100)
    watch = DescriptorWatch()
    with capturedLogs() as logged:
        assert [watch.look() for _ in range(6)] == [10, 93, 94, 100, 60, 60]
    assert [formatEvent(event).partition(":")[0] for event in logged] == [
        "93 of 100 file descriptors are open",
        "60 of 100 file descriptors are open",
    ]


@linux
@pytest_twisted.ensureDeferred
async def test_the_kernel_counts_a_connections_bytes() -> None:
    desk = Desk()
    async with joined(desk) as conn:
        await conn.root.same(b"x" * 100_000)
        (server,) = desk.conns
        received, _sent = connection_bytes(server.transport)
        assert 100_000 < received < 101_000
        await until(lambda: (connection_bytes(server.transport)[1] or 0) > 100_000)
        assert connection_bytes(conn.transport)[1] == pytest.approx(received, abs=1)
        await conn.root.same(b"x" * 50_000)
        more = connection_bytes(server.transport)[0]
        assert more is not None
        assert 150_000 < more < 151_000
    assert connection_bytes(server.transport) == (None, None)
    assert connection_bytes(object()) == (None, None)
