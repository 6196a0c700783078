"""
`buffiter`: many items in one round trip.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import txremote.blocking as rpyc
from tests.blocking.script_threads import Tap, linked, scripted
from txremote.wire.consts import HANDLE_BUFFITER, HANDLE_CALLATTR


class Shop(rpyc.Service):
    """Hands out things to iterate over."""

    def exposed_list(self, count: int) -> list[int]:
        return list(range(count))

    def exposed_pairs(self) -> list[Any]:
        return [(1, [2]), (3, [4])]

    def exposed_numbers(self, count: int) -> Any:
        yield from range(count)

    def exposed_gen(self) -> Iterator[int]:
        yield 1
        yield 2
        raise LookupError("no more")


@scripted
@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 30, 31, 5000])
def test_it_gives_every_item_once_in_order(count: int) -> None:
    with linked(Shop) as conn:
        assert list(rpyc.buffiter(conn.root.list(count))) == list(range(count))


@scripted
def test_its_chunks_grow_up_to_a_thousand() -> None:
    """Ten, twenty, forty...: 5,000 items in a dozen round trips instead of 5,000."""
    with linked(Shop) as conn:
        items = conn.root.list(5000)
        tap = Tap(conn)
        assert sum(1 for _ in rpyc.buffiter(items)) == 5000
        sent = tap.taken()
        assert sent.count(HANDLE_BUFFITER) == 12
        assert sent[0] == HANDLE_CALLATTR


@scripted
def test_a_generator_that_is_no_stream_is_fetched_in_chunks_too() -> None:
    with linked(Shop) as conn:
        items = conn.root.numbers(5000)
        tap = Tap(conn)
        assert list(rpyc.buffiter(items)) == list(range(5000))
        assert tap.taken().count(HANDLE_BUFFITER) == 12


@scripted
def test_chunk_limit_and_growth_can_be_chosen() -> None:
    with linked(Shop) as conn:
        items = conn.root.list(100)
        tap = Tap(conn)
        assert list(rpyc.buffiter(items, 5, max_chunk=20, factor=4)) == list(range(100))
        assert tap.taken().count(HANDLE_BUFFITER) == 7  # 5, 20, 20, 20, 20, 15, none
        assert list(rpyc.buffiter(items, 50, factor=1)) == list(range(100))
        with pytest.raises(ValueError, match="factor must be >= 1"):
            next(rpyc.buffiter(items, factor=0))


@scripted
def test_references_among_the_items_are_netrefs() -> None:
    with linked(Shop) as conn:
        pairs = list(rpyc.buffiter(conn.root.pairs()))
        assert [(number, list(items)) for number, items in pairs] == [(1, [2]), (3, [4])]


@scripted
def test_items_before_an_exception_are_not_lost() -> None:
    with linked(Shop) as conn:
        got: list[int] = []
        with pytest.raises(LookupError, match="no more"):
            for item in rpyc.buffiter(conn.root.gen()):
                got.append(item)
        assert got == [1, 2]


@scripted
def test_leaving_early_fetches_no_more() -> None:
    with linked(Shop) as conn:
        items = conn.root.list(1000)
        tap = Tap(conn)
        for item in rpyc.buffiter(items):
            if item == 3:
                break
        assert tap.taken().count(HANDLE_BUFFITER) == 1


@scripted
def test_what_cannot_be_iterated_over_is_a_typeerror() -> None:
    with linked(Shop) as conn:
        with pytest.raises(TypeError):
            next(rpyc.buffiter(conn.root))
