"""
How fast an address may guess, whatever it does: the time of many guesses is the sum of
their delays, and who has the right password comes in all the same.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.task import Clock

from tests.peer.pairs import Outcome, logged
from txremote.eventloop.login_throttle import (
    AT_ONCE,
    FAILURE_DELAY,
    FORGOTTEN_AFTER,
    MOST_DOUBLINGS,
    MOST_REMEMBERED,
    MOST_WAITING,
    LoginThrottle,
)

HERE = IPv4Address("TCP", "198.51.100.7", 1000)
THERE = IPv4Address("TCP", "198.51.100.8", 1000)

LONGEST = FAILURE_DELAY * 2**MOST_DOUBLINGS


class Gate:
    """LoginThrottle on a fake clock, and when each was looked at."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.throttle = LoginThrottle(self.clock)
        self.looked_at: list[float] = []

    def ask(self, address: Any = HERE, user: str = "ann", right: bool = False) -> Outcome:
        """Come with a password; the outcome is the seconds until the answer."""

        def look(turn: Any) -> float:
            self.looked_at.append(self.clock.seconds())
            if not right:
                return turn.failed()
            self.throttle.logged_in(address, user)
            turn.succeeded()
            return 0.0

        return Outcome(self.throttle.turn(address, user).addCallback(look))

    def later(self, outcome: Outcome) -> float:
        """Let the time pass until an attempt was looked at; return how long that took."""
        started = self.clock.seconds()
        while not outcome.fired:
            self.clock.advance(0.5)
            assert self.clock.seconds() - started < 100_000
        return self.clock.seconds() - started


def test_many_guesses_at_once_take_the_sum_of_their_delays() -> None:
    """Over however many connections they come: they are looked at one after the other."""
    gate = Gate()
    asked = [gate.ask(user=f"user{number}") for number in range(MOST_WAITING)]
    assert len(gate.looked_at) == 1
    gate.later(asked[-1])
    expected, now = [], 0.0
    for number in range(MOST_WAITING):
        expected.append(now)
        now += FAILURE_DELAY * 2 ** min(number, MOST_DOUBLINGS)
    assert gate.looked_at == expected
    assert asked[0].value == FAILURE_DELAY
    assert asked[-1].value == LONGEST


def test_only_so_many_wait() -> None:
    """The next is refused at once, and costs the others nothing."""
    gate = Gate()
    asked = [gate.ask() for _ in range(MOST_WAITING + 1)]
    for _ in range(3):
        with pytest.raises(
            ConnectionRefusedError, match="too many logins at once from this address"
        ):
            gate.ask()
    gate.later(asked[1])
    assert gate.looked_at == [0, 1]
    gate.ask()  # there is room again


def test_those_that_are_refused_are_counted_in_the_log() -> None:
    """One event every ten seconds, however many there are."""
    gate = Gate()
    for _ in range(MOST_WAITING + 1):
        gate.ask()
    with logged() as log:
        for seconds in (0, 5, 4, 1):
            gate.clock.advance(seconds)
            for _ in range(50):
                with suppress(ConnectionRefusedError):
                    gate.ask()
    lines = log.text().splitlines()
    assert len(lines) == 2
    assert "refused 1 logins, the last of 198.51.100.7:1000" in lines[0]
    assert "refused 1" in lines[1]  # 149 less those that there was room for


def test_addresses_do_not_wait_for_each_other() -> None:
    """However many guess from elsewhere."""
    gate = Gate()
    for _ in range(50):
        gate.ask(HERE)
    assert gate.ask(THERE, right=True).value == 0


