"""
Calls every operator of the standard library's value types with what is large, and tells
which call took long or much.

Not a test file. It is run as a program of its own, whose memory and time are limited, so
that what is found ends this process and no other. Its last line is the number of calls.
"""

from __future__ import annotations

import array
import collections
import datetime
import decimal
import enum
import fractions
import http.cookies
import ipaddress
import itertools
import pathlib
import re
import resource
import statistics
import string
import time
import types
import uuid
import xml.etree.ElementTree
import zoneinfo
from collections.abc import Callable
from email.message import EmailMessage
from typing import Any

from twisted.python import threadable

from txremote.config import make_config
from txremote.gate import costs, item_costs
from txremote.gate.access import AccessPolicy
from txremote.peer.handlers import HANDLERS
from txremote.wire.consts import HANDLE_CALLATTR

#: What one call may take: seconds of the processor, and MiB more of memory.
SECONDS = 0.5
MEMORY = 100

Fraction, Decimal = fractions.Fraction, decimal.Decimal


class Level(enum.IntEnum):
    """An int beneath."""

    HIGH = 7


class Mask(enum.IntFlag):
    """Bits."""

    A = 1


class Colour(enum.Flag):
    """Bits that are no int."""

    RED = 1


class Name(str):
    """A str beneath."""


class Raw(bytes):
    """Bytes beneath."""


class Real(float):
    """A float beneath."""


Point = collections.namedtuple("Point", "x y")


def work(_item: Any = None) -> int:
    """What a program exposes: it takes 20 microseconds."""
    return sum(range(2000))


def nested(make: Callable[[Any], Any]) -> Any:
    """Holders that hold each other twice, thirty deep."""
    held = make([])
    for _ in range(30):
        held = make([held, held])
    return held


THIRDS = [Fraction(number * 7919 % 100_003, 7) for number in range(100_000)]

MAKERS: dict[str, Callable[[], Any]] = {
    "Fraction": lambda: Fraction(1, 3),
    "whole Fraction": lambda: Fraction(20_000_000),
    "Decimal": lambda: Decimal("1.5"),
    "great Decimal": lambda: Decimal("1e999999"),
    "small Decimal": lambda: Decimal("1e-999999"),
    "datetime": lambda: datetime.datetime(2026, 1, 1),
    "date": lambda: datetime.date(2026, 1, 1),
    "time": lambda: datetime.time(1),
    "timedelta": lambda: datetime.timedelta(1),
    "zone": lambda: zoneinfo.ZoneInfo("UTC"),
    "UUID": lambda: uuid.UUID(int=5),
    "path": lambda: pathlib.PurePosixPath("/a/b"),
    "windows path": lambda: pathlib.PureWindowsPath("c:/a/b"),
    "address": lambda: ipaddress.ip_address("1.2.3.4"),
    "network": lambda: ipaddress.ip_network("::/8"),
    "interface": lambda: ipaddress.ip_interface("10.0.0.1/8"),
    "array": lambda: array.array("b", b"x"),
    "UserList": lambda: collections.UserList([1]),
    "UserDict": lambda: collections.UserDict(a=1),
    "UserString": lambda: collections.UserString("ab"),
    "UserString with a width": lambda: collections.UserString("%999999999d"),
    "ChainMap": lambda: collections.ChainMap({1: 2}, {3: 4}),
    "mappingproxy": lambda: types.MappingProxyType({1: 2}),
    "namespace": lambda: types.SimpleNamespace(a=1),
    "memoryview": lambda: memoryview(bytearray(1_000_000)),
    "namedtuple": lambda: Point(1, [2]),
    "IntEnum": lambda: Level.HIGH,
    "IntFlag": lambda: Mask.A,
    "Flag": lambda: Colour.RED,
    "struct_time": lambda: time.gmtime(0),
    "Pattern": lambda: re.compile("(a+)+b"),
    "Template": lambda: string.Template("$a"),
    "NormalDist": statistics.NormalDist,
    "EmailMessage": EmailMessage,
    "SimpleCookie": http.cookies.SimpleCookie,
    "Element": lambda: xml.etree.ElementTree.Element("a"),
    "str": lambda: Name("ab"),
    "bytes": lambda: Raw(b"ab"),
    "float": lambda: Real(1.5),
    "list": lambda: [1],
    "list of fractions": lambda: list(THIRDS),
    "dict": lambda: {1: 2},
    "set": lambda: {1},
    "frozenset": lambda: frozenset({object()}),
    "deque": lambda: collections.deque([1]),
    "bytearray": lambda: bytearray(1_000_000),
    "Counter": lambda: collections.Counter("abc"),
    "OrderedDict": lambda: collections.OrderedDict(a=1),
    "range": lambda: range(1 << 62),
    "items": lambda: {1: 2}.items(),
    "nested list": lambda: nested(list),
    "nested UserList": lambda: nested(collections.UserList),
    "nested UserDict": lambda: nested(lambda held: collections.UserDict(a=held)),
    "nested ChainMap": lambda: nested(lambda held: collections.ChainMap({1: held})),
    "nested mappingproxy": lambda: nested(lambda held: types.MappingProxyType({1: held})),
    "nested namespace": lambda: nested(lambda held: types.SimpleNamespace(a=held)),
    "nested namedtuple": lambda: nested(lambda held: Point(held, 1)),
}

