"""
`live`: what goes by reference, and what can be done with it from a job.
"""

from __future__ import annotations

import gc
import pickle
import weakref
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from tests.net.servers import endpoint_of, served
from tests.work import jobs
from tests.work.child_processes import outcome_of, running_pool, until
from txremote import Service, connect, exposed, get_remote, live
from txremote.errors import DeadReferenceError
from txremote.refs.reference import RemoteReference
from txremote.work.live import Live
from txremote.work.processes import ProcessPool


class Player:
    def __init__(self) -> None:
        self.name = "Ann"
        self.score = 5
        self.heard: list[str] = []

    def greet(self, text: str) -> str:
        self.heard.append(text)
        return f"{text}, {self.name}"


def test_it_holds_the_object() -> None:
    """Its repr says what it is, and live of what is live is the same."""
    player = Player()
    held = live(player)
    assert type(held) is Live
    assert held.target is player
    assert live(held) is held
    assert repr(live([1])) == "live([1])"


def test_it_is_only_for_jobs() -> None:
    """Pickled anywhere else, it says what it is for."""
    with pytest.raises(TypeError, match="for jobs in a process or in a thread"):
        pickle.dumps(live(Player()))


@pytest_twisted.async_yield_fixture(scope="module")
async def pool() -> AsyncIterator[ProcessPool]:
    async with running_pool() as found:
        yield found


@pytest_twisted.ensureDeferred
async def test_a_job_calls_its_parent_a_thousand_times(pool: ProcessPool) -> None:
    """And has each answer."""
    asked: list[int] = []

    def answer(number: int) -> int:
        asked.append(number)
        return number * 2

    assert await pool.submit(jobs.call_often, (live(answer), 1000)) == 999_000
    assert asked == list(range(1000))


@pytest_twisted.ensureDeferred
async def test_an_object_of_the_parent(pool: ProcessPool) -> None:
    """Its attributes can be read and set, its methods called."""
    player = Player()
    found = await pool.submit(jobs.use_player, (live(player),))
    assert found == ("Ann", "hello, Ann", 15)
    assert player.score == 15
    assert player.heard == ["hello"]


@pytest_twisted.ensureDeferred
async def test_the_parent_takes_its_time(pool: ProcessPool) -> None:
    """A callback may return a Deferred, or be a coroutine; the job waits."""

    def later(value: int) -> Deferred[int]:
        return deferLater(reactor, 0.02, lambda: value + 1)  # type: ignore[arg-type]

    async def much_later(value: int) -> int:
        return await later(await later(value))

    assert await pool.submit(jobs.call, (live(later), 1)) == 2
    assert await pool.submit(jobs.call, (live(much_later), 1)) == 3


@pytest_twisted.ensureDeferred
async def test_large_jobs_may_stand_behind_one_that_calls_its_parent(pool: ProcessPool) -> None:
    """They arrive while it waits for an answer; no limit of the connection is theirs."""

    def later(value: int) -> Deferred[int]:
        return deferLater(reactor, 1.0, lambda: value + 1)  # type: ignore[arg-type]

    first = pool.submit(jobs.call, (live(later), 1))
    size = 60 << 20
    behind = [pool.submit(jobs.length, (bytes(size),)) for _ in range(5)]
    assert await first == 2
    assert await gatherResults(behind) == [size] * 5


@pytest_twisted.ensureDeferred
async def test_deep_in_the_arguments(pool: ProcessPool) -> None:
    """It may stand anywhere in them, named ones included, and more than once."""
    double = live(lambda value: value * 2)
    square = live(lambda value: value**2)
    cabinet = {"functions": [double, square, double]}
    assert await pool.submit(jobs.call_all, (cabinet,)) == [4, 4, 4]
    assert await pool.submit(jobs.call_all, (), {"cabinet": cabinet}) == [4, 4, 4]


@pytest_twisted.ensureDeferred
async def test_a_class_or_a_module_of_the_parent(pool: ProcessPool) -> None:
    """Peers are not given one by accident; live says that it is meant."""
    assert type(await pool.submit(jobs.call, (live(Player),))) is Player
    assert await pool.submit(jobs.same, (live(pickle),)) is pickle


@pytest.mark.parametrize("value", [None, 5, "text", (1, "two"), True])
@pytest_twisted.ensureDeferred
async def test_what_needs_no_reference(pool: ProcessPool, value: Any) -> None:
    """live of a plain value, None included, is that value: a callback may be optional."""
    assert await pool.submit(jobs.same, (live(value),)) == value
    assert await pool.submit(jobs.same, ([live(value)],)) == [value]


