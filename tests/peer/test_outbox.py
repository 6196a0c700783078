"""
`Outbox`: few writes for many frames, nothing before the dialect is known, and an end
to waiting for a peer that does not read.
"""

from __future__ import annotations

import os
import zlib
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.interfaces import IPushProducer
from zope.interface.verify import verifyObject

from tests.peer.pairs import Outcome, Wire
from txremote import Service, exposed
from txremote.config import DEFAULT_CONFIG
from txremote.peer.memory_budget import MemoryBudget, MemoryShare
from txremote.peer.outbox import Outbox, Writing
from txremote.testing import MemoryTransport, Pair, connected_pair
from txremote.wire.brine import dump
from txremote.wire.consts import MSG_EXCEPTION, MSG_REPLY
from txremote.wire.framing import FrameReader, frame_chunks
from txremote.wire.messages import DIALECT_5, DIALECT_6, DIALECT_6_BOUND


class Transport(MemoryTransport):
    """Lets a producer be registered, as Twisted's own do."""

    def __init__(self) -> None:
        super().__init__()
        self.producer: Any = None

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert streaming
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None


def outbox(dialect: Any = DIALECT_6, max_unsent: int = 1000) -> tuple[Outbox, Transport]:
    transport = Transport()
    closing = SimpleNamespace(abort=lambda _why: transport.abortConnection())
    backpressure = SimpleNamespace(high_water=lambda _over: None)
    owner: Any = SimpleNamespace(
        closing=closing,
        backpressure=backpressure,
        config=DEFAULT_CONFIG.replace(max_unsent=max_unsent, pause_unsent=max_unsent),
        share=None,
        begin_share=lambda: owner.share,
    )
    box = Outbox(owner, dialect)
    box.attach(transport)
    return box, transport


def payloads(transport: MemoryTransport) -> list[Any]:
    return list(FrameReader().feed(b"".join(transport.written)))


# --- batching ---------------------------------------------------------------------


def test_a_message_outside_of_a_batch_is_one_write() -> None:
    box, transport = outbox()
    for number in range(3):
        box.request(number, [dump("x")])
    assert len(transport.written) == 3


def gathered_turns(box: Outbox, turns: list[Any]) -> list[int]:
    """Write a message in each of 150 turns; return in which of them it was gathered."""
    found = []
    for number in range(150):
        box.request(number, [dump("x")])
        if turns:
            found.append(number)
            turns.pop()()
        box.uncork()
    return found


def test_for_a_peer_that_takes_promises_the_messages_of_a_turn_are_gathered() -> None:
    box, transport = outbox()
    turns: list[Any] = []
    box.gather(turns.append)
    box.request(0, [dump("x")])
    box.request(1, [dump("x")])
    assert (len(transport.written), len(turns)) == (0, 1)
    assert box.holds(0) and not box.holds(2)
    box.put_first(b"first", b"")
    turns.pop()()
    assert transport.written[0].startswith(b"first") and not box.holds(0)
    assert gathered_turns(box, turns) == list(range(150))


def test_where_gathering_costs_a_turn_it_ends_when_it_is_of_no_use_and_begins_again() -> None:
    box, _transport = outbox()
    turns: list[Any] = []
    box.later = turns.append
    box.gather(turns.append)
    assert gathered_turns(box, turns) == list(range(100))
    box.gather_again()
    assert gathered_turns(box, turns) == list(range(100))


def test_where_each_write_is_sent_at_once_those_of_a_turn_are_two() -> None:
    box, transport = outbox()
    turns: list[Any] = []
    box.later = turns.append
    for number in range(5):
        box.request(number, [dump("x")])
    assert (len(transport.written), len(turns)) == (1, 1)  # nothing waits behind the first
    turns.pop()()
    assert [len(transport.written), len(payloads(transport))] == [2, 5]
    box.request(5, [dump("x")])
    box.request(6, [dump("x")])
    assert len(transport.written) == 3
    box.corked = True  # something is read meanwhile
    box.request(7, [dump("x")])
    box.uncork()
    assert [len(transport.written), len(payloads(transport))] == [4, 8]
    turns.pop()()
    assert len(transport.written) == 4
    assert not turns


def test_a_batch_is_one_write() -> None:
    box, transport = outbox()
    box.corked = True
    for number in range(10):
        box.request(number, [dump("x")])
    assert not transport.written
    box.uncork()
    assert len(transport.written) == 1
    assert len(payloads(transport)) == 10
    box.uncork()
    assert len(transport.written) == 1
    box.request(11, [dump("x")])
    assert len(transport.written) == 2


