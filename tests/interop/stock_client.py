"""
An unmodified RPyC program as a client of txremote.

Run as a process of its own, with whatever RPyC is on its path::

    python -m tests.interop.stock_client PORT [CA_FILE]

It makes one connection (over TLS where it is given a CA file), goes through the
checks below, and says ``ok: name`` or ``FAILED: name`` and why for each.
"""

from __future__ import annotations

import copy
import faulthandler
import gc
import operator
import os
import pickle
import sys
import threading
import time
import traceback

import rpyc
from rpyc.core import consts
from rpyc.core.async_ import AsyncResultTimeout
from rpyc.utils.helpers import buffiter

from tests.interop.peer_processes import Checks

check = Checks()

BOUND = os.environ.get("RPYC_BIND_THREADS") == "true"


def raises(kind, function, *args, **kwargs):
    """Return the exception that a call raises; it must be of this kind."""
    try:
        value = function(*args, **kwargs)
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__} but {value!r}")


# -- calls and values


@check
def calls(conn):
    """A method is called and its result comes back by value."""
    assert conn.root.add(2, 3) == 5
    assert conn.root.exposed_add("a", "b") == "ab"
    assert conn.root.marked() == "marked"
    assert conn.root.get_service_name() == "SHOP"


@check
def values_of_every_kind(conn):
    """What brine carries arrives as it was sent."""
    values = (
        *(None, True, False, 0, -48, 159, 160, -(10**300), 1.5, 2 + 3j, ..., NotImplemented),
        *("", "für immer \N{SNOWMAN}", b"", b"\x00\xff" * 200, (), (1, (2, (3, (4,)))), (0,) * 300),
        *(slice(1, None, 2), frozenset({1, 2}), "x" * 70_000, 1 << 5000),
    )
    got, named = conn.root.echo(*values)
    assert got == values
    assert named == ()
    assert [type(value) for value in got] == [type(value) for value in values]


@check
def keyword_arguments(conn):
    """Arguments by name arrive by name."""
    assert conn.root.add(a=1, b=2) == 3
    assert conn.root.echo(1, size="big", color="red") == ((1,), (("color", "red"), ("size", "big")))
    assert conn.root.Basket().put("tea", times=3) == 3


@check
def a_wrong_call_is_a_TypeError(conn):
    raises(TypeError, conn.root.add, 1)
    raises(TypeError, conn.root.add, 1, 2, c=3)
    raises(TypeError, conn.root.add, 1, "one")


@check
def attributes(conn):
    """Attributes are read under both names, and objects within objects."""
    assert conn.root.pi == 3.14
    assert conn.root.exposed_pi == 3.14
    assert conn.root.kitchen.oven.degrees == 200
    assert conn.root.kitchen.oven.bake("bread") == "bread, baked"
    assert not hasattr(conn.root, "nothing")


@check
def attributes_are_not_set_or_deleted(conn):
    raises(AttributeError, setattr, conn.root, "pi", 3)
    raises(AttributeError, setattr, conn.root.kitchen.oven, "degrees", 3)
    raises(AttributeError, delattr, conn.root.kitchen.oven, "degrees")
    assert conn.root.kitchen.oven.degrees == 200


@check
def functions_by_reference(conn):
    twice = conn.root.function()
    assert callable(twice)
    assert twice(21) == 42
    assert callable(conn.root.add)
    assert not callable(conn.root.plain())


@check
def ping(conn):
    conn.ping()
    conn.ping("some text of our own")


# -- objects


@check
def exposed_classes(conn):
    """The client makes instances of a class and works with them."""
    basket = conn.root.Basket("tea", "cake")
    assert basket.put("jam") == 3
    assert basket.kind == "basket"
    assert list(basket.things()) == ["tea", "cake", "jam"]
    assert conn.root.Basket.kind == "basket"


