"""
Calls that use results of others which are still to come: one round trip, the same answers.
"""

from __future__ import annotations

import gc
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.task import deferLater

from tests.call_graphs import Box, Boxes, Node, at_once, graphs, step_by_step
from tests.peer.pairs import Outcome, logged, pair_with_stock_server
from txremote import Service, value
from txremote.errors import AsyncResultTimeout, NotSendable
from txremote.testing import Pair, connected_pair


class Item:
    def __init__(self, name: str) -> None:
        self.exposed_name = name


class Shop:
    def exposed_items(self) -> tuple[str, ...]:
        return ("tea", "oil")

    def exposed_best(self) -> Shop:
        return self

    def exposed_first(self) -> Item:
        return Item("tea")


class Root(Boxes, Service):
    """Calls of `slow` end when they are told to, newest last."""

    def __init__(self) -> None:
        self.begun: list[tuple[Deferred[Any], tuple[Any, ...]]] = []

    def exposed_shop(self, _number: int) -> Shop:
        return Shop()

    def exposed_slow(self, *given: Any) -> Deferred[Any]:
        self.begun.append((Deferred(), given))
        return self.begun[-1][0]


def turns(pair: Pair, wanted: Deferred[Any]) -> int:
    """Carry bytes across until a result is there; return how many round trips that takes."""
    outcome, count = Outcome(wanted), 0
    while not outcome.fired:
        count += 1
        assert count < 50
        for source, target in ((pair.client, pair.server), (pair.server, pair.client)):
            sent: Any = source.transport
            data = b"".join(sent.written)
            sent.written.clear()
            target.dataReceived(data)
    assert outcome.value is not None
    return count


def nothing_is_left(pair: Pair, exports: int = 1) -> None:
    """Check that neither end holds anything more than the root."""
    gc.collect()
    pair.advance(1)
    kept = pair.server.inbound._kept
    assert kept is None or (kept.results, kept.waiting) == ({}, {})
    assert not pair.client.outbound.graphs().kept
    assert (len(pair.client.outbound.pending), len(pair.server.inbound)) == (0, 0)
    assert (pair.server.inbound.ledger.size, len(pair.server._tables.exports)) == (0, exports)
    assert len(pair.client._tables.exports) == 0


async def _five(root: Any) -> Any:
    return await root.shop(2).best().best().first().name


async def _five_at_most_two_known(root: Any) -> Any:
    return await root.echo(root.echo(root.echo(root.echo(root.echo(5)), 1), key=(root.text(1),)))


@pytest.mark.parametrize("calls", [_five, _five_at_most_two_known])
def test_five_calls_one_on_the_other_take_one_round_trip(calls: Any) -> None:
    pair = connected_pair(server_root=Root)
    wanted = ensureDeferred(calls(pair.client.root))
    assert len(pair.client.transport.written) == 1
    assert turns(pair, wanted) == 1
    del wanted
    nothing_is_left(pair)


@pytest.mark.parametrize("peer", ["stock", "no feature"])
def test_a_peer_that_knows_nothing_of_it_is_asked_one_after_the_other(peer: str) -> None:
    pair = pair_with_stock_server(Root) if peer == "stock" else connected_pair(server_root=Root)
    pair.client.features -= {"graphs"}
    shop = pair.client.root.shop(2)
    assert pair.result(shop.best().first().callRemote("name").addErrback(_kind)) is not None
    assert turns(pair, ensureDeferred(_five(pair.client.root))) >= 5


def _kind(failure: Any) -> Any:
    return failure.type


@pytest.mark.parametrize("peer", ["txremote", "slow txremote", "stock"])
def test_a_graph_gives_what_its_calls_give_step_by_step(peer: str) -> None:
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(graph=graphs)
    def compare(graph: list[Node]) -> None:
        _compare(peer, graph)

    compare()


def _compare(peer: str, graph: list[Node]) -> None:
    made = pair_with_stock_server if peer == "stock" else connected_pair
    pair = made(server_root=SlowBoxes if peer.startswith("slow") else Root)
    SlowBoxes.clock = pair.clock
    pipelined = Outcome(ensureDeferred(at_once(pair.client.root, graph)))
    _run(pair, pipelined)
    stepwise = Outcome(ensureDeferred(step_by_step(pair.client.root, graph)))
    _run(pair, stepwise)
    assert pipelined.value == stepwise.value
    if peer != "stock":
        nothing_is_left(pair)


def _run(pair: Pair, outcome: Outcome) -> None:
    for _ in range(60):
        pair.pump()
        if outcome.fired:
            return
        pair.advance(0.01)
    raise AssertionError("it hangs")


class SlowBoxes(Root):
    """Half of its answers take time."""

    clock: Any = None

    def exposed_box(self, number: Any) -> Any:
        made = super().exposed_box(number)
        return deferLater(self.clock, 0.02, lambda: made) if made.number % 2 else made

    def exposed_fail(self, *_given: Any) -> Any:
        return deferLater(self.clock, 0.01, super().exposed_fail)

    def exposed_echo(self, *given: Any, key: Any = None) -> Any:
        result = super().exposed_echo(*given, key=key)
        return deferLater(self.clock, 0.005, lambda: result) if len(given) % 2 else result


def test_what_has_left_already_is_waited_for_and_then_used() -> None:
    pair = connected_pair(server_root=Root)
    shop = pair.client.root.shop(1)
    assert len(pair.client.transport.written) == 1
    items = shop.items()  # too late for one round trip
    assert pair.result(items) == ("tea", "oil")


