"""
Streams of the peer's that are read here: credit, its limits, and peers that break the rules.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.peer.test_outgoing import Read, feed_pair, pairs_are_lost, settle
from txremote import RemoteProtocolError, Service, exposed, stream, value
from txremote.peer import incoming
from txremote.peer.memory_budget import LITTLE, MemoryBudget, MemoryShare
from txremote.peer.references import Promised
from txremote.testing import connected_pair
from txremote.wire.consts import HANDLE_CREDIT, HANDLE_ITEMS

__all__ = ["pairs_are_lost"]  # a fixture


def opened() -> tuple[Any, Any]:
    """Return a pair, and the loop over a stream that gives nothing yet."""
    pair, _feed = feed_pair()
    read = Read(pair.client.root.waiting())
    settle(pair)
    return pair, read


def test_more_items_than_the_credit_end_the_stream_with_the_limit_in_the_error() -> None:
    pair, read = opened()
    too_many = tuple(range(incoming.MOST_ITEMS + 1))
    pair.server.outbound.send_oneway(HANDLE_ITEMS, 0, too_many)
    settle(pair)
    assert isinstance(read.over.error, RemoteProtocolError)
    assert f"the limit is {incoming.MOST_ITEMS} items" in str(read.over.error)
    assert read.items == []
    assert not len(pair.server.inbound)  # it was told to stop


def test_more_bytes_than_the_credit_end_the_stream() -> None:
    pair, _feed = feed_pair()
    ref = pair.result(pair.client.root.waiting())
    reading = pair.client.open_stream(ref, False)
    settle(pair)
    for _ in range(2):
        pair.server.outbound.send_oneway(HANDLE_ITEMS, 0, (bytes(reading.window),))
    settle(pair)
    assert len(reading.take()) == 1
    with pytest.raises(RemoteProtocolError, match="with credit for"):
        reading.take()


@pytest.mark.parametrize(
    "args", [(), (0,), (0, ()), (0, 5), ("0", (1,)), (7, (1,)), (0, [1]), (0, (1,), 2, 3)]
)
def test_items_that_are_wrong_cost_their_stream_at_most(args: Any) -> None:
    pair, read = opened()
    pair.server.outbound.send_oneway(HANDLE_ITEMS, *args)
    pair.server.outbound.send_oneway(HANDLE_CREDIT, *args)
    settle(pair)
    assert read.items == []
    assert pair.result(pair.client.root.total(stream([1]))) == 1


def test_an_end_that_counts_other_items_than_have_come_is_an_error() -> None:
    pair, _feed = feed_pair()
    ref = pair.result(pair.client.root.upto("plain", 5))
    reading = pair.client.open_stream(ref, False)
    pair.server.outbound.send_oneway(HANDLE_ITEMS, 0, (99,))
    settle(pair)
    items = []
    with pytest.raises(RemoteProtocolError, match="6 of its items have come"):
        while found := reading.take():
            items += found
    assert items == [99, 0, 1, 2, 3, 4]


class Confused:
    """An iterator that is not asynchronous, and says that it was."""

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> int:
        raise StopAsyncIteration


def test_an_error_that_looks_like_the_end_is_an_error() -> None:
    class Odd(Service):
        @exposed
        def items(self) -> Any:
            return stream(Confused())

    pair = connected_pair(server_root=Odd)
    read = Read(pair.client.root.items())
    settle(pair)
    assert isinstance(read.over.error, RuntimeError)
    assert "has raised StopAsyncIteration" in str(read.over.error)


def test_items_that_are_longer_than_max_frame_fail_their_stream_and_no_other() -> None:
    class Long(Service):
        @exposed
        def parts(self, size: int) -> Any:
            return stream([b"short", bytes(size), b"never"])

    pair = connected_pair(server_root=Long, client_config={"max_frame": 100_000})
    long, short = Read(pair.client.root.parts(200_000)), Read(pair.client.root.parts(10))
    settle(pair)
    assert "option max_frame" in str(long.over.error)
    assert long.items == [b"short"]
    assert short.items == [b"short", bytes(10), b"never"]
    assert not pair.server.streams.outgoing  # type: ignore[union-attr]


def test_items_that_cannot_be_decoded_fail_their_stream() -> None:
    class Deep(Service):
        @exposed
        def parts(self) -> Any:
            deep: Any = ()
            for _ in range(40):
                deep = (deep, deep[:0])
            return stream([1, deep])

    pair = connected_pair(server_root=Deep, client_config={"max_depth": 10})
    read = Read(pair.client.root.parts())
    settle(pair)
    assert "option max_depth" in str(read.over.error)


def test_items_that_are_results_of_calls_fail_their_stream() -> None:
    pair, read = opened()
    pair.server.outbound.send_oneway(HANDLE_ITEMS, 0, (1, Promised(1)))
    settle(pair)
    assert "which only calls do" in str(read.over.error)
    assert read.items == []


def test_the_windows_of_a_connection_together_are_bounded() -> None:
    pair, _feed = feed_pair()
    windows = []
    for _ in range(200):
        ref = pair.result(pair.client.root.waiting())
        windows.append(pair.client.open_stream(ref, False).window)
    least = incoming.LEAST_BYTES
    assert windows[0] == incoming.MOST_BYTES
    assert min(windows) == least
    assert sum(windows) <= incoming.ALL_BYTES + 200 * least


def test_credit_for_many_items_does_not_wait_for_the_end_of_a_read() -> None:
    pair, _feed = feed_pair()
    ref = pair.result(pair.client.root.upto("plain", 20_000))
    reading = pair.client.open_stream(ref, False)
    settle(pair)
    pair.client.outbox.corked = True  # as within a read of many messages
    taken = 0
    while taken < incoming.MOST_ITEMS // 2:
        assert not pair.client.transport.written
        taken += len(reading.take())
    assert len(pair.client.transport.written) == 1
    assert pair.client.outbox.corked
    pair.client.outbox.uncork()


def test_values_in_a_stream_are_the_readers_own() -> None:
    class Lists(Service):
        @exposed
        def lists(self) -> Any:
            return stream(value([number]) for number in range(3))

    pair = connected_pair(server_root=Lists)
    read = Read(pair.client.root.lists())
    settle(pair)
    assert read.items == [[0], [1], [2]]


class Holder(Service):
    """Has a stream of its peer's, and has not read it yet."""

    stream: Any

    @exposed
    def hold(self, stream: Any) -> None:
        self.stream = stream