def test_who_was_there_before_does_not_wait_for_a_neighbour_who_guesses() -> None:
    """Behind a NAT; he has delays of his own, which a login takes away."""
    gate = Gate()
    assert gate.ask(user="ann", right=True).value == 0
    guesses = [gate.ask(user="bob") for _ in range(MOST_WAITING)]
    assert gate.ask(user="ann", right=True).value == 0
    assert gate.ask(user="ann").value == 1  # mistyped
    typed_well = gate.ask(user="ann", right=True)
    assert not typed_well.fired
    assert gate.later(typed_well) == 1
    assert gate.ask(user="ann").value == 1
    assert not gate.ask(THERE, user="ann", right=False).value > 1  # there he is a stranger
    assert not guesses[-1].fired


def test_a_login_does_not_help_to_guess() -> None:
    """Who has an account and guesses at others' between its logins guesses no faster."""
    gate = Gate()
    taken = []
    for _ in range(MOST_DOUBLINGS + 2):
        gate.later(gate.ask(user="mallory", right=True))
        guess = gate.ask(user="ann")
        gate.later(guess)
        taken.append(guess.value)
    assert taken == [1, 2, 4, 8, 16, 32, 32]


def test_failures_have_an_end_and_are_forgotten() -> None:
    """The delay does not grow for ever, and who is quiet for long begins anew."""
    gate = Gate()
    for _ in range(20):
        guess = gate.ask()
        gate.later(guess)
    assert guess.value == LONGEST
    gate.clock.advance(FORGOTTEN_AFTER + 1)
    assert gate.ask().value == FAILURE_DELAY


def test_memory_has_an_end() -> None:
    """Of lines and of users; who waits in a line that is forgotten has his turn."""
    gate = Gate()
    gate.ask(HERE)
    waiting = gate.ask(HERE)
    for number in range(MOST_REMEMBERED + 10):
        gate.ask(IPv4Address("TCP", f"host{number}", 1), right=True)
    assert len(gate.throttle._queues) == len(gate.throttle._known_users) == MOST_REMEMBERED
    gate.later(waiting)


def test_who_leaves_the_line_holds_nobody_up() -> None:
    """Nor is a timer left behind when nobody waits."""
    gate = Gate()
    gate.ask()
    waiting = [gate.throttle.turn(HERE, "ann") for _ in range(3)]
    outcomes = [Outcome(each) for each in waiting]
    last = gate.ask(right=True)
    for each in waiting:
        each.cancel()
    assert all(outcome.fired for outcome in outcomes)
    assert gate.later(last) == 1
    gate.ask()
    gone = gate.throttle.turn(HERE, "ann")
    Outcome(gone)
    gone.cancel()
    assert gate.clock.getDelayedCalls() == []


def test_a_checker_that_takes_its_time_is_asked_by_several() -> None:
    """Else many who come at once wait for each other; guesses of it take no less time."""
    gate = Gate()
    turns = []
    for _ in range(AT_ONCE + 5):
        gate.throttle.turn(HERE, "ann").addCallback(turns.append)
    assert len(turns) == AT_ONCE
    gate.clock.advance(0.5)
    left = [turn.failed() for turn in turns[:3]]
    assert left == [0.5, 2.5, 6.5]  # since they were asked: 1, 1 + 2, 1 + 2 + 4
    turns[3].succeeded()
    assert len(turns) == AT_ONCE
    for turn in turns[4:]:
        turn.failed()
    gate.clock.advance(1 + 2 + 4 + 8 + 16 + 32 * 4 - 0.51)
    assert len(turns) == AT_ONCE
    gate.clock.advance(0.01)
    assert len(turns) == AT_ONCE + 1  # one at a time now


def test_a_long_line_that_all_have_the_right_password_in() -> None:
    """Is through at once, however long it is."""
    gate = Gate()
    gate.ask()
    asked = [gate.ask(user=f"user{number}", right=True) for number in range(MOST_WAITING)]
    gate.clock.advance(1)
    assert [outcome.value for outcome in asked] == [0] * MOST_WAITING


def test_peers_on_unix_sockets_are_one_address() -> None:
    gate = Gate()
    assert gate.ask(UNIXAddress(None)).value == 1
    waiting = gate.ask(UNIXAddress(None), right=True)
    assert gate.later(waiting) == 1
