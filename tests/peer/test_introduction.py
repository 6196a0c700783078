"""
The connecting side introduces itself, and asks a peer for nothing that it does not know.
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.peer.hosted import PAIRS, Hosted, Thing, a_pair, exported, settle, silent_pair  # noqa: F401
from tests.peer.pairs import (
    Outcome,
    Wire,
    make_stock,
    pair_with_stock_client,
    pair_with_stock_server,
)
from txremote import (
    NotSendable,
    RemoteReference,
)
from txremote.peer.handlers import HANDLERS, RequestKind
from txremote.testing import connected_pair
from txremote.wire.brine import dump
from txremote.wire.consts import (
    HANDLE_GETROOT,
    HANDLE_HELLO,
    HANDLE_INSPECT,
    HANDLE_PING,
)
from txremote.wire.framing import frame

EVERYTHING = {"cancel", "callpath", "release", "stopping", "deadline", "halfway", "keepalive"}
EVERYTHING |= {"values", "streams", "graphs", "topics"}


def test_the_connecting_side_asks_for_the_root_and_introduces_itself_at_once() -> None:
    pair = connected_pair(server_root=Hosted, introduce=False)
    wire, answers = Wire(pair.client), Wire(pair.server)
    assert pair.result(pair.client.introduce()) is pair.client
    assert wire.requests == [HANDLE_GETROOT, HANDLE_PING]
    assert answers.requests == []
    assert pair.client.features == pair.server.features == EVERYTHING
    assert type(pair.client.root) is RemoteReference


def test_a_stock_server_is_asked_for_nothing_that_it_would_log_as_an_error() -> None:
    pair: Any = pair_with_stock_server(Hosted)
    assert not pair.client.is_txremote
    wire = Wire(pair.client)
    things = pair.result(pair.client.root.things(5))
    pair.client.root.later().cancel()
    assert pair.result(pair.client.root.thing.number.real.bit_length()) == 0
    del things
    settle(pair)
    assert pair.asked == []
    assert max(wire.requests) < HANDLE_HELLO
    assert HANDLE_INSPECT not in wire.requests


def test_a_stock_client_is_told_nothing_of_the_extensions() -> None:
    pair: Any = pair_with_stock_client(Hosted, client_root=Hosted)
    wire = Wire(pair.server)
    pair.result(pair.server.root.things(5))
    pair.server.root.later().addErrback(lambda _failure: None).cancel()
    assert pair.result(pair.server.root.thing.number.real.bit_length()) == 0
    settle(pair)
    assert pair.asked == []
    assert max(wire.requests) < HANDLE_HELLO


def test_a_server_of_txremote_0_1_which_sends_the_ping_back_is_greeted_by_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    echo = RequestKind(lambda _serving, data: data, in_order=True)
    monkeypatch.setitem(HANDLERS, HANDLE_PING, echo)
    pair = connected_pair(server_root=Hosted, introduce=False)
    tables: Any = pair.server._tables
    tables.exports._classes._numbers = itertools.count(1)
    wire = Wire(pair.client)
    assert pair.result(pair.client.introduce()) is pair.client
    assert wire.requests == [HANDLE_GETROOT, HANDLE_PING, HANDLE_HELLO]
    assert pair.client.features == pair.server.features == EVERYTHING


def test_a_hello_that_answers_nonsense_leaves_a_peer_that_knows_no_extensions() -> None:
    pair = connected_pair(server_root=Hosted, introduce=False)
    make_stock(pair.server)
    introduced = pair.client.introduce()
    pair.client.dataReceived(frame(b"\x02" + dump((1, (1, (1, "cancel"))))))  # to HELLO
    pair.pump()
    assert Outcome(introduced).value is pair.client
    assert pair.client.features == frozenset()
    assert pair.result(pair.client.root.add(1, 2)) == 3


def test_a_root_that_cannot_be_fetched_fails_the_introduction() -> None:
    pair = connected_pair(server_root=Hosted, introduce=False, server_config={"max_exports": 1})
    pair.server._tables.exports.hand_out(Thing(1))
    with pytest.raises(NotSendable, match="max_exports"):
        pair.result(pair.client.introduce())
