"""
`MessageReader`: what arrives is taken in whole, and nothing in it is lost.
"""

from __future__ import annotations

import gc
from typing import Any

import pytest
from twisted.internet.defer import CancelledError

from tests.peer.hosted import PAIRS, Hosted, Thing, a_pair, exported, settle  # noqa: F401
from tests.peer.pairs import (
    Outcome,
    RawPeer,
    Wire,
)
from txremote import (
    RemoteReference,
    get_remote,
)
from txremote.testing import Pair, connected_pair
from txremote.wire.brine import dump
from txremote.wire.consts import (
    HANDLE_CALLATTR,
    HANDLE_PING,
)


@pytest.mark.parametrize("kind", PAIRS)
def test_a_thousand_objects_in_one_reply_cost_one_round_trip(kind: str) -> None:
    pair = PAIRS[kind](server_root=Hosted)
    wire, answers = Wire(pair.client), Wire(pair.server)
    things = pair.result(pair.client.root.things(1000))
    assert wire.requests == [HANDLE_CALLATTR]
    assert answers.requests == []
    assert {type(thing) for thing in things} == {RemoteReference}
    assert pair.result(get_remote(things[700], "number")) == 700
    assert exported(pair.server) == 1000


def test_a_release_that_crosses_the_object_on_its_way_again_is_no_loss(pair: Pair) -> None:
    thing = pair.result(pair.client.root.same())
    again = pair.client.root.same()
    client: Any = pair.client.transport
    server: Any = pair.server.transport
    # the server sends it a second time, and that is still on its way
    pair.server.dataReceived(client.written.popleft())
    assert server.written
    del thing
    gc.collect()
    pair.clock.advance(0.05)  # the client gives its first one back
    assert client.written
    thing = pair.result(again)
    assert exported(pair.server) == 1
    assert pair.result(get_remote(thing, "number")) == 0
    del thing, again
    settle(pair)
    assert exported(pair.server) == 0


def test_the_answer_to_a_cancelled_call_is_given_back(pair: Pair) -> None:
    call = pair.client.root.things(20)
    outcome = Outcome(call)
    pair.server.dataReceived(pair.client.transport.written.popleft())
    assert exported(pair.server) == 20
    call.cancel()
    pair.pump()
    assert isinstance(outcome.error, CancelledError)
    assert exported(pair.server) == 0  # already: with the end of the read that brought it


def test_references_in_a_message_that_fails_are_given_back(pair: Pair) -> None:
    """One argument stands for nothing; the others must not be lost with it."""
    mine = [Thing(1), Thing(2)]
    theirs = pair.result(pair.client.root.same())
    pair.server._tables.exports.clear()
    with pytest.raises(KeyError, match="no object here has the id"):
        pair.result(pair.client.request(HANDLE_PING, (mine[0], theirs, mine[1])))
    settle(pair)
    assert exported(pair.client) == 0


def test_a_failed_callback_gives_back_what_it_was_sent(pair: Pair) -> None:
    def fails(thing: Any) -> None:
        raise ValueError("no")

    pair.server.service.exposed_fire = lambda function: function(Thing(1))
    with pytest.raises(ValueError):
        pair.result(pair.client.root.fire(fails))
    settle(pair)
    assert exported(pair.server) == 0
    assert exported(pair.client) == 0


def test_a_message_that_is_wrong_costs_its_call() -> None:
    """The stream is in step, so the next call is answered."""
    peer = RawPeer(Hosted)
    root = peer.root()
    peer.send_request(HANDLE_CALLATTR, root, "add", (1, 2), 3)
    ((_kind, _number, args),) = peer.received()
    assert args[0][1] == "TypeError"
    assert peer.ask(HANDLE_CALLATTR, root, "add", (1, 2), ()) == 3
    assert not peer.ended


def test_an_answer_to_nothing_is_dropped() -> None:
    """Late answers, and those to calls that never were, are no error."""
    pair = connected_pair(Hosted, Hosted)
    number = 12345
    pair.server.outbox.answer(2, number, 0, [dump((1, None))])
    pair.pump()
    assert pair.result(pair.client.root.add(1, 2)) == 3
