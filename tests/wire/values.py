"""
Values for the codec's tests: how to compare them exactly, and how to make many.

``==`` is no good for that: it says that ``1``, ``True`` and ``1.0`` are one
value, that ``nan`` is not itself, and that ``-0.0`` is ``0.0``. On a wire each
of these is a bug.
"""

from __future__ import annotations

import struct
from collections import Counter
from typing import Any

from hypothesis import strategies as st

# Many ints that all hash alike: multiples of the modulus of Python's int hash.
COLLIDING = tuple(i * (2**61 - 1) for i in range(1, 20_001))


def canon(value: Any) -> Any:
    """Return something that is equal for two values only if they are the same."""
    kind = type(value)
    if kind is float:
        return ("float", struct.pack("!d", value))
    if kind is complex:
        return ("complex", struct.pack("!dd", value.real, value.imag))
    if kind is tuple:
        return ("tuple", *map(canon, value))
    if kind is slice:
        return ("slice", canon(value.start), canon(value.stop), canon(value.step))
    if kind is frozenset:
        return ("frozenset", frozenset(Counter(map(canon, value)).items()))
    return (kind.__name__, value)


# lengths at which the head of a str or bytes value changes, and some others
_LENGTHS = st.sampled_from([4, 5, 255, 256, 300])
_INTS = st.one_of(
    st.integers(-60, 200),
    st.integers(),
    st.builds(lambda n, more: n * 10**more, st.integers(), st.sampled_from([200, 254, 255, 600])),
)
_TEXT = st.one_of(st.text(max_size=6), _LENGTHS.map("\u00e9".__mul__), _LENGTHS.map("x".__mul__))
_BYTES = st.one_of(st.binary(max_size=6), _LENGTHS.map(b"x".__mul__))
_SCALARS = st.one_of(
    st.sampled_from([None, True, False, NotImplemented, Ellipsis]),
    _INTS,
    _TEXT,
    _BYTES,
    st.floats(),
    st.complex_numbers(),
)


def _tuples(items: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(items, max_size=6).map(tuple)


# slices cannot be hashed before Python 3.12, so none are put into a frozenset
HASHABLE = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(_tuples(inner), st.frozensets(inner, max_size=4)),
    max_leaves=8,
)
VALUES = st.recursive(
    HASHABLE,
    lambda inner: st.one_of(_tuples(inner), st.builds(slice, inner, inner, inner)),
    max_leaves=12,
)
