"""
Processes that publish and read all the time, on a real bus; parts of it are killed by ``kill -9``,
stopped and emptied. Counted is what each of them received, missed, and had twice.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from tests.buses.redis_server import RedisServer, needs_redis
from tests.processes import Program
from txremote.buses.host import ENVIRONMENT

#: Events a second of each process.
RATE = 500


class Site:
    """Some processes on one bus."""

    def __init__(self, stack: ExitStack, bus: str, environment: dict[str, str]) -> None:
        self._stack = stack
        self._bus = bus
        self._environment = environment

    def start(self, kind: str) -> Any:
        """Start a process, which publishes; return when it is on the bus."""
        words = (sys.executable, "-m", "tests.buses.node", kind, self._bus)
        node: Any = self._stack.enter_context(Program(*words, env=self._environment))
        node.wait_for("ready")
        node.say(f"publish {RATE}")
        return node


def report(node: Any) -> dict[str, Any]:
    """Have a process say what it received so far."""
    before = len(re.findall("REPORT .*\n", node.output))
    node.say("report")
    end = monotonic() + 20
    while len(found := re.findall("REPORT (.*)\n", node.output)) == before:
        assert monotonic() < end, node.output
        sleep(0.01)
    parsed: dict[str, Any] = json.loads(found[-1])
    return parsed


def settled(nodes: list[Any]) -> list[dict[str, Any]]:
    """Stop publishing, and return what all report once nothing more comes."""
    for node in nodes:
        node.say("stop")
    before: list[dict[str, Any]] = []
    end = monotonic() + 30
    while (now := [report(node) for node in nodes]) != before:
        before = now
        assert monotonic() < end
        sleep(0.5)
    return now


def check(reports: list[dict[str, Any]]) -> None:
    """Nothing came twice or out of order, nothing is missing, nothing was told as missed."""
    published = sorted(each["published"] for each in reports)
    for each in reports:
        assert each["missed"] == 0, reports
        for first, last, count, in_order in each["numbers"].values():
            assert in_order, reports
            assert count == last - first + 1
        others = list(published)
        others.remove(each["published"])
        ends = [last for _, last, _, _ in each["numbers"].values()]
        assert all(number in ends for number in others), reports


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
