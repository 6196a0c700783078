"""
Dates, times and zones: kept with their zone, or refused.
"""

from __future__ import annotations

import datetime
import io
import zoneinfo
from datetime import timedelta, timezone
from typing import Any

import pytest

from tests.wire.extended import decoded, encoded, sent
from txremote.errors import NotSendable, RemoteProtocolError
from txremote.wire import value_dates
from txremote.wire.record import KIND_OTHER, make_record, record_name

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
VALUES = [
    datetime.date.min,
    datetime.date.max,
    datetime.time(1, 2, 3, 4),
    datetime.time(23, 59, fold=1, tzinfo=datetime.UTC),
    datetime.datetime.min,
    datetime.datetime.max.replace(tzinfo=datetime.UTC),
    datetime.datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=BERLIN),
    timedelta.min,
    timedelta.max,
    timedelta(microseconds=-1),
    datetime.UTC,
    timezone(timedelta(hours=-5, seconds=7)),
    timezone(timedelta(0), "Z"),
    timezone(timedelta(hours=1), "CET"),
    BERLIN,
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_arrives_as_it_is(value: Any) -> None:
    found = sent(value)
    assert found == value
    assert repr(found) == repr(value)
    assert type(found) is type(value)
    if hasattr(value, "fold"):
        assert found.fold == value.fold
        assert type(found.tzinfo) is type(value.tzinfo)


class Zone(datetime.tzinfo):
    def utcoffset(self, when: Any) -> timedelta:
        return timedelta(0)


def test_a_zone_of_the_program_s_own_is_refused() -> None:
    with pytest.raises(NotSendable, match="zone"):
        encoded(datetime.datetime(2026, 1, 1, tzinfo=Zone()))
    with pytest.raises(NotSendable, match="subclass of tzinfo"):
        encoded([Zone()])
    for root in zoneinfo.TZPATH:
        try:
            with open(f"{root}/Europe/Berlin", "rb") as file:
                content = file.read()
        except OSError:
            continue
        with pytest.raises(NotSendable, match="file of its own"):
            encoded(zoneinfo.ZoneInfo.from_file(io.BytesIO(content), "Europe/Berlin"))


def test_an_unknown_zone_is_a_record_and_no_file_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    sent(BERLIN)
    monkeypatch.setattr(value_dates.zoneinfo, "ZoneInfo", None)
    for key in ("Mars/Phobos", "../../etc/passwd", "/etc/passwd", ""):
        data = encoded(13)
        found = decoded(b"\xf1" + data + encoded((key,)))
        assert found == make_record(KIND_OTHER, "ZoneInfo", {"key": key})


def test_a_date_in_an_unknown_zone_is_a_record() -> None:
    zone = b"\xf1" + encoded(13) + encoded(("Mars/Phobos",))
    data = b"\xf1" + encoded(10) + b"\x14\x09" + encoded((2026, 1, 1))[1:] + b"\x50" * 5 + zone
    assert record_name(decoded(data)) == "datetime"
    assert decoded(data).year == 2026


@pytest.mark.parametrize(
    "payload",
    [
        (8, (2026, 2, 30)),
        (9, (24, 0, 0, 0, 0, None)),
        (9, (1, 0, 0, 0, 2, None)),
        (9, (1, 0, 0, 0, 0, "UTC")),
        (10, (2026, 1, 1, 1, 1, 1, 1, 1, 5)),
        (11, (0, 86400, 0)),
        (11, (10**10, 0, 0)),
        (12, (timedelta(hours=24), None)),
        (12, (3600, None)),
        (13, (1,)),
    ],
)
def test_what_is_no_date_is_refused(payload: Any) -> None:
    code, parts = payload
    with pytest.raises(RemoteProtocolError):
        decoded(b"\xf1" + encoded(code) + encoded(parts))
