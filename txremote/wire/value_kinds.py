"""
The kinds of values beside containers and records: a code each, and a tuple as payload.

A table by class says how each is dumped, and one by code how it is loaded. A payload is a
tuple of extended values whose names stand beside the code; a loader checks each of them and
raises ValueError, TypeError or OverflowError where they are no such value. A value that is well
written but cannot be built here (numpy is not there, a zone is not known) arrives as a
`Record` of `KIND_OTHER` with the payload as its fields, which no annotation takes.

Other rooms add kinds by `plug`: by the top-level module of a class, so that nothing is
imported to find out that a value is not of it.
"""

from __future__ import annotations

import array
import builtins
import collections
import datetime
import decimal
import fractions
import ipaddress
import pathlib
import re
import sys
import uuid
import zoneinfo
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from txremote.errors import NotSendable
from txremote.wire import value_dates as dates, value_texts as texts
from txremote.wire.exceptions import without_addresses
from txremote.wire.naming import class_module, class_name, sentence
from txremote.wire.record import KIND_OTHER, Record, Shape, build_record

Payload = tuple[object, ...]
#: What a loader returns for a value that cannot be built on this side.
NOT_HERE: Final = NotImplemented


class Dumper(NamedTuple):
    """How a class's values become payloads."""

    code: int
    dump: Callable[[object], Iterable[object]]


class Loader(NamedTuple):
    """How the payloads of a code become values."""

    name: str  # of the class
    fields: tuple[str, ...]  # the names of the payload's items
    load: Callable[[Payload], object]
    #: Whether one that stands at two places arrives as one; needed if it may hold itself.
    is_shared: bool = False
    #: Whether the bytes among the payload's items are given as views of the frame.
    takes_views: bool = False
    #: What it takes beside its items, as a count of items (see ``max_items``).
    cost: int = 0


DUMPERS: Final[dict[type, Dumper]] = {}
LOADERS: Final[dict[int, Loader]] = {}

#: A subclass of one of these is refused.
VALUE_BASES: Final[tuple[type, ...]] = (
    *(int, str, bytes, float, complex, tuple, frozenset, list, dict, set),
    *(collections.deque, bytearray, array.array),
    *(datetime.date, datetime.time, datetime.timedelta, datetime.tzinfo),
    *(decimal.Decimal, fractions.Fraction, uuid.UUID, pathlib.PurePath, Record),
    *(ipaddress.IPv4Address, ipaddress.IPv6Address),
    *(ipaddress.IPv4Network, ipaddress.IPv6Network),
)


def build_other(code: int, payload: object) -> object:
    """
    Return the value of a code and a payload.

    Raises:
        ValueError, TypeError, ArithmeticError, LookupError: the payload is not that code's.
    """
    loader = LOADERS.get(code)
    if loader is None:
        raise ValueError(f"unknown code {code}")
    if type(payload) is not tuple or len(payload) != len(loader.fields):
        raise ValueError(f"{loader.name} without its {len(loader.fields)} parts")
    built = loader.load(payload)
    if built is NOT_HERE:
        fields = dict(zip(loader.fields, payload, strict=True))
        return build_record(Shape(KIND_OTHER, loader.name, loader.fields), fields)
    return built


# --- what other rooms add ---------------------------------------------------

_finders: Final[dict[str, Callable[[type], Dumper | None]]] = {}


def plug(
    modules: Iterable[str],
    find: Callable[[type], Dumper | None],
    loaders: Mapping[int, Loader],
) -> None:
    """
    Add kinds of values.

    Args:
        modules: Top-level modules of classes that ``find`` is asked about.
        find: Takes a class, returns how its values are dumped, or None. May raise
            `NotSendable` for a class whose values cannot be kept.
        loaders: By code.
    """
    for module in modules:
        _finders[module] = find
    LOADERS.update(loaders)


def plugged_dumper(kind: type) -> Dumper | None:
    """Return the dumper of a class that another room has added, or None."""
    find = _finders.get(class_module(kind).partition(".")[0])
    return find(kind) if find is not None else None


# --- what programs register ---------------------------------------------------

REGISTERED_CODE: Final = 28