def held_by_a_listener(most: int) -> tuple[Any, Any, MemoryBudget]:
    """Return a pair, what its server has begun to read, and the budget that counts that."""
    holder = Holder()
    pair = connected_pair(server_root=holder)
    budget = MemoryBudget(most, most, lambda _connection: "here")
    pair.server.join(budget)
    pair.result(pair.client.root.hold(stream(bytes(20_000) for _ in range(1000))))
    reading = pair.server.open_stream(holder.stream, False)
    settle(pair)
    return pair, reading, budget


def test_items_that_wait_to_be_read_are_counted_with_what_a_listener_holds() -> None:
    pair, reading, budget = held_by_a_listener(100 << 20)
    assert incoming.MOST_BYTES <= budget._total < 2 * incoming.MOST_BYTES
    while reading.take():
        pass
    assert budget._total == 0
    settle(pair)
    assert budget._total >= incoming.MOST_BYTES // 2
    reading.leave()
    settle(pair)
    assert budget._total == 0


def test_items_that_wait_behind_the_end_are_let_go_with_their_loop() -> None:
    pair, reading, budget = held_by_a_listener(100 << 20)
    reading.fail(LookupError())
    assert budget._total
    reading.leave()
    settle(pair)
    assert budget._total == 0
    with pytest.raises(LookupError):
        reading.take()


def test_more_unread_items_than_a_listener_may_hold_close_the_greediest() -> None:
    pair, _reading, budget = held_by_a_listener(100 << 20)
    budget._most = incoming.MOST_BYTES
    MemoryShare(budget, "there", pair.client).set_unfinished(LITTLE)
    settle(pair)
    assert "option max_held" in pair.server.why_ended
    assert budget._total == LITTLE
