"""
An unmodified RPyC program that calls a service whose annotations declare values.

Run as a process of its own, with whatever RPyC is on its path::

    python -m tests.interop.valued_client PORT [public]

With ``public`` it opens its public names to the service. It goes through the checks below, and says
``ok: name`` or ``FAILED: name`` and why for each.
"""

from __future__ import annotations

import datetime
import faulthandler
import os
import sys
import time
import traceback
from collections import namedtuple
from decimal import Decimal
from enum import Enum
from types import SimpleNamespace

import rpyc

from tests.interop.peer_processes import Checks

check = Checks()
PUBLIC = sys.argv[2:] == ["public"]


class Item:
    def __init__(self, name, price, tags):
        self.name, self.price, self.tags = name, price, tags


class OpenItem:
    def __init__(self, name, price, tags):
        self.exposed_name, self.exposed_price, self.exposed_tags = name, price, tags


class Colour(Enum):
    RED = 1
    BLUE = 2


Point = namedtuple("Point", "x y")


def error_of(function, *args):
    """Return what a call that has to fail says."""
    try:
        value = function(*args)
    except Exception as error:
        return str(error)
    raise AssertionError(f"no error but {value!r}")


@check
def lists(conn):
    """Short and long ones, and tuples, in plain methods."""
    assert conn.root.total([1, 2, 3]) == 6
    assert conn.root.total([]) == 0
    assert conn.root.total(list(range(5000))) == sum(range(5000))
    assert conn.root.total((1, 2)) == 3


@check
def dicts(conn):
    """By key, few and many."""
    assert conn.root.spent({"tea": Decimal("1.10"), "oil": Decimal("2.25")}) == "3.35"
    assert conn.root.spent({str(n): Decimal(n) for n in range(300)}) == str(sum(range(300)))


@check
def sets(conn):
    """The client's own, and one by value."""
    assert conn.root.shared({"a", "b"}, frozenset({"b", "c"})) == ("b",)


@check
def nested(conn):
    """Twenty players as dicts in a list."""
    players = [{"name": f"p{n}", "gold": n * 7 % 20, "at": (n, n)} for n in range(20)]
    assert conn.root.richest(players) == "p17"


@check
def objects(conn):
    """By their fields where they are open, and else an error that says how to open them."""
    items = [Item("tea", Decimal(3), ["hot"]), Item("oil", Decimal(2), [])]
    at = datetime.datetime(2024, 5, 6, tzinfo=datetime.UTC)
    if PUBLIC:
        assert conn.root.cheapest(items, at) == "oil 2024 1"
    else:
        text = error_of(conn.root.cheapest, items)
        assert text.startswith(("items[0].", "items[1].")), text
        assert "allow_public_attrs" in text, text
    assert conn.root.cheapest([OpenItem("tea", Decimal(3), ["hot"])]) == "tea  1"
    assert (
        conn.root.cheapest([{"name": "tea", "price": Decimal(3), "tags": []}], at=at)
        == "tea 2024 0"
    )


@check
def other_values(conn):
    """Members of enums, named tuples and dates need no switch."""
    days = [datetime.date(2024, 1, 1), datetime.date(2025, 1, 1)]
    assert conn.root.kinds(Colour.RED, Point(1, 2), days) == "RED 3 2025-01-01"


@check
def callbacks(conn):
    """They stay the client's, and are called with what the service has."""
    told = []
    assert conn.root.report([1, 2], lambda numbers: told.append(list(numbers))) == 2
    end = time.monotonic() + 10
    while not told and time.monotonic() < end:  # with bind_threads another thread serves it
        conn.ping()
    assert told == [[2, 4]]


@check
def generators(conn):
    """What is annotated is a copy when they begin."""
    assert list(conn.root.doubled([1, 2, 3])) == [2, 4, 6]


@check
def results(conn):
    """They come as RPyC sends them: a list by reference."""
    numbers = [1, 2]
    echoed = conn.root.echoed(numbers)
    assert list(echoed) == [1, 2]
    echoed.append(3)
    assert list(echoed) == [1, 2, 3]
    assert numbers == [1, 2]  # the copy's, not ours


@check
def wrong_ones(conn):
    """They are refused with the path, before the method runs."""
    assert error_of(conn.root.total, [1, "x"]).startswith("numbers[1]: expected int, got str 'x'")
    assert "numbers: expected list[int], got a builtins.dict" in error_of(conn.root.total, {1: 2})
    assert "numbers[0]: expected int" in error_of(conn.root.total, [SimpleNamespace()])
    holds_itself = []
    holds_itself.append(holds_itself)
    assert "numbers" in error_of(conn.root.total, holds_itself)
    assert conn.root.total([1]) == 1


@check
def unannotated_ones(conn):
    """They are references, as ever."""
    assert conn.root.kind_of([1]) in ("RemoteReference", "builtins.list")


@check
def ways_of_answering(conn):
    """Coroutines and methods in threads, where there are any."""
    for name in ("total_later", "total_threaded"):
        method = getattr(conn.root, name, None)
        if method is not None:
            assert method([1, 2, 3]) == 6


def main():
    faulthandler.dump_traceback_later(45, exit=True)  # a hang shall say where
    print("RPyC", rpyc.__version__)
    conn = rpyc.connect("127.0.0.1", int(sys.argv[1]), config={"allow_public_attrs": PUBLIC})
    for name, function in check.items():
        try:
            function(conn)
        except BaseException:
            print(f"FAILED: {name}")
            traceback.print_exc(file=sys.stdout)
        else:
            print(f"ok: {name}")
    conn.close()
    print("done", flush=True)
    os._exit(0)  # RPyC's threads of bind_threads mode do not all end


if __name__ == "__main__":
    main()
