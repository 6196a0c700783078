"""
`Waiting`: the request of a Deferred is answered once, even where Twisted drops it.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from tests.peer.pairs import Outcome
from tests.refs.test_outcome import Lying
from txremote import Service, exposed
from txremote.errors import NotSendable
from txremote.testing import connected_pair


class Later(Service):
    def __init__(self) -> None:
        self.due: Deferred[Any] = Deferred()

    @exposed
    def wait(self) -> Deferred[Any]:
        return self.due


def test_a_result_that_twisted_cannot_look_at_ends_the_call() -> None:
    """Whoever fires the Deferred sees what is wrong, and the caller too."""
    pair = connected_pair(server_root=Later)
    outcome = Outcome(pair.client.root.wait())
    pair.pump()
    inbound = pair.server.inbound
    assert len(inbound) == 1
    with pytest.raises(SystemExit):
        pair.server.service.due.callback(Lying())
    pair.advance(0)
    assert isinstance(outcome.error, NotSendable)
    assert "what the Deferred gave cannot be sent" in str(outcome.error)
    assert len(inbound) == 0
    assert inbound.ledger.size == 0


def test_the_end_of_a_connection_leaves_nothing_to_be_answered() -> None:
    pair = connected_pair(server_root=Later)
    outcome = Outcome(pair.client.root.wait())
    pair.pump()
    pair.lose()
    pair.server.service.due.addErrback(lambda _failure: None)
    pair.advance(0)
    assert len(outcome.results) == 1
    assert pair.clock.getDelayedCalls() == []


def test_a_deferred_that_has_fired_already_is_answered_at_once() -> None:
    pair = connected_pair(server_root=Later)
    pair.server.service.due.callback("here")
    assert pair.result(pair.client.root.wait()) == "here"
