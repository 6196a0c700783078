"""
A Twisted program as a client of the shop, whoever serves it.

The same checks run in the tests' own reactor against stock RPyC servers, as a program of its
own, with a reactor of its choice, against ``twistd txremote``::

    python -m tests.interop.reactor_client REACTOR ENDPOINT

and in asyncio's tasks, with no reactor at all (``tests/aio/compat_client.py``).
"""

from __future__ import annotations

import faulthandler
import gc
import os
import pickle
import sys
import time
import traceback
from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from tests.interop.peer_processes import Checks
from txremote import (
    AsyncResultTimeout,
    GenericException,
    RemoteReference,
    RemoteStopIteration,
    async_,
    connect,
    del_remote,
    dir_remote,
    get_remote,
    len_remote,
    repr_remote,
    set_remote,
    str_remote,
    timed,
)
from txremote.refs.awaiting import awaitable
from txremote.wire.consts import HANDLE_CMP, HANDLE_GETATTR, HANDLE_INSTANCECHECK, HANDLE_PICKLE

check = Checks()


async def raises(kind: Any, deferred: Any) -> Any:
    """Return the exception that a Deferred fails with; it must be of this kind."""
    try:
        value = await deferred
    except kind as error:
        return error
    raise AssertionError(f"no {kind} but {value!r}")


def all_of(calls: Any) -> Any:
    """Wait for many calls; give the list of their results."""
    return awaitable(gatherResults(calls))


# -- calls and values


@check
async def calls(conn):
    assert await conn.root.add(2, 3) == 5
    assert await conn.root.exposed_add("a", "b") == "ab"
    assert await conn.root.marked() == "marked"
    assert await conn.root.callRemote("add", 1, 1) == 2
    assert await conn.root.get_service_name() == "SHOP"


@check
async def values_of_every_kind(conn):
    values = (
        *(None, True, False, 0, -48, 159, 160, -(10**300), 1.5, 2 + 3j, ..., NotImplemented),
        *("", "für immer \N{SNOWMAN}", b"", b"\x00\xff" * 200, (), (1, (2, (3, (4,)))), (0,) * 300),
        *(slice(1, None, 2), frozenset({1, 2}), "x" * 70_000, 1 << 5000),
    )
    got, named = await conn.root.echo(*values)
    assert got == values
    assert named == ()
    assert [type(value) for value in got] == [type(value) for value in values]


@check
async def keyword_arguments(conn):
    assert await conn.root.add(a=1, b=2) == 3
    got = await conn.root.echo(1, size="big", color="red")
    assert got == ((1,), (("color", "red"), ("size", "big")))
    basket = await conn.root.Basket()
    assert await basket.put("tea", times=3) == 3


@check
async def attributes(conn):
    """Read by awaiting a path, or with get_remote; of objects within objects too."""
    assert await conn.root.pi == 3.14
    assert await get_remote(conn.root, "pi") == 3.14
    assert await conn.root.kitchen.oven.degrees == 200
    assert await conn.root.kitchen.oven.bake("bread") == "bread, baked"
    await raises(AttributeError, conn.root.nothing)
    await raises(AttributeError, conn.root.kitchen.nothing.bake())


@check
async def attributes_are_not_set_or_deleted(conn):
    oven = await conn.root.kitchen.oven
    await raises(AttributeError, set_remote(oven, "degrees", 3))
    await raises(AttributeError, del_remote(oven, "degrees"))
    assert await oven.degrees == 200


@check
async def functions_by_reference(conn):
    twice = await conn.root.function()
    assert await twice(21) == 42
    add = await conn.root.add
    assert await add(1, b=2) == 3


@check
async def ping(conn):
    await conn.ping()
    await conn.ping("some text of our own")


# -- objects


@check
async def exposed_classes(conn):
    basket = await conn.root.Basket("tea", "cake")
    assert await basket.put("jam") == 3
    assert await basket.kind == "basket"
    assert [thing async for thing in await basket.things()] == ["tea", "cake", "jam"]
    assert await (await conn.root.Basket).kind == "basket"


