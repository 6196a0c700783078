"""
A bad network between good peers: every call ends, and ends once.

Between a client and the fort stands a relay (`tests.hostile.proxy`), which delays,
splits, stalls, damages, resets and closes at any byte of either direction.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread
from twisted.logger import globalLogPublisher

import txremote.blocking
from tests.hostile.conftest import Siege
from tests.hostile.proxy import DOWN, UP, Proxy, Weather, bad_network
from tests.peer.pairs import Outcome
from txremote import AsyncResultTimeout, ConnectionLost, DeadReferenceError, RemoteClient, connect

#: Seconds that all of a session may take.
DEADLINE = 60.0

#: What a call may fail with that the network has swallowed.
LOST = (ConnectionLost, DeadReferenceError)

_names = (f"job {number}" for number in itertools.count())


def name() -> str:
    """Return a name for a job that no other has."""
    return next(_names)


class Session:
    """
    What a client asks in one session, and what became of it.

    Attributes:
        calls: Each call's outcome, by the name of its job.
        ticks: The events that came.
    """

    def __init__(self, proxy: Proxy, **config: Any) -> None:
        self._proxy = proxy
        self._config = {"keepalive": None, **config}
        self.calls: dict[str, Outcome] = {}
        self.ticks: list[int] = []
        self.refusal: BaseException | None = None

    async def run(self) -> Session:
        """Connect, call, be called back, and go; return this."""
        dialling = connect(self._proxy.endpoint, config=self._config, dialect="6", timeout=DEADLINE)
        try:
            conn = await dialling
        except Exception as refusal:
            self.refusal = refusal
            return self
        root = conn.root
        for _ in range(2):
            for ask in (
                lambda job: root.job(job),
                lambda job: root.slow_job(job, 0.001),
                lambda job: root.call(lambda value: root.job(value), job),
            ):
                job = name()
                self.calls[job] = Outcome(ask(job))
            await self._all()
        await conn.close()
        return self

    async def _all(self) -> None:
        from twisted.internet import reactor

        end = reactor.seconds() + DEADLINE
        while not all(call.fired for call in self.calls.values()):
            assert reactor.seconds() < end, "a call has not ended"
            await self._proxy.turn()

    def check(self, done: Counter[str], failures: tuple[type, ...] = LOST) -> int:
        """
        Check that each call ended once, and its job was done once if it says so, and
        at most once if it does not.

        Returns:
            How many ended well.
        """
        well = 0
        for job, call in self.calls.items():
            assert len(call.results) == 1, (job, call.results)
            assert done[job] <= 1, job
            if call.results == [job]:
                well += 1
                assert done[job] == 1, job
            else:
                assert isinstance(call.error, failures), call.error
        return well


async def all_of(awaitables: Iterator[Awaitable[Any]], at_once: int = 20) -> list[Any]:
    """Await many, so many at a time."""
    found: list[Any] = []

    async def some() -> None:
        for awaitable in awaitables:
            found.append(await awaitable)

    await gatherResults([Deferred.fromCoroutine(some()) for _ in range(at_once)])
    return found


async def length(siege: Siege, run: Callable[[Proxy], Awaitable[Any]]) -> dict[str, int]:
    """Return how many bytes a session is, in each direction."""
    async with bad_network(siege.ports["plain"]) as proxy:
        await run(proxy)
        return proxy.lines[0].passed


@pytest.mark.parametrize("weather", [{"pace": 1}, {"pace": 7}, {"delay": 0.01}], ids=str)
@pytest_twisted.ensureDeferred
async def test_bytes_that_come_in_pieces_or_late(siege: Siege, weather: dict[str, Any]) -> None:
    """Everything is as on a good network, only slower."""
    siege.server.ask("jobs")
    async with bad_network(siege.ports["plain"], **weather) as proxy:
        session = await Session(proxy).run()
        assert session.check(Counter(siege.server.ask("jobs"))) == len(session.calls) == 6


PLACES = [(kind, way) for kind in ("reset", "close", "half", "pause") for way in (UP, DOWN)]


@pytest.mark.parametrize(("kind", "way"), PLACES)
@pytest_twisted.ensureDeferred
async def test_a_session_that_is_cut_anywhere(siege: Siege, kind: str, way: str) -> None:
    """Wherever it is: no call is lost without a word, and none is done twice."""
    total = (await length(siege, lambda proxy: Session(proxy).run()))[way]
    siege.server.ask("jobs")
    async with bad_network(siege.ports["plain"]) as proxy:

        def session(at: int) -> Awaitable[Session]:
            proxy.weather = Weather(kind=kind, way=way, at=at)
            return Deferred.fromCoroutine(Session(proxy).run())

        sessions = await all_of(session(at) for at in range(total % 11, total, 11))
        done = Counter(siege.server.ask("jobs"))
        ended = [session.check(done) for session in sessions]
        if kind == "pause":
            assert set(ended) == {6}
        else:
            assert len(set(ended)) > 2  # some were cut early, and some late
    siege.settle()


@pytest_twisted.ensureDeferred
async def test_bytes_that_are_damaged(siege: Siege) -> None:
    """TCP's checksum is no proof: each call has an answer, an error or its time-out."""
    total = await length(siege, lambda proxy: Session(proxy).run())
    events: list[Any] = []
    globalLogPublisher.addObserver(events.append)
    try:
        async with bad_network(siege.ports["plain"]) as proxy:

            def session(way: str, at: int) -> Awaitable[Session]:
                proxy.weather = Weather(kind="damage", way=way, at=at)
                limits = {"request_timeout": 0.3, "max_frame": 100_000}
                return Deferred.fromCoroutine(Session(proxy, **limits).run())

            sessions = await all_of(
                session(way, at) for way in (UP, DOWN) for at in range(0, total[way], 17)
            )
            for one in sessions:
                assert all(len(call.results) == 1 for call in one.calls.values())
    finally:
        globalLogPublisher.removeObserver(events.append)
    assert not [event for event in events if event.get("log_failure")]
    siege.server.ask("jobs")
    siege.settle()


