"""Nodes, and how what is iterated over is read."""

from __future__ import annotations

from typing import Any

import pytest

from tests.refs.stock_peer import StockPeer
from txremote.refs.copy_steps import TupleNode, is_node
from txremote.refs.copying import Copying
from txremote.refs.wanted import Place
from txremote.wire import consts
from txremote.wire.limits import DEFAULT_LIMITS


def test_a_node_is_told_without_asking_the_value() -> None:
    class Loud:
        @property
        def __class__(self) -> Any:
            raise AssertionError

    assert not is_node(Loud())
    assert is_node(TupleNode(Copying(DEFAULT_LIMITS, True), (1,), None, Place("items")))


def test_items_are_read_in_growing_chunks() -> None:
    peer = StockPeer(direct=False)
    assert peer.copied([0] * 100) == [0] * 100
    chunks = [each for each in peer.requests if each[0] == consts.HANDLE_BUFFITER]
    assert len(chunks) == 5  # 10, 20, 40, 30, and none


@pytest.mark.parametrize("size", [0, 99, 100, 101, 1000])
def test_a_container_of_any_size_is_read_whole(size: int) -> None:
    for direct in (True, False):
        assert StockPeer(direct=direct).copied([*range(size)]) == [*range(size)]