@check
async def lists_by_reference(conn):
    """By operators, which any server allows; txremote's by all public methods too."""
    basket = await conn.root.Basket(1, 2)
    things = await basket.things()
    await things.callRemote("__iadd__", (3, 4))
    await things.callRemote("__setitem__", 0, "one")
    await things.callRemote("__delitem__", 1)
    assert await things[0] == "one"
    assert await len_remote(basket) == await len_remote(things) == 3
    assert await things.callRemote("__contains__", 4)
    assert [thing async for thing in things] == ["one", 3, 4]
    assert await basket.things() is things
    await raises(IndexError, things[10])
    if conn.is_txremote:
        await things.append(5)
        await things.extend((6, 7))
        assert await things.pop() == 7
        assert await things.index(5) == 3
    else:
        await raises(AttributeError, things.append(5))


@check
async def dicts_by_reference(conn):
    prices = await conn.root.prices()
    assert await prices["tea"] == 2
    assert sorted([key async for key in prices]) == ["cake", "tea"]
    await prices.callRemote("__setitem__", "jam", 5)
    assert await (await conn.root.prices())["jam"] == 5
    await prices.callRemote("__delitem__", "jam")
    await raises(KeyError, prices["jam"])
    assert await len_remote(prices) == 2
    if conn.is_txremote:
        assert sorted([item async for item in await prices.items()]) == [("cake", 3), ("tea", 2)]
        assert await prices.get("jam", 0) == 0


@check
async def many_objects_in_one_reply(conn):
    baskets = await conn.root.baskets(20)
    assert [await basket[0] for basket in baskets] == list(range(20))


@check
async def our_objects_come_back_as_themselves(conn):
    mine = ["a list of mine"]
    assert await conn.root.same(mine) is mine
    assert (await conn.root.same((mine, 1)))[0] is mine
    theirs = await conn.root.plain()
    assert await conn.root.same(theirs) is theirs
    assert await conn.root.is_instance(await conn.root.Basket())


@check
async def the_server_iterates_a_list_of_ours(conn):
    assert await conn.root.total(list(range(100))) == 4950
    assert await conn.root.total([]) == 0


@check
async def iteration(conn):
    """Of lists, objects and generators, in chunks that grow; also broken off."""
    assert [number async for number in await conn.root.numbers(5)] == [0, 1, 2, 3, 4]
    assert [thing async for thing in await conn.root.Basket("a", "b")] == ["a", "b"]
    assert [number async for number in await conn.root.count_up(2500)] == list(range(2500))
    assert [number async for number in await conn.root.numbers(0)] == []
    async for number in await conn.root.count_up(100):
        if number == 3:
            break
    numbers = await conn.root.count_up(1)
    assert await numbers.callRemote("__next__") == 0
    await raises(RemoteStopIteration, numbers.callRemote("__next__"))


@check
async def with_(conn):
    till = await conn.root.till()
    async with till as entered:
        assert entered is till
        assert await till.seen == ("made", "entered")
    assert await till.seen == ("made", "entered", None)


@check
async def with_and_an_exception(conn):
    """It is raised on here, unless the remote __exit__ forgives it."""

    async def leave_by(manager, error):
        async with manager:
            raise error

    till = await conn.root.till()
    error = await raises(KeyError, leave_by(till, KeyError("lost")))
    assert error.args == ("lost",)
    seen = await till.seen
    # a stock server raises the *reference* to the class, which is a TypeError
    assert seen[-1] == ("KeyError" if conn.is_txremote else "TypeError"), seen
    await leave_by(await conn.root.till(True), KeyError("forgiven"))


# -- calls into the client


@check
async def callbacks(conn):
    heard = []

    def listener(number, word="none"):
        heard.append((number, word))
        return number * 10

    assert await conn.root.call_back(listener, 1) == 10
    assert await conn.root.call_back(listener, 2, word="two") == 20
    assert [x async for x in await conn.root.call_many(listener, 5)] == [0, 10, 20, 30, 40]
    assert heard == [(1, "none"), (2, "two"), *((number, "none") for number in range(5))]


@check
async def callbacks_that_wait(conn):
    """A callback may be a coroutine that calls the server in turn."""

    async def listener(depth):
        if depth == 0:
            return 0
        return await conn.root.call_back(listener, depth - 1) + 1

    assert await conn.root.call_back(listener, 5) == 5


