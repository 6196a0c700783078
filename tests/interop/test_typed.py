"""
Typed views of servers that know nothing of values: unmodified RPyC, in processes of its own.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any, Protocol

import pytest
import pytest_twisted
from twisted.internet.threads import deferToThread

import txremote.blocking
from tests.interop.peer_processes import script
from tests.interop.typed_shop import Item
from txremote import connect, signature_remote, typed
from txremote.errors import WrongValue


class Shop(Protocol):
    """What the server has, as a client's author writes it."""

    @property
    def sizes(self) -> list[int]: ...
    def all(self, count: int) -> list[Item]: ...
    def by_name(self) -> dict[str, list[int]]: ...
    def pair(self) -> tuple[list[int], str]: ...
    def total(self, items: list[int]) -> int: ...
    def prices(self, items: list[Item]) -> list[int]: ...
    def some(self, count: int) -> Iterator[Item]: ...
    def wrong(self) -> int: ...


ITEMS = [Item("item 0", 0, ["a"]), Item("item 1", 1, ["a"])]


@pytest.fixture(scope="module")
def ports(rpyc5: Any) -> Iterator[dict[str, int]]:
    """Where the servers are, by RPyC's version."""
    running = {
        "6.0.2": script("stock_typed_server"),
        "5.3.1": script("stock_typed_server", env={"PYTHONPATH": str(rpyc5)}),
    }
    try:
        yield {
            version: int(program.wait_for(r"^port (\d+)")[0][1])
            for version, program in running.items()
        }
    finally:
        for program in running.values():
            program.kill()


async def listed(items: AsyncIterator[Item]) -> list[Item]:
    return [item async for item in items]


@pytest.mark.parametrize("version", ["6.0.2", "5.3.1"])
@pytest_twisted.ensureDeferred
async def test_in_a_reactor(ports: dict[str, int], version: str) -> None:
    """What comes by reference is copied; arguments go as RPyC sends them."""
    open_fields = {"allow_public_attrs": True}
    conn = await connect(f"tcp:127.0.0.1:{ports[version]}", config=open_fields)
    try:
        shop: Any = typed(conn.root, Shop)
        assert await shop.all(2) == ITEMS
        assert await shop.by_name() == {"a": [1, 2], "b": []}
        assert await shop.pair() == ([1], "one")
        assert await shop.total([1, 2]) == 3
        assert await shop.prices(ITEMS) == [0, 1]
        assert await shop.sizes == [1, 2]
        assert await listed(await shop.some(12)) == [Item(f"item {n}", n, []) for n in range(12)]
        with pytest.raises(WrongValue, match="wrong: expected int, got str 'no int'"):
            await shop.wrong()
        with pytest.raises(ValueError, match="a stock RPyC or an older txremote, tells none"):
            await signature_remote(conn.root.total)
    finally:
        await conn.close()


@pytest.mark.parametrize("version", ["6.0.2", "5.3.1"])
@pytest_twisted.ensureDeferred
async def test_in_a_script(ports: dict[str, int], version: str) -> None:
    await deferToThread(use, ports[version])


def use(port: int) -> None:
    """Do in a thread what a script does."""
    conn = txremote.blocking.connect("127.0.0.1", port, config={"allow_public_attrs": True})
    try:
        shop = txremote.blocking.typed(conn.root, Shop)
        assert shop.all(2) == ITEMS
        assert shop.by_name() == {"a": [1, 2], "b": []}
        assert shop.pair() == ([1], "one")
        assert shop.total([1, 2]) == 3
        assert shop.prices(ITEMS) == [0, 1]
        assert shop.sizes == [1, 2]
        assert list(shop.some(12)) == [Item(f"item {n}", n, []) for n in range(12)]
        with pytest.raises(WrongValue):
            shop.wrong()
        told = list(inspect.signature(shop.all).parameters)
        assert told == ["count"]
        with pytest.raises((AttributeError, ValueError, TypeError)):
            inspect.signature(conn.root.no_such_name)
    finally:
        conn.close()