def test_a_large_batch_goes_out_in_parts_so_that_the_peer_can_start() -> None:
    box, transport = outbox()
    box.corked = True
    for number in range(100):
        box.request(number, [dump("x")])
    assert len(transport.written) == 3
    box.uncork()
    assert len(payloads(transport)) == 100


def test_a_batch_of_many_bytes_does_not_wait_either() -> None:
    box, transport = outbox()
    box.corked = True
    box.request(1, [dump(bytes(300_000))])
    assert len(transport.written) == 1


def test_where_it_can_a_batch_is_sent_at_once() -> None:
    box, transport = outbox()
    sent: list[bytes] = []
    box.now = lambda _transport, data: sent.append(data)
    box.corked = True
    box.request(1, [dump("x")])
    box.uncork()
    assert len(sent) == 1
    assert not transport.written
    box.pauseProducing()  # the transport is full: nothing can be sent at once
    box.corked = True
    box.request(2, [dump("x")])
    box.uncork()
    assert len(sent) == 1
    assert len(transport.written) == 1


def test_one_read_of_many_requests_is_answered_in_one_write() -> None:
    class Echo(Service):
        @exposed
        def echo(self, value: Any) -> Any:
            return value

    pair = connected_pair(server_root=Echo)
    for number in range(20):
        pair.client.root.echo(number)
    transport: Any = pair.client.transport
    together = b"".join(transport.written)
    transport.written.clear()
    transport.written.append(together)
    wire = Wire(pair.server)
    pair.pump()
    assert len(wire.writes) == 1
    assert len(wire.messages) == 20


# --- memory that may change ---------------------------------------------------------


@pytest.mark.parametrize("size", [10, 2 << 20], ids=["short", "long"])
@pytest.mark.parametrize("kind", ["request", "answer"])
@pytest.mark.parametrize("corked", [False, True])
def test_memory_that_changes_after_it_was_sent_arrives_as_it_was(
    size: int, kind: str, corked: bool
) -> None:
    box, transport = outbox(max_unsent=10 << 20)
    box.corked = corked
    memory = bytearray(size)
    body: Any = [b"head", memoryview(memory)]
    if kind == "request":
        box.request(1, body)
    else:
        box.answer(MSG_REPLY, 1, 0, body)
    memory[:] = b"x" * size
    box.uncork()
    [payload] = payloads(transport)
    assert payload.endswith(b"head" + bytes(size))


def test_memory_that_waits_for_the_dialect_is_what_it_was() -> None:
    box, transport = outbox(dialect=None)
    memory = bytearray(3)
    box.request(7, [b"head", memoryview(memory)])
    memory[:] = b"xyz"
    box.set_dialect(DIALECT_6)
    assert payloads(transport)[0].endswith(b"head\0\0\0")


def test_a_long_message_of_memory_is_one_bytes_which_no_transport_copies() -> None:
    box, transport = outbox(max_unsent=10 << 20)
    box.answer(MSG_REPLY, 1, 0, [b"head", memoryview(bytes(2 << 20))])
    assert [type(each) for each in transport.written] == [bytes]


def test_memory_counts_as_what_it_takes() -> None:
    box, transport = outbox(max_unsent=1000)
    box.pauseProducing()
    box.answer(MSG_REPLY, 1, 0, [b"head", memoryview(bytearray(2000))])
    assert not transport.written
    assert transport.disconnecting


# --- before the dialect is known --------------------------------------------------


def test_nothing_is_said_before_the_dialect_is_known() -> None:
    box, transport = outbox(dialect=None)
    box.request(7, [dump("x")])
    box.request(8, [dump("y")])
    assert not transport.written
    box.set_dialect(DIALECT_5)
    assert [payload[:3] for payload in payloads(transport)] == [b"\x12\x51\x57", b"\x12\x51\x58"]


def test_the_accepting_side_waits_for_the_first_frame() -> None:
    pair = connected_pair(introduce=False, dialect="5")
    wire = Wire(pair.server)
    outcome = Outcome(pair.server.ping())
    pair.pump()
    assert wire.bytes == 0
    pair.result(pair.client.fetch_root())
    assert outcome.value is None
    assert b"".join(wire.writes)[5] == 0x12  # in the dialect it was spoken to


@pytest.mark.parametrize(
    ("dialect", "kind", "head"),
    [
        (DIALECT_6, MSG_REPLY, b"\x02\x11\x57"),
        (DIALECT_6, MSG_EXCEPTION, b"\x03\x11\x57"),
        (DIALECT_5, MSG_REPLY, b"\x12\x52\x57"),
        (DIALECT_6_BOUND, MSG_REPLY, bytes(8) + (99).to_bytes(8, "big") + b"\x02\x11\x57"),
    ],
)
def test_an_answer_is_headed_as_its_dialect_has_it(dialect: Any, kind: int, head: bytes) -> None:
    box, transport = outbox(dialect)
    box.answer(kind, 7, 99, [dump("x")])
    (payload,) = payloads(transport)
    assert payload.startswith(head)


