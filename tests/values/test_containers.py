"""Containers: copies, of the declared class, with converted items."""

from __future__ import annotations

import collections.abc as abc
from collections import Counter, OrderedDict, defaultdict, deque
from typing import Any

import pytest

from tests.values.classes import compiled, complaint, converted, objection, same


@pytest.mark.parametrize(
    ("annotation", "raw", "wanted"),
    [
        (list[int], [1, 2], [1, 2]),
        (list[int], (1, 2), [1, 2]),
        (list, [1, "a"], [1, "a"]),
        (tuple[int, ...], [1, 2], (1, 2)),
        (tuple[int, str], (1, "a"), (1, "a")),
        (tuple[int, str], [1, "a"], (1, "a")),
        (tuple[()], (), ()),
        (list[tuple[()]], [(), ()], [(), ()]),
        (set[int], frozenset({1}), {1}),
        (frozenset[int], {1}, frozenset({1})),
        (deque[int], deque([1], maxlen=3), deque([1], maxlen=3)),
        (dict[str, float], {"a": 1}, {"a": 1.0}),
        (dict, {"a": 1}, {"a": 1}),
        (OrderedDict[str, int], {"b": 1, "a": 2}, OrderedDict(b=1, a=2)),
        (Counter[str], Counter("aab"), Counter("aab")),
        (defaultdict[str, float], defaultdict(int, a=1), defaultdict(int, a=1.0)),
        (abc.Sequence[float], [1], [1.0]),
        (abc.Sequence[float], (1,), (1.0,)),
        (abc.Mapping[str, int], {"a": 1}, {"a": 1}),
        (abc.Iterable[int], {1}, {1}),
        (abc.Set[int], {1}, {1}),
        (list[list[float]], [[1], [], [2, 3]], [[1.0], [], [2.0, 3.0]]),
    ],
)
def test_what_comes_out(annotation: Any, raw: object, wanted: object) -> None:
    found = converted(annotation, raw)
    assert same(found, wanted)
    assert found is not raw or raw == ()


@pytest.mark.parametrize(
    ("annotation", "raw"),
    [
        (list[int], {1}),
        (list[int], range(3)),
        (list[int], deque([1])),
        (list[int], "12"),
        (set[int], [1]),
        (dict[str, int], OrderedDict(a=1)),
        (tuple[int, str], (1,)),
        (tuple[int, str], (1, "a", 2)),
        (abc.Sequence[str], "text"),
        (Counter[str], {"a": "b"}),
    ],
)
def test_another_container_is_refused(annotation: Any, raw: object) -> None:
    complaint(annotation, raw)


def test_paths() -> None:
    assert complaint(set[int], {"a"}) == "it{str 'a'}: expected int, got str 'a'"
    assert complaint(dict[int, str], {"a": "b"}) == "it key str 'a': expected int, got str 'a'"
    assert complaint(dict[int, str], {1: 2}) == "it[1]: expected str, got int 2"
    assert complaint(tuple[int, str], (1, 2)) == "it[1]: expected str, got int 2"
    assert complaint(tuple[int, str], (1,)) == "it: expected tuple[int, str], got 1 items"


def test_a_check_wants_the_class_itself() -> None:
    compiled(list[float]).check([1.5, 1])
    assert objection(list[int], (1,)) == "it: expected list[int], got a tuple of 1"
