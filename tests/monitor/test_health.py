"""Health: a stuck loop is not healthy, one that drains is not ready, and a thread may ask."""

from __future__ import annotations

from typing import Any

import pytest

from txremote.monitor.health import STUCK_AFTER, Heart, health_of, state_of
from txremote.monitor.rows import Health


class Server:
    """As much of a server as health looks at."""

    def __init__(self, ports: int = 1, stopping: bool = False) -> None:
        self.ports = [object()] * ports
        self.stopping = stopping


def servers(*found: Server) -> Any:
    return {f"s{number}": each for number, each in enumerate(found)}


@pytest.mark.parametrize(
    ("running", "begun", "stopping", "found", "state"),
    [
        (False, False, False, [], "starting"),
        (True, True, False, [], "serving"),
        (True, True, False, [Server()], "serving"),
        (True, True, False, [Server(), Server(ports=0)], "starting"),
        (True, True, False, [Server(), Server(ports=0, stopping=True)], "draining"),
        (True, True, True, [Server()], "draining"),
        (False, True, True, [Server()], "stopped"),
    ],
)
def test_the_state_is_that_of_all_servers(
    running: bool, begun: bool, stopping: bool, found: list[Server], state: str
) -> None:
    assert state_of(running, begun, stopping, servers(*found)) == state


@pytest.mark.parametrize(
    ("state", "ready", "reasons"),
    [
        ("serving", True, ()),
        ("draining", False, ("the server is stopping",)),
        ("stopped", False, ("the server has stopped",)),
        ("starting", False, ("it does not listen yet: s1",)),
    ],
)
def test_only_a_process_that_serves_is_ready(state: Any, ready: bool, reasons: Any) -> None:
    found = health_of(state, Heart(), servers(Server(), Server(ports=0)))
    assert found == Health(healthy=True, ready=ready, reasons=reasons)


def test_a_loop_that_does_not_turn_is_not_healthy_until_it_does() -> None:
    now = 0.0
    heart = Heart(lambda: now)
    heart.beat()
    now = STUCK_AFTER + 2
    assert health_of("serving", heart, {}) == Health(
        healthy=False, ready=False, reasons=("the event loop has not turned for 7 s",)
    )
    heart.beat()
    assert health_of("serving", heart, {}).ready
    heart.stop()
    now += 100
    assert health_of("stopped", heart, {}).healthy