@pytest.mark.parametrize("way", [UP, DOWN])
@pytest_twisted.ensureDeferred
async def test_a_line_on_which_nothing_moves_any_more(siege: Siege, way: str) -> None:
    """Each call has its time-out, and the connection is given up in a bounded time."""
    total = (await length(siege, lambda proxy: Session(proxy).run()))[way]
    siege.server.ask("jobs")
    async with bad_network(siege.ports["plain"]) as proxy:

        def session(at: int, **config: Any) -> Awaitable[Session]:
            proxy.weather = Weather(kind="stall", way=way, at=at)
            return Deferred.fromCoroutine(Session(proxy, **config).run())

        places = range(total // 3, total, total // 10)
        late = await all_of(session(at, request_timeout=0.2) for at in places)
        dead = await all_of(session(at, keepalive=0.2, keepalive_timeout=0.2) for at in places)
        done = Counter(siege.server.ask("jobs"))
        for one in late:
            one.check(done, (AsyncResultTimeout, *LOST))
        for one in dead:
            one.check(done)
            errors = [str(c.error) for c in one.calls.values() if not isinstance(c.results[0], str)]
            assert all("no sign of life" in error for error in errors)
        assert any(
            isinstance(c.results[0], str) is False for one in dead for c in one.calls.values()
        )


# -- a client that comes back


def bad_weather(count: int) -> Iterator[Weather]:
    """Return what a day is like, the same each time."""
    source = random.Random(20261121)
    for _ in range(count):
        kind = source.choice(["reset", "close", "half", "stall"])
        at = source.choice([0, 10, 40, 100, 300, 1000, 2000])
        yield Weather(kind=kind, way=source.choice([UP, DOWN]), at=at)


@pytest_twisted.ensureDeferred
async def test_a_client_that_reconnects_through_bad_weather(siege: Siege) -> None:
    """
    Back within its back-off each time; each call ends once, none is repeated; no event
    comes twice, and none out of order.
    """
    from twisted.internet import reactor

    days, back_off, patience = 15, 0.02, 1.0
    siege.server.ask("jobs")
    ticks: list[int] = []
    calls: dict[str, Outcome] = {}
    async with bad_network(siege.ports["plain"]) as proxy:
        proxy.forecast = bad_weather(days)
        client = RemoteClient(
            proxy.endpoint,
            dialect="6",
            config={"keepalive": 0.1, "keepalive_timeout": 0.1, "frame_timeout": 0.2},
            on_connect=lambda conn: conn.root.tell(ticks.append, 0.002),
            retry_policy=lambda _failures: back_off,
            timeout=0.5,
        )
        client.startService()
        end = reactor.seconds() + DEADLINE
        try:
            while len(proxy.lines) <= days or client.status.state != "connected":
                assert reactor.seconds() < end, client.status
                conn = client._pool.usable
                if conn is not None:
                    job = name()
                    calls[job] = Outcome(conn.root.job(job))
                await proxy.turn(0.005)
            job = name()
            assert await client.root.job(job) == job
        finally:
            await client.stopService()
        for before, after in itertools.pairwise(proxy.lines):
            assert after.began - before.ended_at < back_off + patience
            assert after.began - before.ended_at > back_off / 2
        done = Counter(siege.server.ask("jobs"))
        for job, call in calls.items():
            assert len(call.results) == 1, job
            assert done[job] <= 1
            if call.results == [job]:
                assert done[job] == 1
        assert any(call.results == [job] for job, call in calls.items())
        assert any(call.results != [job] for job, call in calls.items())
    assert len(ticks) > days
    assert ticks == sorted(set(ticks))
    siege.settle()


# -- the same in a script


class Script:
    """
    The session of a script: the same calls, in a thread that blocks.

    Attributes:
        ended: For each job what its call gave: its value or its exception, in a list
            that shall have one item.
    """

    def __init__(self, port: int, timeout: float) -> None:
        self._port = port
        self._timeout = timeout
        self.ended: dict[str, list[Any]] = {}

    def run(self) -> Script:
        """Connect, call, be called back, and go; return this."""
        config = {"sync_request_timeout": self._timeout}
        try:
            conn = txremote.blocking.connect("127.0.0.1", self._port, config=config)
        except Exception:  # it was cut before it began
            return self
        try:
            root = conn.root
            for _ in range(2):
                self._note(root.job, lambda job: (job,))
                self._note(root.call, lambda job: (root.job, job))
                self._note(root.call, lambda job: (lambda value: root.job(value), job))
                self._later(root.slow_job)
        except (EOFError, AsyncResultTimeout):  # in reading what was to be called
            return self
        finally:
            conn.close()
        return self

    def _note(self, function: Any, arguments: Callable[[str], tuple[Any, ...]]) -> None:
        job = name()
        ended = self.ended[job] = []
        try:
            ended.append(function(*arguments(job)))
        except Exception as error:
            ended.append(error)

    def _later(self, function: Any) -> None:
        job = name()
        ended = self.ended[job] = []

        def note(result: Any) -> None:
            try:
                ended.append(result.value)
            except Exception as error:
                ended.append(error)

        try:
            waiting = txremote.blocking.async_(function)(job, 0.001)
        except Exception as error:
            ended.append(error)
            return
        waiting.add_callback(note)
        waiting.set_expiry(self._timeout)
        try:
            waiting.wait()
        except (EOFError, AsyncResultTimeout):
            return

    def check(self, done: Counter[str]) -> None:
        """Check as `Session.check` does."""
        for job, ended in self.ended.items():
            assert len(ended) == 1, (job, ended)
            assert done[job] <= 1
            if ended == [job]:
                assert done[job] == 1
            else:
                assert isinstance(ended[0], (EOFError, AsyncResultTimeout)), ended


@pytest.mark.parametrize("kind", ["reset", "close", "half", "stall", "pause"])
@pytest_twisted.ensureDeferred
async def test_a_script_whose_connection_is_cut_anywhere(siege: Siege, kind: str) -> None:
    """Each of its calls raises or returns, once; nothing is done twice."""
    total = await length(siege, lambda proxy: deferToThread(Script(proxy.port, DEADLINE).run))
    siege.server.ask("jobs")
    async with bad_network(siege.ports["plain"]) as proxy:
        stalls = kind == "stall"
        days = [
            Weather(kind=kind, way=way, at=at)
            for way in (UP, DOWN)
            for at in range(total[way] // 3 if stalls else 0, total[way], total[way] // 7)
        ]
        proxy.forecast = iter(days)
        timeout = 0.1 if stalls else DEADLINE
        scripts = await all_of(
            (deferToThread(Script(proxy.port, timeout).run) for _day in days), at_once=8
        )
        done = Counter(siege.server.ask("jobs"))
        for script in scripts:
            script.check(done)
        assert any(script.ended for script in scripts)
    siege.settle()
