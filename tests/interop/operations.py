"""
What Python's syntax, builtins and standard library do with an object by its special
methods, and the objects to do it with. Not a test file.
"""

from __future__ import annotations

import array
import bisect
import cmath
import collections
import collections.abc
import copy
import datetime
import decimal
import enum
import fractions
import heapq
import io
import ipaddress
import itertools
import math
import numbers
import operator
import os
import pathlib
import random
import re
import statistics
import struct
import time
import types
import uuid
from collections.abc import Callable, Iterator
from typing import Any

BIG = 1234567890123456789012345678901234567890


def _twice(name: str) -> Callable[[Any], Any]:
    """An operation in place: what it gives, and what the object is then."""
    operation = getattr(operator, name)

    def act(x: Any) -> Any:
        found = operation(x, _like(x))
        return found is x, found, x

    return act


def _like(x: Any) -> Any:
    """A local operand that goes with an object."""
    kind = x.__class__
    for base, value in _OPERANDS:
        if issubclass(kind, base):
            return value
    return 3


_OPERANDS: list[tuple[Any, Any]] = [
    (collections.Counter, collections.Counter("ab")),
    ((dict, collections.ChainMap, collections.UserDict), {"a": 9}),
    ((set, frozenset, collections.abc.Set), {1}),
    ((list, collections.UserList), [7]),
    (collections.deque, collections.deque([7])),
    (array.array, array.array("H", [7])),
    ((str, collections.UserString), "x"),
    ((bytes, bytearray), b"x"),
    (tuple, (7,)),
    (datetime.timedelta, datetime.timedelta(1)),
]


class _Right:
    """An operand that answers where the left one does not."""

    def __radd__(self, other: Any) -> str:
        return "of the right"

    __rmatmul__ = __rsub__ = __rmul__ = __rpow__ = __rdivmod__ = __ror__ = __rlshift__ = __radd__


def _with(x: Any) -> Any:
    with x as found:
        return found


def _unpack(x: Any) -> Any:
    first, *rest = x
    return first, rest


def _delete(x: Any) -> Any:
    del x[0]
    return x


def _assign(x: Any) -> Any:
    x[0] = 1
    return x


async def _awaiting(x: Any) -> Any:
    return await x


async def _looping(x: Any) -> Any:
    return [item async for item in x]


async def _entering(x: Any) -> Any:
    async with x as found:
        return found


def _run(function: Any) -> Callable[[Any], Any]:
    def act(x: Any) -> Any:
        coroutine = function(x)
        try:
            coroutine.send(None)
        except StopIteration as end:
            return end.value
        coroutine.close()
        return "it waits"

    return act


def _binary(name: str, operands: Callable[[Any], tuple[Any, Any]]) -> Callable[[Any], Any]:
    operation = getattr(operator, name)
    return lambda x: operation(*operands(x))


_BINARY = "add sub mul matmul truediv floordiv mod pow lshift rshift and_ or_ xor".split()
_COMPARED = "eq ne lt le gt ge".split()

