"""
A long message holds up its own connection and nobody else: it is read in turns.
"""

from __future__ import annotations

import tracemalloc
import zlib
from typing import Any
from unittest import mock

import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from tests.peer.pairs import RawPeer, logged, request_payload
from txremote import Service, exposed
from txremote.peer.turns import Turns
from txremote.testing import MemoryTransport
from txremote.wire.brine import dump
from txremote.wire.consts import (
    FEATURES,
    HANDLE_CALLATTR,
    HANDLE_CLOSE,
    HANDLE_GETROOT,
    HANDLE_PING,
    LABEL_VALUE,
    MSG_REPLY,
    MSG_REQUEST,
)
from txremote.wire.framing import frame
from txremote.wire.slices import SLICE

MILLION = (7,) * 1_000_000


class Hears(Service):
    """Notes what it is told, in order."""

    def __init__(self) -> None:
        self.heard: list[int] = []
        self.gone = False

    def on_disconnect(self, conn: Any) -> None:
        self.gone = True

    @exposed
    def tell(self, values: Any) -> int:
        self.heard.append(len(values))
        return len(values)


class Counted(Turns):
    """Counts the turns. A fake clock takes all at once."""

    count = 0

    def _turn(self) -> None:
        self.count += 1
        super()._turn()


class PausedTransport(MemoryTransport):
    """Notes whether it is read."""

    paused = False

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False


class Slow(RawPeer):
    """A peer whose long messages are read in turns."""

    def __init__(
        self, turns: Counted | None = None, clock: Clock | None = None, **config: Any
    ) -> None:
        self.service = Hears()
        with mock.patch("tests.peer.pairs.MemoryTransport", PausedTransport):
            super().__init__(self.service, **config)
        self.clock = clock or self.clock
        self.turns = turns or Counted(self.clock)
        self.connection.executor.turns = self.turns
        self.connection.receiver._reader.in_steps = True
        self.asked = 0
        self.target = self.root()

    def message(self, values: Any) -> bytes:
        self.asked += 1
        payload = request_payload(
            1000 + self.asked, HANDLE_CALLATTR, self.target, "tell", (values,), ()
        )
        return packed(payload)

    def turn(self) -> int:
        """Let the reactor turn until all is read, and return how often it did."""
        before = self.turns.count
        self.clock.advance(0)
        assert self.turns.idle
        return self.turns.count - before


def packed(payload: bytes) -> bytes:
    """A frame, compressed."""
    small = zlib.compress(payload, 9)
    return len(small).to_bytes(4, "big") + b"\x01" + small + b"\n"


def test_a_million_values_take_many_turns_and_the_connection_is_paused_meanwhile() -> None:
    peer = Slow()
    message = peer.message(MILLION)
    assert len(message) < 4_000
    peer.send(message)
    transport: Any = peer.transport
    assert transport.paused
    assert peer.service.heard == []
    assert peer.turn() >= len(MILLION) // SLICE - 1
    assert peer.service.heard == [1_000_000]
    assert not transport.paused
    [answer] = peer.received()
    assert answer[2] == (1, 1_000_000)


def test_messages_keep_their_order_with_what_comes_meanwhile() -> None:
    peer = Slow()
    peer.send(peer.message((1,)) + peer.message(MILLION) + peer.message((1, 2)))
    transport: Any = peer.transport
    transport.paused = False
    peer.send(peer.message((1, 2, 3)))  # TLS delivers it, say
    assert transport.paused
    assert peer.service.heard == [1]
    peer.turn()
    assert peer.service.heard == [1, 1_000_000, 2, 3]
    assert [answer[1] for answer in peer.received()] == [1001, 1002, 1003, 1004]


def test_many_messages_that_inflate_are_read_in_many_turns() -> None:
    """A read of 64 KiB may hold hundreds that are each just too short to be sliced."""
    peer = Slow()
    each = (7,) * 60_000
    peer.send(b"".join(peer.message(each) for _ in range(50)))
    assert len(peer.service.heard) <= 2
    assert peer.turn() >= 47
    assert len(peer.service.heard) == 50


def test_what_inflates_to_many_mib_is_inflated_in_turns() -> None:
    peer = Slow()
    peer.send(peer.message(b"x" * (40 << 20)) + peer.message((1, 2)))
    assert peer.service.heard == []
    assert peer.turn() >= 9
    assert peer.service.heard == [40 << 20, 2]


def test_too_much_is_found_while_it_is_inflated() -> None:
    peer = Slow(max_inflated=20 << 20)
    peer.send(peer.message(b"x" * (40 << 20)) + peer.message((1, 2)))
    assert peer.turn() <= 7
    assert peer.service.heard == [2]
    assert [answer[1] for answer in peer.received()] == [1001, 1002]


def test_a_message_of_one_slice_is_read_at_once() -> None:
    peer = Slow()
    peer.send(peer.message(("x" * 100,) * 10_000))
    assert peer.service.heard == [10_000]
    assert peer.turns.idle