# --- one frame a record -----------------------------------------------------------


def test_frames_that_must_not_be_merged_are_written_one_by_one() -> None:
    box, transport = outbox()
    records: list[bytes] = []
    box.separate = records.append
    box.corked = True
    for number in range(5):
        box.request(number, [dump("x")])
    box.uncork()
    assert len(records) == 5
    assert not transport.written
    box.separate = None
    box.request(6, [dump("x")])
    assert len(transport.written) == 1


def test_a_connection_separates_frames_until_it_knows_its_peer() -> None:
    records: list[bytes] = []
    pair = connected_pair(introduce=False)
    pair.client.outbox.separate = lambda data: (
        records.append(data),
        pair.client.transport.write(data),
    )
    pair.result(pair.client.introduce(separately=True))
    assert len(records) == 2  # GETROOT, and HELLO only after its answer
    assert pair.client.outbox.separate is None


def test_introductions_over_tls_wait_for_the_root() -> None:
    pair = connected_pair(introduce=False)
    wire = Wire(pair.client)
    done = Outcome(pair.client.introduce(separately=True))
    assert len(wire.messages) == 1
    pair.pump()
    assert len(wire.messages) == 2
    assert done.value is pair.client


def test_what_a_transport_needs_is_plain_by_default() -> None:
    assert Writing() == (None,) * 7


@pytest.mark.parametrize("corked", [False, True])
def test_a_long_frame_goes_in_parts_behind_what_is_gathered_where_the_transport_can(
    corked: bool,
) -> None:
    box, transport = outbox()
    written: list[list[bytes]] = []

    def write(to: Any, parts: list[bytes]) -> None:
        written.append(parts)
        to.writeSequence(parts)

    box.parts = write
    chunk = bytes(50_000)
    box.corked = corked
    box.request(1, [dump("x")])
    size = box.sized_request(2, [b"head", chunk, chunk])
    assert len(written) == 1
    assert written[0][2] is chunk  # and no copy of it
    _first, second = payloads(transport)
    assert len(second) == size
    box.sized_request(3, [b"short"])
    box.compress = True  # by a sample, zeros are put together and compressed
    box.sized_request(4, [b"head", chunk])
    box.uncork()
    assert len(written) == 1
    box.sized_request(5, [b"head", os.urandom(50_000)])
    assert len(written) == 2
    assert len(payloads(transport)) == 5


# --- a peer that does not read ----------------------------------------------------


def test_it_is_its_transports_push_producer() -> None:
    box, transport = outbox()
    assert transport.producer is box
    assert verifyObject(IPushProducer, box)
    box.finish()
    assert transport.producer is None


def test_finishing_writes_what_was_gathered() -> None:
    box, transport = outbox()
    box.corked = True
    box.request(1, [dump("x")])
    box.finish()
    assert len(transport.written) == 1


def test_a_peer_that_does_not_read_is_disconnected() -> None:
    box, transport = outbox(max_unsent=1000)
    box.request(1, [dump(bytes(5000))])  # the transport still takes it
    box.pauseProducing()
    box.request(2, [dump(bytes(500))])
    assert not transport.aborted
    box.request(3, [dump(bytes(500))])
    assert transport.aborted


def test_what_waits_is_counted_however_often_the_transport_says_that_it_is_full() -> None:
    """Twisted's TCP says so at each write."""
    box, transport = outbox(max_unsent=1000)
    for number in range(3):
        box.pauseProducing()
        box.request(number, [dump(bytes(400))])
    assert transport.aborted


def test_a_peer_that_reads_again_starts_anew() -> None:
    box, transport = outbox(max_unsent=1000)
    for number in range(10):
        box.pauseProducing()
        box.request(number, [dump(bytes(500))])
        box.resumeProducing()
    assert not transport.aborted


def test_a_batch_counts_toward_what_is_unsent() -> None:
    box, transport = outbox(max_unsent=1000)
    box.pauseProducing()
    box.corked = True
    for number in range(3):
        box.request(number, [dump(bytes(500))])
    assert transport.aborted


def test_calls_that_waited_for_such_a_peer_fail() -> None:
    pair = connected_pair(client_config={"max_unsent": 1000})
    pair.client.outbox.pauseProducing()
    outcomes = [Outcome(pair.client.ping(bytes(400))) for _ in range(4)]
    pair.pump()
    assert all(isinstance(outcome.error, EOFError) for outcome in outcomes)
    assert "max_unsent" in str(outcomes[0].error)
    assert pair.client.closed


