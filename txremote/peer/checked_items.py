"""
Iterators whose items are declared as values: each is checked, and marked, when it is read.

The method's iterator is wrapped in a generator of the same manner, so that BUFFITER, ``send`` and
``close`` find what they know. The peer leaves the wrapping, and that closes what is in it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from types import AsyncGeneratorType, GeneratorType
from typing import Any

Change = Callable[[object], object]


def items_checked(result: Any, change: Change) -> Any:
    """
    Return an iterator with ``change`` called for each of its items.

    Args:
        result: The object that a method returned: a generator, or another iterator, of either kind.
            Anything else is returned as it is.
    """
    kind = type(result)
    if kind is GeneratorType:
        return _generated(result, change)
    if kind is AsyncGeneratorType:
        return _generated_later(result, change)
    if isinstance(result, Iterator):
        return _iterated(result, change)
    if isinstance(result, AsyncIterator):
        return _iterated_later(result, change)
    return result


def _iterated(source: Iterator[object], change: Change) -> Iterator[object]:
    for item in source:
        yield change(item)


async def _iterated_later(source: AsyncIterator[object], change: Change) -> AsyncIterator[object]:
    async for item in source:
        yield change(item)


def _generated(
    source: Generator[object, object, object], change: Change
) -> Generator[object, object, object]:
    try:
        try:
            item = next(source)
            while True:
                changed = change(item)
                try:
                    sent = yield changed
                except GeneratorExit:
                    raise
                except BaseException as error:  # the peer's, for the generator to see
                    item = source.throw(error)
                else:
                    item = source.send(sent)
        except StopIteration as end:
            return end.value
    finally:
        source.close()


async def _generated_later(
    source: AsyncGenerator[object, object], change: Change
) -> AsyncGenerator[object, object]:
    try:
        try:
            item = await anext(source)
            while True:
                changed = change(item)
                try:
                    sent = yield changed
                except GeneratorExit:
                    raise
                except BaseException as error:  # the peer's, for the generator to see
                    item = await source.athrow(error)
                else:
                    item = await source.asend(sent)
        except StopAsyncIteration:
            return
    finally:
        await source.aclose()