OPERATIONS: dict[str, Callable[[Any], Any]] = {
    "bool": bool,
    "not": lambda x: not x,
    "len": len,
    "length_hint": operator.length_hint,
    "list": list,
    "tuple": tuple,
    "sorted": sorted,
    "set": lambda x: sorted(set(x)),
    "dict": dict,
    "iter": lambda x: next(iter(x)),
    "next": next,
    "reversed": lambda x: list(reversed(x)),
    "unpack": _unpack,
    "star": lambda x: [*x],
    "starstar": lambda x: {**x},
    "sum": sum,
    "sum from": lambda x: sum(x, 10),
    "min": min,
    "max": max,
    "any": any,
    "all": all,
    "enumerate": lambda x: list(enumerate(x)),
    "zip": lambda x: list(zip(x, itertools.count(), strict=False)),
    "map": lambda x: list(map(str, x)),
    "chain": lambda x: list(itertools.chain(x, [1])),
    "join": lambda x: ",".join(x),
    "Counter": lambda x: collections.Counter(x),
    "in": lambda x: (0 in x, 1 in x, "a" in x),
    "countOf": lambda x: operator.countOf(x, 1),
    "indexOf": lambda x: operator.indexOf(x, 1),
    "[0]": lambda x: x[0],
    "[a]": lambda x: x["a"],
    "[-1]": lambda x: x[-1],
    "[1:]": lambda x: x[1:],
    "[::-1]": lambda x: x[::-1],
    "[] =": _assign,
    "del []": _delete,
    "bytes": bytes,
    "bytearray": bytearray,
    "memoryview": lambda x: bytes(memoryview(x)),
    "from_bytes": lambda x: int.from_bytes(x, "big"),
    "%b": lambda x: b"%b" % x,
    "bytes.join": lambda x: b"".join([x, b"!"]),
    "int": int,
    "float": float,
    "complex": complex,
    "index": operator.index,
    "hex": hex,
    "chr": chr,
    "range": lambda x: list(itertools.islice(range(x), 3)),
    "item": lambda x: [5, 6, 7, 8][x],
    "times": lambda x: [5] * x,
    "%d": lambda x: "%d" % x,  # noqa: UP031
    "%x": lambda x: "%x" % x,  # noqa: UP031
    "%f": lambda x: f"{x:f}",
    "%s": lambda x: "%s" % (x,),  # noqa: UP031
    "%r": lambda x: f"{x!r}",
    "%c": lambda x: "%c" % x,  # noqa: UP031
    "format": format,
    "format wide": lambda x: format(x, ">50"),
    "format d": lambda x: format(x, "d"),
    "str": str,
    "repr": repr,
    "floor": math.floor,
    "ceil": math.ceil,
    "trunc": math.trunc,
    "round": round,
    "round 1": lambda x: round(x, 1),
    "round None": lambda x: round(x, None),
    "abs": abs,
    "neg": operator.neg,
    "pos": operator.pos,
    "invert": operator.invert,
    "sqrt": math.sqrt,
    "isqrt": math.isqrt,
    "gcd": lambda x: math.gcd(x, 12),
    "comb": lambda x: math.comb(5, x),
    "cmath": cmath.sqrt,
    "hypot": lambda x: math.hypot(x, 1),
    "isfinite": math.isfinite,
    "fsum": math.fsum,
    "prod": math.prod,
    "pack d": lambda x: struct.pack("d", x),
    "pack q": lambda x: struct.pack("q", x),
    "divmod": lambda x: divmod(x, 3),
    "rdivmod": lambda x: divmod(100, x),
    "pow 2": lambda x: pow(x, 2),
    "pow of 2": lambda x: pow(2, x),
    "pow 3": lambda x: pow(x, 2, 5),
    "hash": lambda x: hash(x) and "a hash",
    "in a dict": lambda x: {x: 1}[x],
    "copy": copy.copy,
    "fspath": os.fspath,
    "with": _with,
    "await": _run(_awaiting),
    "async for": _run(_looping),
    "async with": _run(_entering),
    "call": lambda x: x(),
    "callable": callable,
    "concat": lambda x: operator.concat(x, _like(x)),
    "iconcat": lambda x: operator.iconcat(x, _like(x)),
    "mean": statistics.mean,
    "Fraction": fractions.Fraction,
    "Decimal": decimal.Decimal,
    "choice": lambda x: random.Random(1).choice(x),
    "bisect": lambda x: bisect.bisect(x, 1),
    "nsmallest": lambda x: heapq.nsmallest(2, x),
    "isinstance Sized": lambda x: isinstance(x, collections.abc.Sized),
    "isinstance Number": lambda x: isinstance(x, numbers.Number),
    "issubclass": lambda x: issubclass(x, int),
    "subclass of it": lambda x: issubclass(bool, x),
    "instance of it": lambda x: isinstance(True, x),
    **{name: _binary(name, lambda x: (x, _like(x))) for name in _BINARY + _COMPARED},
    **{f"{name} itself": _binary(name, lambda x: (x, x)) for name in _BINARY + _COMPARED},
    **{f"r{name}": _binary(name, lambda x: (_like(x), x)) for name in _BINARY},
    **{f"{name} right": _binary(name, lambda x: (x, _Right())) for name in _BINARY},
    **{f"i{name}": _twice(f"i{name.rstrip('_')}") for name in _BINARY},
}


#: What would take all memory with a big number.
HUGE = frozenset({"pow of 2", "rpow", "rlshift", "pow itself", "lshift itself", "times", "rmul"})


class Packet:
    def __bytes__(self) -> bytes:
        return b"payload"

    def __index__(self) -> int:
        return 3


class Rounded:
    """One that is not near its float."""

    def __float__(self) -> float:
        return 1.5

    def __floor__(self) -> int:
        return 10

    def __ceil__(self) -> int:
        return 20

    def __trunc__(self) -> int:
        return 30

    def __round__(self, digits: Any = None) -> int:
        return 40

    def __complex__(self) -> complex:
        return 5j

    def __int__(self) -> int:
        return 60

    def __index__(self) -> int:
        return 2


