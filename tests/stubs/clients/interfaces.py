"""A client of zope interfaces and services without stubs: for mypy with the plugins."""

from __future__ import annotations

from tests.stubs.shop import IShelf, Item, Shelf, Shop
from txremote import RemotePath, RemoteReference, typed


async def right(root: RemoteReference | RemotePath) -> list[Item]:
    shelf = IShelf(root)
    put: list[Item] = await shelf.put("tea", 2)
    put += await typed(root, IShelf).put("tea", count=2)
    put += await typed(root, Shelf).put("tea")
    shop = typed(root, Shop)
    put.append(await shop.cheapest(put))
    await (await shop.basket()).add(put[0])
    async for item in await shop.all("x"):
        put.append(item)
    print((await shop.motto).upper(), await shop.size)
    here: list[Item] = IShelf(Shelf()).put("tea", 2)
    return here


async def wrong(root: RemoteReference) -> None:
    shelf = IShelf(root)
    await shelf.put("tea", "2")  # wrong: an argument of another type
    await shelf.putt("tea")  # wrong: a name that is not there
    shelf.put("tea").append(None)  # wrong: not awaited
    number: int = await shelf.put("tea")  # wrong: another result
    shop = typed(root, Shop)
    await shop.hidden()  # wrong: not exposed
    await shop.cheapest([number])  # wrong: an item that is none
    (await shop.basket()).add(3)  # wrong: within a view
