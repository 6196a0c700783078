"""A client with mistakes, each marked. Checked by mypy and by pyright; it is never run."""

from __future__ import annotations

from decimal import Decimal

from shop_stubs import AsyncioShop, ReactorShop, ScriptShop

import txremote.blocking
from tests.stubs.shop import Item
from txremote import RemotePath, RemoteReference, typed


def on_change(name: str) -> None:
    print(name)


async def reactor(root: RemoteReference | RemotePath) -> None:
    shop = typed(root, ReactorShop)
    tea = Item("tea", Decimal("2.5"))
    await shop.cheapest([tea, "cake"])  # wrong: an item that is none
    await shop.chepest([tea])  # wrong: a name that is not there
    await shop.cheapest()  # wrong: an argument is missing
    await shop.help("me")  # wrong: an argument too many
    shop.cheapest([tea]).price  # wrong: not awaited
    (await shop.cheapest([tea])).prize  # wrong: a field that is not there
    name: str = await shop.size  # wrong: another type
    print(name)
    await shop.watch(tea, on_change)  # wrong: a callback of another type
    await shop.some(color="r")  # wrong: a keyword that is not there
    [*await shop.some()]  # wrong: not iterated by async for
    shop.motto.upper()  # wrong: not awaited
    shop.motto = "sell"  # wrong: read only
    await shop.hidden()  # wrong: not exposed


async def asyncio(shop: AsyncioShop) -> None:
    total: int = await shop.late(3)  # wrong: neither argument nor result
    shop.help().addCallback(print)  # wrong: no Deferred
    print(total)


async def script(root: object) -> None:
    shop = txremote.blocking.typed(root, ScriptShop)
    await shop.cheapest([])  # wrong: nothing to await
    shop.find(2.5)  # wrong: no overload
    shop.blocked((1, 2))  # wrong: a tuple is no Point