@check
def operators(conn):
    """Syntax works on a remote object as on a local one."""
    basket = conn.root.Basket("tea", "cake")
    assert len(basket) == 2
    assert basket[0] == "tea" and basket[-1] == "cake"
    assert list(basket[0:1]) == ["tea"]
    assert "tea" in basket and "jam" not in basket
    basket[0] = "coffee"
    assert basket[0] == "coffee"
    del basket[0]
    assert len(basket) == 1
    assert len(basket + "jam") == 2
    assert int(basket) == 1
    assert basket and not conn.root.Basket()
    assert operator.index(conn.root.add(1, 1)) == 2


@check
def lists_by_reference(conn):
    """A list stays where it is; every change is made there."""
    basket = conn.root.Basket(1, 2)
    things = basket.things()
    things.append(3)
    things.extend((4, 5))
    things += (6,)
    things[0] = "one"
    del things[1]
    assert things.pop() == 6
    assert len(basket) == 4
    assert list(things) == ["one", 3, 4, 5]
    assert things[1:3] == [3, 4] or list(things[1:3]) == [3, 4]
    assert things.index(4) == 2
    assert 5 in things
    assert basket.things() is things
    raises(IndexError, lambda: things[10])


@check
def dicts_by_reference(conn):
    prices = conn.root.prices()
    assert prices["tea"] == 2
    assert sorted(prices) == ["cake", "tea"]
    assert sorted(prices.items()) == [("cake", 3), ("tea", 2)]
    prices["jam"] = 5
    assert conn.root.prices().get("jam") == 5
    del prices["jam"]
    assert "jam" not in prices
    assert prices.get("jam", 0) == 0
    raises(KeyError, lambda: prices["jam"])
    assert len(prices) == 2
    assert {**prices} == {"cake": 3, "tea": 2}


@check
def many_objects_in_one_reply(conn):
    baskets = conn.root.baskets(20)
    assert [basket[0] for basket in baskets] == list(range(20))


@check
def our_objects_come_back_as_themselves(conn):
    mine = ["a list of mine"]
    assert conn.root.same(mine) is mine
    assert conn.root.same((mine, 1))[0] is mine
    theirs = conn.root.plain()
    assert conn.root.same(theirs) is theirs
    assert conn.root.is_instance(conn.root.Basket())


@check
def the_server_iterates_a_list_of_ours(conn):
    assert conn.root.total(list(range(100))) == 4950
    assert conn.root.total([]) == 0


@check
def iteration(conn):
    """Lists, objects and generators are iterated item by item."""
    assert [number for number in conn.root.numbers(5)] == [0, 1, 2, 3, 4]  # noqa: C416
    assert list(conn.root.Basket("a", "b")) == ["a", "b"]
    assert list(conn.root.count_up(30)) == list(range(30))
    numbers = iter(conn.root.count_up(2))
    assert next(numbers) == 0 and next(numbers) == 1
    raises(StopIteration, next, numbers)
    assert sorted(conn.root.numbers(3), reverse=True) == [2, 1, 0]
    assert dict(zip("ab", conn.root.numbers(2), strict=True)) == {"a": 0, "b": 1}


@check
def buffiter_(conn):
    """RPyC's buffered iterator fetches many items a request."""
    assert list(buffiter(conn.root.count_up(2500))) == list(range(2500))
    assert list(buffiter(conn.root.numbers(7), chunk=2)) == list(range(7))
    assert list(buffiter(conn.root.numbers(0))) == []


@check
def with_(conn):
    """A remote context manager is entered and left."""
    till = conn.root.till()
    with till as entered:
        assert entered is till
        assert till.seen == ("made", "entered")
    assert till.seen == ("made", "entered", None)


@check
def with_and_an_exception(conn):
    """Its __exit__ learns what was raised here, and may forgive it."""
    till = conn.root.till()
    with_error = raises(KeyError, _leave_by, till, KeyError("lost"))
    assert with_error.args == ("lost",)
    assert till.seen == ("made", "entered", "KeyError")
    _leave_by(conn.root.till(True), KeyError("forgiven"))


def _leave_by(manager, error):
    with manager:
        raise error


# -- calls into the client


