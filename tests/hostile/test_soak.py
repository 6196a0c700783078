"""
Clients that come, call, send and read streams, subscribe and drop, and the strangers at the admin
page: a short run of `benchmarks.soak`.
"""

from __future__ import annotations

import time

import pytest

from benchmarks import soak
from benchmarks.harness import Stage
from benchmarks.peers.visitors_errands import LEFT
from tests.hostile.attacker import DEADLINE
from tests.hostile.conftest import FORT


def test_nothing_is_left_of_those_who_dropped() -> None:
    """Memory, objects, calls, streams, subscriptions and timers are as they were."""
    found = soak.soak(connections=100, seconds=1.0, stay=0.3, fort=FORT)
    assert found.visits > 100
    assert found.most > 10
    assert found.errands > 200
    assert sum(found.page.values()) > soak.STRANGERS
    assert "nothing is left" in str(found)


def test_what_is_left_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fort with visitors who stay has not settled, and it is told what they hold."""
    monkeypatch.setattr(soak, "PATIENCE", 0.1)
    with Stage() as stage:
        server = stage.serve(FORT, {"soak": {}})
        visitors = stage.connect("benchmarks.peers.visitors", server.first["soak"])
        before = soak.settled(server)
        visitors.ask("begin", len(LEFT), 60.0)
        end = time.monotonic() + DEADLINE
        while (report := visitors.ask("report"))["left"] < len(LEFT) or report["events"] < 3:
            assert not report["errors"]
            assert time.monotonic() < end
        with pytest.raises(soak.Leaked) as found:
            soak.settled(server)
        for name in ("exports", "imports", "streams", "subscriptions", "sources", "subscribers"):
            assert f"'{name}': " in str(found.value)
        assert f"'connections': {len(LEFT)}" in str(found.value)
        monkeypatch.undo()
        visitors.ask("leave")
        soak.settled(server, before)
