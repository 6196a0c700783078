"""
`current_call`: who is calling, for the exposed method that runs.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.defer import Deferred, succeed

from tests.peer.pairs import Outcome, RawPeer
from txremote import Service, current_call, exposed
from txremote.peer.context import CurrentCall
from txremote.testing import connected_pair
from txremote.wire.consts import HANDLE_CALLATTR


class Asked(Service):
    def __init__(self) -> None:
        self.gates: list[Deferred[Any]] = []
        self.seen: list[Any] = []

    def gate(self) -> Deferred[Any]:
        self.gates.append(Deferred())
        return self.gates[-1]

    @exposed
    def sync(self) -> None:
        self.seen.append(current_call().connection)

    @exposed
    async def awaits(self) -> None:
        self.seen.append(current_call().connection)
        await self.gate()
        self.seen.append(current_call().connection)
        await succeed(None)
        self.seen.append(current_call().connection)

    @exposed
    def time(self) -> Any:
        return current_call().time_left()

    @exposed
    async def times(self) -> Any:
        before = current_call().time_left()
        await self.gate()
        return before, current_call().time_left()

    @exposed
    def calls_back(self, function: Any) -> Any:
        self.seen.append(current_call().connection)
        return function().addCallback(lambda value: value)


def test_a_method_learns_who_calls_it() -> None:
    pair = connected_pair(server_root=Asked)
    pair.result(pair.client.root.sync())
    assert pair.server.service.seen == [pair.server]


def test_outside_of_a_method_there_is_no_call() -> None:
    with pytest.raises(RuntimeError, match="exposed methods while they run"):
        current_call()
    pair = connected_pair(server_root=Asked)
    pair.result(pair.client.root.sync())
    with pytest.raises(RuntimeError):
        current_call()


def test_it_holds_across_every_await_whoever_fires_it() -> None:
    service = Asked()
    first, second = connected_pair(server_root=service), connected_pair(server_root=service)
    outcomes = [Outcome(pair.client.root.awaits()) for pair in (first, second)]
    first.pump()
    second.pump()
    for gate in reversed(service.gates):
        gate.callback(None)
    first.pump()
    second.pump()
    assert all(outcome.fired for outcome in outcomes)
    assert service.seen == [
        first.server,
        second.server,
        second.server,
        second.server,
        first.server,
        first.server,
    ]
    with pytest.raises(RuntimeError):
        current_call()


def test_a_coroutine_that_another_call_wakes_is_still_its_own() -> None:
    service = Asked()

    class Waking(Asked):
        @exposed
        def wake(self) -> None:
            service.gates[0].callback(None)
            service.seen.append(current_call().connection)

    sleeping, waking = connected_pair(server_root=service), connected_pair(server_root=Waking)
    sleeping.client.root.awaits()
    sleeping.pump()
    waking.result(waking.client.root.wake())
    assert service.seen == [sleeping.server] * 3 + [waking.server]


def test_a_call_that_fails_leaves_nothing_behind() -> None:
    class Failing(Service):
        @exposed
        def fails(self) -> None:
            raise ValueError("x")

    pair = connected_pair(server_root=Failing)
    with pytest.raises(ValueError):
        pair.result(pair.client.root.fails())
    with pytest.raises(RuntimeError):
        current_call()


def test_the_client_too_learns_who_calls_back() -> None:
    seen: list[Any] = []
    pair = connected_pair(server_root=Asked)
    pair.result(pair.client.root.calls_back(lambda: seen.append(current_call().connection)))
    assert seen == [pair.client]
    assert pair.server.service.seen == [pair.server]


# --- time left --------------------------------------------------------------------


def test_without_a_time_limit_there_is_no_time_left_to_tell() -> None:
    pair = connected_pair(server_root=Asked)
    assert pair.result(pair.client.root.time()) is None


def test_time_left_counts_from_the_start_of_the_call() -> None:
    pair = connected_pair(server_root=Asked, server_config={"call_timeout": 5})
    pair.clock.advance(100)
    assert pair.result(pair.client.root.time()) == 5
    outcome = Outcome(pair.client.root.times())
    pair.pump()
    pair.advance(2)
    pair.server.service.gates[0].callback(None)
    pair.pump()
    assert outcome.value == (5, 3)


def test_it_is_never_negative() -> None:
    pair = connected_pair()
    pair.clock.advance(50)
    assert CurrentCall(pair.server, 20).time_left() == 0


# --- what it tells of the connection ----------------------------------------------


def test_it_tells_address_certificate_and_avatar() -> None:
    found: list[Any] = []

    class Looking(Service):
        @exposed
        def look(self) -> None:
            call = current_call()
            found.append((call.peer, call.peer_certificate, call.avatar))

    address = IPv4Address("TCP", "10.0.0.1", 1234)
    peer = RawPeer(Looking, address)
    peer.ask(HANDLE_CALLATTR, peer.root(), "look", (), ())
    peer.connection.avatar = "ann"
    peer.transport.getPeerCertificate = lambda: "a certificate"  # type: ignore[attr-defined]
    peer.ask(HANDLE_CALLATTR, peer.root(), "look", (), ())
    assert found == [(address, None, None), (address, "a certificate", "ann")]


def test_a_connection_without_a_transport_has_no_address() -> None:
    pair = connected_pair()
    assert isinstance(CurrentCall(pair.server).peer, UNIXAddress)
    pair.server.transport = None
    assert CurrentCall(pair.server).peer is None
    assert CurrentCall(pair.server).peer_certificate is None
