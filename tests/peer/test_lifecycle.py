"""
The states of a connection: what may follow what, and that nothing else does.
"""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone

from tests.peer.hosted import Hosted
from tests.peer.pairs import Outcome
from txremote.peer.lifecycle import (
    ABORTING,
    CLOSED,
    CLOSING,
    CONNECTING,
    DRAINING,
    HANDSHAKING,
    OPEN,
    TRANSITIONS,
    State,
    following,
)
from txremote.testing import connected_pair


def test_the_table_names_each_state_and_goes_forward_only() -> None:
    """So a connection ends after six steps at most, and from each state it can end."""
    assert list(TRANSITIONS) == list(State)
    for state, allowed in TRANSITIONS.items():
        assert all(after > state for after in allowed)
        assert state is CLOSED or CLOSED in allowed


def test_a_state_that_may_not_follow_is_an_error() -> None:
    assert following(OPEN, DRAINING) is DRAINING
    with pytest.raises(RuntimeError, match="that is CLOSED cannot be OPEN"):
        following(CLOSED, OPEN)


def test_a_connection_goes_through_its_states() -> None:
    """From the handshake of TLS to the last of its calls."""
    pair = connected_pair(server_root=Hosted)
    server = pair.server
    assert server.state is OPEN
    pair.client.root.later().addErrback(lambda _failure: None)
    pair.pump()
    server.closing.drain("we close")
    assert server.state is DRAINING
    assert not server.is_closing
    server.closing.hang_up("now")
    assert server.state is CLOSING
    assert server.is_closing
    assert not server.closed
    server.closing._abort()
    assert server.state is ABORTING
    pair.pump()
    assert server.closed


def test_the_service_hears_of_a_connection_after_its_handshake() -> None:
    """And of one that ends before it hears nothing."""
    heard: list[str] = []

    class Listening(Hosted):
        def on_connect(self, _conn: object) -> None:
            heard.append("connect")

        def on_disconnect(self, _conn: object) -> None:
            heard.append("disconnect")

    for completes in (True, False):
        server = connected_pair(server_root=Listening).server
        heard.clear()
        server.state, server._greeted = HANDSHAKING, False
        if completes:
            server.handshakeCompleted()
            assert server.state is OPEN
        server.closing.hang_up("enough")
        server.handshakeCompleted()  # too late
        server.connectionLost()
        assert heard == (["connect", "disconnect"] if completes else [])


EVENTS = st.lists(
    st.sampled_from(
        "call answer drain hang_up close abort fail goodbye pump advance lose leave".split()
    ),
    max_size=12,
)


@given(EVENTS)
def test_whatever_happens_only_the_transitions_of_the_table_do(events: list[str]) -> None:
    """Any other would raise here; and in the end the connection is closed, and says why."""
    pair = connected_pair(server_root=Hosted)
    server = pair.server
    states = [CONNECTING, server.state]
    waiting: list[Deferred[object]] = []
    lost = False
    for event in events:
        if event == "call" and not pair.client.is_closing:
            waiting.append(pair.client.root.later().addErrback(lambda _failure: None))
        elif event == "answer" and waiting:
            waiting.pop().cancel()
        elif event == "drain":
            server.closing.drain("we drain")
        elif event in ("hang_up", "close", "abort"):
            getattr(server.closing, event)("we end")
        elif event == "fail" and not server.closed:
            server.dataReceived(b"\xff" * 64)
        elif event == "goodbye":
            pair.client.close()
        elif event in ("pump", "advance"):
            pair.pump() if event == "pump" else pair.advance(6)
        elif event == "leave":
            server.leave()
        elif event == "lose" and not lost and not server.closed:
            lost = True
            pair.lose(ConnectionDone())
        states.append(server.state)
    assert states == sorted(states)
    ended = Outcome(server.close())
    pair.advance(6)
    pair.pump()
    assert server.state is CLOSED
    assert isinstance(ended.value, Exception)
    assert server.why_ended
    assert len(server.inbound) == 0
