"""
Clients of three servers in processes of their own, which are killed, stopped and drained while all
the clients call all the time. No call is lost but those in flight on a server that is killed, and
none is done twice: the servers write each one down.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest_twisted
from twisted.internet.defer import gatherResults
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThread

from tests.net.servers import until
from tests.processes import Twistd
from tests.registry.fake import FakeRegistry
from txremote import ConnectionLost, RemoteClient
from txremote.net.members import PICKERS, Member
from txremote.registry.ports import Place

SERVICE = "tests.net.killed_service.Office"


class Caller:
    """
    A client that calls every two milliseconds, and what came of it.

    Attributes:
        endings: The number of each call, and how it ended, each time that it did.
    """

    def __init__(self, client: RemoteClient, numbers: int) -> None:
        self.client = client
        self.numbers = numbers
        self.endings: dict[int, list[Any]] = {}
        self._calling = LoopingCall(self.call)
        client.startService()
        self._calling.start(0.002)

    def call(self, method: str = "job") -> int:
        """Call it once, and return the call's number."""
        self.numbers += 1
        number = self.numbers
        ended = self.endings[number] = []
        self.client.root.callRemote(method, number).addBoth(ended.append)
        return number

    def stop(self) -> None:
        """Call no more."""
        self._calling.stop()

    @property
    def answered(self) -> int:
        """How many calls were answered."""
        return sum(ended == [number] for number, ended in self.endings.items())

    @property
    def lost(self) -> list[int]:
        """The calls that failed."""
        return [number for number, ended in self.endings.items() if ended and ended != [number]]

    async def go_on(self, calls: int = 100) -> None:
        """Wait until so many more calls are answered."""
        goal = self.answered + calls
        await until(lambda: self.answered >= goal)


def place_of(server: Twistd) -> Place:
    """Return where a server is."""
    return Place("127.0.0.1", server.port)


def members_at(caller: Caller, server: Twistd) -> list[Member]:
    """Return a client's lines to a server."""
    name = place_of(server).name
    return [member for member in caller.client._pool._members if member.target.name == name]


def on(caller: Caller, server: Twistd) -> int:
    """Return how many calls of a client are in flight on a server."""
    lines = [member.line for member in members_at(caller, server)]
    return sum(len(line.live.outbound.pending) for line in lines if line.live is not None)


@pytest_twisted.ensureDeferred
async def test_servers_that_are_stopped_drained_and_killed(tmp_path: Path) -> None:
    """However a client picks."""
    books = [tmp_path / str(number) for number in range(5)]
    start = [
        partial(Twistd, SERVICE, env={**os.environ, "OFFICE_BOOK": str(book)}) for book in books
    ]
    servers: list[Twistd] = []
    callers: list[Caller] = []
    try:
        servers += await gatherResults([deferToThread(make) for make in start[:3]])
        registry = FakeRegistry(*map(place_of, servers))
        for number, pick in enumerate(PICKERS):
            client = RemoteClient(
                "registry:office",
                registry=registry,
                pick=pick,
                sticky_key="a key",
                retry_policy=lambda _failures: 0.1,
                # a call on a server that does nothing is told so by its time-out
                config={"sync_request_timeout": 60},
            )
            callers.append(Caller(client, number * 1_000_000))
        for caller in callers:
            await caller.go_on()
        await _one_is_stopped_for_a_while(callers, servers)
        assert [caller.lost for caller in callers] == [[], [], []]

        # drained: it says so, answers what it has, and no call is lost
        servers.append(await deferToThread(start[3]))
        registry.set(*map(place_of, [*servers[1:], servers[0]]))
        for caller in callers:
            await caller.go_on()
        servers[0].signal(signal.SIGTERM)
        await deferToThread(servers[0].finish)
        registry.set(*map(place_of, servers[1:]))
        for caller in callers:
            await caller.go_on()
        assert [caller.lost for caller in callers] == [[], [], []]

        await _one_is_killed(callers, servers)
        for caller in callers:
            caller.stop()
    finally:
        for caller in callers:
            await caller.client.stopService()
        for server in servers:
            server.kill()

    done = Counter(line for book in books if book.exists() for line in book.read_text().split())
    assert set(done.values()) == {1}
    for caller in callers:
        assert all(len(ended) == 1 for ended in caller.endings.values())
        answered = {number for number, [ended] in caller.endings.items() if ended == number}
        assert {str(number) for number in answered} <= set(done)
    assert sum(book.exists() for book in books) == 4


async def _one_is_stopped_for_a_while(callers: list[Caller], servers: list[Twistd]) -> None:
    """What was sent to it is answered when it goes on; the others have the rest."""
    *spread, sticky = callers
    stopped = next(each for each in servers[1:] if not members_at(sticky, each))
    stopped.signal(signal.SIGSTOP)
    await until(lambda: all(on(caller, stopped) for caller in spread))

    def suspected(caller: Caller) -> bool:
        return any(member._pinged is not None for member in members_at(caller, stopped))

    await until(lambda: all(suspected(caller) for caller in spread))
    for caller in callers:
        await caller.go_on()
    waiting = [sum(not ended for ended in caller.endings.values()) for caller in spread]
    assert min(waiting) > 0
    stopped.signal(signal.SIGCONT)
    await until(lambda: not any(suspected(caller) for caller in spread))
    for caller in callers:
        await caller.go_on()


async def _one_is_killed(callers: list[Caller], servers: list[Twistd]) -> None:
    """Only what was in flight on it fails, with `ConnectionLost`."""
    killed = servers[1]
    members = [member for caller in callers for member in members_at(caller, killed)]
    assert len(members) >= 2
    # many calls that are never answered, at all servers
    lingering = [caller.call("linger") for caller in callers for _ in range(10)]
    for caller in callers:
        await caller.go_on(20)
    losses = []
    for member in members:
        assert member.line.live is not None
        losses.append(member.line.live.when_disconnected())
    await deferToThread(killed.kill)
    await gatherResults(losses)
    late = [caller.call() for caller in callers]
    for caller in callers:
        await caller.go_on()
    lost = {number for caller in callers for number in caller.lost}
    assert lost & {*lingering}
    assert lost.isdisjoint(late)
    for caller in callers:
        for number in caller.lost:
            assert isinstance(caller.endings[number][0].value, ConnectionLost)
        await caller.go_on()
        # those that linger at the other servers are in flight there
        assert all(number in lost or not caller.endings.get(number) for number in lingering)
    assert lost == {number for caller in callers for number in caller.lost}
