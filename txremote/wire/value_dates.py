"""
Dates, times and time zones as payloads, and back.

Each is the ints that it was made of, checked to be plain ints, and its zone. Two kinds of
zones are kept: fixed offsets, and zones of the IANA database by key. A key that a peer names
is looked up among those that this side has (`known_zones`), so no file is looked for by a
name that a peer has chosen. A date in an unknown zone arrives as a record.
"""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from txremote.errors import NotSendable
from txremote.wire.naming import full_name
from txremote.wire.record import Record

Payload = tuple[object, ...]

TIME_FIELDS: Final = "hour minute second microsecond fold tzinfo"
DATETIME_FIELDS: Final = "year month day " + TIME_FIELDS


def ints(payload: Iterable[object]) -> list[int]:
    """Return a payload that has nothing but ints; else ValueError."""
    found = [item for item in payload if type(item) is int]
    if len(found) != len(tuple(payload)):
        raise ValueError("a value whose parts are no ints")
    return found


@lru_cache(maxsize=1)
def known_zones() -> frozenset[str]:
    """
    Return the keys of the zones of this system, which are listed once for a process.

    That reads directories, some 20 ms, when the first zone comes or is sent.
    """
    return frozenset(zoneinfo.available_timezones())


# a strong reference to each that was used: there are some 600, and making one reads a file
_zones: Final[dict[str, zoneinfo.ZoneInfo]] = {}


def _zone(key: str) -> zoneinfo.ZoneInfo | None:
    found = _zones.get(key)
    if found is None and key in known_zones():
        found = _zones[key] = zoneinfo.ZoneInfo(key)
    return found


def dump_zone(value: object) -> Payload:
    """Return the key of a zone of the database."""
    assert isinstance(value, zoneinfo.ZoneInfo)
    try:
        value.__reduce__()
    except Exception:  # from a file of the sender's: pickle.PicklingError
        raise NotSendable("a zone that was read from a file of its own has no name here") from None
    if value.key not in known_zones():
        raise NotSendable(f"a zone {value.key!r:.100} that zoneinfo does not list")
    return (value.key,)


def load_zone(payload: Payload) -> object:
    """Return a zone of the database by its key."""
    (key,) = payload
    if type(key) is not str:
        raise ValueError("a zone without its key")
    zone = _zone(key)
    return NotImplemented if zone is None else zone


def dump_timezone(value: object) -> Payload:
    """Return the offset of a fixed zone, and its name or None."""
    assert isinstance(value, datetime.timezone)
    parts = value.__getinitargs__()  # type: ignore[attr-defined]
    return parts[0], parts[1] if len(parts) > 1 else None


def load_timezone(payload: Payload) -> object:
    """Return a fixed zone."""
    offset, name = payload
    if type(offset) is not datetime.timedelta:
        raise ValueError("a timezone without its offset")
    if name is None:
        return datetime.timezone(offset)
    if type(name) is not str:
        raise ValueError("a timezone whose name is no str")
    return datetime.timezone(offset, name)


def dump_date(value: object) -> Payload:
    """Return the parts of a date."""
    assert isinstance(value, datetime.date)
    return value.year, value.month, value.day


def load_date(payload: Payload) -> object:
    """Return a date."""
    year, month, day = ints(payload)
    return datetime.date(year, month, day)


def _checked_zone(zone: datetime.tzinfo | None) -> datetime.tzinfo | None:
    if zone is None or type(zone) is datetime.timezone or type(zone) is zoneinfo.ZoneInfo:
        return zone
    raise NotSendable(
        f"a time in a zone of class {full_name(type(zone))}: zones are sent that are a "
        "datetime.timezone or a zoneinfo.ZoneInfo"
    )


def dump_time(value: object) -> Payload:
    """Return the parts of a time of day."""
    assert isinstance(value, datetime.time)
    return (
        *(value.hour, value.minute, value.second, value.microsecond, value.fold),
        _checked_zone(value.tzinfo),
    )


def load_time(payload: Payload) -> object:
    """Return a time of day."""
    hour, minute, second, microsecond, fold = ints(payload[:5])
    zone = payload[5]
    if type(zone) is Record:
        return NotImplemented
    if zone is not None and not isinstance(zone, datetime.tzinfo):
        raise ValueError("a time whose zone is none")
    return datetime.time(hour, minute, second, microsecond, zone, fold=fold)


def dump_datetime(value: object) -> Payload:
    """Return the parts of a date and time."""
    assert isinstance(value, datetime.datetime)
    return (
        *(value.year, value.month, value.day),
        *(value.hour, value.minute, value.second, value.microsecond, value.fold),
        _checked_zone(value.tzinfo),
    )


def load_datetime(payload: Payload) -> object:
    """Return a date and time."""
    year, month, day, hour, minute, second, microsecond, fold = ints(payload[:8])
    zone = payload[8]
    if type(zone) is Record:
        return NotImplemented
    if zone is not None and not isinstance(zone, datetime.tzinfo):
        raise ValueError("a time whose zone is none")
    made = datetime.datetime(year, month, day, hour, minute, second, microsecond, zone, fold=fold)
    if zone is not None:
        made.utcoffset()  # at the first and last days of the calendar it does not exist
    return made


def dump_delta(value: object) -> Payload:
    """Return the parts of a duration."""
    assert isinstance(value, datetime.timedelta)
    return value.days, value.seconds, value.microseconds


def load_delta(payload: Payload) -> object:
    """Return a duration."""
    days, seconds, microseconds = ints(payload)
    if not (0 <= seconds < 86_400 and 0 <= microseconds < 1_000_000):
        raise ValueError("a timedelta whose parts are out of range")
    return datetime.timedelta(days, seconds, microseconds)
