"""
Numbers, paths, addresses and patterns that travel as text, and back.

A text is refused that is not what the value itself would be written as: parsers take blanks,
underscores and digits of other scripts, and one value must have one encoding. Lengths are
bounded before anything is parsed.
"""

from __future__ import annotations

import decimal
import fractions
import ipaddress
import pathlib
import re
import uuid
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Final

from txremote.errors import NotSendable
from txremote.wire.limits import DEFAULT_LIMITS
from txremote.wire.naming import class_name
from txremote.wire.value_origins import noted

Payload = tuple[object, ...]

#: Most digits of a Decimal, and the greatest exponent: int() of it writes all its zeros.
MOST_DIGITS: Final = DEFAULT_LIMITS.max_int_digits
MOST_EXPONENT: Final = 999_999
#: Longest text of a pattern, and the flags that are kept (`re.DEBUG` prints).
LONGEST_PATTERN: Final = 1_000
PATTERN_FLAGS: Final = re.I | re.M | re.S | re.X | re.A | re.U
#: Most sets of characters in a pattern, and most ranges in them that go beyond U+07FF: to compile
#: one that ignores case takes 0.3 ms for a set, and 8 ms for such a range.
MOST_SETS: Final = 50
MOST_WIDE_RANGES: Final = 2
_WIDE_RANGE: Final = re.compile(r"-(?:[^\x00-\u07ff]|\\(?:u(?!0[0-7])|[UN]))")
_compile: Final[Callable[[str, int], re.Pattern[str]]] = import_module("re._compiler").compile
#: Longest text of an address, which may name a scope.
LONGEST_ADDRESS: Final = 128


def _text(payload: Payload, longest: int, name: str) -> str:
    text = payload[0]
    if type(text) is not str:
        raise ValueError(f"{name} without its text")
    if len(text) > longest:
        raise ValueError(f"{name} of {len(text)} characters, more than {longest}")
    return text


def _check_decimal(value: decimal.Decimal) -> None:
    _sign, digits, exponent = value.as_tuple()
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"a Decimal of {len(digits)} digits, more than {MOST_DIGITS}")
    if type(exponent) is int and abs(value.adjusted() if value else exponent) > MOST_EXPONENT:
        raise ValueError(f"a Decimal of an exponent beyond {MOST_EXPONENT}")


def dump_decimal(value: object) -> Payload:
    """Return the text of a Decimal."""
    assert isinstance(value, decimal.Decimal)
    try:
        _check_decimal(value)
    except ValueError as problem:
        raise NotSendable(f"{problem}: send its text") from None
    return (str(value),)


def load_decimal(payload: Payload) -> object:
    """Return a Decimal of its text."""
    text = _text(payload, MOST_DIGITS + 30, "a Decimal")
    try:
        value = decimal.Decimal(text)
    except decimal.InvalidOperation:
        raise ValueError("a Decimal that is no number") from None
    _check_decimal(value)
    if str(value) != text:
        raise ValueError("a Decimal that is written in another way")
    return value


def _dump_fraction(value: object) -> Payload:
    assert isinstance(value, fractions.Fraction)
    return value.numerator, value.denominator


def _load_fraction(payload: Payload) -> object:
    over, under = payload
    if type(over) is not int or type(under) is not int or under < 1:
        raise ValueError("a Fraction without its two ints")
    value = fractions.Fraction(over, under)
    if value.denominator != under:
        raise ValueError("a Fraction that is not reduced")
    return value


FRACTION: Final = ("numerator denominator", _dump_fraction, _load_fraction)


def dump_uuid(value: object) -> Payload:
    """Return the bytes of a UUID, and whether it was made safely (-1, 0 or None)."""
    assert isinstance(value, uuid.UUID)
    return value.bytes, value.is_safe.value


def load_uuid(payload: Payload) -> object:
    """Return a UUID."""
    content, safe = payload
    if type(content) is not bytes or not (safe is None or type(safe) is int):
        raise ValueError("a UUID without its bytes")
    return uuid.UUID(bytes=content, is_safe=uuid.SafeUUID(safe))


def dump_path(value: object) -> Payload:
    """Return the text of a path."""
    assert isinstance(value, pathlib.PurePath)
    text = str(value)
    if type(value)(text) != value:
        raise NotSendable(f"a {class_name(type(value))} that its own text does not name")
    return (text,)


def loads_path(kind: type[pathlib.PurePath]) -> Callable[[Payload], object]:
    """
    Return the loader of a class of pure paths.

    A concrete path reads and writes files, and no peer puts an object that can into a program
    that has not declared it: only an annotation makes a `pathlib.Path` of what is loaded.
    """

    def load(payload: Payload) -> object:
        text = payload[0]
        if type(text) is not str:
            raise ValueError("a path without its text")
        return kind(text)

    return load


#: The classes of addresses, in the order of their codes.
ADDRESSES: Final = (
    *(ipaddress.IPv4Address, ipaddress.IPv6Address),
    *(ipaddress.IPv4Network, ipaddress.IPv6Network),
    *(ipaddress.IPv4Interface, ipaddress.IPv6Interface),
)


def dump_address(value: object) -> Payload:
    """Return the text of an address, network or interface."""
    return (str(value),)


def loads_address(kind: Callable[[str], object]) -> Callable[[Payload], object]:
    """Return the loader of a class of addresses."""

    def load(payload: Payload) -> object:
        text = _text(payload, LONGEST_ADDRESS, "an address")
        value = kind(text)
        if str(value) != text:
            raise ValueError("an address that is written in another way")
        return value

    return load


def _check_pattern(text: str, flags: int) -> None:
    """Raise ValueError where it may take long to compile a pattern."""
    if flags & ~PATTERN_FLAGS:
        raise ValueError("a pattern of strange flags")
    if len(text) > LONGEST_PATTERN:
        raise ValueError(f"a pattern of {len(text)} characters, more than {LONGEST_PATTERN}")
    if text.count("[") > MOST_SETS or len(_WIDE_RANGE.findall(text)) > MOST_WIDE_RANGES:
        raise ValueError(
            f"a pattern of more than {MOST_SETS} sets, or {MOST_WIDE_RANGES} ranges beyond U+07FF"
        )


def dump_pattern(value: object) -> Payload:
    """Return the text and flags of a pattern."""
    assert isinstance(value, re.Pattern)
    text = value.pattern
    if type(text) is not str:
        raise NotSendable("a pattern of bytes: patterns of text are sent")
    flags = value.flags
    try:
        _check_pattern(text, flags)
    except ValueError as problem:
        raise NotSendable(f"{problem}: send its text") from None
    return text, int(flags)


def load_pattern(payload: Payload) -> object:
    """Return a pattern, compiled."""
    text, flags = payload
    if type(text) is not str or type(flags) is not int:
        raise ValueError("a pattern without its text and flags")
    _check_pattern(text, flags)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # not from re's cache, which may have the program's own
            return noted(_compile(text, flags))
    except (re.error, OverflowError, RecursionError):  # of a newer Python's syntax
        return NotImplemented
