"""Iterators whose items are looked at as they are read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine, Generator, Iterator
from types import AsyncGeneratorType, GeneratorType
from typing import Any

import pytest

from txremote.peer.checked_items import items_checked


def twice(item: Any) -> Any:
    return item * 2


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a coroutine that never waits."""
    with pytest.raises(StopIteration) as ended:
        coroutine.send(None)
    return ended.value.value


class Talk:
    """A generator that answers what it is sent, and says how it ended."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    def plain(self) -> Generator[Any, Any, str]:
        sent = None
        try:
            while sent != "stop":
                try:
                    sent = yield (sent or 1)
                except ValueError:
                    sent = yield "caught "
            return "done"
        finally:
            self.ended.append("closed")

    async def later(self) -> Any:
        sent = None
        try:
            while sent != "stop":
                try:
                    sent = yield (sent or 1)
                except ValueError:
                    sent = yield "caught "
        finally:
            self.ended.append("closed")


def test_a_generator_goes_on_as_one() -> None:
    """Send, throw, its return value and its end are its own."""
    talk = Talk()
    items = items_checked(talk.plain(), twice)
    assert type(items) is GeneratorType
    assert next(items) == 2
    assert items.send("a") == "aa"
    assert items.throw(ValueError()) == "caught caught "
    with pytest.raises(StopIteration) as ended:
        items.send("stop")
    assert ended.value.value == "done" and talk.ended == ["closed"]


def test_a_generator_that_is_left_is_closed() -> None:
    """What is within it, too."""
    talk = Talk()
    items = items_checked(talk.plain(), twice)
    next(items)
    items.close()
    assert talk.ended == ["closed"]


def test_an_asynchronous_generator_goes_on_as_one() -> None:
    """In the same ways."""
    talk = Talk()

    async def use() -> list[Any]:
        items = items_checked(talk.later(), twice)
        assert type(items) is AsyncGeneratorType
        found = [await anext(items), await items.asend("a"), await items.athrow(ValueError())]
        with pytest.raises(StopAsyncIteration):
            await items.asend("stop")
        return found

    assert run(use()) == [2, "aa", "caught caught "]
    assert talk.ended == ["closed"]


def test_an_asynchronous_generator_that_is_left_is_closed() -> None:
    """By its aclose()."""
    talk = Talk()

    async def use() -> None:
        items = items_checked(talk.later(), twice)
        await anext(items)
        await items.aclose()

    run(use())
    assert talk.ended == ["closed"]


def test_other_iterators_are_read_likewise() -> None:
    """And what is none is left as it is."""

    class Later:
        def __init__(self) -> None:
            self.left = 2

        def __aiter__(self) -> AsyncIterator[int]:
            return self

        async def __anext__(self) -> int:
            if not self.left:
                raise StopAsyncIteration
            self.left -= 1
            return self.left

    async def use() -> list[int]:
        return [item async for item in items_checked(Later(), twice)]

    numbers: Iterator[int] = items_checked(iter([1, 2]), twice)
    assert list(numbers) == [2, 4]
    assert run(use()) == [2, 0]
    same = [1]
    assert items_checked(same, twice) is same


def test_a_wrong_item_ends_the_reading() -> None:
    """With the generator closed."""
    talk = Talk()

    def refuse(item: Any) -> Any:
        raise TypeError(item)

    items = items_checked(talk.plain(), refuse)
    with pytest.raises(TypeError):
        next(items)
    assert talk.ended == ["closed"]
