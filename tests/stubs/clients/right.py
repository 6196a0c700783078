"""A client that uses stubs as they are meant. Checked by mypy and by pyright; it is never run."""

from __future__ import annotations

from decimal import Decimal

from shop_stubs import AsyncioShop, ReactorBasket, ReactorShop, ScriptShop

import txremote.blocking
from tests.stubs.shop import Item, Point
from txremote import RemotePath, RemoteReference, register_value, typed


class Money:
    def __init__(self, amount: int, currency: str) -> None:
        self.amount, self.currency = amount, currency


def money(dumped: tuple[int, str]) -> Money:
    return Money(*dumped)


register_value(Money, dump=lambda it: (it.amount, it.currency), load=lambda dumped: Money(*dumped))
register_value(Money, dump=lambda it: (it.amount, it.currency), load=money)


async def reactor(root: RemoteReference | RemotePath) -> str:
    shop = typed(root, ReactorShop)
    cheapest = await shop.cheapest([Item("tea", Decimal("2.5"))])
    basket: ReactorBasket = await shop.basket()
    held: list[Item] = await basket.items()
    async for item in await shop.all("a", limit=2, more=1.5):
        held.append(item)
    await shop.watch(cheapest, lambda changed: print(changed.name))
    found: Item = await shop.find(3)
    many: list[Item] = await shop.find("x")
    till = await shop.Till(Decimal(3))
    opened: bool = await till.open()
    reference: RemoteReference = await shop.secret()
    size: int = await shop.size
    print(found, many, opened, reference, size, cheapest.price.sqrt())
    shop.help().addCallback(print)
    return await shop.motto


async def asyncio(shop: AsyncioShop) -> Item:
    async for point in await shop.some(colour="r"):
        print(point.x)
    return await shop.cheapest([])


def script(host: str) -> Item:
    conn = txremote.blocking.connect(host, 18861)
    shop = txremote.blocking.typed(conn.root, ScriptShop)
    for point in shop.some():
        print(point.x, shop.motto.upper(), shop.basket().items()[0].tags)
    place: Point = shop.blocked(Point(1, 2))
    return shop.cheapest([Item(str(place.y), Decimal(1))], at=None)