@check
def callbacks(conn):
    """The server calls a function of the client's while a call is under way."""
    heard = []

    def listener(number, word="none"):
        heard.append((number, word))
        return number * 10

    assert conn.root.call_back(listener, 1) == 10
    assert conn.root.call_back(listener, 2, word="two") == 20
    assert list(conn.root.call_many(listener, 5)) == [0, 10, 20, 30, 40]
    assert heard == [(1, "none"), (2, "two"), *((number, "none") for number in range(5))]
    assert conn.root.call_back(list.__len__, [1, 2]) == 2


@check
def callbacks_that_call_back(conn):
    """Calls nest, back and forth over the same connection."""

    def listener(depth):
        return depth if depth == 0 else conn.root.call_back(listener, depth - 1) + 1

    # with bind_threads each level takes a thread of RPyC's pool, which has cores + 4
    assert conn.root.call_back(listener, 3) == 3


@check
def callbacks_that_fail(conn):
    """What a callback raises goes through the server to whoever called."""
    error = raises(ZeroDivisionError, conn.root.call_back, lambda: 1 / 0)
    assert "Remote Traceback" in str(error)
    raises(KeyError, conn.root.call_back, {}.__getitem__, "tea")


@check
def async_with_100_in_flight(conn):
    """100 calls wait at the same time, and each gets its own answer."""
    later = rpyc.async_(conn.root.later)
    started = time.monotonic()
    results = [later(0.25, number) for number in range(100)]
    assert not results[-1].ready
    assert not results[-1].error
    assert "pending" in repr(results[-1])
    heard = []
    results[7].add_callback(lambda result: heard.append(result.value))
    assert [result.value for result in results] == list(range(100))
    assert time.monotonic() - started < 10, "they waited for each other"
    assert heard == [7]
    assert results[0].ready and "ready" in repr(results[0])
    add = rpyc.async_(conn.root.add)
    assert [result.value for result in [add(n, n) for n in range(100)]] == list(range(0, 200, 2))


@check
def async_errors(conn):
    result = rpyc.async_(conn.root.divide)(1, 0)
    result.wait()
    assert result.ready and result.error
    raises(ZeroDivisionError, lambda: result.value)


@check
def timed(conn):
    """A call that takes too long expires, and its late answer does no harm."""
    patient = rpyc.timed(conn.root.later, 20)
    assert patient(0.01, "in time").value == "in time"
    hasty = rpyc.timed(conn.root.later, 0.05)
    result = hasty(0.3, "late")
    raises(AsyncResultTimeout, lambda: result.value)
    assert result.expired
    assert conn.root.later(0.4, "alive") == "alive"


@check
def events_in_a_BgServingThread(conn):
    """Events arrive while the client's main thread does something else."""
    heard = []
    complete = threading.Event()

    def listener(number):
        heard.append((number, threading.current_thread()))
        if len(heard) == 5:
            complete.set()

    conn.root.subscribe(listener, 5)
    background = rpyc.BgServingThread(conn, sleep_interval=0.01)
    try:
        assert complete.wait(20), heard
    finally:
        background.stop()
    assert sorted(number for number, _thread in heard) == [0, 1, 2, 3, 4]
    assert BOUND or threading.main_thread() not in {thread for _number, thread in heard}


