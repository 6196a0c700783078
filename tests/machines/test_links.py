"""
Topics on a Redis, of machines one of whose links is cut for a while. Counted is what was delivered,
missed and had twice, and how long it took to come back.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from time import sleep
from typing import Any, NamedTuple

import pytest

from tests.buses.nodes import Site, check, settled
from tests.buses.redis_server import needs_redis
from tests.machines.network import CUTS, Machine, Network, network_redis, why_no_machines

#: Events a second of each process.
RATE = 200

#: Seconds of a cut: longer than a bus waits for an answer.
SECONDS = 8.0


class Place(NamedTuple):
    """This host, with a Redis, and the machines on its network."""

    url: str
    machines: list[Machine]
    stack: ExitStack


@pytest.fixture
def place() -> Iterator[Place]:
    """Two machines and this one."""
    if why_no_machines():
        pytest.skip(why_no_machines())
    with ExitStack() as stack:
        network = stack.enter_context(Network())
        url = network_redis(stack, network)
        yield Place(url, [network.machine(), network.machine()], stack)


def reports_of_a_cut(place: Place, kind: str, url: str) -> list[dict[str, Any]]:
    """
    Cut a machine off while two processes there, one on another machine and one on this publish.

    Returns:
        What they report afterwards: those of the machine that was cut off first.
    """
    site = Site(place.stack, url, dict(os.environ))
    cut, other = place.machines
    nodes = [
        site.start("reactor", cut.before, RATE),
        site.start("aio", cut.before, RATE),
        site.start("reactor", other.before, RATE),
        site.start("aio", (), RATE),
    ]
    sleep(1)
    cut.cut(kind)
    sleep(SECONDS)
    cut.mend()
    sleep(5)
    reports = settled(nodes)
    for each in reports:
        each["back"] = round(max(each["longest"] - SECONDS, 0), 2)
        delivered = sum(numbers[2] for numbers in each["numbers"].values())
        print(f"{kind}: delivered {delivered}", *(f"{k} {each[k]}" for k in FIGURES), sep=", ")
    return reports


FIGURES = ("published", "missed", "twice", "longest", "back")


@needs_redis
@pytest.mark.parametrize("kind", CUTS)
def test_a_link_that_is_cut_for_a_while_costs_nobody_an_event(place: Place, kind: str) -> None:
    """What is published meanwhile on both sides comes afterwards, once."""
    reports = reports_of_a_cut(place, kind, place.url)
    check(reports)
    assert [each["twice"] for each in reports] == [0] * 4
    assert all(each["back"] < 4 for each in reports[:2]), reports
    assert all(each["longest"] < 3 for each in reports[2:]), reports


@needs_redis
def test_a_machine_that_is_cut_off_for_longer_than_is_kept_is_told_how_many_it_missed(
    place: Place,
) -> None:
    """Exactly, and nothing comes twice."""
    reports = reports_of_a_cut(place, "silent", f"{place.url}?keep=300")
    for each in reports:
        gaps = [last - first + 1 - count for first, last, count, _ in each["numbers"].values()]
        assert each["missed"] == sum(gaps)
        assert each["twice"] == 0
    assert all(each["missed"] > 1_000 for each in reports[:2]), reports
