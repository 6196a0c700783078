"""
What the tests of a connection's parts host, and how they look at it.

Not a test file.
"""

from __future__ import annotations

import gc
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from tests.peer.pairs import pair_with_stock_client, pair_with_stock_server
from txremote import Service, exposed
from txremote.testing import Pair, connected_pair


class Thing:
    def __init__(self, number: int) -> None:
        self.exposed_number = number


class Hosted(Service):
    def __init__(self) -> None:
        self.exposed_thing = Thing(0)
        self.kept: list[Any] = []
        self.gates: list[Deferred[Any]] = []

    @exposed
    def add(self, a: int, b: int) -> int:
        return a + b

    @exposed
    def things(self, count: int) -> Any:
        return tuple(Thing(number) for number in range(count))

    @exposed
    def same(self) -> Any:
        return self.exposed_thing

    @exposed
    def echo(self, value: Any) -> Any:
        return value

    @exposed
    def keep(self, value: Any) -> None:
        self.kept.append(value)

    @exposed
    def later(self) -> Any:
        self.gates.append(Deferred())
        return self.gates[-1]


PAIRS = {
    "txremote": connected_pair,
    "stock server": pair_with_stock_server,
    "stock client": pair_with_stock_client,
}


@pytest.fixture(name="pair")
def a_pair() -> Pair:
    return connected_pair(server_root=Hosted)


def settle(pair: Pair) -> None:
    """Let go of what nobody holds, and let 50 ms pass."""
    gc.collect()
    pair.advance(0.05)


def exported(connection: Any) -> int:
    """Return how many objects the peer of a connection holds, the root aside."""
    exports = connection._tables.exports
    return len(exports) - (exports.of(connection.service) is not None)


def silent_pair(**options: Any) -> Pair:
    """Return a pair whose client is a stock one that serves nothing."""
    return pair_with_stock_client(Hosted, client_root=Hosted, **options)
