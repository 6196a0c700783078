"""
What one call of a peer may cost: builtin types make, take in, compare and show no more.
"""

from __future__ import annotations

import array
import collections
import copy
import datetime
import enum
import itertools
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from functools import partial
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import pytest

from tests.peer.pairs import RawPeer, RemoteError, answer_of, request_payload
from tests.processes import ROOT
from txremote import Service
from txremote.gate import costs, item_costs
from txremote.gate.costs import (
    COSTLY,
    MOST_PARTS,
    check_compared,
    check_format,
    check_shown,
    measured,
)
from txremote.gate.item_costs import MOST_MADE
from txremote.gate.weight import weight
from txremote.wire.consts import (
    HANDLE_CALLATTR,
    HANDLE_CMP,
    HANDLE_GETROOT,
    HANDLE_REPR,
    HANDLE_STR,
)


def ask(obj: Any, name: Any, *args: Any) -> Any:
    plain = name.decode() if type(name) is bytes else name
    return measured(obj, name, getattr(obj, plain))(*args)


def lists(levels: int) -> list[Any]:
    """Lists that hold each other twice."""
    held: list[Any] = []
    for _ in range(levels):
        held = [held, held]
    return held


@pytest.mark.parametrize("name", ["__mul__", b"__mul__", "__rmul__", b"__imul__"])
def test_a_repetition_is_bounded_by_what_it_makes(name: Any) -> None:
    """Not by its number alone, and under either spelling of the name."""
    assert name in COSTLY
    items = [0] * 1000
    assert len(ask(items, name, 5)) == 5000
    items = [0] * 1000
    with pytest.raises(ValueError, match=f"more than {MOST_MADE} items"):
        ask(items, name, 1001)
    assert len(ask(bytearray(10), name, 100_000)) == MOST_MADE


@pytest.mark.parametrize("name", ["ljust", b"rjust", "center", "zfill"])
def test_a_padding_is_bounded(name: Any) -> None:
    """Whatever is padded."""
    assert len(ask(bytearray(b"x"), name, 10)) == 10
    with pytest.raises(ValueError, match="more than"):
        ask(bytearray(b"x"), name, MOST_MADE + 1)


@pytest.mark.parametrize("name", ["count", b"index", "__contains__"])
def test_a_range_is_searched_for_ints_only(name: Any) -> None:
    """For anything else Python would try each number of it."""
    endless = range(1 << 62)
    assert ask(endless, name, 5) in (1, 5, True)
    with pytest.raises(TypeError, match="asked for ints"):
        ask(endless, name, 5.5)
    assert ask([5], name, 5) in (1, 0, True)


def test_other_objects_are_left_alone() -> None:
    """A class of the program's own may mean anything by ``*``."""

    class Vector:
        def __mul__(self, number: Any) -> Any:
            return number

    assert ask(Vector(), "__mul__", 1 << 40) == 1 << 40


class Level(enum.IntEnum):
    HIGH = 7


class Name(str):
    pass


Point = collections.namedtuple("Point", "x y")


@pytest.mark.parametrize(
    ("obj", "name", "args"),
    [
        (Level.HIGH, "__pow__", (10**9,)),
        (Level.HIGH, "__rpow__", (1 << 50_000,)),
        (Level.HIGH, "__lshift__", (10**12,)),
        (Level.HIGH, b"to_bytes", (10**10, "big")),
        (Name("x"), "__mul__", (10**9,)),
        (Name("x"), "zfill", (10**9,)),
        (Point(1, 2), "__mul__", (10**9,)),
        (bytearray(b"\t" * 1000), "expandtabs", (10**6,)),
        (bytearray(1000), "replace", (b"\0", b"x" * 10_000)),
        (bytearray(1000), "join", ([b""] * 10_000,)),
        (bytearray(), "join", ([b"x" * 10_000] * 1000,)),
    ],
)
def test_what_is_made_of_little_is_bounded(obj: Any, name: Any, args: tuple[Any, ...]) -> None:
    """Of what has the operators of an int, a str or a tuple, too."""
    assert name in COSTLY
    with pytest.raises(ValueError, match="more than"):
        ask(obj, name, *args)