_loads: Final[dict[str, Callable[[object], object]]] = {}


class NotLoaded(Exception):
    """
    The program's own function has refused a payload.

    Attributes:
        reason: The error of the call that has it.
    """

    def __init__(self, name: str, problem: Exception) -> None:
        text = without_addresses(sentence(problem))
        self.reason = ValueError(f"a {name} cannot be made of what came for it: {text}")


def set_load(name: str, load: Callable[[object], object]) -> None:
    """Build what arrives under a registered name by a function of the program."""
    _loads[name] = load


def _load_registered(payload: Payload) -> object:
    name, content = payload
    if type(name) is not str:
        raise ValueError("a registered value without its name")
    load = _loads.get(name)
    if load is None:
        return NOT_HERE
    try:
        return load(content)
    except Exception as problem:
        raise NotLoaded(name, problem) from problem


LOADERS[REGISTERED_CODE] = Loader("registered", ("name", "payload"), _load_registered, True)


# --- containers -------------------------------------------------------------


def _dump_deque(value: object) -> Payload:
    assert isinstance(value, collections.deque)
    return tuple(value), value.maxlen


def _load_deque(payload: Payload) -> object:
    items, most = payload
    if type(items) is not tuple or not (most is None or (type(most) is int and most >= 0)):
        raise ValueError("a deque without its tuple and length")
    if most is not None and len(items) > most:
        raise ValueError("a deque of more items than it holds")
    return collections.deque(items, most)


def _dump_bytearray(value: object) -> Payload:
    assert isinstance(value, bytearray)
    return (bytes(value),)


def _load_bytearray(payload: Payload) -> object:
    (content,) = payload
    if type(content) is not bytes:
        raise ValueError("a bytearray without its bytes")
    return bytearray(content)


def _dump_range(value: object) -> Payload:
    assert isinstance(value, range)
    return value.start, value.stop, value.step


def _load_range(payload: Payload) -> object:
    start, stop, step = dates.ints(payload)
    return range(start, stop, step)


# arrays of text, whose items have different sizes on different systems
_TEXT: Final = ("u", "w")


def _dump_array(value: object) -> Payload:
    assert isinstance(value, array.array)
    if value.typecode in _TEXT:
        return value.typecode, value.itemsize, "".join(value)
    if sys.byteorder == "big":
        value = value[:]
        value.byteswap()
    return value.typecode, value.itemsize, value.tobytes()


def _load_array(payload: Payload) -> object:
    code, size, content = payload
    if type(code) is not str or type(size) is not int or len(code) != 1:
        raise ValueError("an array without its typecode and size of items")
    if code in _TEXT:
        if type(content) is not str:
            raise ValueError("an array of text without its text")
        return array.array(code, content) if code in array.typecodes else NOT_HERE
    if type(content) is not bytes:
        raise ValueError("an array without its bytes")
    if code not in "bBhHiIlLqQfd":
        raise ValueError("an array of an unknown typecode")
    made: array.array[int] = array.array(code)
    if made.itemsize != size:
        return NOT_HERE
    made.frombytes(content)
    if sys.byteorder == "big":
        made.byteswap()
    return made


def _dump_ordered(value: object) -> Payload:
    assert isinstance(value, dict)
    if getattr(value, "__dict__", None):
        raise NotSendable("an OrderedDict or Counter with attributes would lose them")
    return (dict(value),)


def _dict_of(payload: Payload) -> dict[object, object]:
    items = payload[0]
    if type(items) is not dict:
        raise ValueError("a kind of dict without its dict")
    return items


def _load_ordered(payload: Payload) -> object:
    return collections.OrderedDict(_dict_of(payload))


def _load_counter(payload: Payload) -> object:
    counter: type = collections.Counter  # typed for ints alone, and takes all counts
    return counter(_dict_of(payload))


# the factories that both ends know by name
_FACTORIES: Final[dict[str, type]] = {
    factory.__name__: factory
    for factory in (int, float, complex, str, bytes, bool, tuple, frozenset, list, dict, set)
}


