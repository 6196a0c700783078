"""
The way of small flat values gives the bytes, values and errors of the way of all others.
"""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import example, given, strategies as st

from tests.wire.extended import References
from txremote.errors import NotSendable, RemoteProtocolError
from txremote.wire.brine import Budget
from txremote.wire.limits import DEFAULT_LIMITS, Limits
from txremote.wire.value_flat import MOST, dump_flat, flat_items, load_flat
from txremote.wire.value_loading import load_extended
from txremote.wire.values import dump_extended

plain = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.binary()
)
flat = st.lists(plain, min_size=1, max_size=MOST) | st.dictionaries(
    plain, plain, min_size=1, max_size=MOST // 2
)


def counted(limits: Limits = DEFAULT_LIMITS) -> Budget:
    return Budget(limits, limits.max_items + 1)


@given(flat)
@example([-0.0, 1, True, 2**80])
def test_a_flat_value_has_the_bytes_of_any_other(value: Any) -> None:
    out: list[bytes] = []
    dump_flat(out, value, flat_items(value))
    other: list[bytes] = []
    dump_extended(other, value, References())
    assert b"".join(out) == b"".join(other)


@given(flat)
def test_it_is_read_as_any_other(value: Any) -> None:
    out: list[bytes] = []
    dump_flat(out, value, flat_items(value))
    data = b"".join(out) + b"behind"
    mine, its = counted(), counted()
    assert repr(load_flat(data, 0, 5, mine)) == repr(load_extended(data, 0, 5, its, References()))
    assert mine.items == its.items


@pytest.mark.parametrize(
    "value",
    [
        *([], {}, (1,), {1}, [[1]], [1j], [(1,)], {"a": []}, [frozenset()], [slice(1)]),
        *([...], ["x"] * (MOST + 1), dict.fromkeys(range(MOST))),
    ],
)
def test_what_is_not_small_and_flat_is_left_to_the_others(value: Any) -> None:
    assert flat_items(value) == ()
    out: list[bytes] = []
    dump_extended(out, value, References())
    budget = counted()
    assert load_flat(b"".join(out), 0, 5, budget) is None
    assert budget.items == DEFAULT_LIMITS.max_items


def test_a_str_that_cannot_be_carried_is_refused() -> None:
    with pytest.raises(NotSendable, match="UTF-8"):
        dump_flat([], ["\ud800"], ("\ud800",))


@given(st.binary(max_size=40), st.sampled_from([b"\x1c", b"\x1d"]), st.integers(0, 8))
@example(b"\x11\x51\x51\x51", b"\x1d", 5)  # two equal keys
@example(b"\x10\x51", b"\x1d", 5)  # a key without its value
def test_hostile_bytes_have_the_error_that_they_have_without_it(
    data: bytes, tag: bytes, depth: int
) -> None:
    """Whatever `load_flat` takes, the others read in the same way."""
    try:
        found = load_flat(tag + data, 0, depth, counted())
    except (IndexError, struct.error):
        found = None
    if found is not None:
        assert repr(load_extended(tag + data, 0, depth, counted(), References())) == repr(found)


def test_its_items_count() -> None:
    limits = Limits(max_items=6)
    data = b"\x1c\x12\x51\x52\x53"
    budget = counted(limits)
    assert load_flat(data, 0, 5, budget) is None, "3 items and 4 for the list are 7"
    with pytest.raises(RemoteProtocolError, match="max_items"):
        load_extended(data, 0, 5, budget, References())
