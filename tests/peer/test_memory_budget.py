"""
What all connections of a listener hold, and which of them is closed when that is too much.
"""

from __future__ import annotations

import zlib
from typing import Any

import pytest

from tests.peer.pairs import RawPeer, RemoteError, answer_of, request_payload
from txremote import Service
from txremote.peer.memory_budget import LITTLE, MemoryBudget, MemoryShare
from txremote.wire.consts import HANDLE_PING

MIB = 1 << 20


class Holder:
    """A connection, which notes why it was closed."""

    def __init__(self, name: str, closed: list[tuple[str, str]]) -> None:
        self.name = name
        self.closed = closed

    def abort(self, why: str) -> None:
        self.closed.append((self.name, why))


class Listener:
    """Connections by name, and what was closed."""

    def __init__(self, most: int = 100 * MIB, per_address: int = 50 * MIB) -> None:
        self.budget = MemoryBudget(most, per_address, lambda _connection: "here")
        self.closed: list[tuple[str, str]] = []

    def share(self, name: str, host: str) -> MemoryShare:
        return MemoryShare(self.budget, host, Holder(name, self.closed))

    @property
    def names(self) -> list[str]:
        return [name for name, _why in self.closed]


def test_the_greediest_of_an_address_is_closed_and_no_other() -> None:
    listener = Listener()
    small, great, other = (listener.share(name, "here") for name in ("small", "great", "other"))
    far = listener.share("far", "there")
    far.change(45 * MIB)
    great.change(40 * MIB)
    small.change(5 * MIB)
    assert listener.closed == []
    other.change(6 * MIB)  # not the one that has grown
    assert listener.names == ["great"]
    assert "(option max_held_per_address)" in listener.closed[0][1]
    other.change(6 * MIB)
    great.end()
    great.change(40 * MIB)  # it counts no more
    assert listener.names == ["great"]


def test_one_that_holds_it_all_is_left_to_its_own_limits() -> None:
    listener = Listener()
    alone, beside = listener.share("alone", "here"), listener.share("beside", "here")
    alone.change(90 * MIB)
    beside.change(1000)
    assert listener.closed == []
    beside.change(LITTLE)
    assert listener.names == ["alone"]


def test_all_addresses_together_are_bounded() -> None:
    """Messages that are not complete count there, and not for an address."""
    listener = Listener()
    shares = [listener.share(str(number), f"host {number}") for number in range(5)]
    for share in shares[:4]:
        share.set_unfinished(24 * MIB)
    shares[0].set_unfinished(60 * MIB)
    assert listener.names == ["0"]
    assert "(option max_held)" in listener.closed[0][1]
    for share in shares[1:]:
        share.set_unfinished(0)
    shares[4].change(49 * MIB)
    assert listener.names == ["0"]


def test_what_is_given_back_is_free_again() -> None:
    listener = Listener()
    first, second = listener.share("first", "here"), listener.share("second", "here")
    for _ in range(10):
        first.change(30 * MIB)
        first.change(-30 * MIB)
        second.change(30 * MIB)
        second.end()
        second = listener.share("second", "here")
    assert listener.closed == []
    assert first.room() is None


def test_one_that_has_ended_is_forgotten() -> None:
    """In the middle of a message, too."""
    listener = Listener()
    share = listener.share("gone", "here")
    share.set_unfinished(1000)
    share.change(10)
    share.end()
    share.change(-10)  # what is late counts no more
    share.set_unfinished(0)
    assert not listener.budget._shares
    assert listener.budget._total == 0
    assert not listener.budget._by_host


def test_there_is_less_room_for_a_message_while_others_hold_much() -> None:
    listener = Listener()
    holder, asker = listener.share("holder", "here"), listener.share("asker", "here")
    far = listener.share("far", "there")
    holder.change(40 * MIB)
    room = asker.room()
    assert room is not None
    assert room[0] == 2 * MIB
    assert "connections of this address hold" in room[1]
    assert holder.room() is None
    assert far.room() is None
    holder.change(9 * MIB)
    room = asker.room()
    assert room is not None
    assert room[0] == LITTLE


@pytest.mark.parametrize("size", [3 * MIB, 100_000])
def test_a_message_that_inflates_too_far_costs_its_call_and_names_the_limit(size: int) -> None:
    """A small one is answered."""
    listener = Listener()
    listener.share("holder", "here").change(40 * MIB)
    peer = RawPeer(Service)
    peer.connection.join(listener.budget)
    packed = zlib.compress(request_payload(1, HANDLE_PING, bytes(size)))
    peer.send(len(packed).to_bytes(4, "big") + b"\1" + packed + b"\n")
    [(kind, number, answer)] = peer.received()
    answer: Any = answer_of(kind, number, answer)
    if size < MIB:
        assert answer == bytes(size)
    else:
        assert isinstance(answer, RemoteError)
        assert "max_held_per_address" in str(answer)
