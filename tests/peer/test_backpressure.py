"""
`Backpressure`: who does not read is not read, unless he is needed.
"""

from __future__ import annotations

from typing import Any

from tests.peer.hosted import Hosted
from tests.peer.pairs import Outcome
from txremote.testing import connected_pair


def test_a_peer_is_read_only_as_long_as_it_is_needed() -> None:
    """One that does not read is read while a call of ours waits for it, and then no more."""
    pair = connected_pair(client_root=Hosted, server_root=Hosted)
    reading: list[str] = []
    transport: Any = pair.server.transport
    transport.pauseProducing = lambda: reading.append("paused")
    transport.resumeProducing = lambda: reading.append("resumed")
    call = pair.server.root.add(1, 2)
    pair.server.outbox.pressing = True
    pair.server.backpressure.high_water(True)
    assert reading == []
    assert pair.result(call) == 3
    assert reading[-1] == "paused"


def test_who_does_not_read_is_read_again_for_a_call() -> None:
    """Not before: his own requests wait until he has read."""
    pair = connected_pair(client_root=Hosted, server_root=Hosted)
    backpressure = pair.server.backpressure
    reading: list[str] = []
    transport: Any = pair.server.transport
    transport.pauseProducing = lambda: reading.append("paused")
    transport.resumeProducing = lambda: reading.append("resumed")
    pair.server.outbox.pressing = True
    backpressure.high_water(True)
    assert reading == ["paused"]
    assert backpressure.paused
    asked = Outcome(pair.client.root.add(1, 2))
    pair.pump()
    assert not asked.fired
    pair.server.root.later()
    assert reading[-1] == "resumed"
    assert not backpressure.paused
    pair.advance(0)
    assert asked.value == 3


def test_busy_is_who_has_calls_in_either_direction() -> None:
    """It does not idle then, however long they take."""
    pair = connected_pair(client_root=Hosted, server_root=Hosted)
    assert not pair.server.backpressure.busy
    call = pair.client.root.later()
    pair.pump()
    assert pair.client.backpressure.busy
    assert pair.server.backpressure.busy
    call.addErrback(lambda _failure: None)
    call.cancel()
    pair.pump()
    assert not pair.client.backpressure.busy
    assert not pair.server.backpressure.busy
