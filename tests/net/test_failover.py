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
from txremote.net.members import PICKERS
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
        number = self.numbers + len(self.endings)
        ended = self.endings[number] = []
        self.client.root.callRemote(method, number).addBoth(ended.append)
        return number

    def stop(self) -> None:
        """Call no more."""
        self._calling.stop()

    @property
    def unanswered(self) -> int:
        """How many calls have not ended."""
        return sum(not ended for ended in self.endings.values())

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


def on(caller: Caller, server: Twistd) -> int:
    """Return how many calls of a client are in flight on a server."""
    members = caller.client._pool._members
    lines = [member.line for member in members if member.target.name == place_of(server).name]
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
        spread, *_others, sticky = callers
        where = [on_server.status.state for on_server in (spread.client, sticky.client)]
        assert where == ["connected", "connected"]
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
        print([caller.endings[n] for caller in callers for n in caller.lost])
        assert [caller.lost for caller in callers] == [[], [], []]

        await _one_is_killed(callers, servers)
        for caller in callers:
            caller.stop()
        await until(lambda: not any(caller.unanswered for caller in callers))
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
    stopped = next(server for server in servers[1:3] if not on(sticky, server))
    stopped.signal(signal.SIGSTOP)
    await until(lambda: all(on(caller, stopped) for caller in spread))

    def left_alone(caller: Caller) -> bool:
        members = caller.client._pool._members
        return any(each._pinged is not None and each.seems_stuck(1e12) for each in members)

    await until(lambda: all(left_alone(caller) for caller in spread))
    for caller in callers:
        await caller.go_on()
    stopped.signal(signal.SIGCONT)
    goal = [caller.answered + 100 for caller in spread]
    await until(lambda: all(not on(caller, stopped) for caller in spread) or goal)
    await until(lambda: not any(left_alone(caller) for caller in spread))
    for caller in callers:
        await caller.go_on()


async def _one_is_killed(callers: list[Caller], servers: list[Twistd]) -> None:
    """Only what was in flight on it fails, with `ConnectionLost`."""
    killed = servers[1]
    lines = [
        member.line
        for caller in callers
        for member in caller.client._pool._members
        if member.target.name == place_of(killed).name
    ]
    lingering = [caller.call("linger") for caller in callers for _ in range(3)]
    for caller in callers:
        await caller.go_on(20)
    flying = [set(), set(), set()]
    ends = [line.live.when_disconnected() for line in lines if line.live is not None]
    await deferToThread(killed.kill)
    await gatherResults(ends)
    for caller in callers:
        caller.call()
        await caller.go_on()
    lost = [number for caller in callers for number in caller.lost]
    print("lost", [len(caller.lost) for caller in callers], "of", flying, lingering)
    for caller in callers:
        for number in caller.lost:
            assert isinstance(caller.endings[number][0].value, ConnectionLost)
        await caller.go_on()
    assert lost == [number for caller in callers for number in caller.lost]
