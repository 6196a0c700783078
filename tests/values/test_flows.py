"""Which annotations of a result say that it is a stream."""

from __future__ import annotations

import collections.abc
import typing
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterable, Iterator
from typing import Any

import pytest

from txremote.values.flows import flow_plan, is_flow


@pytest.mark.parametrize(
    "hint",
    [
        *(Iterator[int], AsyncIterator[str], Generator[int, None, None]),
        *(AsyncGenerator[int, None], typing.Iterator[int], typing.AsyncIterator[int]),
        *(Iterator, AsyncIterator, collections.abc.Generator),
    ],
)
def test_iterators_and_generators_are_streams(hint: Any) -> None:
    assert is_flow(hint)


@pytest.mark.parametrize("hint", [Iterable[int], list[int], int, None, Any, dict[str, int]])
def test_nothing_else_is(hint: Any) -> None:
    assert not is_flow(hint)


def test_a_function_is_read_once_and_a_bound_method_as_its_function() -> None:
    class Clock:
        def ticks(self) -> Iterator[int]:
            yield 1

        def named(self) -> IteratorOfNothing:  # type: ignore[name-defined]  # noqa: F821
            return None

        def other(self):  # type: ignore[no-untyped-def]
            return None

    plan = flow_plan(Clock().ticks)
    assert plan is not None
    assert plan.streams
    assert flow_plan(Clock.ticks) is plan
    for function in (Clock().named, Clock.other, len, 5):
        assert flow_plan(function) is None