def test_a_call_that_uses_another_is_kept_itself_for_later_turns() -> None:
    pair = connected_pair(server_root=Root)
    root: Any = pair.client.root
    chain = root.slow().best()
    pair.pump()
    name = ensureDeferred(_read(chain.first().name))
    pair.pump()
    pair.server.service.begun[0][0].callback(Shop())
    assert turns(pair, name) == 1  # the answers alone
    del chain, name
    pair.server.service.begun.clear()
    nothing_is_left(pair)


async def _read(path: Any) -> Any:
    return await path


def test_long_chains_and_wide_graphs_are_sent_as_they_are_made() -> None:
    pair = connected_pair(server_root=Root)
    box = pair.client.root.box(1)
    for _ in range(99):
        box = box.itself()
    wide = pair.client.root.echo(*[pair.client.root.echo(n) for n in range(20)])
    assert turns(pair, ensureDeferred(_read(box.number))) <= 2
    assert pair.result(wide) == (*range(20), None)
    for _ in range(300):  # deeper than the limit
        box = box.double() if _ < 3 else box.itself()
    assert pair.result(ensureDeferred(_read(box.number))) == 8
    del box, wide
    nothing_is_left(pair)


def test_cancelling_a_call_cancels_those_that_use_it_and_no_others() -> None:
    pair = connected_pair(server_root=Root)
    root: Any = pair.client.root
    first, other = root.slow(1), root.slow(2)
    user, both = root.slow(first), root.echo(first, other)
    alone = root.echo(other)
    pair.pump()
    outcomes = [Outcome(each) for each in (first, user, both)]
    first.cancel()
    assert [type(each.error) for each in outcomes] == [CancelledError] * 3
    pair.pump()
    assert len(pair.server.service.begun) == 2  # the user never began
    assert pair.server.service.begun[0][0].called
    pair.server.service.begun[1][0].callback("tea")
    assert pair.result(alone) == "tea"
    del first, other, user, both, alone, outcomes
    pair.server.service.begun.clear()
    nothing_is_left(pair)


def test_cancelling_a_call_that_uses_another_cancels_that_alone() -> None:
    pair = connected_pair(server_root=Root)
    root: Any = pair.client.root
    first = root.slow(1)
    user = root.slow(first)
    pair.pump()
    outcome = Outcome(user)
    user.cancel()
    assert type(outcome.error) is CancelledError
    pair.pump()
    pair.server.service.begun[0][0].callback("tea")
    assert pair.result(first) == "tea"
    assert len(pair.server.service.begun) == 1


def test_a_time_out_is_that_of_the_calls_that_use_it() -> None:
    pair = connected_pair(server_root=Root, client_config={"request_timeout": 5})
    first = pair.client.root.slow(1)
    user = Outcome(pair.client.root.echo(first))
    first = Outcome(first)
    pair.advance(6)
    assert type(first.error) is type(user.error) is AsyncResultTimeout
    pair.server.service.begun.clear()
    nothing_is_left(pair)


def test_a_lost_connection_ends_all_once() -> None:
    pair = connected_pair(server_root=Root)
    first = pair.client.root.slow(1)
    outcomes = [Outcome(each) for each in (first, first.best(), pair.client.root.echo(first))]
    pair.pump()
    pair.lose()
    assert {type(each.error).__name__ for each in outcomes} == {"ConnectionLost"}
    kept = pair.server.inbound._kept
    assert kept is not None and not kept.results and not kept.waiting


def test_a_failure_that_another_call_has_is_not_logged() -> None:
    pair = connected_pair(server_root=Root)
    with logged() as log:
        result = Outcome(pair.client.root.echo(pair.client.root.fail()))
        pair.pump()
        assert isinstance(result.error, ValueError)
        del result
        gc.collect()
    assert "Unhandled" not in log.getvalue()


def test_the_callbacks_of_a_program_are_before_what_uses_the_result_later() -> None:
    pair = connected_pair(server_root=Root)
    changed = pair.client.root.echo(3).addCallback(lambda number: number + 1)
    assert pair.result(pair.client.root.echo(changed)) == 4
    taken = pair.client.root.echo(3).addCallback(lambda number: None)
    with pytest.raises(NotSendable, match="was waited for"):
        pair.result(pair.client.root.echo(taken))


def test_a_result_in_a_list_is_refused_in_a_sentence() -> None:
    pair = connected_pair(server_root=Root)
    with pytest.raises(NotSendable, match="await it first"):
        pair.result(pair.client.root.echo(Box(1), value([pair.client.root.echo(1)])))


def test_results_of_another_connection_are_waited_for() -> None:
    one, other = connected_pair(server_root=Root), connected_pair(server_root=Root)
    answer = one.client.root.echo(other.client.root.box(5))
    other.pump()
    found = one.result(answer)
    assert type(found).__name__ == "RemoteReference"
    assert found._connection is other.client


def test_drain_waits_for_calls_that_use_others_and_refuses_new_ones() -> None:
    pair = connected_pair(server_root=Root)
    root: Any = pair.client.root
    first = root.slow(1)
    user = root.echo(first)
    pair.pump()
    ended = Outcome(pair.server.closing.drain("maintenance"))
    before = Outcome(root.echo(first))  # it is sent before this side reads that the other stops
    pair.pump()
    late = Outcome(root.echo(first))
    pair.pump()
    assert not before.fired
    assert type(late.error).__name__ == "ServerStopping"
    pair.server.service.begun[0][0].callback("tea")
    assert pair.result(user) == "tea"
    pair.pump()
    assert before.value == "tea"
    assert ended.fired
