"""
`ConnectionTimeouts`: connections that hang, idle or fall silent end in a bounded time;
healthy ones do not.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from tests.peer.pairs import Outcome, RawPeer, pair_with_stock_client, request_payload
from txremote import ConnectionLost, Service, exposed
from txremote.peer.handlers import HANDLERS, RequestKind
from txremote.testing import Pair, connected_pair
from txremote.wire.consts import HANDLE_PING
from txremote.wire.framing import frame


class Calm(Service):
    """Answers at once, or much later."""

    def __init__(self) -> None:
        self.gate: Deferred[Any] = Deferred()

    @exposed
    def add(self, a: int, b: int) -> int:
        return a + b

    @exposed
    def later(self) -> Deferred[Any]:
        return self.gate


def pair_of(**config: Any) -> Pair:
    """A pair both of whose ends have these switches."""
    return connected_pair(server_root=Calm(), server_config=config, client_config=config)


def silent(pair: Pair, seconds: int) -> None:
    """Let the time pass without carrying anything across."""
    for _ in range(seconds):
        pair.clock.advance(1)


def talk(pair: Pair, seconds: int) -> None:
    """Let the time pass, a second at a time."""
    for _ in range(seconds):
        pair.advance(1)


def test_a_message_that_trickles_in_ends_the_connection() -> None:
    """A byte a second does not hold a connection for ever: the error names the option."""
    peer = RawPeer(Calm(), frame_timeout=20)
    peer.root()
    data = frame(request_payload(7, HANDLE_PING, b"x" * 1000))
    for byte in data[:19]:
        peer.connection.dataReceived(bytes([byte]))
        peer.clock.advance(1)
    assert not peer.transport.aborted
    peer.connection.dataReceived(data[19:20])
    peer.clock.advance(1)
    assert peer.transport.aborted
    assert "option frame_timeout" in peer.connection.why_ended


def test_each_message_has_its_time_to_itself() -> None:
    """Messages that follow each other cut in the middle are no slow message."""
    peer = RawPeer(Calm(), frame_timeout=20)
    peer.root()
    data = frame(request_payload(7, HANDLE_PING, b"x" * 100))
    stream = data * 50
    for start in range(0, len(stream), len(data) - 1):
        peer.connection.dataReceived(stream[start : start + len(data) - 1])
        peer.clock.advance(3)
    assert not peer.transport.aborted


def test_a_message_whose_rest_is_not_read_on_purpose_has_time() -> None:
    """A slow reader's next request waits in the kernel, and that is no fault of his."""
    peer = RawPeer(Calm(), frame_timeout=20, pause_unsent=1000)
    peer.root()
    reading: list[str] = []
    transport: Any = peer.transport
    transport.pauseProducing = lambda: reading.append("paused")
    transport.resumeProducing = lambda: reading.append("resumed")
    outbox = peer.connection.outbox
    outbox.pauseProducing()  # the transport is full
    data = frame(request_payload(7, HANDLE_PING, b"x" * 2000))
    peer.connection.dataReceived(data + data[:100])
    assert reading == ["paused"]
    for _ in range(10):
        peer.clock.advance(10)
    assert not peer.transport.aborted
    outbox.resumeProducing()
    assert reading == ["paused", "resumed"]
    peer.clock.advance(9)  # since it was last seen to wait
    assert not peer.transport.aborted
    peer.clock.advance(20)
    assert peer.transport.aborted


def test_a_peer_to_which_much_is_on_its_way_is_not_asked_for_a_sign_of_life() -> None:
    """A question behind a long message would come too late on a slow line."""
    pair = pair_of(keepalive=10, keepalive_timeout=5)
    pair.server.outbox.pauseProducing()
    silent(pair, 60)
    assert not pair.server.closed
    pair.server.outbox.resumeProducing()
    silent(pair, 26)
    assert "no sign of life" in pair.server.why_ended


def test_a_silent_txremote_peer_is_asked_for_a_sign_of_life() -> None:
    """It answers, and the connection stays, for as long as one likes."""
    pair = pair_of(keepalive=10, keepalive_timeout=5)
    talk(pair, 100)
    assert pair.result(pair.client.root.add(1, 2)) == 3
    assert not pair.client.closed


def test_a_dead_peer_is_found_in_a_bounded_time() -> None:
    """Calls that wait for it fail with a sentence that names the options."""
    pair = pair_of(keepalive=10, keepalive_timeout=5)
    waiting = Outcome(pair.client.root.later())
    pair.pump()
    silent(pair, 14)
    assert not pair.client.transport.aborted  # type: ignore[union-attr]
    silent(pair, 2)
    assert pair.client.transport.aborted  # type: ignore[union-attr]
    pair.lose()
    assert isinstance(waiting.error, ConnectionLost)
    assert "options keepalive, keepalive_timeout" in str(waiting.error)