def test_a_long_message_is_let_go_before_what_it_asks_for_is_done() -> None:
    """Its values are copies by then, and an answer may take as much memory again."""
    peer = Slow()
    size = 4 << 20
    payload = request_payload(1000, HANDLE_CALLATTR, peer.target, "tell", (bytes(size),), ())
    whole = frame(payload)
    parts = whole[: size // 2], whole[size // 2 :]
    taken: list[int] = []
    with mock.patch.object(peer.service, "heard", mock.Mock()) as heard:
        heard.append = lambda _length: taken.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.start()
        try:
            for part in parts:
                peer.send(part)
            peer.turn()
        finally:
            tracemalloc.stop()
    [held] = taken
    assert size < held < 1.5 * size


def test_connections_take_turns() -> None:
    """Two long messages take as many turns as both have slices: one slice in each."""
    clock = Clock()
    turns = Counted(clock)
    one, other = Slow(turns, clock), Slow(turns, clock)
    one.send(one.message(MILLION))
    other.send(other.message(MILLION))
    assert one.turn() >= 2 * (len(MILLION) // SLICE) - 4
    assert one.service.heard == other.service.heard == [1_000_000]


def test_an_end_that_comes_meanwhile_is_told_behind_the_message() -> None:
    peer = Slow()
    peer.send(peer.message(MILLION) + peer.message((1, 2)))
    peer.connection.connectionLost(Failure(ConnectionDone()))
    assert not peer.service.gone
    peer.turn()
    assert peer.service.heard == [1_000_000, 2]
    peer.clock.advance(0)
    assert peer.service.gone
    assert peer.turns.idle


def test_a_connection_that_this_side_gives_up_reads_no_further() -> None:
    peer = Slow()
    peer.send(peer.message(MILLION))
    peer.connection.closing.abort("enough")
    peer.connection.connectionLost(Failure(ConnectionDone()))
    assert peer.service.gone
    peer.clock.advance(0)
    assert peer.service.heard == []
    assert peer.turns.idle


def test_a_goodbye_behind_the_message_closes_when_it_is_read() -> None:
    peer = Slow()
    peer.send(peer.message(MILLION) + frame(request_payload(9, HANDLE_CLOSE)))
    assert not peer.ended
    peer.turn()
    assert peer.service.heard == [1_000_000]
    assert peer.ended


@pytest.mark.parametrize("cut", [b"\xff", b""])
def test_what_is_wrong_with_a_long_message_costs_what_it_costs_with_a_short_one(cut: bytes) -> None:
    """Bytes that are no value, or too few: its caller is told, and it is the end."""
    peer = Slow()
    payload = request_payload(77, HANDLE_GETROOT, MILLION)
    with logged() as log:
        peer.send(packed(payload[:-5] + cut))
        peer.turn()
    [answer] = peer.received()
    assert answer[1] == 77
    assert answer[2][0][1] == "RemoteProtocolError"
    assert peer.ended
    assert "broke the protocol" in log.text()


def test_a_limit_that_a_long_message_meets_costs_its_call_only() -> None:
    peer = Slow(max_items=100_000)
    peer.send(peer.message(MILLION) + peer.message((1, 2)))
    peer.turn()
    assert peer.service.heard == [2]
    assert [answer[1] for answer in peer.received()] == [1001, 1002]
    assert not peer.ended


def test_a_long_answer_is_decoded_in_turns_and_given_to_who_waits() -> None:
    peer = Slow()
    root = peer.connection.fetch_root()
    [(_kind, number, _args)] = peer.received()
    peer.send(packed(b"\x02" + dump((number, (1, MILLION)))))
    found: list[Any] = []
    root.addCallback(found.append)
    assert not found
    peer.turn()
    assert found == [MILLION]


def _stock_client() -> tuple[RawPeer, list[object]]:
    """Return a client, and the transports whose TCP was told to acknowledge at once."""
    peer = RawPeer(Hears)
    told: list[object] = []
    peer.connection.receiver.acknowledge = told.append
    peer.root()
    assert not told, "it was asked nothing"
    return peer, told


def _answer(peer: RawPeer) -> None:
    """Answer what a stock client was asked."""
    ((kind, number, _args),) = peer.received()
    assert kind == MSG_REQUEST
    peer.send_payload(bytes([MSG_REPLY]) + dump((number, (LABEL_VALUE, "data"))))


def test_what_a_stock_client_answers_is_acknowledged_at_once() -> None:
    """It leaves Nagle's algorithm on, so its next request would wait for 40 ms."""
    peer, told = _stock_client()
    answered = peer.connection.outbound.request(HANDLE_PING, ("data",))
    _answer(peer)
    assert answered.called
    assert told == [peer.transport]


def test_so_is_its_answer_to_a_request_that_nobody_waits_for() -> None:
    peer, told = _stock_client()
    peer.connection.outbound.send_oneway(HANDLE_PING, "data")
    _answer(peer)
    assert told == [peer.transport]


def test_tcp_need_not_hurry_for_a_txremote() -> None:
    peer, told = _stock_client()
    peer.connection.hello_received(frozenset(FEATURES))
    peer.connection.outbound.request(HANDLE_PING, ("data",))
    _answer(peer)
    assert not told


def test_a_transport_that_is_lost_meanwhile_is_left_alone() -> None:
    peer, told = _stock_client()
    answered = peer.connection.outbound.request(HANDLE_PING, ("data",))
    answered.addCallback(lambda _data: peer.connection.connectionLost(Failure(ConnectionDone())))
    _answer(peer)
    assert peer.connection.closed
    assert not told
