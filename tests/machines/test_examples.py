"""
The examples of many processes: on one host with four workers, and on two machines with two each.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest

from tests.buses.redis_server import needs_redis
from tests.daemon.workers.real import Workers
from tests.machines.network import Machine, Network, network_redis, why_no_machines
from tests.processes import Program
from txremote.buses.host import ENVIRONMENT

CLASSES = {"price_feed": "PriceFeed", "chat_room": "ChatRoom"}


class Site(NamedTuple):
    """Where an example is served: the places, its servers, their machines, and its clients' way."""

    places: list[str]
    servers: list[Workers]
    machines: list[Machine]
    found: str
    stack: ExitStack
    environment: dict[str, str]

    def run(self, name: str, *words: str) -> Any:
        """Start an example's client."""
        program = Program(sys.executable, f"examples/{name}.py", *words, env=self.environment)
        return self.stack.enter_context(program)

    def at(self, number: int) -> str:
        """Return one of the places, by turns."""
        return self.places[number % len(self.places)]


def one_host(stack: ExitStack, name: str) -> Site:
    """Serve an example by the command of its docstring, with four workers."""
    bus = f"{stack.enter_context(TemporaryDirectory())}/bus"  # not that of this account
    server = Workers(
        count=4,
        env={**os.environ, ENVIRONMENT: bus},
        service=("--service", f"examples.{name}.{CLASSES[name]}"),
    )
    stack.enter_context(server)
    return Site([server.place], [server], [], server.place, stack, dict(os.environ))


def two_machines(stack: ExitStack, name: str) -> Site:
    """Serve it on two machines, with a Redis on this one, which is the registry, too."""
    network = stack.enter_context(Network())
    url = network_redis(stack, network)
    machines, servers = [network.machine(), network.machine()], []
    environment = {
        **os.environ,
        "TXREMOTE_REGISTRY": url,
        "PRICES_REDIS": url,
        "CHAT_REDIS": url,
    }
    for machine in machines:
        server = Workers(
            *("--register", name),
            before=machine.before,
            listen=("tcp:18861",),
            env=environment,
            service=("--service", f"examples.{name}.{CLASSES[name]}"),
        )
        servers.append(stack.enter_context(server))
        server.wait_for("registers")
    places = [f"tcp:{machine.address}:18861" for machine in machines]
    return Site(places, servers, machines, f"registry:{name}", stack, environment)


@pytest.fixture(params=["one host", "two machines"])
def serve(request: Any) -> Iterator[Any]:
    """The server of an example."""
    with ExitStack() as stack:
        if request.param == "one host":
            yield lambda name: one_host(stack, name)
            return
        if why_no_machines():
            pytest.skip(why_no_machines())
        yield lambda name: two_machines(stack, name)


@needs_redis
def test_prices_reach_all_who_watch(serve: Any) -> None:
    """At each server and by the registry; who comes late has the last ones."""
    site = serve("price_feed")
    watchers = [site.run("price_feed", site.at(n), "watch") for n in range(4)]
    watchers.append(site.run("price_feed", site.found, "watch", "tea", "cake"))
    for watcher in watchers:
        watcher.wait_for("watching")
    for number, prices in enumerate((("tea=250", "ice=90"), ("tea=260",))):
        assert site.run("price_feed", site.at(number), "set", *prices).finish() == 0
    for watcher in watchers:
        watcher.wait_for("tea 2.60\n")
    for watcher in watchers[:-1]:
        watcher.wait_for("ice 0.90\n")
    assert "ice" not in watchers[-1].output
    late = site.run("price_feed", site.at(1), "watch")
    late.wait_for("ice 0.90\n")
    late.wait_for("tea 2.60\n")
    assert "2.50" not in late.output
    refused = site.run("price_feed", site.found, "set", "tea=-1")
    assert refused.finish() == 1
    assert "a price of -1 cents" in refused.output


@needs_redis
def test_people_in_a_room_hear_each_other(serve: Any) -> None:
    """Whichever worker serves them; in another room nothing is heard."""
    site = serve("chat_room")
    people = {}
    for number, name in enumerate(("ann", "bob", "cy", "dee")):
        people[name] = site.run("chat_room", site.at(number), "kitchen", name)
        people[name].wait_for("in the kitchen")
    other = site.run("chat_room", site.found, "cellar", "eve")
    other.wait_for("in the cellar")
    for name, person in people.items():
        person.say(f"héllo from {name}")
    for person in people.values():
        for name in people:
            person.wait_for(f"<{name}> héllo from {name}\n")
    dee = people.pop("dee")
    dee.end_input()
    assert dee.finish() == 0
    for person in people.values():
        person.wait_for(r"\* dee leaves\n")
        for name in people:
            assert person.output.count(f"<{name}> ") == 1
    assert other.output == "* in the cellar\n"


@needs_redis
def test_clients_go_on_at_the_other_machine() -> None:
    """When all processes of one are killed, and when its link is silently cut."""
    if why_no_machines():
        pytest.skip(why_no_machines())
    with ExitStack() as stack:
        site = two_machines(stack, "price_feed")
        watchers = [site.run("price_feed", site.found, "watch") for _ in range(3)]
        for watcher in watchers:
            watcher.wait_for("watching")
        site.machines[0].cut("silent")
        assert site.run("price_feed", site.at(1), "set", "tea=250").finish() == 0
        for watcher in watchers:
            watcher.wait_for("tea 2.50\n")
        site.machines[0].mend()
        for pid in (*site.servers[1].worker_pids(), site.servers[1].pid):
            os.kill(pid, signal.SIGKILL)
        assert site.run("price_feed", site.at(0), "set", "tea=270").finish() == 0
        for watcher in watchers:
            watcher.wait_for("tea 2.70\n")


def test_examples_say_how_they_are_called() -> None:
    """Without their arguments."""
    for name in CLASSES:
        with Program(sys.executable, f"examples/{name}.py") as program:
            assert program.finish() == 1
            assert program.output.startswith(f"usage: python examples/{name}.py ENDPOINT")
