"""
Results that a peer's further calls use: what a peer may ask of them, and what that may cost.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from tests.peer.pairs import Promised, RawPeer, RemoteError, answer_of
from txremote import Service
from txremote.peer.graphs import MOST_DEPTH
from txremote.wire.brine import dump
from txremote.wire.consts import (
    HANDLE_CALLATTR,
    HANDLE_CANCEL,
    HANDLE_DIR,
    HANDLE_FORGET,
    HANDLE_KEEP,
    HANDLE_PING,
    LABEL_PROMISE,
    MSG_REPLY,
    MSG_REQUEST,
)


class Root(Service):
    def __init__(self) -> None:
        self.begun: list[Deferred[Any]] = []
        self.given: list[tuple[Any, ...]] = []

    def exposed_slow(self, *given: Any) -> Deferred[Any]:
        self.given.append(given)
        self.begun.append(Deferred())
        return self.begun[-1]

    def exposed_echo(self, given: Any) -> Any:
        self.given.append((given,))
        return given


class Peer(RawPeer):
    def __init__(self, **config: Any) -> None:
        super().__init__(Root, **config)
        self.own = self.root()

    def keep(self, *numbers: int) -> None:
        """Send a KEEP, whose own number is of no interest."""
        assert self.send_request(HANDLE_KEEP, *numbers)

    def call(self, name: str, *args: Any) -> int:
        return self.send_request(HANDLE_CALLATTR, self.own, name, args, ())

    def slow_and(self, count: int = 1) -> tuple[int, ...]:
        """Keep the results of so many calls of `slow`, make them, and return their numbers."""
        first = self._numbers + 2
        numbers = tuple(range(first, first + count))
        self.keep(*numbers)
        for number in numbers:
            assert self.call("slow") == number
        return numbers

    def answers(self) -> dict[int, Any]:
        return {each[1]: answer_of(*each) for each in self.received() if each[0] != MSG_REQUEST}

    @property
    def kept(self) -> Any:
        return self.connection.inbound._kept

    @property
    def size(self) -> int:
        return self.connection.inbound.ledger.size


@pytest.fixture
def peer() -> Peer:
    return Peer(max_promises=5, max_waiting=3, max_unanswered=100_000)


def test_a_call_waits_for_the_result_and_has_it(peer: Peer) -> None:
    (slow,) = peer.slow_and()
    user = peer.call("echo", (Promised(slow), 2))
    assert (peer.answers(), len(peer.connection.inbound)) == ({}, 2)
    peer.connection.service.begun[0].callback("tea")
    assert peer.answers() == {slow: "tea", user: ("tea", 2)}
    peer.send_request(HANDLE_FORGET, slow)
    assert (peer.kept.results, peer.kept.waiting, peer.size) == ({}, {}, 0)


@pytest.mark.parametrize("number", [0, -1, 1 << 70, 10**6])
def test_a_result_that_is_not_kept_costs_the_call(peer: Peer, number: int) -> None:
    error = peer.ask(HANDLE_CALLATTR, peer.own, "echo", (Promised(number),), ())
    assert error.name == "KeyError" and "no KEEP came before it" in error.text
    assert peer.ask(HANDLE_PING, 1) == 1


def test_more_results_than_max_promises_are_not_kept_and_that_is_named(peer: Peer) -> None:
    numbers = peer.slow_and(7)
    user = peer.call("echo", Promised(numbers[-1]))
    assert "option max_promises" in peer.answers()[user].text
    assert len(peer.kept.results) == 5


def test_more_calls_that_wait_than_max_waiting_are_refused(peer: Peer) -> None:
    (slow,) = peer.slow_and()
    users = [peer.call("echo", Promised(slow)) for _ in range(4)]
    assert "option max_waiting" in peer.answers()[users[-1]].text
    peer.connection.service.begun[0].callback(1)
    assert peer.answers() == {slow: 1, users[0]: 1, users[1]: 1, users[2]: 1}


def test_the_bytes_of_calls_that_wait_count_with_those_of_others(peer: Peer) -> None:
    (slow,) = peer.slow_and()
    users = [peer.call("echo", (Promised(slow), b"x" * 60_000)) for _ in range(2)]
    assert "option max_unanswered" in peer.answers()[users[1]].text
    peer.send_request(HANDLE_CANCEL, users[0])
    assert peer.answers()[users[0]].name == "CancelledError"
    assert peer.size < 200


def test_a_result_that_is_too_long_to_keep_is_the_peers_to_use(peer: Peer) -> None:
    """HALFWAY is sent to those that know it: the call has not begun."""
    (slow,) = peer.slow_and()
    user = peer.call("echo", Promised(slow))
    peer.connection.service.begun[0].callback(b"x" * 200_000)
    assert peer.answers()[user].name == "TypeError"
    assert peer.connection.service.given == [()]
    assert peer.size == 0


def test_a_result_that_is_forgotten_is_let_go_when_no_call_waits_with_it(peer: Peer) -> None:
    slow, other = peer.slow_and(2)
    user = peer.call("echo", (Promised(slow), Promised(other)))
    peer.connection.service.begun[0].callback(b"x" * 1000)
    peer.send_request(HANDLE_FORGET, slow, other, other, 99)
    assert peer.size > 1000
    peer.connection.service.begun[1].callback(2)
    assert peer.answers()[user] == (b"x" * 1000, 2)
    assert (peer.size, peer.kept.results) == (0, {})


def test_calls_use_each_other_only_so_deep() -> None:
    peer = Peer(max_promises=1000)
    (last,) = peer.slow_and()
    for _ in range(MOST_DEPTH + 1):
        peer.keep(peer._numbers + 2)
        last = peer.call("echo", Promised(last))
    assert f"more than {MOST_DEPTH} deep" in peer.answers()[last].text
    peer.connection.service.begun[0].callback("tea")
    assert list(peer.answers().values()) == ["tea"] * (MOST_DEPTH + 1)


def test_a_long_chain_of_errors_ends_with_the_one_error() -> None:
    peer = Peer(max_promises=1000)
    (last,) = peer.slow_and()
    for _ in range(MOST_DEPTH):
        peer.keep(peer._numbers + 2)
        last = peer.call("echo", Promised(last))
    peer.connection.service.begun[0].errback(ValueError("no tea"))
    answers = list(peer.answers().values())
    assert answers == [RemoteError("ValueError", "no tea")] * (MOST_DEPTH + 1)


def test_only_calls_use_results(peer: Peer) -> None:
    (slow,) = peer.slow_and()
    for handler in (HANDLE_PING, 65, 67):
        assert peer.ask(handler, Promised(slow)).name == "TypeError"
    assert peer.ask(90, Promised(slow)) == RemoteError("KeyError", "90")
    user = peer.send_request(HANDLE_DIR, Promised(slow))
    peer.connection.service.begun[0].callback(Root())
    assert type(peer.answers()[user]) is tuple


def test_the_target_of_a_call_may_be_a_result_of_ours_and_nothing_else(peer: Peer) -> None:
    slow, other = peer.slow_and(2)
    users = [
        peer.send_request(HANDLE_CALLATTR, Promised(each), "echo", (1,), ())
        for each in (slow, other)
    ]
    begun = peer.connection.service.begun
    begun[0].callback(Root())
    begun[1].callback("tea")
    answers = peer.answers()
    assert answers[users[0]] == 1
    assert "is no reference" in answers[users[1]].text


@pytest.mark.parametrize("number", [None, "x", 1.5, (), b"1"])
def test_a_promise_that_is_no_number_ends_the_connection_and_nothing_else(number: Any) -> None:
    peer = Peer()
    args = (2, ((3, peer.own.pack), (1, "echo"), (2, ((LABEL_PROMISE, number),)), (1, ())))
    peer.send_payload(bytes([MSG_REQUEST]) + dump((50, (HANDLE_CALLATTR, args))))
    assert peer.ended


def test_an_answer_that_uses_a_result_fails_its_call(peer: Peer) -> None:
    failures: list[Any] = []
    asked = peer.connection.request(HANDLE_PING, 1)
    asked.addErrback(failures.append)
    number = asked._number
    peer.send_payload(bytes([MSG_REPLY]) + dump((number, (LABEL_PROMISE, 1))))
    assert "which only calls do" in str(failures[0].value)


@pytest.mark.parametrize("numbers", [None, "x", 1, (None,), ("x", 1.5), ((1,),)])
def test_a_keep_or_forget_of_something_else_changes_nothing(peer: Peer, numbers: Any) -> None:
    for handler in (HANDLE_KEEP, HANDLE_FORGET):
        peer.send_payload(bytes([MSG_REQUEST]) + dump((70, (handler, (1, numbers)))))
    assert peer.received() == []
    assert peer.kept.results == {}
    assert peer.ask(HANDLE_PING, 1) == 1


def test_two_calls_of_one_number_that_wait(peer: Peer) -> None:
    (slow,) = peer.slow_and()
    user = peer.call("echo", Promised(slow))
    peer._numbers -= 1
    assert peer.call("echo", Promised(slow)) == user
    assert "still unanswered" in peer.answers()[user].text
    peer.connection.service.begun[0].callback(3)
    assert peer.answers()[user] == 3


def test_stopping_answers_calls_that_wait(peer: Peer) -> None:
    (slow,) = peer.slow_and()
    user = peer.call("echo", Promised(slow))
    peer.connection.inbound.cut("maintenance")
    answers = peer.answers()
    assert "ServerStopping" in answers[user].name
    assert (peer.size, peer.kept.waiting) == (0, {})
