"""Values that are read from their repr: exactly, or not at all."""

from __future__ import annotations

import datetime
import pathlib
import re
from decimal import Decimal
from fractions import Fraction
from ipaddress import ip_address, ip_interface, ip_network
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from txremote.refs.reprs import LONGEST_REPR, TOLD, read_repr

VALUES = [
    datetime.date(2024, 2, 29),
    datetime.datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")),
    datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC),
    datetime.datetime(1, 1, 1, 0, 0, 0, 1, datetime.timezone(datetime.timedelta(hours=-3), "X")),
    datetime.time(1, 2, 3, 4),
    datetime.timedelta(days=-1, microseconds=1),
    datetime.timedelta(0),
    datetime.UTC,
    ZoneInfo("America/New_York"),
    Decimal("-0E-5"),
    Decimal("sNaN123"),
    Fraction(-1, 3),
    UUID(int=5),
    *(ip_address("::1"), ip_network("10.0.0.0/8"), ip_interface("10.0.0.1/8")),
    pathlib.PurePosixPath("/a 'b\""),
    pathlib.PureWindowsPath("C:\\x"),
    pathlib.Path("/x"),
    range(5, -7, -2),
    re.compile("a'.*b"),
    re.compile("\\d", re.IGNORECASE | re.MULTILINE | re.VERBOSE),
]


def name_of(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__name__}"


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_is_what_its_repr_says(value: object) -> None:
    assert name_of(value) in TOLD
    found = read_repr(name_of(value), repr(value))
    assert type(found) is type(value)
    assert repr(found) == repr(value)


@given(
    st.datetimes(timezones=st.none() | st.timezone_keys(allow_prefix=False).map(ZoneInfo))
    | st.decimals()
    | st.fractions()
    | st.timedeltas()
    | st.uuids()
)
def test_any_value_is_what_its_repr_says(value: object) -> None:
    assert repr(read_repr(name_of(value), repr(value))) == repr(value)


def test_another_systems_paths_are_pure() -> None:
    foreign = "WindowsPath" if type(pathlib.Path()) is pathlib.PosixPath else "PosixPath"
    found = read_repr(f"pathlib.{foreign}", f"{foreign}('a')")
    assert type(found).__name__ == f"Pure{foreign}"
    assert type(read_repr("pathlib._local.PosixPath", "PosixPath('a')")).__name__ == "PosixPath"


@pytest.mark.parametrize(
    "text",
    [
        5,
        None,
        "",
        "Decimal('1'",
        "Decimal('x')",
        "Decimal()",
        "Decimal('1E+999999999')",
        "Decimal('01')",
        "Decimal",
        "'1'",
        "UUID(int=5)",
        "Decimal(open('/etc/passwd'))",
        "Decimal(*[1])",
        "Decimal(**{})",
        "__import__('os').getcwd()",
        "Decimal('1').sqrt()",
        "decimal.Decimal('1')",
        "Decimal(1 + 1)",
        "Decimal([])",
        "Decimal(" * 500,
        "-" * 9000 + "1",
        "\0",
        "Decimal('" + "1" * LONGEST_REPR + "')",
    ],
)
def test_what_is_no_repr_of_the_kind_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"repr|Decimal"):
        read_repr("decimal.Decimal", text)


def test_a_pattern_that_does_not_compile_or_is_told_in_part_is_refused() -> None:
    for text in ("re.compile('(')", "re.compile('a', re.DEBUG)", repr(re.compile("a" * 300))):
        with pytest.raises(ValueError, match=r"pattern|repr"):
            read_repr("re.Pattern", text)


@pytest.mark.parametrize("key", ["'../../../etc/passwd'", "'Mars/Olympus'", "5", "None"])
def test_an_unknown_time_zone_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match=r"not known here|zone without its key"):
        read_repr("zoneinfo.ZoneInfo", f"zoneinfo.ZoneInfo(key={key})")
