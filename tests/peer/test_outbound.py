"""
`OutboundCalls`: what this side asks, how long it waits, and what it gives back.
"""

from __future__ import annotations

import gc
from typing import Any

import pytest

from tests.peer.hosted import PAIRS, Hosted, Thing, a_pair, exported, settle, silent_pair  # noqa: F401
from tests.peer.pairs import (
    Outcome,
    Wire,
    pair_with_stock_server,
)
from txremote import (
    AsyncResultTimeout,
    DeadReferenceError,
    NotSendable,
    get_remote,
)
from txremote.peer.outbound import RELEASED_AT_ONCE
from txremote.testing import Pair, connected_pair
from txremote.wire.consts import (
    HANDLE_CALLATTR,
    HANDLE_DEL,
    HANDLE_RELEASE,
)

# --- time-outs toward those who may never answer ----------------------------------


def test_a_call_into_a_stock_client_ends_after_30_seconds() -> None:
    pair = silent_pair()
    pair.result(pair.server.fetch_root())
    outcome = Outcome(pair.server.root.later())
    pair.pump()
    pair.advance(29)
    assert not outcome.fired
    pair.advance(1)
    assert isinstance(outcome.error, AsyncResultTimeout)
    assert "sync_request_timeout" in str(outcome.error)


def test_its_late_answer_is_dropped_and_what_is_in_it_given_back() -> None:
    pair = silent_pair()
    pair.result(pair.server.fetch_root())
    outcome = Outcome(pair.server.root.later())
    pair.pump()
    pair.advance(31)
    pair.client.service.gates[0].callback([1, 2])
    pair.pump()
    assert len(outcome.results) == 1
    settle(pair)
    assert exported(pair.client) == 0
    assert pair.result(pair.server.root.add(1, 2)) == 3


def test_the_time_is_an_option() -> None:
    for seconds in (2, None):
        pair = silent_pair(server_config={"sync_request_timeout": seconds})
        pair.result(pair.server.fetch_root())
        outcome = Outcome(pair.server.root.later())
        pair.pump()
        pair.advance(3)
        assert outcome.fired is (seconds == 2)


def test_calls_into_a_txremote_and_into_a_server_wait_for_ever() -> None:
    pair = connected_pair(Hosted, Hosted)
    pair.result(pair.server.fetch_root())
    stock = pair_with_stock_server(Hosted)
    outcomes = [
        Outcome(root.later()) for root in (pair.client.root, pair.server.root, stock.client.root)
    ]
    for each in (pair, stock):
        each.pump()
        each.advance(10_000)
    assert not any(outcome.fired for outcome in outcomes)


# --- giving back ---


@pytest.mark.parametrize("kind", PAIRS)
def test_dropped_they_all_leave_the_servers_table_within_50_ms(kind: str) -> None:
    pair = PAIRS[kind](server_root=Hosted)
    things = pair.result(pair.client.root.things(1000))
    pair.advance(1)
    assert exported(pair.server) == 1000
    wire = Wire(pair.client)
    del things
    gc.collect()
    assert wire.bytes == 0  # their death itself sends nothing
    pair.advance(0.05)
    assert exported(pair.server) == 0
    release = HANDLE_RELEASE if kind == "txremote" else HANDLE_DEL
    assert wire.requests == [release] * (1 if kind == "txremote" else 1000)


def test_they_leave_with_the_next_write_if_there_is_one_before(pair: Pair) -> None:
    things = pair.result(pair.client.root.things(10))
    del things
    gc.collect()
    wire = Wire(pair.client)
    assert pair.result(pair.client.root.add(1, 2)) == 3
    assert wire.requests == [HANDLE_RELEASE, HANDLE_CALLATTR]
    assert exported(pair.server) == 0


def test_a_great_many_are_given_back_in_parts(pair: Pair) -> None:
    """One RELEASE for all would meet the peer's max_items, and none be released."""
    pair = connected_pair(server_root=Hosted, server_config={"max_items": 6100})
    things = pair.result(pair.client.root.things(3 * RELEASED_AT_ONCE + 1))
    wire = Wire(pair.client)
    del things
    settle(pair)
    assert exported(pair.server) == 0
    assert wire.requests == [HANDLE_RELEASE] * 4


@pytest.mark.parametrize("kind", PAIRS)
def test_what_was_received_n_times_is_given_back_n_times(kind: str) -> None:
    pair = PAIRS[kind](server_root=Hosted)
    thing = pair.server.service.exposed_thing
    held = [pair.result(pair.client.root.same()) for _ in range(7)]
    held += pair.result(pair.client.root.echo((held[0], held[0])))
    assert len(set(held)) == 1
    assert pair.server._tables.exports.of(thing).count == 9  # type: ignore[union-attr]
    wire = Wire(pair.client)
    del held
    settle(pair)
    assert exported(pair.server) == 0
    assert len(wire.requests) == 1


@pytest.mark.parametrize("bad", ["\ud800", 10**5000], ids=["surrogate", "huge int"])
def test_a_call_that_cannot_be_sent_leaves_no_counts_behind(pair: Pair, bad: Any) -> None:
    mine = Thing(1)
    wire = Wire(pair.client)
    for call in (
        lambda: pair.client.root.echo((mine, bad)),
        lambda: pair.client.root.echo(mine, key=bad),
        lambda: pair.client.root.thing.number.real(mine, bad),
        lambda: (
            get_remote(pair.client.root, bad) if isinstance(bad, str) else pair.client.root(bad)
        ),
    ):
        with pytest.raises(NotSendable):
            pair.result(call())
    assert wire.bytes == 0
    assert exported(pair.client) == 0
    assert len(pair.client.outbound.pending) == 0


def test_a_call_on_an_ended_connection_leaves_no_counts_behind(pair: Pair) -> None:
    root = pair.client.root
    pair.client.close()
    with pytest.raises(DeadReferenceError):
        pair.result(root.keep(Thing(1)))
    assert exported(pair.client) == 0


# --- time-outs that somebody asks for ---------------------------------------------


def test_a_connections_calls_can_have_a_time_of_their_own() -> None:
    """request_timeout ends a reactor's call, and the callee is told to stop."""
    pair = connected_pair(Hosted, Hosted, client_config={"request_timeout": 5})
    outcome = Outcome(pair.client.root.later())
    pair.pump()
    pair.advance(4.9)
    assert not outcome.fired
    pair.advance(0.2)
    assert isinstance(outcome.error, AsyncResultTimeout)
    assert "option request_timeout" in str(outcome.error)
    pair.pump()
    assert pair.server.service.gates[0].called  # cancelled there


def test_a_time_without_end_is_not_told() -> None:
    """Whoever waits an infinite time just waits."""
    pair = connected_pair(server_root=Hosted)
    call = pair.client.root._call(("add",), (1, 2), {}, deadline=float("inf"))
    assert pair.result(call) == 3
