"""
Arrays and other values that travel as pickles, between RPyC and txremote in both roles.

With ``allow_pickle`` at both ends a remote array is an array, as with RPyC. Without, or
with one of the two, numpy is refused with a sentence: it makes no array of references,
and no wrong mean of one.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import fractions
import pathlib
import uuid
import warnings
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import numpy
import pytest
import rpyc as stock

import txremote.blocking as own
from tests.blocking.script_threads import linked, scripted
from tests.interop.pairs import OWNERS, PAIRS, Pairs
from tests.peer.pairs import Outcome
from txremote import Service, exposed
from txremote.refs.netref import BaseNetref
from txremote.testing import connected_pair

ARRAYS: dict[str, Callable[[], Any]] = {
    "floats": lambda: numpy.array([3.5, 1.0, 2.0, 4.0]),
    "a matrix": lambda: numpy.array([[2.0, 1.0], [1.0, 3.0]]),
    "ints": lambda: numpy.arange(4),
    "flags": lambda: numpy.array([True, False, True]),
    "a scalar": lambda: numpy.float64(1.5),
}

# They write, or read files, or tell of memory; or they are ways to make an array of
# anything, a text say.
_NOT_TRIED = frozenset(
    """
    save savez savez_compressed savetxt load loadtxt fromfile genfromtxt fromregex memmap
    empty empty_like info seterr seterrcall setbufsize set_printoptions show_config
    show_runtime shares_memory may_share_memory iterable bytes_ array_str array_repr
    array2string printoptions errstate get_include test vectorize frompyfunc nditer
    flatiter void object_ iscomplexobj isscalar
    Tester bytes0 string_ str0 who disp lookfor source deprecate deprecate_with_doc safe_eval
    add_newdoc add_docstring byte_bounds issubclass_ set_string_function recfromcsv recfromtxt
    """.split()
)

# numpy 2.5: def array_equal(...): try: ... asarray(a1) ... except Exception: return False
_SWALLOW = frozenset({"array_equal", "array_equiv"})


def _functions() -> Iterator[tuple[str, Callable[[Any], Any]]]:
    """Give every function of numpy's that takes an array, or two."""
    for where in (numpy, numpy.linalg, numpy.fft):
        for name in sorted(vars(where)):
            function = getattr(where, name)
            if name.startswith("_") or name in _NOT_TRIED or not callable(function):
                continue
            label = f"{where.__name__}.{name}"
            if isinstance(function, numpy.ufunc) and function.nin == 2:
                yield label, lambda x, function=function: function(x, numpy.asarray(x))
            elif name in _SWALLOW:
                yield label, lambda x, function=function: function(x, numpy.array([3.5, 1, 2, 4]))
            else:
                yield label, function


def _told(result: Any) -> Any:
    """Return a result of numpy's as a value that is compared."""
    if isinstance(result, (list, tuple)) and type(result) is not numpy.ndarray:
        return tuple(map(_told, result))
    if type(result) is numpy.ndarray:
        return ("array", result.dtype.str, result.shape, str(result.tolist()), str(result))
    if callable(result) or "object at" in str(result):
        return "something else"
    return str(result)  # a scalar, perhaps by reference


