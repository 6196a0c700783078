"""Numbers that one call of a peer makes: none of more digits than could be sent."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from txremote.gate import costs
from txremote.gate.number_costs import check_power, check_rounding


@pytest.mark.parametrize(
    ("own", "name", "other"),
    [(10, "__pow__", 10**6), (10**6, "__rpow__", 10), (1, "__lshift__", 10**6)],
)
def test_an_int_is_not_made_longer_than_it_may(own: int, name: str, other: int) -> None:
    with pytest.raises(ValueError, match="an int of more than"):
        check_power(own, name, other, (other,))
    check_power(2, name, 10, (10,))


def test_a_number_is_rounded_to_so_many_digits() -> None:
    check_rounding(-1000)
    with pytest.raises(ValueError, match="rounded to more than"):
        check_rounding(-(10**6))


def test_a_fraction_is_made_of_so_many_digits() -> None:
    make = costs.maker(Fraction)
    for huge in ("1e999999999", "1E-99_999", Decimal("1e99999")):
        with pytest.raises(ValueError, match="a fraction of more than"):
            make(huge)
    assert make("1e3") == 1000
    assert make(1, 3) == Fraction(1, 3)
    assert make(Decimal("0.5")) == Fraction(1, 2)