@check
def many_threads_on_one_connection(conn):
    """
    With RPYC_BIND_THREADS each answer reaches the thread that asked. (Without,
    RPyC itself does not promise it.)
    """
    if not BOUND:
        return
    wrong = []

    def work(base):
        for number in range(30):
            if conn.root.add(base, number) != base + number:
                wrong.append((base, number))

    threads = [threading.Thread(target=work, args=(base,)) for base in range(0, 4000, 1000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert not wrong


# -- exceptions


@check
def exceptions(conn):
    """An exception comes with its type, its arguments and the remote traceback."""
    error = raises(ZeroDivisionError, conn.root.divide, 1, 0)
    assert error.args == ("division by zero",)
    assert "exposed_divide" in str(error) and "shop.py" in str(error)
    assert "Remote Traceback" in str(error)
    raises(KeyError, lambda: conn.root.prices()["gold"])
    raises(UnicodeDecodeError, conn.root.function().__call__(b"\xff").decode)


@check
def exceptions_of_unknown_classes(conn):
    """They keep their name, arguments and attributes."""
    error = raises(Exception, conn.root.fail)
    assert "ShopError" in type(error).__name__
    assert error.args == ("closed", 42)
    assert error.until == "monday"
    assert "exposed_fail" in str(error)


@check
def unknown_requests(conn):
    """A request nobody knows costs that request, not the connection."""
    raises(KeyError, conn.sync_request, 99)
    raises(KeyError, conn.sync_request, consts.HANDLE_INSPECT, ("builtins.list", 1, 987654))
    assert conn.root.add(1, 1) == 2


# -- what Python asks of every object


@check
def isinstance_(conn):
    basket = conn.root.Basket()
    assert isinstance(basket, conn.root.Basket)
    assert not isinstance(conn.root.plain(), conn.root.Basket)
    assert not isinstance(conn.root.numbers(1), conn.root.Basket)
    assert isinstance(conn.root.numbers(1), list)
    assert isinstance(conn.root.prices(), dict)
    assert not isinstance(conn.root.prices(), list)


@check
def dir_(conn):
    names = dir(conn.root)
    assert {"add", "pi", "marked", "exposed_add"} <= set(names)
    assert not {"hidden", "_secret", "exposed_hidden"} & set(names)
    assert {"append", "__getitem__"} <= set(dir(conn.root.numbers(1)))


@check
def comparison(conn):
    one, same, more = conn.root.Basket(1), conn.root.Basket(1), conn.root.Basket(1, 2)
    assert one == same and not one != same
    assert one != more and not one == more
    assert one < more and more > one
    assert conn.root.numbers(3) == conn.root.numbers(3)
    assert conn.root.numbers(3) < conn.root.numbers(4)
    plain = conn.root.plain()
    assert plain == plain and plain != conn.root.plain()
    raises(TypeError, lambda: conn.root.plain() < conn.root.plain())


@check
def hash_(conn):
    assert hash(conn.root.Basket(1, 2)) == 4713
    plain = conn.root.plain()
    assert hash(plain) == hash(plain)
    assert {plain: "found"}[plain] == "found"
    raises(TypeError, hash, conn.root.numbers(1))


@check
def repr_and_str(conn):
    """They are the object's own; none shows a memory address."""
    basket = conn.root.Basket("tea")
    assert str(basket) == "a basket of tea"
    assert repr(basket) == "Basket('tea',)"
    assert repr(conn.root.numbers(3)) == "[0, 1, 2]"
    assert "Plain" in repr(conn.root.plain())
    assert " at 0x" not in repr(conn.root.plain()) + repr(conn.root.add) + repr(conn.root)


@check
def pickling_is_refused(conn):
    error = raises(ValueError, pickle.dumps, conn.root.numbers(3))
    assert "pickling is disabled" in str(error)
    raises(ValueError, copy.copy, conn.root.Basket())
    raises(ValueError, conn.sync_request, consts.HANDLE_PICKLE, conn.root.plain(), 2)


@check
def private_names_are_refused(conn):
    """By every request that takes a name."""
    add, basket, numbers = conn.root.add, conn.root.Basket(1), conn.root.count_up(3)
    ask = conn.sync_request
    for target, name in [
        (conn.root, "hidden"),
        (conn.root, "_secret"),
        (conn.root, "__init__"),
        (conn.root, "__dict__"),
        (conn.root, "__class__"),
        (conn.root, "on_connect"),
        (conn.root.Basket, "mro"),
        (conn.root.Basket, "__subclasses__"),
        (basket, "hidden"),
        (basket, "_things"),
        (basket, "__reduce_ex__"),
        (add, "__globals__"),
        (add, "__self__"),
        (add, "__func__"),
        (numbers, "gi_frame"),
    ]:
        raises(AttributeError, ask, consts.HANDLE_GETATTR, target, name)
        raises(AttributeError, ask, consts.HANDLE_CALLATTR, target, name, (), ())
        raises(AttributeError, ask, consts.HANDLE_SETATTR, target, name, 1)
        raises(AttributeError, ask, consts.HANDLE_DELATTR, target, name)
        raises(AttributeError, ask, consts.HANDLE_CMP, target, 1, name)
        raises(
            (AttributeError, TypeError),
            ask,
            *(consts.HANDLE_OLDSLICING, target, name, name, 0, 1, ()),
        )
        names = {name for name, _doc in ask(consts.HANDLE_INSPECT, target.____id_pack__)}
        assert name not in names or name == "__init__"
    raises(AttributeError, lambda: conn.root.hidden)
    raises(AttributeError, lambda: conn.root._secret)
    raises(AttributeError, ask, consts.HANDLE_CTXEXIT, basket, None)
    assert list(numbers) == [0, 1, 2]


# -- the connection


@check
def big_values_cross(conn):
    """8 MiB of answers come while 8 MiB of questions are still being sent."""
    blob = os.urandom(4 << 20)
    same = rpyc.async_(conn.root.same)
    results = [same(blob) for _ in range(2)]
    assert all(result.value == blob for result in results)
    assert conn.root.same(b"press" * 200_000) == b"press" * 200_000


@check
def references_are_released(conn):
    """What the client drops leaves the server's table."""
    gc.collect()
    before = conn.root.held()
    kept = [conn.root.plain() for _ in range(10)]
    lists = [conn.root.Basket(number).things() for number in range(10)]
    assert conn.root.held() >= before + 20
    del kept, lists
    gc.collect()
    end = time.monotonic() + 10
    while conn.root.held() > before:
        assert time.monotonic() < end, (conn.root.held(), before)


@check
def nothing_of_txremotes_own_was_sent_to_us(conn):
    """No request that RPyC does not know, and no INSPECT."""
    assert conn.asked, "the recording does not work"
    assert conn.asked <= {
        *(consts.HANDLE_CALL, consts.HANDLE_CALLATTR, consts.HANDLE_GETATTR),
        *(consts.HANDLE_DEL, consts.HANDLE_BUFFITER, consts.HANDLE_CLOSE),
    }, conn.asked


@check
def good_bye(conn):
    """The server notices, and serves others on."""
    other = connect()
    before = other.root.goodbyes()
    conn.close()
    assert conn.closed
    raises(EOFError, conn.ping)
    end = time.monotonic() + 10
    while other.root.goodbyes() <= before:
        assert time.monotonic() < end
    other.close()


# -- the program


class _Recording(dict):
    """RPyC's table of request handlers, noting what is asked of this side."""

    def __getitem__(self, number):
        self.asked.add(number)
        return super().__getitem__(number)


def connect():
    """Return a new connection, as the command line wants it."""
    port, *authorities = sys.argv[1:]
    if authorities:
        conn = rpyc.ssl_connect("127.0.0.1", int(port), ca_certs=authorities[0])
    else:
        conn = rpyc.connect("127.0.0.1", int(port))
    conn._HANDLERS = _Recording(conn._HANDLERS)
    conn.asked = conn._HANDLERS.asked = set()
    return conn


def main():
    faulthandler.dump_traceback_later(45, exit=True)  # a hang shall say where
    print("RPyC", rpyc.__version__)
    conn = connect()
    for name, function in check.items():
        started = time.monotonic()
        try:
            function(conn)
        except BaseException:
            print(f"FAILED: {name}")
            traceback.print_exc(file=sys.stdout)
            if conn.closed:
                conn = connect()
        else:
            print(f"ok: {name}")
        if "-v" in os.environ.get("STOCK_CLIENT", ""):
            print(f"   {time.monotonic() - started:.2f} s")
    print("done", flush=True)
    os._exit(0)  # RPyC's threads of bind_threads mode do not all end


if __name__ == "__main__":
    main()
