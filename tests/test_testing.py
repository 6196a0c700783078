"""
`txremote.testing`: two connected ends in memory, for tests of users and our own.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import ITransport
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from tests.peer.pairs import Outcome
from txremote import ConnectionConfig, Service, exposed
from txremote.testing import MemoryTransport, Pair, connected_pair


class Calculator(Service):
    def __init__(self) -> None:
        self.waiting: Deferred[Any] = Deferred()

    @exposed
    def add(self, a: int, b: int) -> int:
        return a + b

    @exposed
    def later(self) -> Any:
        return self.waiting


def test_the_example_of_its_docstring() -> None:
    pair = connected_pair(server_root=Calculator)
    outcome = Outcome(pair.client.root.add(2, 3))
    assert not outcome.fired
    pair.pump()
    assert outcome.value == 5


def test_nothing_moves_before_the_pump() -> None:
    pair = connected_pair(server_root=Calculator)
    pair.client.root.add(2, 3)
    assert len(pair.client.transport.written) == 1
    assert pair.pump() > 0
    assert not pair.client.transport.written
    assert pair.pump() == 0


@pytest.mark.parametrize("chunk", [1, 2, 7])
def test_the_pump_may_carry_a_few_bytes_at_a_time(chunk: int) -> None:
    pair = connected_pair(server_root=Calculator)
    outcome = Outcome(pair.client.root.add(2, 3))
    pair.pump(chunk)
    assert outcome.value == 5


@pytest.mark.parametrize("dialect", ["6", "5"])
@pytest.mark.parametrize("bound", [False, True])
def test_each_dialect_can_be_tried(dialect: str, bound: bool) -> None:
    pair = connected_pair(
        server_root=Calculator, client_config={"bind_threads": bound}, dialect=dialect
    )
    assert pair.result(pair.client.root.add(2, 3)) == 5
    assert pair.server.outbox.dialect == pair.client.outbox.dialect


def test_result_pumps_and_returns_or_raises() -> None:
    pair = connected_pair(server_root=Calculator)
    assert pair.result(pair.client.root.add(2, 3)) == 5
    with pytest.raises(TypeError):
        pair.result(pair.client.root.add(2))
    with pytest.raises(AssertionError, match="no result yet"):
        pair.result(pair.client.root.later())


def test_advance_lets_the_clock_run_and_pumps() -> None:
    clock = Clock()
    pair = connected_pair(server_root=Calculator, clock=clock)
    assert pair.clock is clock
    outcome = Outcome(pair.client.root.later())
    pair.pump()
    clock.callLater(1, pair.server.service.waiting.callback, "done")
    pair.advance(1)
    assert outcome.value == "done"


def test_it_can_be_broken_with_or_without_a_reason() -> None:
    for reason, kind in ((None, ConnectionLost), (ConnectionDone(), ConnectionDone)):
        pair = connected_pair()
        ended = [Outcome(end.when_disconnected()) for end in (pair.client, pair.server)]
        pair.client.ping()
        pair.lose(reason)
        assert [type(outcome.value) for outcome in ended] == [kind, kind]
        assert pair.client.closed
        assert pair.server.closed
        assert pair.pump() == 0
        pair.lose()  # a second time does nothing


def test_closing_one_end_closes_both_at_the_next_pump() -> None:
    pair = connected_pair()
    ended = Outcome(pair.client.close())
    assert not ended.fired
    pair.pump()
    assert isinstance(ended.value, ConnectionDone)
    assert pair.server.closed


def test_an_aborted_end_loses_what_it_had_to_say() -> None:
    pair = connected_pair()
    ended = Outcome(pair.server.when_disconnected())
    pair.client.ping()
    pair.client.transport.abortConnection()
    assert pair.pump() == 0
    assert isinstance(ended.value, ConnectionLost)


def test_without_introductions_the_two_have_said_nothing() -> None:
    pair = connected_pair(server_root=Calculator, introduce=False)
    assert not pair.client.transport.written
    assert not pair.client.is_txremote
    assert pair.result(pair.client.introduce()) is pair.client
    assert pair.client.is_txremote
    assert pair.server.is_txremote


def test_switches_are_for_both_or_for_one() -> None:
    pair = connected_pair(config={"max_calls": 5}, server_config={"max_calls": 6})
    assert (pair.client.config.max_calls, pair.server.config.max_calls) == (5, 6)
    config = ConnectionConfig(max_calls=7)
    assert connected_pair(config=config).client.config is config


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"server_root": dict}, "no service"),
        ({"client_root": object()}, "no service"),
        ({"config": {"max_cals": 5}}, "max_calls"),
    ],
)
def test_a_mistake_is_told_at_once(arguments: Any, error: str) -> None:
    with pytest.raises(TypeError, match=error):
        connected_pair(**arguments)


def test_no_such_dialect() -> None:
    with pytest.raises(ValueError, match="no dialect '4'"):
        connected_pair(dialect="4")


def test_a_service_instance_is_shared_and_a_class_is_made() -> None:
    service = Calculator()
    assert connected_pair(server_root=service).server.service is service
    assert type(connected_pair(server_root=Calculator).server.service) is Calculator


def test_both_ends_may_offer_something() -> None:
    pair = connected_pair(Calculator, Calculator)
    assert pair.result(pair.client.root.add(1, 2)) == 3
    assert pair.result(pair.server.root.add(3, 4)) == 7


# --- the transport ----------------------------------------------------------------


def test_the_transport_provides_twisteds_interface() -> None:
    assert verifyObject(ITransport, MemoryTransport())


def test_the_transport_tells_the_address_it_was_given() -> None:
    address = IPv4Address("TCP", "10.0.0.1", 1)
    assert MemoryTransport(address).getPeer() is address
    assert MemoryTransport(address).getHost() is address
    assert isinstance(MemoryTransport().getPeer(), UNIXAddress)


def test_the_transport_writes_until_it_is_closed() -> None:
    transport = MemoryTransport()
    transport.write(b"a")
    transport.writeSequence([b"b", b"c"])
    transport.loseConnection()
    transport.write(b"d")
    assert b"".join(transport.written) == b"abc"
    transport.abortConnection()
    assert not transport.written
    assert transport.aborted


def test_a_pair_is_made_by_connected_pair() -> None:
    assert type(connected_pair()) is Pair