@check
async def callbacks_that_fail(conn):
    error = await raises(ZeroDivisionError, conn.root.call_back(lambda: 1 / 0))
    assert "Remote Traceback" in str(error)
    await raises(KeyError, conn.root.call_back({}.__getitem__, "tea"))


@check
async def a_hundred_calls_in_flight(conn):
    answers = await all_of([conn.root.add(number, number) for number in range(100)])
    assert answers == list(range(0, 200, 2))
    baskets = await all_of([conn.root.Basket(number) for number in range(100)])
    assert await all_of([basket[0] for basket in baskets]) == list(range(100))


@check
async def async_with_100_in_flight(conn):
    """RPyC's async_ over remote methods, with its AsyncResult."""
    add = async_(conn.root.add)
    results = [add(number, number) for number in range(100)]
    assert not results[-1].ready and "pending" in repr(results[-1])
    heard = []
    results[7].add_callback(lambda result: heard.append(result.value))
    assert [await result for result in results] == list(range(0, 200, 2))
    assert heard == [14]
    assert results[0].ready and results[0].value == 0
    failing = async_(conn.root.divide)(1, 0)
    await raises(ZeroDivisionError, failing)
    assert failing.error


@check
async def timed_(conn):
    """A call that takes too long expires, and its late answer does no harm."""
    assert await timed(conn.root.later, 20)(0.01, "in time") == "in time"
    result = timed(conn.root.later, 0.05)(0.2, "late")
    await raises(AsyncResultTimeout, result)
    assert result.expired
    assert await conn.root.later(0.25, "alive") == "alive"


@check
async def cancelled_calls(conn):
    """Cancelling a call ends the waiting at once, and its answer does no harm."""
    from twisted.internet.defer import CancelledError

    call = conn.root.later(0.1, ["a reference that nobody gets"])
    call.cancel()
    await raises(CancelledError, call)
    assert await conn.root.later(0.15, "alive") == "alive"


@check
async def events(conn):
    """They arrive by themselves, after the call that asked for them is over."""
    heard = []
    complete = awaitable(Deferred())

    def listener(number):
        heard.append(number)
        if len(heard) == 6:
            complete.callback(None)

    # noted at once: a task goes on a turn later
    await conn.root.subscribe(listener, 5).addCallback(lambda _none: heard.append("answered"))
    await complete
    assert heard[0] == "answered"
    assert sorted(heard[1:]) == [0, 1, 2, 3, 4]


# -- exceptions


@check
async def exceptions(conn):
    error = await raises(ZeroDivisionError, conn.root.divide(1, 0))
    assert error.args[0] == "division by zero"
    assert "exposed_divide" in str(error) and "shop.py" in str(error)
    assert "Remote Traceback" in str(error)
    await raises(TypeError, conn.root.add(1))
    await raises(TypeError, conn.root.add(1, "one"))


@check
async def exceptions_of_unknown_classes(conn):
    error = await raises(GenericException, conn.root.fail())
    assert "ShopError" in type(error).__name__
    assert error.args == ("closed", 42)
    assert error.until == "monday"
    assert "exposed_fail" in str(error)


# -- what Python asks of every object


@check
async def looking_at_a_reference_is_local(conn):
    """What would touch the network in RPyC does not here."""
    basket = await conn.root.Basket()
    assert isinstance(basket, RemoteReference)
    assert basket and callable(basket) and "Basket" in repr(basket)
    assert {basket: "found"}[basket] == "found"
    assert basket == basket and basket != await conn.root.Basket()
    for act in (list, len, iter):
        try:
            act(basket)
        except TypeError:
            continue
        raise AssertionError(act)


@check
async def isinstance_(conn):
    basket, numbers = await conn.root.Basket(), await conn.root.numbers(1)
    kind = await conn.root.Basket
    ask = conn.request
    assert not await ask(HANDLE_INSTANCECHECK, kind, numbers._pack)
    if conn.is_txremote:  # a stock server knows only what it has a proxy class for
        assert await ask(HANDLE_INSTANCECHECK, kind, basket._pack)