def _tried(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def call(array: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _told(function(array))

    return call


FUNCTIONS = {name: _tried(function) for name, function in _functions()}


def _known() -> Iterator[tuple[str, str, Any]]:
    """Give each function with the first array that it takes, and what it is to give."""
    for name, function in FUNCTIONS.items():
        for what, make in ARRAYS.items():
            try:
                wanted = function(make())
            except Exception:
                continue
            if "something else" not in str(wanted):
                yield name, what, wanted
                break


KNOWN = list(_known())

#: What RPyC's own test of the same thing has on; the names of an array are not exposed.
BOTH = {"allow_pickle": True}


def _is_right(seen: Any, wanted: Any) -> bool:
    """Tell whether a result is what it is to be, itself or a reference to such an array."""
    return seen == wanted or (wanted[:1] == ("array",) and seen == wanted[-1])


def _is_refusal(seen: Any) -> bool:
    return type(seen) is str and seen.startswith("raises ")


def _seen(pairs: Pairs, owner: str) -> Iterator[tuple[str, str, Any, Any]]:
    for server, client in PAIRS[1:]:
        for name, what, wanted in KNOWN:
            yield (
                f"{name} of the {owner}'s {what}, {server} server, {client} client",
                name,
                pairs.see(what, name, server, client, owner),
                wanted,
            )


@scripted
def test_with_the_switch_at_both_ends_numpy_is_right() -> None:
    """Or it refuses, where a type or an attribute is asked for that is not exposed."""
    counts: Counter[str] = Counter()
    wrong = []
    with Pairs(ARRAYS, FUNCTIONS, BOTH) as pairs:
        for owner in OWNERS:
            for way, _name, seen, wanted in _seen(pairs, owner):
                counts["refused" if _is_refusal(seen) else "right"] += 1
                if not _is_right(seen, wanted) and not _is_refusal(seen):
                    wrong.append((way, seen, wanted))
    assert not wrong
    assert counts["right"] > 1000
    assert counts["refused"] < counts["right"] / 5


@scripted
def test_without_the_switch_numpy_is_never_wrong() -> None:
    counts: Counter[str] = Counter()
    wrong = []
    with Pairs(ARRAYS, FUNCTIONS, {}) as pairs:
        for way, name, seen, wanted in _seen(pairs, "server"):
            counts["refused" if _is_refusal(seen) else "right"] += 1
            swallowed = name.rpartition(".")[2] in _SWALLOW
            if not _is_right(seen, wanted) and not _is_refusal(seen) and not swallowed:
                wrong.append((way, seen, wanted))
    assert not wrong
    assert counts["refused"] > 600


class Arrays(own.Service):
    def exposed_get(self) -> Any:
        return numpy.arange(4)

    def exposed_mean_of(self, array: Any) -> float:
        return float(numpy.mean(numpy.array(array)))


@pytest.mark.parametrize("mine", [True, False])
@pytest.mark.parametrize("theirs", [True, False])
@pytest.mark.parametrize("public", [True, False])
@scripted
def test_an_array_comes_where_both_ends_allow_it(mine: bool, theirs: bool, public: bool) -> None:
    """The owner's switch lets it pickle; whether to unpickle is each side's own affair."""
    config = {"allow_pickle": mine, "allow_public_attrs": public}
    remote = {"allow_pickle": theirs, "allow_public_attrs": public}
    with linked(Arrays, config=config, remote_config=remote) as conn:
        if mine and theirs:
            array = numpy.array(conn.root.get())
            assert array.dtype == numpy.arange(4).dtype
            assert numpy.mean(array) == 1.5
            assert numpy.array(conn.root.get(), dtype="float32").dtype == numpy.float32
        else:
            words = "pickling is disabled" if mine else "unpickles data of the peer"
            with pytest.raises((TypeError, ValueError), match=words):
                numpy.array(conn.root.get())
        if mine and theirs:
            assert conn.root.mean_of(numpy.arange(4)) == 1.5
        else:
            words = "pickling is disabled" if theirs else "unpickles data of the peer"
            with pytest.raises((TypeError, ValueError), match=words):
                conn.root.mean_of(numpy.arange(4))


def test_numpy_makes_no_array_of_a_reference_in_a_reactor() -> None:
    class Owner(Service):
        @exposed
        def get(self) -> Any:
            return numpy.arange(4)

    pair = connected_pair(server_root=Owner)
    outcome = Outcome(pair.client.root.get())
    pair.pump()
    for thing in (outcome.value, pair.client.root, pair.client.root.get):
        with pytest.raises(TypeError, match="numpy cannot wait for an answer"):
            numpy.array(thing)


class Colour(enum.Enum):
    RED = 1
    BLUE = "blue"


@dataclasses.dataclass
class Item:
    name: str
    price: decimal.Decimal
    tags: list[str]


VALUES: dict[str, Callable[[], Any]] = {
    **ARRAYS,
    "a date": lambda: datetime.date(2026, 11, 29),
    "a time": lambda: datetime.datetime(2026, 11, 29, 6, 47, tzinfo=datetime.UTC),
    "a span": lambda: datetime.timedelta(hours=5),
    "an enum": lambda: Colour.BLUE,
    "a dataclass": lambda: Item("a", decimal.Decimal("1.50"), ["x"]),
    "a fraction": lambda: fractions.Fraction(1, 3),
    "a path": lambda: pathlib.PurePosixPath("/a/b"),
    "a uuid": lambda: uuid.UUID(int=5),
    "a counter": lambda: Counter("aab"),
    "an ordered dict": lambda: OrderedDict(b=1, a=2),
    "nested": lambda: {"items": [Item("a", decimal.Decimal(1), []), {1, 2}], "n": (1, [2])},
    "a list of arrays": lambda: [numpy.arange(2), numpy.ones(2)],
    "a set": lambda: {1, 2},
    "a structured array": lambda: numpy.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
    "a complex number": lambda: numpy.complex64(1 + 2j),
}


def _obtained(proxy: Any) -> Any:
    classic = own.classic if issubclass(type(proxy), BaseNetref) else stock.classic
    copy = classic.obtain(proxy)
    return f"{type(copy).__module__}.{type(copy).__qualname__}: {copy!r}"


@scripted
def test_obtain_takes_a_pickle_where_both_ends_allow_it() -> None:
    """The same copy as RPyC's, of whatever can be pickled."""
    with Pairs(VALUES, {"obtain": _obtained}, BOTH) as pairs:
        for what, make in VALUES.items():
            wanted = _obtained(make())
            for way, seen, by_rpyc in pairs.ways(what, "obtain"):
                assert by_rpyc == wanted, what
                assert seen == wanted, way


@scripted
def test_obtain_copies_containers_where_the_owner_sends_no_pickle() -> None:
    """And says which switch the owner lacks, of what is no container."""
    with linked(Giving, config=BOTH) as conn:
        assert own.classic.obtain(conn.root.give("a list")) == [1, [2, {"a": (3,)}]]
        with pytest.raises(ValueError, match="has the object must be given allow_pickle=True"):
            own.classic.obtain(conn.root.give("an item"))
        with pytest.raises(ValueError, match="has the object must be given allow_pickle=True"):
            own.classic.obtain(conn.root.give("a list"), unpickle=True)


@scripted
def test_obtain_unpickles_nothing_unasked() -> None:
    with linked(Giving, remote_config=BOTH) as conn:
        with pytest.raises(TypeError, match="unpickling what the peer sends"):
            own.classic.obtain(conn.root.give("an item"))
        assert own.classic.obtain(conn.root.give("a list")) == [1, [2, {"a": (3,)}]]


class Giving(own.Service):
    def exposed_give(self, what: str) -> Any:
        item = Item("a", decimal.Decimal(1), [])
        return {"a list": [1, [2, {"a": (3,)}]], "an item": item}[what]
