"""Copies of a stock peer's objects: over a connection, within its time, and what they cost."""

from __future__ import annotations

import datetime
import types
from typing import Any

import pytest
from twisted.internet.defer import CancelledError

from tests.peer.pairs import (
    Local,
    Outcome,
    RawPeer,
    Remote,
    boxed,
    logged,
    pair_with_stock_client,
)
from txremote import RemoteReference, Service, exposed
from txremote.errors import AsyncResultTimeout, ConnectionLost
from txremote.peer.stock_copying import Wish, copied
from txremote.refs.copy_nodes import ANYTHING
from txremote.wire import consts
from txremote.wire.brine import dump
from txremote.wire.consts import HANDLE_CALLATTR, LOWEST_ADDRESS, MSG_REPLY, MSG_REQUEST


class Keeper(Service):
    """Keeps what it is sent."""

    kept: Any = None

    @exposed
    def keep(self, *values: object) -> None:
        """Keep references."""
        type(self).kept = values


def test_arguments_are_copied_together() -> None:
    sent = [1, {"a": (2, {3})}], {"when": datetime.date(2024, 1, 1)}, (4, [5])
    pair = pair_with_stock_client(Keeper)
    pair.result(pair.client.root.keep(*sent))
    assert type(Keeper.kept[0]) is RemoteReference
    wishes = [Wish(value, ANYTHING, f"arg{n}") for n, value in enumerate(Keeper.kept)]
    with logged() as log:
        assert pair.result(copied(pair.server, wishes)) == list(sent)
    assert "copied arg0, arg1, arg2 from a peer that sends references: " in log.text()
    assert "requests and 0.000 s" in log.text()
    Keeper.kept = None
    wishes.clear()


def test_a_peer_that_is_no_txremote_gets_all_its_references_back() -> None:
    pair = pair_with_stock_client(Keeper)
    pair.result(pair.client.root.keep([[n] for n in range(50)]))
    wishes = [Wish(Keeper.kept[0], ANYTHING, "items")]
    assert pair.result(copied(pair.server, wishes)) == [[[n] for n in range(50)]]
    Keeper.kept = None
    wishes.clear()
    pair.advance(1)
    pair.pump()
    assert len(pair.server._tables.imports) <= 1  # the client's root


def test_a_service_without_values_gets_references_and_its_error_names_the_ways() -> None:
    class Plain(Service):
        @exposed
        def total(self, numbers: list[int]) -> int:
            return sum(numbers)

    pair = pair_with_stock_client(Plain)
    with pytest.raises(TypeError, match=r"'async for'.* annotation and values=True"):
        pair.result(pair.client.root.total([1, 2]))


def test_an_annotated_parameter_gets_a_copy_and_the_log_says_so() -> None:
    class Valued(Service, values=True):
        @exposed
        def total(self, numbers: list[int], more: list[int]) -> int:
            return sum(numbers + more)

    pair = pair_with_stock_client(Valued)
    with logged() as log:
        assert pair.result(pair.client.root.total([1, 2], more=[3])) == 6
    assert "copied numbers, more from a peer" in log.text()


# --- a peer whose answers are written by hand ---------------------------------------

ITEMS = Remote(("builtins.list", LOWEST_ADDRESS + 1, LOWEST_ADDRESS + 2))


class Stock:
    """A stock peer that has sent a list of its own, of which a copy is under way."""

    def __init__(self, **config: Any) -> None:
        self.raw = RawPeer(Keeper, **config)
        self.raw.ask(HANDLE_CALLATTR, self.raw.root(), "keep", (ITEMS,), ())
        wishes = [Wish(Keeper.kept[0], ANYTHING, "items")]
        Keeper.kept = None
        self.outcome = Outcome(copied(self.raw.connection, wishes))

    def asked(self) -> list[tuple[int, int]]:
        """Return the number and the handler of each request that has come."""
        found = [each for each in self.raw.received() if each[0] == MSG_REQUEST]
        return [(number, handler) for _kind, number, (handler, _args) in found]

    def answer(self, number: int, value: object) -> None:
        """Answer a request."""
        self.raw.send_payload(bytes([MSG_REPLY]) + dump((number, boxed(value))))

    def answer_all(self, value: object) -> None:
        """Answer what has been asked."""
        for number, handler in self.asked():
            if handler != consts.HANDLE_DEL:
                self.answer(number, value)