# None: made anew for each call.
ARGUMENTS: dict[str, Any] = {
    "nothing": (),
    "itself": None,
    "without end": None,
    "generator": None,
    "10**9": (10**9,),
    "-10**9": (-(10**9),),
    "10**4299": (10**4299,),
    "fraction": (Fraction(20_000_001),),
    "decimal": (Decimal("1e999999"),),
    "long text": ("a/" * 5_000_000,),
    "long bytes": (b"\1" + b"\0" * 1_000_000,),
    "directives": ("%c" * 100_000,),
    "width": ("999999999",),
    "template": ("%999999999s",),
    "million": ((0,) * 1_000_000,),
    "slice of a million": (slice(0, 0), (0,) * 1_000_000),
    "pair": (10**4299, 10**4298),
    "range": (range(10**9),),
    "codec": ("punycode",),
    "replaced": (b"\0", b"x" * 10_000),
    "key": None,
}
FRESH: dict[str, Callable[[Any], tuple[tuple[Any, ...], tuple[Any, ...]]]] = {
    "itself": lambda obj: ((obj,), ()),
    "without end": lambda _obj: ((itertools.count(),), ()),
    "generator": lambda _obj: (((work() for _ in itertools.count()),), ()),
    "key": lambda _obj: ((), (("key", work),)),
}
# these take their time, and go to what takes in items
TAKING = {
    *("__add__", "__iadd__", "__or__", "__ior__", "__rsub__", "__setitem__", "__eq__", "index"),
    *("extend", "update", "join", "fromkeys", "extendleft", "isdisjoint", "union", "subtract"),
}
ONLY_FOR = {
    **dict.fromkeys(("without end", "generator", "million", "slice of a million"), TAKING),
    "codec": {"decode"},
    "replaced": {"replace"},
    "key": {"sort"},
    "directives": {"__format__", "strftime", "__mod__"},
    "template": {"__mod__", "__rmod__"},
    "pair": {"__pow__", "__rpow__", "__setitem__", "to_bytes"},
}
# beyond what a peer reaches by default: others may open them
MORE = {"__round__", "__floor__", "__ceil__", "__trunc__", "__reversed__", "strftime"}
ALWAYS = {"__repr__", "__str__", "__hash__", "__format__"}


class Serving:
    """What the handlers need to know."""

    def __init__(self, policy: AccessPolicy) -> None:
        self.policy = policy
        self.config = policy.config
        self.tables = self.exports = self

    def of(self, _obj: Any) -> None:
        """No export is known."""


def memory() -> float:
    """The most that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Try it all."""
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
    threadable.registerAsIOThread()
    # to reach the bounds would be all of this run's time
    item_costs.MOST_MADE = costs.MOST_PARTS = costs.MOST_SORTED = 20_000
    item_costs.MOST_SECONDS = 0.02
    policy = AccessPolicy(make_config({"access": "exposed"}))
    serving: Any = Serving(policy)
    call = HANDLERS[HANDLE_CALLATTR].function
    tried = 0
    for kind, make in MAKERS.items():
        first = make()
        names = set(policy.names(first)) | policy.config.safe_attrs | MORE | ALWAYS
        for name in sorted(name for name in names if hasattr(first, name)):
            for what, given in ARGUMENTS.items():
                if name not in ONLY_FOR.get(what, (name,)):
                    continue
                obj = make()
                args, kwargs = FRESH[what](obj) if given is None else (given, ())
                before, begun = memory(), time.thread_time()
                print(f"{kind}.{name} with {what}", end="", flush=True)
                try:
                    call(serving, obj, name, args, kwargs)
                except Exception:  # whatever it is: the peer would be told
                    pass
                took, more = time.thread_time() - begun, memory() - before
                tried += 1
                if took > SECONDS or more > MEMORY:
                    print(f": {took:.2f} s, {more:.0f} MiB")
                print(end="\r")
    print(f"\ntried {tried}")


if __name__ == "__main__":
    main()
