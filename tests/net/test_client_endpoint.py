"""
What `ClientService` is given in the place of an endpoint.
"""

from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.protocol import Factory, Protocol

from tests.peer.pairs import Outcome
from txremote.errors import ConnectionLost
from txremote.net.client_endpoint import ClientEndpoint, ConnectionHandle, until_lost
from txremote.testing import connected_pair


def factory() -> Factory:
    return Factory.forProtocol(Protocol)


def test_a_connection_is_given_as_a_transport():
    """The protocol is the factory's, empty; its transport leads to the connection."""
    pair = connected_pair()
    endpoint = ClientEndpoint(lambda: succeed(pair.client), "tcp:somewhere")
    protocol = Outcome(endpoint.connect(factory())).value
    assert type(protocol) is Protocol
    assert protocol.transport.connection is pair.client
    assert repr(endpoint) == "tcp:somewhere"


def test_closing_the_transport_is_a_goodbye():
    """Both ends of the connection are closed, as by `Connection.close`."""
    pair = connected_pair()
    ConnectionHandle(pair.client).loseConnection()
    pair.pump()
    assert pair.client.closed
    assert pair.server.closed
    assert "the peer closed" in pair.server.why_ended


def test_a_failure_to_connect_is_passed_on():
    """As the endpoint's own."""
    endpoint = ClientEndpoint(lambda: fail(ConnectionRefusedError()), "tcp:nowhere")
    assert isinstance(Outcome(endpoint.connect(factory())).error, ConnectionRefusedError)


def test_giving_up_reaches_whoever_dials():
    """Cancelling the Deferred cancels the dialling."""
    given_up = []
    endpoint = ClientEndpoint(lambda: Deferred(given_up.append), "tcp:nowhere")
    connecting = endpoint.connect(factory())
    outcome = Outcome(connecting)
    connecting.cancel()
    assert isinstance(outcome.error, CancelledError)
    assert len(given_up) == 1


class TestWithinLife:
    def test_what_work_comes_to(self):
        """Its result or its failure, while the connection lives."""
        pair = connected_pair()
        assert Outcome(until_lost(succeed(5), pair.client)).value == 5
        with pytest.raises(ValueError, match="no"):
            Outcome(until_lost(fail(ValueError("no")), pair.client)).value
        pair.lose()

    def test_the_loss_ends_it(self):
        """The work is cancelled, and the outcome says why the connection has ended."""
        pair = connected_pair()
        cancelled = []
        outcome = Outcome(until_lost(Deferred(cancelled.append), pair.client))
        pair.lose()
        assert isinstance(outcome.error, ConnectionLost)
        assert len(cancelled) == 1

    @pytest.mark.parametrize("way", ["lost", "cancelled"])
    def test_work_that_goes_on_is_not_waited_for(self, way):
        """A coroutine that catches everything, CancelledError too, holds nobody up."""
        pair = connected_pair()
        seen = []

        async def stubborn() -> None:
            while True:
                waiting: Deferred[None] = Deferred()
                seen.append(waiting)
                try:
                    await waiting
                    return
                except Exception:  # of the kind that users write
                    continue

        work = until_lost(Deferred.fromCoroutine(stubborn()), pair.client)
        outcome = Outcome(work)
        if way == "lost":
            pair.lose()
            assert isinstance(outcome.error, ConnectionLost)
        else:
            work.cancel()
            assert isinstance(outcome.error, CancelledError)
        assert len(seen) == 2
        seen[1].callback(None)  # it may end as it likes
        assert len(outcome.results) == 1