def test_ordinary_operators_do_what_they_do() -> None:
    """The bounds are far away."""
    assert ask(Level.HIGH, "__pow__", 2) == 49
    assert ask(Level.HIGH, "__pow__", 10**9, 10) == pow(7, 10**9, 10)
    assert ask(Level.HIGH, "__rlshift__", 1) == 128
    assert ask(Level.HIGH, "__mul__", 10**12) == 7 * 10**12
    assert ask(Name("ab"), "__mul__", 2) == "abab"
    assert ask(bytearray(b"a\tb"), "expandtabs") == b"a       b"
    assert ask(bytearray(b"aa"), "replace", b"a", b"bc") == b"bcbc"
    assert ask(bytearray(b","), "join", [b"a", b"b"]) == b"a,b"
    assert ask({}, "fromkeys", "ab", 1) == {"a": 1, "b": 1}
    held: dict[str, Any] = {}
    ask(held, "__setitem__", "endless", itertools.count())
    assert next(held["endless"]) == 0
    ask(held, "update", (("a", 1), ["b", 2]))
    assert (held["a"], held["b"]) == (1, 2)
    assert ask({1}, "__or__", {2}) == {1, 2}


@pytest.mark.usefixtures("no_time_passes")
@pytest.mark.parametrize(
    ("obj", "name", "args"),
    [
        ([], "extend", (itertools.count(),)),
        ([], b"__iadd__", (range(10**9),)),
        ([], "__setitem__", (slice(0, 0), itertools.repeat(0))),
        (set(), "update", (itertools.count(),)),
        ({}, "fromkeys", (itertools.count(),)),
        (collections.Counter(), "update", (collections.Counter(a=10**18).elements(),)),
        (collections.deque(), "extendleft", (itertools.cycle("ab"),)),
    ],
)
def test_nothing_endless_is_taken_in(obj: Any, name: Any, args: tuple[Any, ...]) -> None:
    """An iterator that has been handed out may be without end."""
    with pytest.raises(ValueError, match=f"more than {MOST_MADE} items"):
        ask(obj, name, *args)


class Items:
    """A sequence as Python had them first."""

    def __init__(self, most: float = float("inf")) -> None:
        self.most = most

    def __getitem__(self, number: int) -> Any:
        if number >= self.most:
            raise IndexError
        return (number, number)


class Sized(Items):
    """Says that it is short."""

    def __len__(self) -> int:
        return 2


class Iterated(Sized):
    """Says so, and is iterated by a method of its own."""

    def __iter__(self) -> Any:
        return iter(range(self.most)) if self.most < 9 else itertools.count()  # type: ignore[arg-type]


class Keyed(Items):
    """A mapping by its keys."""

    def keys(self) -> Any:
        return iter(range(self.most)) if self.most < 9 else itertools.count()  # type: ignore[arg-type]


class Listed(list[Any]):
    """A list that gives more than it has."""

    def __iter__(self) -> Any:
        return itertools.count()


class Worded(str):
    """A text that does."""

    def __iter__(self) -> Any:
        return itertools.repeat("a")


class Mapped(dict[Any, Any]):
    """A dict that does."""

    def __iter__(self) -> Any:
        return itertools.count()

    def keys(self) -> Any:
        return itertools.count()

    def __missing__(self, key: Any) -> Any:
        return key


class Point(NamedTuple):
    """A tuple of a class of its own."""

    x: int
    y: int


class Plain(dict[Any, Any]):
    """A dict whose values are looked up otherwise, which `dict.update` does not ask."""

    def __getitem__(self, key: Any) -> Any:
        return "looked up"


FINITE: list[Any] = [
    *(partial(kind, 3) for kind in (Items, Sized, Iterated, Keyed)),
    *(lambda: [1, 2], lambda: "ab", lambda: {1: 2}, lambda: range(3), lambda: b"ab", set),
    *(lambda: array.array("i", [1, 2]), lambda: memoryview(b"ab"), lambda: iter([(1, 2)])),
    *(object, lambda: 5, lambda: None, lambda: Point(1, 2), lambda: Plain({1: 2})),
]
ENDLESS = [
    Items,
    Sized,
    Iterated,
    Keyed,
    lambda: Listed([1]),
    lambda: Worded("a"),
    lambda: Mapped({1: 2}),
    itertools.count,
    lambda: zip(itertools.count(), itertools.count(), strict=False),
]
TAKERS = [
    *(([], name) for name in ("extend", "__iadd__", "__setitem__")),
    *((set(), name) for name in ("update", "union", "intersection", "difference_update")),
    *((set(), name) for name in ("issubset", "symmetric_difference", "issuperset")),
    *(({}, name) for name in ("update", "__ior__", "fromkeys")),
    *((collections.deque(), name) for name in ("extend", "extendleft", "__iadd__")),
    *((bytearray(), name) for name in ("extend", "__setitem__")),
    *((collections.Counter(), name) for name in ("update", "subtract")),
    *((collections.OrderedDict(), name) for name in ("update", "fromkeys")),
    *((collections.UserList(), name) for name in ("extend", "__add__", "__iadd__")),
    *((collections.UserDict(), name) for name in ("update",)),
    (array.array("q"), "extend"),
    ({}.keys(), "__or__"),
]