class Ring:
    """A sequence of its own kind."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, key: int) -> int:
        return [1, 2, 3][key]

    def __iter__(self) -> Iterator[int]:
        return iter([7, 8])

    def __reversed__(self) -> Iterator[int]:
        return iter([9])

    def __contains__(self, item: object) -> bool:
        return item == "a"

    def __bool__(self) -> bool:
        return False

    def __bytes__(self) -> bytes:
        return b"ring"

    def __format__(self, spec: str) -> str:
        return f"ring {spec}"

    def __matmul__(self, other: object) -> str:
        return "matmul"

    def __imatmul__(self, other: object) -> Ring:
        return self

    def __imul__(self, other: object) -> Ring:
        return self

    def __mul__(self, other: object) -> str:
        return "mul"


class Refusing:
    """What is None is refused, though there is another way."""

    __iter__ = None
    __reversed__ = None
    __contains__ = None
    __bytes__ = None
    __radd__ = None
    __iadd__ = None
    __hash__ = None  # type: ignore[assignment]

    def __len__(self) -> int:
        return 2

    def __getitem__(self, key: int) -> int:
        return [1, 2][key]

    def __add__(self, other: object) -> str:
        return "add"


class OwnMapping(collections.abc.Mapping[int, str]):
    def __getitem__(self, key: int) -> str:
        return {0: "a", 1: "b"}[key]

    def __len__(self) -> int:
        return 2

    def __iter__(self) -> Iterator[int]:
        return iter((0, 1))


class OwnSequence(collections.abc.Sequence[int]):
    def __getitem__(self, key: Any) -> Any:
        return [1, 2, 3][key]

    def __len__(self) -> int:
        return 3


class Color(enum.IntEnum):
    RED = 3


class Mode(enum.Flag):
    READ = 1
    WRITE = 2


class Bits(enum.IntFlag):
    ONE = 1
    TWO = 2


class Word(enum.StrEnum):
    A = "a"


class Whole(int):
    pass


class Real(float):
    pass


class Text(str):
    pass


class Raw(bytes):
    pass


class Items(list[Any]):
    pass


class Table(dict[Any, Any]):
    pass


Point = collections.namedtuple("Point", "x y")

OBJECTS: dict[str, Callable[[], Any]] = {
    "list": lambda: [0, 1, 2],
    "dict": lambda: {0: "p", 1: "q", "a": 2},
    "set": lambda: {1, 2},
    "frozenset": lambda: frozenset({1, len}),
    "deque": lambda: collections.deque([0, 1, 2]),
    "bounded deque": lambda: collections.deque([0, 1, 2], 3),
    "OrderedDict": lambda: collections.OrderedDict([(1, "p"), (0, "q")]),
    "Counter": lambda: collections.Counter("aab"),
    "defaultdict": lambda: collections.defaultdict(list, a=1, b=2),
    "ChainMap": lambda: collections.ChainMap({0: 1}, {"a": 2}),
    "UserDict": lambda: collections.UserDict({0: 1}),
    "UserList": lambda: collections.UserList([0, 1, 2]),
    "UserString": lambda: collections.UserString("012"),
    "mappingproxy": lambda: types.MappingProxyType({0: 1}),
    "keys": lambda: {0: 1, 1: 2}.keys(),
    "values": lambda: {0: 1, 1: 2}.values(),
    "items": lambda: {0: 1, 1: 2}.items(),
    "OrderedDict keys": lambda: collections.OrderedDict([(1, "p"), (0, "q")]).keys(),
    "range": lambda: range(3),
    "bytearray": lambda: bytearray(b"012"),
    "memoryview": lambda: memoryview(bytearray(b"012")),
    "memoryview H": lambda: memoryview(array.array("H", [1, 2])),
    "array B": lambda: array.array("B", [0, 1]),
    "array H": lambda: array.array("H", [1, 2]),
    "array d": lambda: array.array("d", [1.5, 2]),
    "BytesIO": lambda: io.BytesIO(b"one\ntwo"),
    "StringIO": lambda: io.StringIO("one\ntwo"),
    "iterator": lambda: iter([1, 2]),
    "generator": lambda: (x for x in (1, 2)),
    "enumerate": lambda: enumerate([1]),
    "Decimal": lambda: decimal.Decimal("12345678901234567890.5"),
    "small Decimal": lambda: decimal.Decimal("2.50"),
    "Fraction": lambda: fractions.Fraction(BIG, 7),
    "small Fraction": lambda: fractions.Fraction(7, 2),
    "IntEnum": lambda: Color.RED,
    "Flag": lambda: Mode.READ,
    "IntFlag": lambda: Bits.ONE,
    "StrEnum": lambda: Word.A,
    "int": lambda: Whole(3),
    "big int": lambda: Whole(BIG),
    "float": lambda: Real(2.5),
    "str": lambda: Text("012"),
    "bytes": lambda: Raw(b"012"),
    "a list's": lambda: Items([0, 1]),
    "a dict's": lambda: Table({0: 1, 1: 2}),
    "namedtuple": lambda: Point(0, 1),
    "struct_time": lambda: time.gmtime(0),
    "datetime": lambda: datetime.datetime(2020, 1, 2),
    "date": lambda: datetime.date(2020, 1, 2),
    "timedelta": lambda: datetime.timedelta(1, 2),
    "UUID": lambda: uuid.UUID(int=5),
    "Path": lambda: pathlib.PurePosixPath("a/b"),
    "IPv4Address": lambda: ipaddress.IPv4Address("127.0.0.1"),
    "IPv4Network": lambda: ipaddress.IPv4Network("127.0.0.0/30"),
    "Match": lambda: re.match("(.)", "a"),
    "SimpleNamespace": lambda: types.SimpleNamespace(a=1),
    "Packet": Packet,
    "Rounded": Rounded,
    "Ring": Ring,
    "Refusing": Refusing,
    "OwnMapping": OwnMapping,
    "OwnSequence": OwnSequence,
    "function": lambda: len,
    "object": object,
}
