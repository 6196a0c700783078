"""
Limits: a bound that makes no sense is refused when it is set, with a sentence.
"""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

import pytest

from txremote.wire.brine import dump, load
from txremote.wire.limits import DEFAULT_LIMITS, Limits

NAMES = [field.name for field in dataclasses.fields(Limits)]


def test_the_defaults() -> None:
    """64 MiB a frame, before and after inflating; depth and digits that Python can take."""
    assert Limits() == DEFAULT_LIMITS
    assert dataclasses.asdict(DEFAULT_LIMITS) == {
        "max_frame": 64 * 1024 * 1024,
        "max_inflated": 64 * 1024 * 1024,
        "max_depth": 100,
        "max_int_digits": 4300,
        "max_items": 2_000_000,
    }


@pytest.mark.parametrize("name", NAMES)
def test_limits_are_frozen(name: str) -> None:
    """What holds when a connection is made holds to its end."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(Limits(), name, 5)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [0, -1, None, True, 1.5, "100"])
def test_a_limit_is_a_positive_int(name: str, value: Any) -> None:
    """Anything else is refused by the name of the option."""
    with pytest.raises(ValueError, match=f"{name} must be a positive int, not {value!r}"):
        Limits(**{name: value})


@pytest.mark.parametrize("name", NAMES)
def test_every_limit_may_be_one(name: str) -> None:
    """Small bounds are unkind, not wrong."""
    assert getattr(Limits(**{name: 1}), name) == 1


def test_max_frame_is_what_a_header_can_say() -> None:
    """A frame's length has 32 bits."""
    assert Limits(max_frame=0xFFFFFFFF).max_frame == 0xFFFFFFFF
    with pytest.raises(ValueError, match="max_frame is at most 4294967295"):
        Limits(max_frame=0x100000000)


def test_max_depth_is_what_the_decoder_can_recurse() -> None:
    """The deepest that may be set is read without a RecursionError, by the slowest way, too."""
    limits = Limits(max_depth=250)
    for level in (b"\x10", b"\x14\x01", b"\x1a\x10", b"\x19\x12\x50\x50"):
        levels = 125 if level[0] in (0x19, 0x1A) else 250  # a slice or a frozenset counts twice
        load(level * levels + b"\x50", limits)
    with pytest.raises(ValueError, match="max_depth is at most 250"):
        Limits(max_depth=251)


def test_max_int_digits_is_what_python_converts() -> None:
    """More than sys.get_int_max_str_digits() would be a promise that Python breaks."""
    most = sys.get_int_max_str_digits()
    assert Limits(max_int_digits=most).max_int_digits == most
    with pytest.raises(ValueError, match=r"sys\.set_int_max_str_digits"):
        Limits(max_int_digits=most + 1)


@pytest.mark.parametrize("most", [10_000, 0])
def test_max_int_digits_may_be_raised_with_pythons_own(most: int) -> None:
    """Once Python was told to convert longer ints, or any, so may the limit be."""
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(most)
    try:
        limits = Limits(max_int_digits=10_000)
        value = 10**9999
        assert load(dump(value), limits) == value
    finally:
        sys.set_int_max_str_digits(before)
