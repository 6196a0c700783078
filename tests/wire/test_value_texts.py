"""
Numbers, paths, addresses and patterns: one encoding each, and bounded.
"""

from __future__ import annotations

import ipaddress
import pathlib
import re
import uuid
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from tests.wire.extended import decoded, encoded, sent
from txremote.errors import NotSendable, RemoteProtocolError
from txremote.wire.record import KIND_OTHER, make_record

VALUES = [
    *(Decimal("1.10"), Decimal("-0E-7"), Decimal("1E+999999"), Decimal("9" * 4300)),
    *(Decimal("NaN"), Decimal("-sNaN123"), Decimal("-Infinity")),
    *(Fraction(1, 3), Fraction(-(10**100), 7), Fraction(0)),
    *(uuid.UUID(int=1), uuid.UUID(int=2**128 - 1, is_safe=uuid.SafeUUID.unsafe)),
    uuid.UUID("96eafff2-ec10-11f1-ab43-02fc00000001", is_safe=uuid.SafeUUID.safe),
    *(pathlib.PurePosixPath("/a/../b"), pathlib.PurePosixPath("")),
    pathlib.PureWindowsPath(r"C:\a\b"),
    ipaddress.ip_address("10.0.0.1"),
    ipaddress.ip_address("fe80::1%eth0"),
    ipaddress.ip_network("10.0.0.0/8"),
    ipaddress.ip_network("2001:db8::/32"),
    ipaddress.ip_interface("10.0.0.1/8"),
    ipaddress.ip_interface("2001:db8::1/32"),
    *(re.compile("a+b"), re.compile("(?x) a # b", re.I | re.A)),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:40])
def test_a_value_arrives_as_it_is(value: Any) -> None:
    found = sent(value)
    assert type(found) is type(value)
    assert repr(found) == repr(value)
    if "NaN" not in repr(value):
        assert found == value
    if type(value) is uuid.UUID:
        assert found.is_safe is value.is_safe


def test_a_path_arrives_as_one_that_opens_no_file() -> None:
    path = pathlib.Path("a/b.txt")
    found = sent([path, {path: path}])
    assert found == [path, {path: path}]
    assert {type(found[0]), *map(type, found[1])} == {type(pathlib.PurePath())}


REFUSED = [Decimal("1E+1000000"), Decimal("9" * 4301), re.compile(b"a"), re.compile("a" * 1001)]


@pytest.mark.parametrize("value", REFUSED, ids=lambda value: repr(value)[:40])
def test_what_is_too_long_is_refused(value: Any) -> None:
    with pytest.raises(NotSendable):
        encoded(value)


WRONG = [
    *((14, text) for text in ("1_0", " 1", "1e5", "\u0661", "x", "", "1E+9999999", "9" * 4301)),
    *((21, text) for text in ("1.2.3", "::1", "01.2.3.4", "1.2.3.4/8", 5)),
    *((23, text) for text in ("10.0.0.1/8", "10.0.0.0/255.0.0.0")),
    (22, "fe80::1%" + "x" * 200),
    (17, b"a"),
]


@pytest.mark.parametrize(("code", "text"), WRONG)
def test_a_text_that_is_not_the_value_s_own_is_refused(code: int, text: Any) -> None:
    with pytest.raises(RemoteProtocolError):
        decoded(b"\xf1" + encoded(code) + encoded((text,)))


@pytest.mark.parametrize("parts", [("a", 32 | re.DEBUG), ("a" * 1001, 32), ("a", "b")])
def test_a_pattern_that_is_none_is_refused(parts: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RemoteProtocolError):
        decoded(b"\xf1" + encoded(27) + encoded(parts))
    assert capsys.readouterr().out == ""


SLOW = [
    *("[a]" * 51, "[\x00-\uffff]" * 3),
    *(r"[a-\uffff]" * 3, r"[a-\U0010ffff]" * 3, r"[\0-\N{MAN}]" * 3),
]


@pytest.mark.parametrize("text", SLOW)
def test_a_pattern_that_takes_long_to_compile_is_refused_by_both_ends(text: str) -> None:
    with pytest.raises(RemoteProtocolError, match="a pattern of more than 50 sets, or 2 ranges"):
        decoded(b"\xf1" + encoded(27) + encoded((text, 34)))
    with pytest.raises(NotSendable, match="send its text"):
        encoded(re.compile(text))


def test_a_pattern_counts_for_what_it_takes_to_compile_it() -> None:
    assert sent([re.compile(r"[\u0400-\u04ff]+|[\u4e00-\u9fff]")] * 199)
    with pytest.raises(NotSendable, match="max_items"):
        encoded([re.compile("a")] * 200)
    one = b"\xf1" + encoded(27) + encoded(("a", 32))
    with pytest.raises(RemoteProtocolError, match="max_items"):
        decoded(b"\x1c" + encoded((None,) * 200)[:2] + one * 200)


@pytest.mark.parametrize("parts", [(2, 4), (1, 0), (1, -3), (1, "2")])
def test_a_fraction_that_is_not_reduced_is_refused(parts: Any) -> None:
    with pytest.raises(RemoteProtocolError):
        decoded(b"\xf1" + encoded(15) + encoded(parts))


def test_a_pattern_that_this_python_cannot_compile_arrives_as_a_record() -> None:
    found = decoded(b"\xf1" + encoded(27) + encoded(("(", 32)))
    assert found == make_record(KIND_OTHER, "Pattern", {"pattern": "(", "flags": 32})
