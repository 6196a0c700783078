"""
``async for`` over a remote object: what arrives, in how many round trips, and
what is left behind.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred

from tests.peer.pairs import Outcome, Wire, pair_with_stock_client, pair_with_stock_server
from txremote import RemoteReference, Service, Topic, exposed, get_remote, stream, typed
from txremote.errors import ConnectionLost
from txremote.testing import Pair, connected_pair
from txremote.wire.consts import HANDLE_BUFFITER, HANDLE_CALLATTR, HANDLE_CALLPATH, HANDLE_RELEASE


class Thing:
    """An object that cannot go by value."""


class Numbers(Service):
    def __init__(self) -> None:
        self.exposed_players = ["ann", "bob"]
        self.given = 0

    @exposed
    def upto(self, count: int) -> Any:
        return range(count)

    @exposed
    def listed(self, count: int) -> Any:
        return list(range(count))

    @exposed
    def counted(self, count: int) -> Iterable[int]:
        for number in range(count):
            self.given += 1
            yield number

    @exposed
    def fails_after(self, count: int) -> Iterator[int]:
        yield from range(count)
        raise LookupError("no more paper")

    @exposed
    def containers(self) -> Any:
        return (
            [1, 2],
            {"a": 1, "b": 2},
            {1, 2},
            deque([1, 2]),
            bytearray(b"\1\2"),
            {"a": 1, "b": 2}.values(),
            {1: "a", 2: "b"}.items(),
            enumerate(["x", "y"]),
        )

    @exposed
    def things(self, count: int) -> Any:
        return [Thing() for _ in range(count)]

    @exposed
    def one(self) -> int:
        return 1

    @exposed
    async def sum_of(self, numbers: Any) -> int:
        total = 0
        async for number in numbers:
            total += number
        return total


@pytest.fixture
def pair() -> Pair:
    return connected_pair(server_root=Numbers)


async def collect(iterable: Any, most: int | None = None) -> list[Any]:
    found = []
    async for item in iterable:
        found.append(item)
        if most is not None and len(found) >= most:
            break
    return found


def run(pair: Pair, coroutine: Any) -> Any:
    return pair.result(Deferred.fromCoroutine(coroutine))


def test_a_remote_list_is_iterated(pair: Pair) -> None:
    listed = pair.result(pair.client.root.listed(25))
    assert run(pair, collect(listed)) == list(range(25))


def test_a_path_is_iterated_without_reading_it_first(pair: Pair) -> None:
    wire = Wire(pair.client)
    assert run(pair, collect(pair.client.root.players)) == ["ann", "bob"]
    assert wire.requests[0] == HANDLE_CALLPATH
    assert wire.requests[1:3] == [HANDLE_BUFFITER, HANDLE_BUFFITER]
    assert wire.requests[3:] == [HANDLE_RELEASE]


@pytest.mark.parametrize(
    ("count", "chunks"),
    [(0, 1), (1, 2), (10, 2), (11, 3), (30, 3), (100, 5), (1000, 8), (5000, 12)],
)
def test_items_come_in_growing_chunks(pair: Pair, count: int, chunks: int) -> None:
    """10, 20, 40... up to 1,000 items a round trip; the last finds nothing more."""
    iterated = pair.result(pair.client.root.upto(count))
    wire = Wire(pair.client)
    assert run(pair, collect(iterated)) == list(range(count))
    assert wire.requests[0] == HANDLE_CALLATTR
    assert wire.requests.count(HANDLE_BUFFITER) == chunks


def test_an_early_exit_asks_for_no_more_and_gives_the_iterator_back(pair: Pair) -> None:
    generator = pair.result(pair.client.root.counted(1000))
    wire = Wire(pair.client)
    assert run(pair, collect(generator, most=3)) == [0, 1, 2]
    assert wire.requests.count(HANDLE_BUFFITER) == 1
    assert pair.server.service.given == 10
    del generator
    gc.collect()
    pair.advance(0.05)
    assert len(pair.server._tables.exports) == 1  # the root


def test_nothing_is_left_behind_when_it_is_done(pair: Pair) -> None:
    assert run(pair, collect(pair.client.root.players))
    gc.collect()
    pair.advance(0.05)
    assert len(pair.server._tables.exports) == 1


def test_what_came_before_an_exception_is_not_lost(pair: Pair) -> None:
    generator = pair.result(pair.client.root.fails_after(13))
    found: list[int] = []

    async def use() -> None:
        async for item in generator:
            found.append(item)

    with pytest.raises(LookupError, match="no more paper"):
        run(pair, use())
    assert found == list(range(13))


def test_every_builtin_container_can_be_iterated(pair: Pair) -> None:
    containers = pair.result(pair.client.root.containers())
    found = [run(pair, collect(container)) for container in containers]
    assert found == [
        [1, 2],
        ["a", "b"],
        [1, 2],
        [1, 2],
        [1, 2],
        [1, 2],
        [(1, "a"), (2, "b")],
        [(0, "x"), (1, "y")],
    ]


def test_items_that_are_objects_come_as_references(pair: Pair) -> None:
    found = run(pair, collect(pair.result(pair.client.root.things(35))))
    assert len({*found}) == 35
    assert {type(item) for item in found} == {RemoteReference}


def test_what_cannot_be_iterated_says_so(pair: Pair) -> None:
    with pytest.raises(AttributeError):
        run(pair, collect(pair.client.root.one))
    with pytest.raises(AttributeError, match="__iter__"):
        run(pair, collect(pair.client.root))


def test_an_iteration_can_be_done_only_once_but_the_object_again(pair: Pair) -> None:
    listed = pair.result(pair.client.root.listed(3))
    iterator = listed.__aiter__()
    assert iterator.__aiter__() is iterator
    assert run(pair, collect(iterator)) == [0, 1, 2]
    assert run(pair, collect(iterator)) == []
    assert run(pair, collect(listed)) == [0, 1, 2]


def test_the_server_iterates_what_the_client_gave_it(pair: Pair) -> None:
    assert pair.result(pair.client.root.sum_of([1, 2, 3] * 20)) == 120


def test_a_lost_connection_ends_the_loop_with_its_error(pair: Pair) -> None:
    outcome = Outcome(Deferred.fromCoroutine(collect(pair.client.root.players)))
    pair.lose()
    assert isinstance(outcome.error, ConnectionLost)


def test_it_works_with_stock_peers_at_either_end() -> None:
    pair: Any = pair_with_stock_server(Numbers)
    assert run(pair, collect(pair.result(pair.client.root.listed(50)))) == list(range(50))
    assert run(pair, collect(pair.client.root.players)) == ["ann", "bob"]
    assert pair.asked == []

    pair = pair_with_stock_client(Numbers, client_root=Numbers)
    assert run(pair, collect(pair.server.root.players)) == ["ann", "bob"]
    assert pair.asked == []


class Feed(Service):
    """Gives things as they come."""

    def __init__(self) -> None:
        self.gates: list[Deferred[int]] = [Deferred() for _ in range(3)]
        self.left = False

    @exposed
    async def news(self) -> AsyncIterator[int]:
        """An asynchronous generator: each item when its gate opens."""
        try:
            for gate in self.gates:
                yield await gate
        finally:
            self.left = True


def test_an_asynchronous_generator_is_iterated_as_its_items_come() -> None:
    """Each item arrives when it is there, not when a chunk is full."""
    feed = Feed()
    pair = connected_pair(server_root=feed)
    heard: list[int] = []

    async def listen() -> None:
        async for item in await pair.client.root.news():
            heard.append(item)

    done = Deferred.fromCoroutine(listen())
    for number, gate in enumerate(feed.gates):
        pair.pump()
        assert heard == list(range(number))
        gate.callback(number)
    pair.result(done)
    assert heard == [0, 1, 2]
    assert feed.left


def test_the_methods_of_an_asynchronous_generator_are_awaited() -> None:
    """asend() and aclose() are answered with what they end in."""
    feed = Feed()
    pair = connected_pair(server_root=feed)
    news = pair.result(pair.client.root.news())
    feed.gates[0].callback(7)
    assert pair.result(news.callRemote("__anext__")) == 7
    assert pair.result(news.aclose()) is None
    assert feed.left
    with pytest.raises(AttributeError):
        pair.result(get_remote(news, "ag_frame"))


class Flows(Service):
    """Has all that a loop reads, each with 0, 1 and 2."""

    exposed_topic: Topic

    def __init__(self) -> None:
        self.exposed_topic = Topic()

    @exposed
    def subscribed(self) -> Any:
        return self.exposed_topic.subscribe()

    @exposed
    def pushed(self) -> Any:
        return stream(self.asynchronous())

    @exposed
    def generated(self) -> Any:
        return (number for number in range(3))

    @exposed
    async def asynchronous(self) -> AsyncIterator[int]:
        for number in range(3):
            yield number

    @exposed
    def listed(self) -> Any:
        return [0, 1, 2]


class TypedFlows(Service):
    """Declares the items of one."""

    @exposed
    def generated(self) -> Iterator[int]:
        raise NotImplementedError


HERE = ("subscribed", "pushed", "asynchronous")


@pytest.mark.parametrize(
    ("where", "name"),
    [
        *(("here", name) for name in HERE),
        *(("remote", name) for name in (*HERE, "generated")),
        ("view", "generated"),
        ("stock", "generated"),
    ],
)
def test_anext_takes_an_item_and_a_loop_the_others(where: str, name: str) -> None:
    flows = Flows()
    pair: Any = (
        pair_with_stock_server(flows) if where == "stock" else connected_pair(server_root=flows)
    )

    async def source() -> Any:
        if where == "here":
            return getattr(flows, name)()
        root = pair.client.root
        return await getattr(typed(root, TypedFlows) if where == "view" else root, name)()

    async def use() -> list[int]:
        found = await source()
        items = [await anext(found), await anext(found), *await collect(found)]
        with pytest.raises(StopAsyncIteration):
            await anext(found)
        return items

    outcome = Outcome(Deferred.fromCoroutine(use()))
    pair.pump()
    for number in range(3):
        flows.exposed_topic.publish(number)
    pair.pump()
    flows.exposed_topic.close()
    pair.pump()
    assert outcome.value == [0, 1, 2]


@pytest.mark.parametrize("stock", [False, True])
def test_anext_of_what_is_no_iterator_gives_no_item(stock: bool) -> None:
    pair: Any = pair_with_stock_server(Flows()) if stock else connected_pair(server_root=Flows())
    listed = pair.result(pair.client.root.listed())
    with pytest.raises(AttributeError, match="__next__"):
        run(pair, anext(listed))


def test_a_subscription_that_was_read_by_anext_ends_with_its_last_reference() -> None:
    flows = Flows()
    pair = connected_pair(server_root=flows)
    found = pair.result(pair.client.root.subscribed())
    outcome = Outcome(Deferred.fromCoroutine(anext(found)))
    pair.pump()
    flows.exposed_topic.publish(7)
    pair.pump()
    assert outcome.value == 7
    assert flows.exposed_topic.stats().subscribers == 1
    del found
    pair.advance(0.05)
    assert flows.exposed_topic.stats().subscribers == 0


def test_the_step_behind_one_that_was_cancelled_says_so() -> None:
    pair = connected_pair(server_root=Feed())
    news = pair.result(pair.client.root.news())
    step = Deferred.fromCoroutine(anext(news))
    cancelled = Outcome(step)
    pair.pump()
    step.cancel()
    assert isinstance(cancelled.error, CancelledError)
    with pytest.raises(RuntimeError, match="the wait for an item was cancelled"):
        run(pair, anext(news))
