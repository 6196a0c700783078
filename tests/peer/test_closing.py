"""
`Closing`: a connection ends once, for a reason that can be told, and in a bounded time.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from tests.peer.hosted import Hosted, a_pair  # noqa: F401
from tests.peer.pairs import Outcome, RawPeer, Wire, logged
from txremote import ConnectionLost, DeadReferenceError
from txremote.peer.closing import CLOSE_TIMEOUT
from txremote.peer.logging import RateLimitedCount
from txremote.testing import Pair, connected_pair
from txremote.wire.consts import HANDLE_CLOSE


def test_when_disconnected_is_a_fresh_deferred_each_time(pair: Pair) -> None:
    first, second = pair.client.when_disconnected(), pair.client.when_disconnected()
    assert first is not second
    outcomes = [Outcome(first), Outcome(second)]
    pair.lose(ConnectionDone())
    outcomes.append(Outcome(pair.client.when_disconnected()))
    assert {type(outcome.value) for outcome in outcomes} == {ConnectionDone}


def test_cancelling_one_leaves_the_others(pair: Pair) -> None:
    first, second = pair.client.when_disconnected(), pair.client.when_disconnected()
    cancelled, kept = Outcome(first), Outcome(second)
    first.cancel()
    assert isinstance(cancelled.error, CancelledError)
    pair.lose()
    assert kept.fired
    assert len(cancelled.results) == 1


def test_one_may_cancel_another_when_it_fires(pair: Pair) -> None:
    watchers = [pair.client.when_disconnected() for _ in range(3)]
    watchers[0].addCallback(lambda value: watchers[1].cancel() or value)
    outcomes = [Outcome(watcher) for watcher in watchers]
    pair.lose()
    assert not isinstance(outcomes[0].value, CancelledError)
    assert isinstance(outcomes[1].error, CancelledError)
    assert outcomes[2].fired


def test_closing_says_good_bye_and_fires_when_it_is_done(pair: Pair) -> None:
    wire = Wire(pair.client)
    waiting = Outcome(pair.client.root.later())
    closed = Outcome(pair.client.close())
    other = Outcome(pair.server.when_disconnected())
    assert wire.requests[-1] == HANDLE_CLOSE
    pair.pump()
    assert isinstance(closed.value, ConnectionDone)
    assert isinstance(other.value, ConnectionDone)
    assert type(waiting.error) is ConnectionLost
    assert str(waiting.error) == "this side closed the connection"
    with pytest.raises(DeadReferenceError, match="this side closed"):
        pair.result(pair.client.root.add(1, 2))


def test_closing_lets_what_was_said_before_go_out(pair: Pair) -> None:
    pair.client.root.keep("the last word")
    pair.client.close()
    pair.pump()
    assert pair.server.service.kept == ["the last word"]


def test_closing_twice_is_closing_once(pair: Pair) -> None:
    outcomes = [Outcome(pair.client.close()) for _ in range(2)]
    pair.pump()
    outcomes.append(Outcome(pair.client.close()))
    assert all(isinstance(outcome.value, ConnectionDone) for outcome in outcomes)


def test_a_peer_that_reads_nothing_is_not_waited_for_for_ever(pair: Pair) -> None:
    transport: Any = pair.client.transport
    pair.client.close()
    pair.clock.advance(CLOSE_TIMEOUT - 0.1)
    assert not transport.aborted
    pair.clock.advance(0.2)
    assert transport.aborted
    pair.pump()
    assert pair.client.closed
    assert pair.clock.getDelayedCalls() == []


def test_either_side_may_close(pair: Pair) -> None:
    outcome = Outcome(pair.client.root.later())
    pair.pump()
    pair.server.close()
    pair.pump()
    assert type(outcome.error) is ConnectionLost
    assert "the peer closed the connection" in str(outcome.error)


def test_before_closed_is_called_with_the_root_and_may_not_keep_us_open() -> None:
    seen: list[Any] = []

    def before_closed(root: Any) -> None:
        seen.append(root)
        root.keep("bye")
        raise RuntimeError("in before_closed")

    pair = connected_pair(server_root=Hosted, client_config={"before_closed": before_closed})
    root = pair.client.root
    with logged() as log:
        ended = Outcome(pair.client.close())
        pair.pump()
    assert seen == [root]
    assert pair.server.service.kept == ["bye"]
    assert ended.fired
    assert "in before_closed" in log.text()


def test_no_timer_is_left_of_who_was_turned_away_and_gave_up() -> None:
    """The time that he had is over with the connection."""
    peer = RawPeer(Hosted, frame_timeout=1)
    peer.connection.closing.turn_away(ConnectionRefusedError("full"), 5)
    peer.send(b"\0")
    peer.clock.advance(1)
    assert peer.transport.aborted
    peer.connection.connectionLost(Failure(ConnectionDone()))
    peer.send(b"\0")  # a transport may be late
    assert peer.clock.getDelayedCalls() == []


def test_the_first_reason_is_the_one_that_is_told(pair: Pair) -> None:
    """Whatever comes to its end after that, in whatever way, changes nothing."""
    closing = pair.server.closing
    assert not pair.server.is_closing
    closing.hang_up("nobody is home")
    closing.abort("something else")
    closing.close("and another thing")
    assert pair.server.is_closing
    assert not pair.server.closed
    assert closing.why == "nobody is home"
    pair.pump()
    assert pair.server.closed
    assert pair.server.why_ended == "nobody is home"
    assert isinstance(closing.reason, ConnectionDone)


def test_who_is_given_up_is_not_waited_for(pair: Pair) -> None:
    """What is unsent is dropped with the transport."""
    transport: Any = pair.server.transport
    outcome = Outcome(pair.server.root.later())
    pair.server.closing.abort("the peer is gone")
    assert transport.aborted
    pair.pump()
    assert str(outcome.error) == "the peer is gone"
    assert pair.clock.getDelayedCalls() == []


def test_of_many_connections_that_break_the_protocol_the_log_tells_a_number() -> None:
    """The first at once; the others as a number, with the next that comes later."""
    sparing = RateLimitedCount(every=10.0)
    clock = Clock()
    with logged() as log:
        for _ in range(100):
            peer = RawPeer()
            peer.connection._clock = clock
            peer.connection.log_limit = sparing
            peer.send_payload(b"no message")
            assert peer.ended
            assert peer.connection.closing.protocol_broken
            clock.advance(0.105)
    told = [line for line in log.text().splitlines() if "broke the protocol" in line]
    assert len(told) == 2
    assert "unix broke the protocol" in told[0]
    assert "96 connections broke the protocol, the last of unix:" in told[1]
