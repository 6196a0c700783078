"""About how long the items of a stream are."""

from __future__ import annotations

from array import array
from collections import deque
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from txremote.peer.item_weights import first_full, weight_of, weight_of_all
from txremote.topics.encoding import encode_event
from txremote.wire.values import AsValue


@dataclass
class Line:
    number: int
    text: str


VALUES: list[Any] = [
    1,
    "x" * 1000,
    bytearray(5000),
    [1.5] * 3000,
    dict.fromkeys(range(500), "x" * 40),
    set(range(1_000_000, 1_001_000)),
    deque(["x" * 50] * 200),
    Line(1, "x" * 2000),
    [[{"a": (b"x" * 300, part)} for part in range(20)] for _ in range(20)],
]


@pytest.mark.parametrize("given", VALUES, ids=lambda given: type(given).__name__)
def test_a_value_weighs_about_what_it_takes(given: Any) -> None:
    size = len(encode_event(given))
    assert size / 3 - 64 < weight_of(AsValue(given)) < 3 * size + 64


def test_what_is_not_known_weighs_something() -> None:
    assert weight_of(object()) == weight_of(AsValue(object())) > 0
    assert weight_of(AsValue(SimpleNamespace(nbytes=10_000))) == 10_000
    assert weight_of(AsValue([])) > 0
    assert weight_of(array("d", [1.0])) > 0
    endless: list[Any] = []
    endless.append(endless)
    assert weight_of(AsValue(endless)) > 0


def test_of_many_items_some_are_weighed() -> None:
    assert weight_of_all([b"x" * 95] * 1000) == 100_000
    assert 90_000 < weight_of_all(["x" * 96] * 1000) < 110_000
    assert weight_of_all([(1, "x" * 88)] * 3) == 3 * (8 + 8 + 92)


def test_the_first_of_them_make_a_message() -> None:
    assert first_full(["x" * 96] * 10, 350) == 3
    assert first_full(["x" * 96] * 10, 10) == 1
    assert first_full(["x" * 96] * 10, 10_000) == 10