def test_a_small_list_is_asked_for_by_one_request() -> None:
    peer = Stock()
    ((number, handler),) = peer.asked()
    assert handler == consts.HANDLE_BUFFITER
    peer.answer(number, (1, 2))
    assert peer.outcome.value == [[1, 2]]


def test_a_copy_has_the_time_of_one_call() -> None:
    """Each answer comes within the time, and all of them together do not."""
    peer = Stock(sync_request_timeout=10)
    for n in range(4):
        peer.raw.clock.advance(3)
        peer.answer_all((Remote(("builtins.list", LOWEST_ADDRESS + 1, LOWEST_ADDRESS + 10 + n)),))
    assert isinstance(peer.outcome.error, AsyncResultTimeout)
    assert "sync_request_timeout" in str(peer.outcome.error)
    assert len(peer.raw.connection.outbound.pending) == 0


def test_a_peer_that_goes_on_and_on_is_given_up_in_time() -> None:
    peer = Stock(sync_request_timeout=10)
    peer.answer_all((0,) * 100)
    for _ in range(20):
        peer.raw.clock.advance(1)
        if peer.outcome.fired:
            break
        iterator = Remote(("builtins.list_iterator", LOWEST_ADDRESS + 3, LOWEST_ADDRESS + 4))
        asked = peer.asked()
        for number, handler in asked:
            if handler == consts.HANDLE_CALLATTR:
                peer.answer(number, iterator)
            elif handler == consts.HANDLE_BUFFITER:
                peer.answer(number, (0,))
    assert isinstance(peer.outcome.error, AsyncResultTimeout)


def test_without_a_limit_in_time_a_copy_may_take_long() -> None:
    peer = Stock(sync_request_timeout=None)
    peer.raw.clock.advance(1e6)
    peer.answer_all((1,))
    assert peer.outcome.value == [[1]]


def test_more_items_than_were_asked_for_are_charged() -> None:
    peer = Stock(max_items=1000)
    peer.answer_all((0,) * 900)
    peer.answer_all(Remote(("builtins.list_iterator", LOWEST_ADDRESS + 3, LOWEST_ADDRESS + 4)))
    peer.answer_all((0,) * 900)
    peer.answer_all((0,) * 900)
    assert isinstance(peer.outcome.error, TypeError)
    assert "max_items" in str(peer.outcome.error)
    assert not peer.raw.ended


def test_a_peer_that_dies_in_the_middle_ends_the_copy() -> None:
    peer = Stock()
    reason: Any = types.SimpleNamespace(value=ConnectionLost("gone"))
    peer.raw.connection.connectionLost(reason)
    assert isinstance(peer.outcome.error, EOFError)


def test_a_copy_that_is_cancelled_waits_for_nothing() -> None:
    raw = RawPeer(Keeper)
    raw.ask(HANDLE_CALLATTR, raw.root(), "keep", (ITEMS,), ())
    copy = copied(raw.connection, [Wish(Keeper.kept[0], ANYTHING, "items")])
    outcome = Outcome(copy)
    copy.cancel()
    assert isinstance(outcome.error, CancelledError)
    assert len(raw.connection.outbound.pending) == 0
    Keeper.kept = None


def test_a_tuple_that_is_nested_too_deep_fails_its_copy() -> None:
    raw = RawPeer(Keeper, max_depth=3)
    raw.ask(HANDLE_CALLATTR, raw.root(), "keep", (Local(raw.root().pack),), ())
    value: Any = object()
    for _ in range(5):
        value = (value,)
    outcome = Outcome(copied(raw.connection, [Wish(value, ANYTHING, "items")]))
    with pytest.raises(TypeError, match="max_depth"):
        outcome.value