@check
async def dir_(conn):
    names = await dir_remote(conn.root)
    assert {"exposed_add", "exposed_pi"} <= set(names)
    assert "append" in await dir_remote(await conn.root.numbers(1))


@check
async def comparison(conn):
    one, same = await conn.root.Basket(1), await conn.root.Basket(1)
    more = await conn.root.Basket(1, 2)
    assert await one.callRemote("__eq__", same)
    assert not await one.callRemote("__eq__", more)
    assert await conn.request(HANDLE_CMP, one, same, "__eq__")
    assert await conn.request(HANDLE_CMP, one, more, "__lt__")
    assert not await conn.request(HANDLE_CMP, more, one, "__lt__")


@check
async def hash_(conn):
    basket = await conn.root.Basket(1, 2)
    assert await basket.callRemote("__hash__") == 4713
    await raises(TypeError, (await conn.root.numbers(1)).callRemote("__hash__"))


@check
async def repr_and_str(conn):
    basket = await conn.root.Basket("tea")
    assert await str_remote(basket) == "a basket of tea"
    assert await repr_remote(basket) == "Basket('tea',)"
    assert await repr_remote(await conn.root.numbers(3)) == "[0, 1, 2]"


@check
async def pickling_is_refused(conn):
    """On both sides."""
    numbers = await conn.root.numbers(3)
    try:
        pickle.dumps(numbers)
    except TypeError:
        pass
    else:
        raise AssertionError("pickled")
    error = await raises(ValueError, conn.request(HANDLE_PICKLE, numbers, 2))
    assert "pickling is disabled" in str(error)


@check
async def private_names_are_refused(conn):
    basket = await conn.root.Basket(1)
    for target, name in [
        (conn.root, "hidden"),
        (conn.root, "_secret"),
        (conn.root, "__dict__"),
        (basket, "hidden"),
        (basket, "_things"),
        (await conn.root.add, "__globals__"),
        (await conn.root.count_up(1), "gi_frame"),
    ]:
        await raises(AttributeError, conn.request(HANDLE_GETATTR, target, name))
        await raises(AttributeError, target.callRemote(name))
    await raises(AttributeError, conn.root.hidden())
    try:
        conn.root._secret
    except AttributeError:
        return
    raise AssertionError("a private name became a path")


# -- the connection


@check
async def big_values_cross(conn):
    """2 MiB of answers come while 2 MiB of questions are still being sent."""
    blob = os.urandom(1 << 20)
    assert await all_of([conn.root.same(blob) for _ in range(2)]) == [blob, blob]
    assert await conn.root.same(b"press" * 200_000) == b"press" * 200_000


@check
async def references_are_released(conn):
    gc.collect()
    before = await conn.root.held()
    kept = [await conn.root.plain() for _ in range(10)]
    kept += await all_of([conn.root.Basket(number).addCallback(_things) for number in "abc"])
    assert await conn.root.held() >= before + 13
    del kept
    gc.collect()
    end = time.monotonic() + 10
    while await conn.root.held() > before:
        assert time.monotonic() < end, (await conn.root.held(), before)


def _things(basket):
    return basket.things()


# -- the program


async def run_check(conn: Any, name: str, checks: Checks = check) -> str:
    """Return an empty string, or why the check failed."""
    try:
        await checks[name](conn)
    except BaseException:
        return traceback.format_exc()
    return ""


async def _main(reactor: Any, endpoint: str) -> None:
    print("reactor", type(reactor).__name__)
    conn = await connect(endpoint)
    for name in check:
        why = await run_check(conn, name)
        print(f"FAILED: {name}\n{why}" if why else f"ok: {name}")
    await conn.close()
    print("done", flush=True)


def main() -> None:
    """Run with the reactor that the command line names."""
    faulthandler.dump_traceback_later(45, exit=True)  # a hang shall say where
    kind, endpoint = sys.argv[1:]
    from twisted.application.reactors import installReactor

    reactor = installReactor(kind)
    from twisted.internet.task import react

    react(lambda _reactor: Deferred.fromCoroutine(_main(reactor, endpoint)))


if __name__ == "__main__":
    main()
