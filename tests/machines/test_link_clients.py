"""
Clients of two machines that call all the time, while the link of one is cut, and that of a registry
too: each call ends once, nothing is done twice, and new calls go to the other machine or end by
their time-out.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.task import LoopingCall, deferLater
from twisted.internet.threads import deferToThread

from tests.buses.redis_server import needs_redis
from tests.machines.network import Machine, Network, network_redis, why_no_machines
from tests.processes import SERVES, Program, script
from txremote import ConnectionLost, RemoteClient
from txremote.errors import AsyncResultTimeout, DeadReferenceError

#: Seconds of a cut, and those after which a call is given up.
CUT, PATIENCE = 12.0, 4.0

#: How a call may fail.
ALLOWED = (AsyncResultTimeout, ConnectionLost, DeadReferenceError)

CONFIG = {"request_timeout": PATIENCE, "keepalive": 2, "keepalive_timeout": 3}


class Caller:
    """
    A client that calls twenty times a second.

    Attributes:
        begun: When each call was made.
        ended: When each call ended, and how, each time that it did.
    """

    def __init__(self, client: RemoteClient, numbers: int) -> None:
        self.client = client
        self._number = numbers
        self.begun: dict[int, float] = {}
        self.ended: dict[int, list[tuple[float, Any]]] = {}
        self._calling = LoopingCall(self._call)
        client.startService()
        self._calling.start(0.05)

    def _call(self) -> None:
        self._number += 1
        number = self._number
        self.begun[number] = monotonic()
        ended = self.ended[number] = []
        asked: Any = self.client.root.callRemote("job", number)
        asked.addBoth(lambda result: ended.append((monotonic(), result)))

    def stop(self) -> None:
        """Call no more."""
        self._calling.stop()

    def is_idle(self) -> bool:
        """Tell whether each call has ended."""
        return all(self.ended.values())

    def answered(self, since: float = 0.0) -> list[int]:
        """Return the calls made since then that were answered."""
        return [
            number
            for number, ended in self.ended.items()
            if ended and ended[0][1] == number and self.begun[number] >= since
        ]

    def failed(self) -> dict[int, BaseException]:
        """Return the calls that failed."""
        return {
            number: ended[0][1].value
            for number, ended in self.ended.items()
            if ended and ended[0][1] != number
        }

    def longest(self) -> float:
        """Return how long a call took at most to end."""
        return max(ended[0][0] - self.begun[number] for number, ended in self.ended.items())


def serve(machine: Machine, book: Path, url: str) -> Program:
    """Start a server on a machine, which notes its jobs in a file, and registers itself."""
    server = Program(
        *(*machine.before, script("twistd"), "--pidfile=", "-n", "txremote"),
        *("--service", "tests.net.killed_service.Office", "--listen", "tcp:18861"),
        *("--register", "office", "--registry", url),
        env={**os.environ, "OFFICE_BOOK": str(book)},
    )
    server.wait_for(SERVES)
    return server


def start_registry(stack: ExitStack, kind: str, network: Network) -> tuple[str, list[Machine]]:
    """Start a registry, a Redis on this host or RPyC's on a machine; return its URL and that."""
    if kind == "redis":
        return network_redis(stack, network), []
    machine = network.machine()
    words = (script("txremote"), "registry", "--host", machine.address)
    stack.enter_context(Program(*machine.before, *words)).wait_for("18811")
    return f"rpyc://{machine.address}", [machine]


async def pause(seconds: float) -> None:
    """Let the reactor run."""
    from twisted.internet import reactor

    await deferLater(reactor, seconds)  # type: ignore[arg-type]


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds: a registry is asked again every 5 seconds."""
    end = monotonic() + 30
    while not condition():
        assert monotonic() < end, "it did not come about"
        await pause(0.05)


def jobs_of(book: Path) -> list[int]:
    """Return the jobs that a server has done."""
    return [int(line) for line in book.read_text().split()] if book.exists() else []


@needs_redis
@pytest.mark.parametrize(("kind", "cut"), [("redis", "silent"), ("rpyc", "down")])
@pytest_twisted.ensureDeferred
async def test_calls_go_to_the_other_machine_or_end(kind: str, cut: str, tmp_path: Path) -> None:
    """Of a client of both, of one that sticks to the one that is cut off, of one of that alone."""
    if why_no_machines():
        pytest.skip(why_no_machines())
    books = [tmp_path / "first", tmp_path / "second"]
    callers: list[Caller] = []
    with ExitStack() as stack:
        network = stack.enter_context(Network())
        url, registered = await deferToThread(start_registry, stack, kind, network)
        machines = [network.machine(), network.machine()]
        for machine, book in zip(machines, books, strict=True):
            stack.enter_context(await deferToThread(serve, machine, book, url))
        try:
            for number, pick in enumerate(("least-busy", "sticky")):
                client = RemoteClient("registry:office", registry=url, pick=pick, config=CONFIG)
                callers.append(Caller(client, (number + 1) * 10**6))
            spread, sticky = callers
            await until(lambda: all(min(jobs_of(book), default=9**9) < 2 * 10**6 for book in books))
            await until(lambda: len(sticky.answered()) > 20)
            victim = 0 if max(jobs_of(books[0])) > 2 * 10**6 else 1
            where = f"tcp:{machines[victim].address}:18861"
            alone = Caller(RemoteClient(where, config=CONFIG), 3 * 10**6)
            callers.append(alone)
            await until(lambda: len(alone.answered()) > 20)
            begun = monotonic()
            gone = [machines[victim], *registered]
            for machine in gone:
                machine.cut(cut)
            await pause(CUT)
            # the cut goes on, and what is called now is answered by the other
            for caller in (spread, sticky):
                assert caller.answered(since=monotonic() - 2)
            assert not alone.answered(since=begun + 0.5)
            for machine in gone:
                machine.mend()
            mended = monotonic()
            await until(lambda: len(alone.answered(since=mended)) > 20)
            for caller in callers:
                caller.stop()
            await until(lambda: all(caller.is_idle() for caller in callers))
        finally:
            for caller in callers:
                await caller.client.stopService()
    done = Counter(job for book in books for job in jobs_of(book))
    assert set(done.values()) == {1}
    for name, caller in zip(("spread", "sticky", "alone"), callers, strict=True):
        failed = caller.failed()
        over = max((caller.begun[number] for number in failed), default=begun) - begun
        print(
            f"{kind}, {cut}, {name}: {len(caller.answered())} answered, {len(failed)} failed, "
            f"{sum(number in done for number in failed)} of them done, the last of them begun "
            f"after {over:.1f} s, the longest {caller.longest():.1f} s"
        )
        assert all(len(ended) == 1 for ended in caller.ended.values())
        assert all(isinstance(error, ALLOWED) for error in failed.values()), failed
        assert {*caller.answered()} <= {*done}
        if name != "alone":  # whose later calls wait until there is a connection
            assert over < 8
            assert caller.longest() < PATIENCE + 3
    back = min(alone.ended[number][0][0] for number in alone.answered(since=mended)) - mended
    print(f"{kind}, {cut}: the machine answers again after {back:.1f} s")
