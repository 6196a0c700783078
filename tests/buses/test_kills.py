"""
Processes that publish and read all the time, on a real bus; parts of it are killed by ``kill -9``,
stopped and emptied. Counted is what each of them received, missed, and had twice.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from tests.buses.nodes import Site, check, settled
from tests.buses.redis_server import RedisServer, needs_redis
from txremote.buses.host import ENVIRONMENT


@pytest.fixture(params=["redis", "host"])
def site(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A site with a Redis, or on the host's bus."""
    with ExitStack() as stack:
        place = tmp_path_factory.mktemp("b") / "bus"
        environment = {**os.environ, ENVIRONMENT: str(place)}
        if request.param == "host":
            yield Site(stack, "host", environment), None
        else:
            redis = stack.enter_context(RedisServer())
            yield Site(stack, redis.url, environment), redis


def killed_while_they_publish(
    site: Any, kinds: list[str], harm: Callable[[list[Any], Any], None]
) -> list[dict[str, Any]]:
    """Start processes, do some harm, and return what those that are left report."""
    place, redis = site
    nodes = [place.start(kind) for kind in kinds]
    sleep(0.5)
    harm(nodes, redis)
    sleep(1)
    reports = settled(nodes)
    print(
        json.dumps([{k: each[k] for k in ("published", "missed", "longest")} for each in reports])
    )
    return reports


@needs_redis
@pytest.mark.parametrize("victim", [0, 2])
def test_a_process_that_is_killed_costs_the_others_nothing(site: Any, victim: int) -> None:
    """Though it be the one that serves the host's bus: the first."""
    killed = []

    def harm(nodes: list[Any], _redis: Any) -> None:
        killed.append(nodes.pop(victim))
        killed[0].signal(signal.SIGKILL)
        nodes.append(site[0].start("reactor"))

    reports = killed_while_they_publish(site, ["reactor", "aio", "reactor"], harm)
    check(reports)
    assert all(len(each["numbers"]) == 3 for each in reports[:2])
    assert all(each["longest"] < 3 for each in reports)


@needs_redis
@pytest.mark.parametrize("harm", ["kill", "flush", "stop"])
def test_a_redis_that_is_harmed_costs_nobody_anything(harm: str, tmp_path: Path) -> None:
    """Killed and started again, emptied, stopped for longer than it is waited for."""

    def do(_nodes: list[Any], redis: Any) -> None:
        if harm == "kill":
            redis.kill()
            sleep(0.5)
            redis.start()
        elif harm == "flush":
            redis.ask("FLUSHALL")
        else:
            redis.signal(signal.SIGSTOP)
            sleep(6)
            redis.signal(signal.SIGCONT)

    with ExitStack() as stack:
        redis = stack.enter_context(RedisServer())
        site = Site(stack, redis.url, dict(os.environ)), redis
        check(killed_while_they_publish(site, ["reactor", "aio", "reactor"], do))
