"""
Topics in three processes on one bus, whose subscribers are clients over real connections: what is
published in one of them reaches those of all. A process, and a Redis, are killed meanwhile.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from tests.buses.redis_server import RedisServer, needs_redis
from tests.net.servers import until
from tests.processes import Program
from txremote import connect
from txremote.buses.envelope import Event, seal
from txremote.buses.host import ENVIRONMENT
from txremote.buses.ports import START
from txremote.buses.redis_store import stream_of
from txremote.topics.encoding import encode_event

KINDS = ("reactor", "aio", "reactor")


class Client:
    """A client of one of the processes, subscribed to its topic."""

    def __init__(self, connection: Any, program: Any) -> None:
        self.connection = connection
        self.program = program
        self.events: list[Any] = []
        self.gaps: list[Any] = []

    async def subscribe(self) -> None:
        """Subscribe with callbacks, as stock clients can too."""
        await self.connection.root.topic.subscribe(
            self.events.append, missed=lambda *gap: self.gaps.append(gap)
        )

    def numbers(self) -> dict[str, list[int]]:
        """Return the numbers of the events by their publisher's name."""
        found: dict[str, list[int]] = {}
        for event in self.events:
            found.setdefault(event["name"], []).append(event["number"])
        return found


class Site:
    """Processes on one bus, and a client of each."""

    def __init__(self, stack: AsyncExitStack, folder: Path, bus: str) -> None:
        self._stack = stack
        self._folder = folder
        self._bus = bus
        self._started = 0
        self.environment = {**os.environ, ENVIRONMENT: str(folder / "bus")}

    async def start(self, kinds: tuple[str, ...]) -> list[Client]:
        """Start processes, and connect to each."""
        started = []
        for kind in kinds:
            self._started += 1
            path = str(self._folder / f"s{self._started}")
            words = (sys.executable, "-m", "tests.buses.topic_process", kind, self._bus, path)
            program: Any = Program(*words, env=self.environment)
            self._stack.callback(program.kill)
            started.append((program, path))
        clients = []
        for program, path in started:
            program.wait_for("serving")
            clients.append(Client(await connect(f"unix:{path}"), program))
            await clients[-1].subscribe()
        for client in clients:
            while await client.connection.root.state() != "joined":
                pass
        return clients


@asynccontextmanager
async def on_the_bus(
    kind: str, factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Site, RedisServer | None]]:
    async with AsyncExitStack() as stack:
        folder = factory.mktemp("t")
        if kind == "host":
            yield Site(stack, folder, "host"), None
        else:
            redis = stack.enter_context(RedisServer())
            yield Site(stack, folder, redis.url), redis


def publish(client: Client, first: int, count: int, name: str) -> Any:
    """Have a client's process publish."""
    return client.connection.root.publish(first, count, name)


@needs_redis
@pytest.mark.parametrize("bus", ["redis", "host"])
@pytest_twisted.ensureDeferred
async def test_each_client_gets_each_event_once_though_processes_are_killed(
    bus: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The first one, which serves the host's bus; and a Redis. A late one has the last events."""
    async with on_the_bus(bus, tmp_path_factory) as (site, redis):
        clients = await site.start(KINDS)
        for number, client in enumerate(clients):
            await publish(client, 0, 300, str(number))
        await until(lambda: all(len(client.events) == 900 for client in clients))
        killed = clients.pop(0)
        killed.program.signal(signal.SIGKILL)
        if redis is not None:
            redis.kill()
        for number, client in enumerate(clients, 1):
            await publish(client, 300, 300, str(number))
        if redis is not None:
            redis.start()
        await until(lambda: all(len(client.events) == 1500 for client in clients))
        [late] = await site.start(("aio",))
        await until(lambda: len(late.events) == 2)
        assert {event["number"] for event in late.events} == {598, 599}
        await publish(clients[0], 600, 100, "1")
        await until(lambda: len(late.events) == 102)
        await until(lambda: len(clients[1].events) == 1600)
        for client in clients:
            numbers = client.numbers()
            assert numbers == {"0": [*range(300)], "1": [*range(700)], "2": [*range(600)]}
            assert [count for count, _ in client.gaps if count] == []
        assert late.numbers()["1"][-100:] == [*range(600, 700)]


@needs_redis
@pytest_twisted.ensureDeferred
async def test_hostile_events_in_a_redis_cost_those_events_alone(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Each is told to the subscribers, and in the log by the limit's name."""
    deep: Any = 1
    for _ in range(90):
        deep = (deep,)
    good = encode_event({"name": "other", "number": 1})
    hostile = {
        "max_event": bytes(2 << 20),
        "value|byte|tag": b"\xff" * 100,
        "behind the event": good + good,
    }
    async with on_the_bus("redis", tmp_path_factory) as (site, redis):
        assert redis is not None
        [client] = await site.start(("reactor",))
        for number, payload in enumerate((*hostile.values(), good), 1):
            event = Event("other", number, START, None, None, payload)
            redis.say("XADD", stream_of("prices"), "*", "e", last=seal(event))
        redis.ask("PUBLISH", stream_of("prices"), "1.10")
        await until(lambda: client.events)
        assert client.events == [{"name": "other", "number": 1}]
        await until(lambda: len(client.gaps) == len(hostile))
        for says, (count, why) in zip(hostile, client.gaps, strict=True):
            assert count == 1
            assert any(word in why for word in says.split("|")), why
        await client.connection.root.publish(0, 1, "still")
        await until(lambda: len(client.events) == 2)
