"""
Numbers that one call makes: how long an int, a fraction or a decimal may get.

A few digits say how many others there will be: ``1 << n``, ``x ** n``, ``round(x, -n)``,
``Fraction("1e999999999")``. Each is checked before it is computed.
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

# No int is sent that has more than 4300 digits.
_MOST_BITS = 100_000
_MOST_DIGITS = 5_000
_MOST_MODULAR = 4_096

POWERS = frozenset({"__pow__", "__rpow__", "__lshift__", "__rlshift__"})
ROUNDS = frozenset({"__round__"})
INTEGRAL = frozenset({"__int__", "__trunc__", "__floor__", "__ceil__", *ROUNDS})

_EXPONENT = re.compile(r"[eE][-+]?([0-9_]+)")


def _bits(number: Any) -> int:
    """Return about how long a rational number is."""
    if issubclass(type(number), int):
        return int(number).bit_length()
    if issubclass(type(number), Fraction):
        return int(number.numerator.bit_length() + number.denominator.bit_length())
    return 64


def check_fraction(own: Fraction, name: str, args: tuple[Any, ...]) -> None:
    """Check an operator of a fraction. ValueError: the result would be too long."""
    if name in ROUNDS:
        if args and issubclass(type(args[0]), int):
            check_rounding(int(args[0]))
        return
    other = args[0] if args else 0
    made = _bits(own) + _bits(other)
    if name in POWERS:
        base, power = (other, own) if name.startswith("__r") else (own, other)
        if issubclass(type(power), (int, Fraction)) and power.denominator == 1:
            made = _bits(base) * abs(int(power)) if _bits(base) > 1 else 0
    if made > _MOST_BITS:
        raise ValueError(f"a fraction of more than {_MOST_BITS} bits by one call")


def check_decimal(own: Decimal, name: str, args: tuple[object, ...]) -> None:
    """Check an operator of a decimal. ValueError: the result would be too long."""
    if name in INTEGRAL and own.is_finite() and own.adjusted() > _MOST_DIGITS:
        raise ValueError(f"an int of more than {_MOST_DIGITS} digits by one call")
    if name in POWERS and any(_bits(arg) > _MOST_DIGITS for arg in args):
        raise ValueError(f"a power of an int of more than {_MOST_DIGITS} bits")


def check_rounding(digits: int) -> None:
    """Check the digits that a number is rounded to. ValueError: they are too many."""
    if abs(digits) > _MOST_BITS // 4:
        raise ValueError(f"rounded to more than {_MOST_BITS // 4} digits")


def check_power(own: int, name: str, number: int, args: tuple[object, ...]) -> None:
    """Check ``**`` and ``<<`` of an int. ValueError: the result would be too long."""
    left, right = (number, own) if name.startswith("__r") else (own, number)
    if len(args) > 1 and args[1] is not None:
        steps = number.bit_length() * _bits(args[1]) ** 2
        if steps > _MOST_MODULAR**3:
            raise ValueError(f"a power of more than {_MOST_MODULAR} bits by one call")
        return
    bits = left.bit_length()
    made = bits * right if name.endswith("pow__") and bits > 1 else 0
    if name.endswith("lshift__"):
        made = bits + right
    if made > _MOST_BITS:
        raise ValueError(f"an int of more than {_MOST_BITS} bits by one call")


def check_made_fraction(args: tuple[Any, ...]) -> None:
    """Check the arguments of `Fraction`. ValueError: it would be too long."""
    for arg in args:
        power = 0
        if issubclass(type(arg), Decimal) and arg.is_finite():
            power = abs(arg.adjusted())
        elif issubclass(type(arg), str):
            found = _EXPONENT.search(arg)
            power = int(found[1][:9]) if found else 0
        if power > _MOST_DIGITS:
            raise ValueError(f"a fraction of more than {_MOST_DIGITS} digits by one call")
