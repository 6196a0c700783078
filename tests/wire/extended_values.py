"""
Many extended values, and how to compare them exactly.

Values of classes are made as the records that they arrive as.
"""

from __future__ import annotations

import array
import datetime
import ipaddress
import pathlib
import re
import struct
import uuid
import zoneinfo
from collections import Counter, OrderedDict, defaultdict, deque
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from tests.wire import values
from txremote.wire.record import Record, make_record, record_fields, record_kind, record_name


def canon(value: Any) -> Any:
    """Return something that is equal for two values only if they are the same."""
    kind = type(value)
    name = kind.__name__
    if kind in (list, tuple):
        return (name, *map(canon, value))
    if kind in (set, frozenset):
        return (name, frozenset(Counter(map(canon, value)).items()))
    if kind in (dict, OrderedDict, defaultdict, Counter):
        factory = getattr(value, "default_factory", None)
        return (name, factory, *((canon(key), canon(item)) for key, item in value.items()))
    if kind is slice:
        return (name, canon(value.start), canon(value.stop), canon(value.step))
    if kind is deque:
        return (name, value.maxlen, *map(canon, value))
    if kind is Record:
        fields = record_fields(value).items()
        parts = ((field, canon(item)) for field, item in fields)
        return (name, record_name(value), record_kind(value), *parts)
    if kind is array.array:
        return (name, value.typecode, value.tobytes())
    if kind is Decimal:
        return (name, value.as_tuple())
    if kind is uuid.UUID:
        return (name, value.bytes, value.is_safe)
    if kind in (datetime.datetime, datetime.time):
        zone = canon(value.tzinfo) if value.tzinfo else None
        return (name, str(value.replace(tzinfo=None)), value.fold, zone)
    if kind is datetime.timezone:
        return (name, repr(value))
    if kind is re.Pattern:
        return (name, value.pattern, value.flags)
    if kind in (float, complex, range, bytearray):
        parts = (value.real, value.imag) if kind in (float, complex) else ()
        return (name, struct.pack(f"!{len(parts)}d", *parts) if parts else repr(value))
    if isinstance(value, pathlib.PurePath):
        return (name, str(value))
    return (name, value)


_ZONES = st.sampled_from(
    [
        None,
        datetime.UTC,
        datetime.timezone(datetime.timedelta(hours=-3, minutes=-30), "NST"),
        zoneinfo.ZoneInfo("Europe/Berlin"),
        zoneinfo.ZoneInfo("America/New_York"),
    ]
)
_FOLDS = st.integers(0, 1)
_INSTANTS = st.builds(
    lambda when, zone, fold: when.replace(tzinfo=zone, fold=fold),
    st.datetimes(datetime.datetime(2, 1, 1), datetime.datetime(9998, 1, 1)),
    *(_ZONES, _FOLDS),
)
_TIMES = st.builds(
    lambda when, zone, fold: when.replace(tzinfo=zone, fold=fold), st.times(), _ZONES, _FOLDS
)
_SOME_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)
#: Values that hold no other.
LEAVES = st.one_of(
    *(_INSTANTS, _TIMES, st.dates(), st.timedeltas(), _ZONES),
    st.decimals().filter(lambda value: abs(value.adjusted()) < 10**5),
    *(st.fractions(), st.uuids(), st.ip_addresses()),
    st.builds(lambda text: pathlib.PurePosixPath("a", text), _SOME_TEXT),
    st.builds(pathlib.PurePosixPath, st.sampled_from(["", "/", "a/b", "..", "a b"])),
    st.builds(pathlib.PureWindowsPath, st.sampled_from(["C:\\a", "\\\\s\\b\\c", "a/b", "C:a"])),
    st.builds(lambda text, flags: re.compile(re.escape(text), flags), _SOME_TEXT, st.just(re.I)),
    st.builds(range, st.integers(), st.integers(), st.integers(1)),
    st.builds(lambda text: ipaddress.ip_interface(f"{text}/9"), st.ip_addresses(v=4)),
    st.sampled_from([make_record(2, "Color", {"name": name}) for name in ("RED", "R|W", "")]),
)
#: Values that can be kept in a set.
KEYS = st.one_of(
    values.HASHABLE,
    LEAVES.filter(lambda value: not (type(value) is Decimal and value.is_snan())),
    st.builds(lambda x, y: Record("Point", x=x, y=y), st.integers(), values.HASHABLE),
)
_ARRAYS = st.one_of(
    st.lists(st.floats(), max_size=4).map(lambda items: array.array("d", items)),
    st.lists(st.integers(-(2**15), 2**15 - 1), max_size=4).map(lambda x: array.array("h", x)),
    st.text(max_size=4).map(lambda text: array.array("u", text)),
)
_NAMES = st.sampled_from(["a", "b", "asdict", "self", "name", "_x", "\u00e9"])


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.lists(inner, max_size=4)
    dicts = st.dictionaries(KEYS, inner, max_size=4)
    return st.one_of(
        *(lists, dicts, st.sets(KEYS, max_size=4), st.frozensets(KEYS, max_size=4)),
        *(lists.map(tuple), lists.map(deque), st.builds(deque, lists, st.integers(4, 9))),
        *(dicts.map(OrderedDict), dicts.map(Counter)),
        st.builds(defaultdict, st.sampled_from([None, list, int, dict]), dicts),
        st.builds(slice, inner, inner, inner),
        st.builds(lambda fields: make_record(0, "Item", fields), st.dictionaries(_NAMES, inner)),
        st.builds(lambda fields: make_record(1, "Pair", fields), st.dictionaries(_NAMES, inner)),
        lists.map(lambda items: [items, items, (items,)]),
        inner.map(lambda item: {"shared": [item, item]}),
    )


#: Values of every type, nested in each other.
EXTENDED = st.recursive(
    st.one_of(KEYS, LEAVES, _ARRAYS, st.binary(max_size=6).map(bytearray)),
    _containers,
    max_leaves=12,
)