def test_a_peer_that_answers_strangely_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong answer is a sign of life; when there is none any more, it is found."""
    pair = pair_of(keepalive=10, keepalive_timeout=5)
    strange = RequestKind(lambda _serving, _data: b"what?", in_order=True)
    monkeypatch.setitem(HANDLERS, HANDLE_PING, strange)
    talk(pair, 30)
    assert not pair.client.transport.aborted  # type: ignore[union-attr]
    silent(pair, 16)
    assert pair.client.transport.aborted  # type: ignore[union-attr]


def test_a_stock_peer_is_never_asked() -> None:
    """An idle RPyC client answers no PING and is healthy."""
    pair = pair_with_stock_client(Calm(), server_config={"keepalive": 10, "keepalive_timeout": 5})
    silent(pair, 100)
    assert not pair.server.transport.aborted  # type: ignore[union-attr]


def test_a_peer_that_is_heard_is_not_asked() -> None:
    """Traffic of any kind counts as a sign of life."""
    pair = pair_of(keepalive=10, keepalive_timeout=5)
    pair.pump()
    for _ in range(20):
        pair.clock.advance(9)
        assert not pair.client.transport.written  # type: ignore[union-attr]
        pair.result(pair.client.root.add(1, 2))


def test_an_unused_connection_is_closed() -> None:
    """Pings are no use; calls are, in either direction."""
    pair = pair_of(idle_timeout=50, keepalive=10, keepalive_timeout=5)
    talk(pair, 40)
    assert pair.result(pair.client.root.add(1, 2)) == 3
    talk(pair, 45)
    assert not pair.client.closed
    talk(pair, 20)
    assert pair.client.closed
    assert "option idle_timeout" in pair.server.why_ended


def test_a_call_that_takes_long_keeps_the_connection() -> None:
    """A connection on which somebody waits is in use."""
    pair = pair_of(idle_timeout=10)
    waiting = Outcome(pair.client.root.later())
    talk(pair, 100)
    assert not pair.client.closed
    pair.server.service.gate.callback("done")
    pair.pump()
    assert waiting.value == "done"
    talk(pair, 25)
    assert pair.client.closed


@pytest.mark.parametrize("how", ["close", "lose"])
def test_no_timer_is_left(how: str) -> None:
    """However a connection ends."""
    pair = pair_of(keepalive=10, idle_timeout=100, frame_timeout=5)
    pair.pump()
    if how == "close":
        pair.client.close()
        pair.pump()
    else:
        pair.lose()
    assert pair.clock.getDelayedCalls() == []


def test_nothing_is_watched_that_is_switched_off() -> None:
    """Without any of the times there is no timer."""
    pair = pair_of(keepalive=None, idle_timeout=None, frame_timeout=None)
    pair.pump()
    watching = [
        call for call in pair.clock.getDelayedCalls() if "ConnectionTimeouts" in str(call.func)
    ]
    assert watching == []


def test_the_idle_time_counts_from_the_last_use() -> None:
    """It is neither shorter nor longer, for quick calls and for those that take long."""
    pair = pair_of(idle_timeout=50, keepalive=None)
    talk(pair, 30)
    pair.result(pair.client.root.add(1, 2))
    talk(pair, 49)
    assert not pair.client.closed
    talk(pair, 2)
    assert pair.client.closed

    pair = pair_of(idle_timeout=50, keepalive=None)
    waiting = Outcome(pair.client.root.later())
    talk(pair, 99)
    pair.server.service.gate.callback("done")
    pair.pump()
    assert waiting.fired
    talk(pair, 49)
    assert not pair.client.closed
    talk(pair, 2)
    assert pair.client.closed


def test_an_answer_behind_something_long_is_a_sign_of_life() -> None:
    """Whatever comes after the question shows that the peer is there."""
    pair = pair_of(keepalive=10, keepalive_timeout=5)
    silent(pair, 10)
    long = frame(b"x" * 1000)
    for place in range(20):
        pair.server.dataReceived(long[place : place + 1])
        silent(pair, 1)
    assert not pair.server.transport.aborted  # type: ignore[union-attr]
    silent(pair, 16)
    assert pair.server.transport.aborted  # type: ignore[union-attr]


def test_a_reactor_that_was_busy_reads_before_it_gives_up() -> None:
    """The answer lay there while a function held the reactor up for too long."""
    pair = pair_of(keepalive=10, keepalive_timeout=5)
    silent(pair, 10)
    # one turn of a reactor: the timers, then what has come
    pair.clock.rightNow += 100
    due = [call for call in pair.clock.getDelayedCalls() if call.getTime() <= pair.clock.seconds()]
    for call in due:
        pair.clock.calls.remove(call)
        call.called = 1
        call.func(*call.args, **call.kw)
    pair.pump()
    pair.advance(0)
    pair.advance(1)
    assert not pair.client.transport.aborted  # type: ignore[union-attr]
    assert not pair.server.transport.aborted  # type: ignore[union-attr]