def _dump_default(value: object) -> Payload:
    assert isinstance(value, collections.defaultdict)
    factory = value.default_factory
    if factory is None:
        return dict(value), None
    name = class_name(factory) if isinstance(factory, type) else ""
    if _FACTORIES.get(name) is not factory:
        raise NotSendable(
            "a defaultdict is sent with no factory, or with a class such as int or list: "
            "send dict(x)"
        )
    return dict(value), name


def _load_default(payload: Payload) -> object:
    name = payload[1]
    if name is not None and (type(name) is not str or name not in _FACTORIES):
        raise ValueError("a defaultdict of an unknown factory")
    factory = None if name is None else _FACTORIES[name]
    return collections.defaultdict(factory, _dict_of(payload))


_frozendict: Final[type | None] = getattr(builtins, "frozendict", None)


def _dump_frozendict(value: object) -> Payload:
    return (dict(value),)  # type: ignore[call-overload]


def _load_frozendict(payload: Payload) -> object:
    items = _dict_of(payload)
    return NOT_HERE if _frozendict is None else _frozendict(items)


# --- the tables -------------------------------------------------------------


def _kind(
    code: int,
    kind: type,
    fields: str,
    dump: Callable[[object], Iterable[object]],
    load: Callable[[Payload], object],
    is_shared: bool = False,
    cost: int = 0,
) -> None:
    DUMPERS[kind] = Dumper(code, dump)
    LOADERS[code] = Loader(class_name(kind), tuple(fields.split()), load, is_shared, False, cost)


# a deque is 760 bytes
_kind(0, collections.deque, "items maxlen", _dump_deque, _load_deque, True, 10)
_kind(1, bytearray, "content", _dump_bytearray, _load_bytearray, True)
_kind(2, range, "start stop step", _dump_range, _load_range)
_kind(3, array.array, "typecode itemsize content", _dump_array, _load_array, True)
_kind(4, collections.OrderedDict, "items", _dump_ordered, _load_ordered, True, 4)
_kind(5, collections.defaultdict, "items factory", _dump_default, _load_default, True)
_kind(6, collections.Counter, "items", _dump_ordered, _load_counter, True)
if _frozendict is not None:
    _kind(7, _frozendict, "items", _dump_frozendict, _load_frozendict)
else:
    LOADERS[7] = Loader("frozendict", ("items",), _load_frozendict)
_kind(8, datetime.date, "year month day", dates.dump_date, dates.load_date)
_kind(9, datetime.time, dates.TIME_FIELDS, dates.dump_time, dates.load_time)
_kind(10, datetime.datetime, dates.DATETIME_FIELDS, dates.dump_datetime, dates.load_datetime)
_kind(11, datetime.timedelta, "days seconds microseconds", dates.dump_delta, dates.load_delta)
_kind(12, datetime.timezone, "offset name", dates.dump_timezone, dates.load_timezone)
_kind(13, zoneinfo.ZoneInfo, "key", dates.dump_zone, dates.load_zone)
_kind(14, decimal.Decimal, "text", texts.dump_decimal, texts.load_decimal)
_kind(15, fractions.Fraction, *texts.FRACTION)
_kind(16, uuid.UUID, "content safe", texts.dump_uuid, texts.load_uuid)
for _code, _path in ((17, pathlib.PurePosixPath), (18, pathlib.PureWindowsPath)):
    _kind(_code, _path, "text", texts.dump_path, texts.loads_path(_path))
# a concrete path arrives as the pure one
_kind(*(19, pathlib.PosixPath, "text", texts.dump_path, texts.loads_path(pathlib.PurePosixPath)))
_kind(
    *(20, pathlib.WindowsPath, "text", texts.dump_path, texts.loads_path(pathlib.PureWindowsPath))
)
for _code, _address in enumerate(texts.ADDRESSES, 21):  # to 26
    # a network has three addresses and a dictionary
    _cost = 0 if _address in texts.ADDRESSES[:2] else 10
    _kind(*(_code, _address, "text", texts.dump_address, texts.loads_address(_address)), cost=_cost)
# it takes up to 30 ms to compile one
_kind(27, re.Pattern, "pattern flags", texts.dump_pattern, texts.load_pattern, cost=10_000)
