"""The root of a client that reconnects is a netref: whatever takes one takes it."""

from __future__ import annotations

from typing import Any, Protocol

import pytest

import txremote.blocking as rpyc
from tests.blocking.script_threads import Tap, scripted
from tests.blocking.servers_that_go import going


class Shop(rpyc.Service):
    """Sells."""

    exposed_names = ["tea"]

    def exposed_price(self, name: str, count: int = 1) -> int:
        """In pence."""
        return len(name) * count

    def exposed_same(self, other: Any) -> bool:
        return other is self

    def exposed_call(self, function: Any) -> Any:
        return function(1)


class Priced(Protocol):
    def price(self, name: str, count: int = 1) -> int: ...


USES: dict[str, Any] = {
    "typed": lambda root: rpyc.typed(root, Priced).price("tea", 2) == 6,
    "fetched": lambda root: rpyc.fetch(root.names) == ["tea"],
    "obtained": lambda root: rpyc.classic.obtain(root.names) == ["tea"],
    "an argument": lambda root: root.same(root) is True,
    "an argument of async_": lambda root: rpyc.async_(root.same)(root).value is True,
    "a callback": lambda root: root.call(lambda number: number + 1) == 2,
    "keywords": lambda root: root.price(name="tea", count=3) == 9,
    "timed": lambda root: rpyc.timed(root.price, 10)("tea").value == 3,
    "equality": lambda root: root == root and root != 1,
    "its names": lambda root: "price" in dir(root),
    "its texts": lambda root: "Shop" in repr(root) and "Shop" in str(root),
    "hasattr": lambda root: hasattr(root, "price") and not hasattr(root, "nothing"),
    "a docstring": lambda root: root.price.__doc__ == "In pence.",
    "isinstance": lambda root: isinstance(root, rpyc.BaseNetref),
}


@scripted
def test_it_is_used_as_any_netref_before_and_after_a_loss() -> None:
    with going(Shop) as (client, server, clock):
        for times in (1, 2):
            for name, use in USES.items():
                assert use(client.root), (name, times)
            server.die()
            server.up = True
            client._usable()
            clock.asleep(times)
            clock.advance(1)


@scripted
def test_it_costs_no_request_more_than_the_connections_own() -> None:
    with going(Shop) as (client, _server, _clock):
        conn = client.connected()
        client.root.price("tea")
        tap = Tap(conn)
        for root in (conn.root, client.root):
            root.price("tea")
            root.names
            price = root.price
            price("tea")
            rpyc.async_(root.price)("tea").wait()
        sent = tap.taken()
        assert sent[: len(sent) // 2] == sent[len(sent) // 2 :]


@scripted
def test_an_attribute_that_the_server_refuses_is_its_error() -> None:
    with going(Shop) as (client, _server, _clock):
        with pytest.raises(AttributeError):
            client.root.nothing
        with pytest.raises(AttributeError):
            client.root.names = []
        with pytest.raises(TypeError, match="price"):
            client.root.price()
