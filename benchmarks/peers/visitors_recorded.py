"""
The clients whose sessions `benchmarks.fuzz` records: one is a program of a stock RPyC, one a script
of txremote's, and one a program with a reactor. No contestant.

``python -m benchmarks.peers.visitors_recorded PACKAGE PORT`` is one of them.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from benchmarks.peers.fort_goods import FILE, some_orders
from benchmarks.peers.visitors_errands import ERRANDS, LEFT, under_way

#: Seconds that a client waits for an answer.
PATIENCE = 60.0


def script(conn: Any, wrapped: Callable[[Any], Any]) -> None:
    """
    Do what clients do.

    Args:
        conn: A connection of RPyC's, or of the blocking facet.
        wrapped: That package's ``async_``.
    """
    root = conn.root

    def back(*args: Any) -> Any:
        return args[0] if args else None

    values = (None, True, ..., 7, -(10**30), 1.5, 2j, "für", b"\0" * 300, (1, ("x",)), slice(1, 2))
    assert root.echo((*values, frozenset({1}))) == (*values, frozenset({1}))
    assert root.add(b"a", b=b"b") == b"ab"
    assert root.call(back, 5) == 5
    assert root.nest(back, 1) == 1
    thing, other = root.thing(3), root.thing(4)
    assert thing.number == 3
    assert thing != other
    for show in (repr, str, hash, dir):
        show(thing)
    assert list(root.numbers()) == list(range(50))
    items = root.list
    items.append(4)
    items[1:2] = (back, thing)
    assert len(items) == 5
    assert items[0] == 1
    for _item in items:
        continue
    assert 4 in items
    del items[0]
    with suppress(ValueError):
        root.fail("on purpose")
    with suppress(AttributeError):
        root.nothing()
    with suppress(Exception):  # refused, and which class that is differs
        root.name = 1
    assert isinstance(thing, type(thing))
    root.keep(back, [1], {2: 3})
    root.subscribe(back)
    root.fire(5, 10)
    never = wrapped(root.never)()
    waiting = wrapped(root.wait)("key")
    assert root.go("key")
    waiting.wait()
    del thing, other, items, never
    root.blob(5000)
    use_goods(root.goods)
    conn.ping(b"ping")
    conn.close()


def use_goods(goods: Any) -> None:
    """
    Do what scripts do with values, streams and topics.

    A stock RPyC gets values as references, whose attributes the fort does not open.
    """
    assert len(list(goods.orders(1))) == 3
    assert list(goods.numbers(5)) == [0, 1, 2, 3, 4]
    assert b"".join(goods.file()) == Path(FILE).read_bytes()
    assert list(islice(goods.endless(), 3)) == [0, 1, 2]
    told = goods.news.subscribe(lambda _event: None, keys="1")
    told.close()
    # The fort asks a stock RPyC for parts of these, so their results have other ids when the
    # session comes at once: nothing behind them may use one.
    orders = some_orders(1)
    assert goods.total(iter(range(5))) == 10
    assert goods.first_of(iter(range(5))) == 0
    goods.change(orders[0], lambda order: getattr(order, "name", None))
    assert len(goods.order(orders, timedelta(1))) == 3


async def visit(reactor: Any, port: int) -> None:
    """
    Do what programs with a reactor do.

    Args:
        reactor: Where.
        port: What to dial.
    """
    from txremote import connect

    conn = await connect(f"tcp:127.0.0.1:{port}", dialect="6", reactor=reactor)
    *errands, be_fetched = ERRANDS
    for number, errand in enumerate(errands):
        await errand(conn.root, number)
    held = [await leave(conn.root) for leave in LEFT]
    held += under_way(conn.root)
    # Last, since the fort waits for what it has asked for, and calls behind that wait, too.
    await be_fetched(conn.root, 0)
    await conn.ping()
    await conn.close()


def main() -> None:
    """Be the client that the command line says."""
    name, port = sys.argv[1], int(sys.argv[2])
    if name == "txremote":
        from twisted.internet.task import react

        react(lambda reactor: Deferred.fromCoroutine(visit(reactor, port)))
    package = importlib.import_module(name)
    config = {"sync_request_timeout": PATIENCE, "allow_public_attrs": True}
    conn = package.connect("127.0.0.1", port, config=config)
    script(conn, package.async_)


if __name__ == "__main__":
    main()