def test_after_the_end_nothing_is_written() -> None:
    box, transport = outbox()
    box.corked = True
    box.request(1, [dump("x")])
    box.detach()
    box.request(2, [dump("x")])
    box.uncork()
    assert not transport.written


# --- compression ------------------------------------------------------------------


def echo_pair(compress: Any) -> Pair:
    class Echo(Service):
        @exposed
        def echo(self, value: Any) -> Any:
            return value

    return connected_pair(server_root=Echo, config={"compress": compress})


@pytest.mark.parametrize(
    ("compress", "data", "smaller"),
    [
        (True, b"abc" * 10_000, True),
        (True, os.urandom(30_000), False),
        (True, b"a" * 100, False),
        (False, b"abc" * 10_000, False),
        ("auto", b"abc" * 10_000, False),  # in memory is this machine
    ],
    ids=["a text", "noise", "a short text", "switched off", "on this machine"],
)
def test_only_what_pays_is_compressed(compress: Any, data: bytes, smaller: bool) -> None:
    pair = echo_pair(compress)
    wire = Wire(pair.client)
    assert pair.result(pair.client.root.echo(data)) == data
    assert (wire.bytes < len(data) // 2) is smaller


def test_a_compressed_frame_is_always_read() -> None:
    pair = echo_pair(False)
    pair.client.outbox.compress = True
    wire = Wire(pair.client)
    assert pair.result(pair.client.root.echo("x" * 10_000)) == "x" * 10_000
    assert wire.writes[0][4] == 1
    zlib.decompress(wire.writes[0][5:-1])


# --- long answers, and what all connections hold together ---------------------------


@pytest.mark.parametrize("corked", [True, False])
@pytest.mark.parametrize("at_once", [True, False])
def test_a_long_message_is_written_in_its_turn(corked: bool, at_once: bool) -> None:
    """To a transport that keeps memory it goes as memory that nobody changes, else as bytes."""
    box, transport = outbox()
    given: list[Any] = []

    def now(_transport: object, data: Any) -> None:
        given.append(data)
        transport.write(bytes(data))

    if at_once:
        box.now = now
    box.corked = corked
    long = bytes(2_000_000)
    box.request(0, [dump("a")])
    box.answer(MSG_REPLY, 1, 0, [b"\x0f\x00\x1e\x84\x80", long])
    box.request(2, [dump(b"")[:0], b"\x0f\x00\x1e\x84\x80", long, b""])
    box.answer(MSG_REPLY, 3, 0, [dump("b")])
    box.uncork()
    if at_once and type(frame_chunks(b"", [long])) is memoryview:
        views = [data for data in given if type(data) is memoryview]
        assert [len(view) > len(long) and view.readonly for view in views] == [True, True]
    found = payloads(transport)
    assert [payload[2] - 0x50 for payload in found] == [0, 1, 2, 3]
    assert [payload.endswith(long) for payload in found] == [False, True, True, False]


def test_a_long_message_to_a_peer_behind_tls_is_one_write_of_bytes() -> None:
    box, transport = outbox()
    records: list[Any] = []
    box.separate = records.append
    box.answer(MSG_REPLY, 1, 0, [memoryview(bytes(2_000_000))])
    assert [type(each) for each in records] == [bytes]
    assert not transport.written


def test_what_waits_for_a_peer_is_counted_with_what_waits_for_others() -> None:
    """From the frame on that fills the transport, until all of it has gone."""
    box, transport = outbox(max_unsent=10_000_000)
    owner: Any = box._owner
    budget = MemoryBudget(1 << 30, 1 << 30, str)
    share = owner.share = MemoryShare(budget, "here", SimpleNamespace(abort=str))
    plain = transport.write

    def filled(data: bytes) -> None:
        plain(data)
        box.pauseProducing()

    transport.write = filled  # type: ignore[method-assign]
    box.write(b"x" * 100)
    assert share.held == 100
    box.write(b"x" * 10)
    assert share.held == 110
    box.answer(MSG_REPLY, 1, 0, [bytes(2_000_000)])
    assert share.held > 2_000_110
    box.resumeProducing()
    assert share.held == 0
    box.corked = True
    box.write(b"x" * 50)
    box.uncork()
    assert share.held == 50
    box.resumeProducing()
    box.answer(MSG_REPLY, 1, 0, [bytes(2_000_000)])
    assert 2_000_000 < share.held < 2_000_100


def test_a_long_answer_counts_toward_what_is_unsent() -> None:
    box, transport = outbox(max_unsent=1_000_000)
    box.pauseProducing()
    box.answer(MSG_REPLY, 1, 0, [bytes(2_000_000)])
    assert transport.aborted
