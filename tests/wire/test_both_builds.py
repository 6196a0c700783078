"""
The compiled build and the interpreted one: the same bytes, values, errors and words.

Both are in this process, so that they are asked about the same objects.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ExtensionFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from tests.builds import COMPILED
from tests.examples import examples
from tests.wire import both_builds
from tests.wire.extended import encoded
from tests.wire.extended_values import EXTENDED
from tests.wire.values import COLLIDING, VALUES
from txremote import wire
from txremote.wire.brine import dump

pytestmark = pytest.mark.skipif(not COMPILED, reason="there is one build: python -m tests.compiled")

CASES = settings(deadline=None, max_examples=examples(800))


class Sources:
    """Finds the sources of ``txremote.wire``, and no extensions."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, target: object = None) -> Any:
        room, _, module = name.rpartition(".")
        if room != wire.__name__ or not path:
            return None
        return spec_from_file_location(name, Path(path[0], f"{module}.py"))


def interpreted() -> ModuleType:
    """Import `both_builds` again, with interpreted modules in place of the compiled ones."""
    names = [each.name for each in iter_modules(wire.__path__, f"{wire.__name__}.")]
    kept = {
        name: sys.modules.pop(name)
        for name in names
        if type(import_module(name).__loader__) is ExtensionFileLoader
    }
    assert len(kept) > 5
    for name in kept:
        delattr(wire, name.rpartition(".")[2])
    kept[both_builds.__name__] = sys.modules.pop(both_builds.__name__)
    sys.meta_path.insert(0, Sources)
    try:
        return import_module(both_builds.__name__)
    finally:
        sys.meta_path.remove(Sources)
        sys.modules.update(kept)
        for name, module in kept.items():
            package, _, last = name.rpartition(".")
            setattr(sys.modules[package], last, module)


@pytest.fixture(scope="module")
def other() -> Any:
    return interpreted()


def agree(other: Any, name: str, *arguments: Any) -> None:
    """Check that both say the same."""
    ours: list[str] = getattr(both_builds, name)(*arguments)
    assert ours == getattr(other, name)(*arguments)


def test_they_are_two(other: Any) -> None:
    assert both_builds.code() == "builtin_function_or_method"
    assert other.code() == "function"


@CASES
@given(st.one_of(VALUES, EXTENDED))
def test_what_makes_bytes_of_any_value(other: Any, value: Any) -> None:
    agree(other, "encodings", value)


class Loud(int):
    """A subclass of what is carried."""


DEEP: Any = ()
for _ in range(120):
    DEEP = (DEEP,)

ODD = {
    "true": True,
    "a subclass of int": Loud(5),
    "a long int": 10**5000,
    "a long negative int": -(10**4400),
    "a surrogate": "\udcff",
    "surrogates within": [("a", {"\udcff": 1})],
    "deep": DEEP,
    "colliding": frozenset(COLLIDING[:40]),
    "a set of colliding": set(COLLIDING[:40]),
    "many": list(range(5_000)),
    "a class": Loud,
}


@pytest.mark.parametrize("name", ODD)
def test_what_makes_bytes_of_odd_values(other: Any, name: str) -> None:
    agree(other, "encodings", ODD[name])


_LIMITS = (st.sampled_from([1, 3, 20, 2_000_000]), st.sampled_from([1, 2, 5, 100]))
_DIGITS = st.sampled_from([1, 5, 18, 19, 4300])
_HEADS = st.sampled_from([b"", b"\x11\x51", b"\x11\x52\x12", b"\x11\x55", b"\x11\x58\x11\x51"])


@CASES
@given(_HEADS, st.one_of(VALUES.map(dump), EXTENDED.map(encoded)), *_LIMITS, _DIGITS, st.data())
def test_what_makes_values_of_bytes(
    other: Any, head: bytes, data: bytes, most: int, depth: int, digits: int, draw: Any
) -> None:
    """As they were, with one changed, and cut there."""
    data = head + data
    agree(other, "decodings", data, most, depth, digits)
    changed = bytearray(data)
    at = draw.draw(st.integers(0, len(data) - 1))
    changed[at] = draw.draw(st.one_of(st.integers(0, 0x1F), st.integers(0, 255)))
    agree(other, "decodings", bytes(changed), most, depth, digits)
    agree(other, "decodings", bytes(changed[:at]), most, depth, digits)


@CASES
@given(_HEADS, st.lists(st.one_of(st.integers(0, 0x1F), st.integers(0, 255)), max_size=40))
def test_what_makes_something_of_random_bytes(other: Any, head: bytes, tail: list[int]) -> None:
    agree(other, "decodings", head + bytes(tail), 100, 5, 30)


@CASES
@given(
    st.binary(max_size=90), st.lists(st.integers(0, 10_000)), st.sampled_from([40, 5_000, 1 << 20])
)
def test_what_frames(other: Any, payload: bytes, cuts: list[int], most: int) -> None:
    agree(other, "framings", payload, cuts, most)