@pytest_twisted.ensureDeferred
async def test_what_a_callback_raises(pool: ProcessPool) -> None:
    """It is raised in the job as what it is, and from there in the parent again."""

    def divide() -> float:
        return 1 / 0

    def fail() -> None:
        raise jobs.NeedsTwo("not today", 2)

    found = await outcome_of(pool.submit(jobs.call, (live(divide),)))
    assert isinstance(found, ZeroDivisionError)
    found = await pool.submit(jobs.what_it_raises, (live(fail),))
    assert found == "NeedsTwo: not today"


@pytest_twisted.ensureDeferred
async def test_a_live_object_comes_back(pool: ProcessPool) -> None:
    """It is the very object then."""
    player = Player()
    assert await pool.submit(jobs.same, (live(player),)) is player
    found = await pool.submit(jobs.same, ([live(player), {"player": live(player)}],))
    assert found[0] is player
    assert found[1]["player"] is player


@pytest_twisted.ensureDeferred
async def test_a_job_returns_a_reference(pool: ProcessPool) -> None:
    """The child's object can be used while the child lives, between its jobs."""
    counter = await pool.submit(jobs.counter)
    assert type(counter) is RemoteReference
    assert [await counter.next(), await counter.next()] == [1, 2]
    assert await get_remote(counter, "value") == 2
    assert await pool.submit(jobs.call, (counter.next,)) == 3
    at_home = await pool.submit(jobs.same, (counter,))
    assert at_home.value == 3  # there it is the object itself, and comes back as any other


@pytest_twisted.ensureDeferred
async def test_a_job_lends_a_function(pool: ProcessPool) -> None:
    """The parent can call it while the job waits for the parent."""

    async def borrow(function: Any) -> int:
        return (await function(20)) + (await function(1))

    assert await pool.submit(jobs.lend, (live(borrow),)) == (42, [20, 1])


@pytest_twisted.ensureDeferred
async def test_nothing_is_kept(pool: ProcessPool) -> None:
    """When the job is over the object is let go of."""
    player = Player()
    gone = weakref.ref(player)
    await pool.submit(jobs.use_player, (live(player),))
    await outcome_of(pool.submit(jobs.call, (live(player),)))  # which is not callable
    del player

    def collected() -> bool:
        gc.collect()
        return gone() is None

    await until(collected)


@pytest_twisted.ensureDeferred
async def test_what_cannot_be_sent(pool: ProcessPool) -> None:
    """Half a character cannot travel as what it is; the jobs around it are not touched."""
    around = [pool.submit(jobs.same, (number,)) for number in range(3)]
    bad = pool.submit(jobs.same, (live("\ud800"),))
    around += [pool.submit(jobs.same, (number,)) for number in range(3, 6)]
    assert isinstance(await outcome_of(bad), ValueError)
    assert [await each for each in around] == list(range(6))
    assert await pool.submit(jobs.same, ("\ud800",)) == "\ud800"


class Shop(Service):
    @exposed
    def price(self, what: str) -> int:
        return len(what)

    @exposed
    def refuse(self) -> None:
        raise LookupError("sold out")

    @exposed
    def shelf(self) -> Any:
        return Shelf()


class Shelf:
    exposed_size = 3

    def exposed_label(self) -> str:
        return "fruit"


@pytest_twisted.ensureDeferred
async def test_references_of_other_peers(pool: ProcessPool) -> None:
    """They are live without being asked: as arguments, as functions, and in results."""
    async with served(Shop) as port:
        conn = await connect(endpoint_of(port))
        assert await pool.submit(jobs.call, (conn.root.price, "pear")) == 4
        assert await pool.submit(conn.root.price, ("apple",)) == 5
        shelf = await conn.root.shelf()
        assert await pool.submit(jobs.call, (shelf.label,)) == "fruit"
        assert await pool.submit(jobs.same, (shelf.size,)) == 3
        assert await pool.submit(jobs.same, ({"shelf": [shelf]},)) == {"shelf": [shelf]}
        found = await pool.submit(jobs.what_it_raises, (conn.root.refuse,))
        assert found == "LookupError: sold out"
        await conn.close()
        found = await outcome_of(pool.submit(jobs.call, (shelf.label,)))
        assert isinstance(found, DeadReferenceError)


@pytest_twisted.ensureDeferred
async def test_a_thread_that_a_job_left(pool: ProcessPool) -> None:
    """It may go on calling its parent, or wait for it for ever; jobs go on all the same."""
    never: Deferred[None] = Deferred()
    await pool.submit(jobs.leave_thread, (live(lambda _number: never), 1))
    for number in range(5):
        assert await outcome_of(pool.submit(jobs.same, (number,))) == number
    never.callback(None)
    calls: list[int] = []
    await pool.submit(jobs.leave_thread, (live(calls.append), 500))
    answers = [pool.submit(jobs.same, (number,)) for number in range(500)]
    for number, answer in enumerate(answers):
        assert await outcome_of(answer) == number
    await until(lambda: len(calls) == 500)
    assert calls == list(range(500))
