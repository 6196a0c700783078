"""Processes that publish and read on a bus, and what they report. Not a test file."""

from __future__ import annotations

import json
import re
import sys
from contextlib import ExitStack
from time import monotonic, sleep
from typing import Any

from tests.processes import Program

#: Events a second of each process.
RATE = 500


class Site:
    """Some processes on one bus."""

    def __init__(self, stack: ExitStack, bus: str, environment: dict[str, str]) -> None:
        self._stack = stack
        self._bus = bus
        self._environment = environment

    def start(self, kind: str, before: tuple[str, ...] = (), rate: int = RATE) -> Any:
        """
        Start a process (`tests.buses.node`), which publishes; return when it is on the bus.

        Args:
            kind: Its loop.
            before: Words before its command.
            rate: How many events a second it publishes.
        """
        words = (*before, sys.executable, "-m", "tests.buses.node", kind, self._bus)
        node: Any = self._stack.enter_context(Program(*words, env=self._environment))
        node.wait_for("ready")
        node.say(f"publish {rate}")
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
    """
    Nothing came twice or out of order, nothing is missing, nothing was told as missed; and all have
    the same last event of each key.
    """
    published = sorted(each["published"] for each in reports)
    for each in reports:
        assert each["missed"] == 0, reports
        assert each["last"] == reports[0]["last"], reports
        for first, last, count, in_order in each["numbers"].values():
            assert in_order, reports
            assert count == last - first + 1
        others = list(published)
        others.remove(each["published"])
        ends = [last for _, last, _, _ in each["numbers"].values()]
        assert all(number in ends for number in others), reports
