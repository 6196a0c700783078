"""
Clients that come, call, subscribe and drop: a short run of `benchmarks.soak`.
"""

from __future__ import annotations

import time

import pytest

from benchmarks import soak
from benchmarks.harness import Stage
from tests.hostile.attacker import DEADLINE
from tests.hostile.conftest import FORT


def test_nothing_is_left_of_those_who_dropped() -> None:
    """Descriptors, memory, objects, references, calls and timers are as they were."""
    found = soak.soak(connections=300, seconds=1.0, stay=0.3, fort=FORT)
    assert found.visits > 300
    assert found.most > 100
    assert "nothing is left" in str(found)


def test_what_is_left_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fort with a visitor who stays has not settled, and it is told what he holds."""
    monkeypatch.setattr(soak, "PATIENCE", 0.1)
    with Stage() as stage:
        server = stage.serve(FORT, {"soak": {}})
        visitors = stage.connect("benchmarks.peers.visitors", server.first["soak"])
        before = soak.settled(server)
        visitors.ask("begin", 1, 60.0)
        end = time.monotonic() + DEADLINE
        while (report := visitors.ask("report"))["events"] < 3:
            assert not report["errors"]
            assert time.monotonic() < end
        with pytest.raises(soak.Leaked, match="'connections': 1"):
            soak.settled(server)
        monkeypatch.undo()
        visitors.ask("leave")
        soak.settled(server, before)