def fresh(made: Any) -> Any:
    """Another one, of what can be copied."""
    return made if type(made) is type({}.keys()) else copy.copy(made)


def outcome(call: Any, obj: Any) -> Any:
    """What a call gives and leaves, or what it raises."""
    try:
        given = call()
    except Exception as problem:
        return type(problem)
    return given if given is not obj else None, obj


@pytest.mark.parametrize("number", range(len(TAKERS)), ids=lambda n: f"{TAKERS[n][1]}-{n}")
def test_whatever_is_endless_ends_and_what_is_not_is_taken_in(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Objects of a program's own, by whichever way they are iterated: as without bounds."""
    monkeypatch.setattr(item_costs, "MOST_MADE", 5_000)
    made, name = TAKERS[number]
    first = (slice(0, 0),) if name == "__setitem__" else ()
    for make in ENDLESS:
        with pytest.raises((ValueError, TypeError, AttributeError)):
            ask(fresh(made), name, *first, make())
    for make in FINITE:
        bounded, plain = fresh(made), fresh(made)
        found = outcome(partial(ask, bounded, name, *first, make()), bounded)
        assert found == outcome(partial(getattr(plain, name), *first, make()), plain), make()


def test_named_arguments_are_values() -> None:
    """And one for all keys is none of the items."""
    endless = itertools.count()
    held: dict[str, Any] = {}
    measured(held, "update", held.update)(iter([("b", 1)]), a=endless)
    assert held == {"a": endless, "b": 1}
    assert ask({}, "fromkeys", "a", endless) == {"a": endless}


MADE = [bytearray, bytes, list, tuple, set, frozenset, dict, collections.deque]


@pytest.mark.parametrize("kind", [*MADE, collections.OrderedDict, collections.UserList])
def test_a_class_that_is_handed_out_makes_no_more_than_it_may(
    kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hands(Service):
        exposed_kind = kind

    peer = RawPeer(Hands())
    root = peer.root()
    monkeypatch.setattr(item_costs, "MOST_MADE", 5_000)
    for make in ENDLESS:
        with pytest.raises((ValueError, TypeError)):
            costs.maker(kind)(make())
    assert costs.maker(kind)() == kind()
    assert costs.maker(kind)([]) == kind([])
    if kind in (bytearray, bytes):
        answer = peer.ask(HANDLE_CALLATTR, root, "kind", (10**12,), ())
        assert answer == RemoteError("ValueError", "more than 5000 items by one call")


def test_lists_that_hold_each_other_twice_are_weighed() -> None:
    """Forty levels of them are shown and compared in 2**40 steps."""
    assert weight(lists(3), 100) == 15 * 5
    many = lists(40)
    for check in (check_shown, lambda it: check_compared([], it), lambda it: ask([it], "sort")):
        with pytest.raises(ValueError, match="parts"):
            check(many)
    for name in ("__eq__", "__lt__", "index", "remove", "__contains__"):
        with pytest.raises(ValueError, match="parts"):
            ask([1], name, many)


def test_what_a_dict_shows_of_such_lists_is_weighed() -> None:
    """Its views, and a Counter that sorts by them."""
    counter: Any = collections.Counter(a=1)
    counter["a"] = counter["b"] = lists(40)
    for view in (counter.values(), counter.items()):
        with pytest.raises(ValueError, match="parts"):
            check_shown(view)
        with pytest.raises(ValueError, match="parts"):
            check_compared(view, view)
    for name, args in (("most_common", ()), ("__or__", (counter,)), ("__add__", (counter,))):
        with pytest.raises(ValueError, match="parts"):
            ask(counter, name, *args)
    check_shown({"a": 1}.keys())


def test_what_holds_itself_has_a_weight() -> None:
    """Python shows it with dots."""
    own: list[Any] = [1]
    own.append(own)
    assert weight(own, 100) == 7
    check_shown(own)
    check_shown({"a": (1, own), "b": {2}})


def test_long_texts_held_many_times_are_weighed() -> None:
    """A list of a million times the same MiB is a TiB to show."""
    with pytest.raises(ValueError, match="parts"):
        check_shown(["x" * 1_000_000] * 1000)
    with pytest.raises(ValueError, match="parts"):
        ask([0] * 1_000_000, "index", tuple(range(1000)))
    check_shown(["x" * 1_000_000])
    assert MOST_PARTS > 1_000_000


@pytest.mark.parametrize("spec", ["1000001", ">10000000000d", ".99999999f"])
def test_a_format_is_not_wide(spec: str) -> None:
    """Whatever is formatted."""
    with pytest.raises(ValueError, match="width"):
        check_format(1, spec)
    check_format(1, "10.3f")


class Shop(Service):
    """Hands out what is attacked."""

    def exposed_items(self) -> list[int]:
        return [1]

    def exposed_price(self) -> Decimal:
        return Decimal(3)


class Asker(RawPeer):
    """Sends one request at a time."""

    def ask(self, handler: int, *args: Any) -> Any:
        self.send_payload(request_payload(1, handler, *args))
        [(kind, number, answer)] = self.received()
        return answer_of(kind, number, answer)

    def call(self, target: Any, name: str, *args: Any) -> Any:
        return self.ask(HANDLE_CALLATTR, target, name, args, ())


@pytest.mark.parametrize("access", ["exposed", "classic"])
def test_every_request_is_measured_but_in_classic_mode(access: str) -> None:
    """Methods by any handler, comparisons, and what shows an object."""
    peer = Asker(Shop, access=access)
    root = peer.ask(HANDLE_GETROOT)
    name = "exposed_items" if access == "classic" else "items"
    items, price = peer.call(root, name), peer.call(root, name.replace("items", "price"))
    levels = 3 if access == "classic" else 40  # there it would really be done
    for _ in range(levels):
        holder = peer.call(items, "copy")
        peer.call(holder, "clear")
        for _ in range(2):
            peer.call(holder, "append", items)
        items = holder
    answers = [
        peer.ask(HANDLE_REPR, items),
        peer.ask(HANDLE_STR, items),
        peer.ask(HANDLE_CMP, items, items, "__eq__"),
        peer.call(items, "__eq__", items),
        peer.call(items, "__repr__"),
        peer.call(price, "__format__", "1000001f"),
    ]
    refused = [isinstance(answer, RemoteError) for answer in answers]
    assert refused == [access == "exposed"] * len(answers), answers


def test_text_that_is_cut_or_searched_from_the_right_is_bounded() -> None:
    """Both take a time that both lengths make together, or make a part of each byte."""
    long = bytearray(1_100_000)
    for name, args in (
        ("rfind", (b"\1" + bytes(500_000),)),
        ("rindex", (bytes(500_000),)),
        ("strip", (bytes(500_000),)),
        ("split", (b"\0",)),
        ("splitlines", ()),
    ):
        with pytest.raises(ValueError, match="more than"):
            ask(long, name, *args)
    assert ask(bytearray(b"a,b,c"), "split", b",") == [b"a", b"b", b"c"]
    assert ask(long, "rfind", b"\1") == -1
    assert len(ask(long, "split", b"\1")) == 1
    assert len(ask(long, "split", b"\0", 2)) == 3


def test_bytes_are_decoded_by_codecs_whose_time_is_known() -> None:
    """Punycode takes the square of the length."""
    with pytest.raises(ValueError, match="decoded as punycode"):
        ask(bytearray(b"a" * 2_000), "decode", "punycode")
    assert ask(bytearray(b"a" * 2_000), "decode", "UTF-8") == "a" * 2_000
    assert ask(bytearray(b"a" * 2_000), "decode", "latin-1") == "a" * 2_000
    assert ask(bytearray(b"abc-"), "decode", "punycode") == "abc"
    with pytest.raises(ValueError, match="no codec"):
        ask(bytearray(b"a" * 2_000), "decode", "no such codec")
    with pytest.raises(LookupError):
        ask(bytearray(b"a"), "decode", "no such codec")


@pytest.mark.usefixtures("no_time_passes")
def test_named_arguments_are_looked_at_as_well() -> None:
    """Methods that are written in Python take any of theirs by name."""
    text, third = bytearray(b"\t" * 2_000), Fraction(1, 3)
    for obj, name, args, kwargs in (
        (third, "__pow__", (), {"b": 20_000_000}),
        (Level.HIGH, "to_bytes", (), {"length": 10**9, "byteorder": "big"}),
        (text, "expandtabs", (), {"tabsize": 10**6}),
        (text, "decode", (), {"encoding": "punycode"}),
        (text, "decode", (), {"errors": "strict", "encoding": "punycode"}),
        (bytearray(1_100_000), "split", (), {"sep": b"\0"}),
    ):
        with pytest.raises(ValueError, match="more than"):
            measured(obj, name, getattr(obj, name))(*args, **kwargs)
    assert measured(third, "__pow__", third.__pow__)(b=2) == Fraction(1, 9)
    assert measured(text, "decode", text.decode)(errors="strict") == "\t" * 2_000
    long = bytearray(1_100_000)
    assert len(measured(long, "split", long.split)(b"\0", maxsplit=2)) == 3
    counted = collections.Counter("a")
    measured(counted, "update", counted.update)("ab", c=2)
    assert counted == {"a": 2, "b": 1, "c": 2}
    with pytest.raises(ValueError, match="items"):
        ask(bytearray(), "join", (b"" for _ in itertools.count()))
    assert ask(bytearray(b","), "join", iter([b"a", b"b"])) == b"a,b"


@pytest.mark.parametrize(
    ("obj", "name", "args"),
    [
        (Fraction(1, 3), "__pow__", (20_000_000,)),
        (Fraction(20_000_000), "__rpow__", (2,)),
        (Fraction(1, 3), "__mul__", (Fraction(1 << 100_000, 3),)),
        (Fraction(1, 3), "__round__", (10**9,)),
        (Level.HIGH, "__round__", (-(10**9),)),
        (Level.HIGH, "__pow__", (10**4299, 10**4298)),
        (Decimal("1e999999"), "__int__", ()),
        (Decimal(2), "__rpow__", (10**4299,)),
        (array.array("b", b"x"), "__mul__", (400_000_000,)),
        (collections.UserList([1]), "__imul__", (10**9,)),
        (collections.UserString("x"), "__mul__", (10**9,)),
        (collections.UserString("x"), "__rmod__", ("%999999999s",)),
        (collections.UserList(), "__iadd__", (itertools.count(),)),
        ([], "extend", ("x" * 1_000_001,)),
        (PurePosixPath("/"), "__truediv__", ("a/" * 100_000,)),
        (datetime.date(2026, 1, 1), "strftime", ("%c" * 1000,)),
    ],
)
def test_the_librarys_types_are_bounded_too(obj: Any, name: Any, args: tuple[Any, ...]) -> None:
    assert name in COSTLY
    with pytest.raises(ValueError, match=r"more than|to more than|filled in"):
        ask(obj, name, *args)


def test_the_librarys_types_do_what_they_do() -> None:
    """The bounds are far away."""
    third = Fraction(1, 3)
    assert ask(third, "__pow__", 100) == third**100
    assert ask(third, "__add__", third) == Fraction(2, 3)
    assert ask(third, "__round__", 3) == Fraction(333, 1000)
    assert ask(Decimal("1.5"), "__pow__", Decimal("0.5")) == Decimal("1.5") ** Decimal("0.5")
    assert ask(Decimal("1e20"), "__int__") == 10**20
    assert ask(array.array("b", b"x"), "__mul__", 3) == array.array("b", b"xxx")
    assert ask(collections.UserList([1]), "__add__", [2]) == [1, 2]
    assert ask(PurePosixPath("/a"), "__truediv__", "b/c") == PurePosixPath("/a/b/c")
    assert ask(datetime.timedelta(1), "__mul__", 10**6) == datetime.timedelta(10**6)
    held = collections.UserDict[str, str]()
    ask(held, "__setitem__", "long", "x" * 1_000_000)
    assert len(held["long"]) == 1_000_000
    check_format(datetime.date(2026, 1, 1), "%c")
    for spec in ("%c" * 501, "%999999Y%999999Y"):
        with pytest.raises(ValueError, match="format"):
            check_format(datetime.date(2026, 1, 1), spec)
    with pytest.raises(ValueError, match="format"):
        check_format(Level.HIGH, "9999999")  # an enum has a copy of int's method
    check_format(Vector(), "x" * 5_000)  # a program's own may be long


class Vector:
    """Formats itself."""

    def __format__(self, spec: str) -> str:
        return spec


def test_no_operator_of_the_librarys_types_takes_long_or_much() -> None:
    """All of them, with what is large, in a process with limits (see `tests.peer.costly_calls`)."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.peer.costly_calls"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    lines = run.stdout.replace("\r", "\n").splitlines()
    assert run.returncode == 0, (lines[-1:], run.stderr[-2000:])
    assert [line for line in lines if line.endswith("MiB")] == []
    assert int(lines[-1].removeprefix("tried ")) > 10_000
