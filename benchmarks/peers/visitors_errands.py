"""
What `visitors` do with the goods of a `fort`: errands, each checked, and what they begin and leave
as it is. No contestant.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from importlib.util import find_spec
from itertools import count
from typing import Any

from benchmarks.peers.fort_goods import FILE, KEYS, Opened, Order, some_orders
from txremote import SubscriberTooSlow, stream, value

#: How many items a visitor reads of what it leaves.
SOME = 20

with open(FILE, "rb") as _file:
    _CONTENT = _file.read()


def check(found: Any, expected: Any) -> None:
    """Raise if an answer is wrong."""
    if found != expected:
        raise AssertionError(f"{found!r:.200} in place of {expected!r:.200}")


def endless() -> Iterator[int]:
    """Return a source that is closed or goes on; it counts as open until then."""
    with Opened():
        yield from count()


# -- errands: each takes the root and a number, and comes to an end


async def order(root: Any, number: int) -> None:
    """Values in both directions."""
    orders, week = some_orders(number), timedelta(7)
    found = await root.goods.order(value(orders), value(week))
    check(
        [(name, each.price, each.since, each.tags) for name, each in found.items()],
        [(each.name, each.price, each.since + week, each.tags) for each in orders],
    )


async def be_fetched(root: Any, number: int) -> None:
    """Objects of its own of which the fort asks for a copy, and a value in a call back."""
    orders = some_orders(number)
    check(list(await root.goods.order(orders, timedelta(1))), [each.name for each in orders])

    def dearer(changed: Any) -> Any:
        return changed.price

    check(await root.goods.change(orders[0], dearer), orders[0].price + 1)


async def double(root: Any, number: int) -> None:
    """An array, where there is numpy."""
    if find_spec("numpy"):
        from benchmarks.peers.fort_arrays import some_array

        array = some_array(number)
        check(bool((await root.arrays.doubled(value(array)) == array * 2).all()), True)


async def read_all(root: Any, number: int) -> None:
    """Streams of numbers and of values, and a file, to their ends."""
    check([item async for item in root.goods.numbers(100)], list(range(100)))
    orders = [Order(**each.asdict()) async for each in root.goods.orders(number)]
    check(orders, some_orders(number))
    check(b"".join([part async for part in root.goods.file()]), _CONTENT)


async def break_off(root: Any, _number: int) -> None:
    """A part of streams that do not end."""
    for source in (root.goods.endless(), root.goods.ticking(), root.goods.file()):
        async for _item in source:
            break
    found = []
    async for item in root.goods.endless():
        found.append(item)
        if len(found) == SOME:
            break
    check(found, list(range(SOME)))


async def send(root: Any, number: int) -> None:
    """Streams of its own: one that is read to its end, and one that is not."""
    check(await root.goods.total(stream(range(number % 100))), sum(range(number % 100)))
    check(await root.goods.first_of(stream(endless())), 0)


async def hear(root: Any, number: int) -> None:
    """Some events of a topic, by a loop and by a callback; the retained ones come at once."""
    key = str(number % KEYS)
    async for event in root.goods.news.subscribe(keys=key):
        check(int(event["number"]) % KEYS, number % KEYS)
        break
    told: list[Any] = []
    subscription = await root.goods.news.subscribe(told.append, prefix=key)
    await subscription.close()


async def use_unsent(root: Any, _number: int) -> None:
    """Methods of results that have not come."""
    check(await root.goods.step().next().next().number(), 3)


ERRANDS: tuple[Callable[[Any, int], Awaitable[None]], ...] = (
    *(order, double, read_all, break_off, send, hear, use_unsent, be_fetched),
)


# -- what is begun and left: each returns what the visitor holds until it drops


async def _begun(items: AsyncIterator[Any]) -> AsyncIterator[Any]:
    await anext(items)
    return items


async def unread_stream(root: Any) -> Any:
    """A stream that was begun, and is read no more."""
    return await _begun(aiter(root.goods.endless()))


async def unread_ticks(root: Any) -> Any:
    """The same, of a source that goes on in its own time."""
    return await _begun(aiter(root.goods.ticking()))


async def unread_file(root: Any) -> Any:
    """A file that was never begun."""
    return await root.goods.file()


async def unread_events(root: Any) -> Any:
    """A subscription that was begun, and is read no more."""
    return await _begun(aiter(root.goods.news.subscribe()))


async def unread_rush(root: Any) -> Any:
    """The same, of a topic that ends it for that, perhaps before it begins; and an unbegun one."""
    events = aiter(root.goods.rush.subscribe())
    with suppress(SubscriberTooSlow, ValueError):
        await anext(events)
    return events, await root.goods.rush.subscribe()


async def told_events(root: Any) -> Any:
    """A subscription with a callback."""
    return await root.goods.rush.subscribe(lambda _event: None)


async def held_stream(root: Any) -> Any:
    """A stream of its own, which the fort begins and reads no more."""
    return await root.goods.hold(stream(endless()))


async def slow_stream(root: Any) -> Any:
    """A stream of its own, which the fort reads slowly: the call does not end."""
    return _answered(root.goods.read_slowly(stream(endless())))


async def unsent_stream(root: Any) -> Any:
    """A call that has a stream, and an answer that never comes."""
    return _answered(root.never(stream(endless())))


async def graph(root: Any) -> Any:
    """Methods of a result that never comes."""
    return _answered(root.goods.step().late().next().number())


def _answered(call: Any) -> Any:
    call.addErrback(lambda _failure: None)
    return call


LEFT: tuple[Callable[[Any], Awaitable[Any]], ...] = (
    *(unread_stream, unread_ticks, unread_file, unread_events, unread_rush, told_events),
    *(held_stream, slow_stream, unsent_stream, graph),
)


def under_way(root: Any) -> list[Any]:
    """Begin some of all kinds, and do not wait."""
    goods = root.goods
    calls = [
        goods.order(value(some_orders(0)), value(timedelta(1))),
        goods.total(stream(range(10_000))),
        goods.hold(stream(endless())),
        goods.endless(),
        goods.file(),
        goods.news.subscribe(),
        goods.step().next().number(),
    ]
    return list(map(_answered, calls))
