"""
A remote iterable in growing chunks: ``async for``, and `buffiter` for code that may block.

A round trip for each item would make a loop as slow as the network, so items are fetched
with BUFFITER in chunks of 10, 20, 40, up to 1,000 (RPyC's figures). Leaving the loop early
drops the remote iterator and the items that it had left.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from types import GeneratorType
from typing import Any

from txremote.errors import RemoteStopIteration
from txremote.refs.ports import Answer
from txremote.refs.reading import GIVEN_UP, Items, given_up, is_stream
from txremote.wire.consts import HANDLE_BUFFITER

FIRST_CHUNK = 10
LARGEST_CHUNK = 1000
GROWTH = 2


class RemoteIterator:
    """An asynchronous iterator, of a Deferred of the peer's iterator."""

    def __init__(self, iterator: Answer) -> None:
        self._starting: Answer | None = iterator
        self._iterator: Any = None
        self._items: deque[object] = deque()
        self._chunk = FIRST_CHUNK
        self._stream: AsyncIterator[Any] | None = None
        self._given_up = False

    def __aiter__(self) -> RemoteIterator:
        return self

    async def __anext__(self) -> Any:
        if not self._items:
            if self._given_up:
                raise given_up()
            if self._stream is None:
                try:
                    await self._fetch()
                except GIVEN_UP:
                    self._given_up = True
                    raise
            if self._stream is not None:
                return await anext(self._stream)
        return self._items.popleft()

    async def _fetch(self) -> None:
        if self._starting is not None:
            starting, self._starting = self._starting, None
            self._iterator = await starting
            if is_stream(self._iterator):
                self._stream = Items(self._iterator)
                return
        if self._iterator is None:
            raise StopAsyncIteration
        if hasattr(type(self._iterator), "__next__"):  # of a plain value
            items = tuple(islice(self._iterator, self._chunk))
        else:
            try:
                request = self._iterator._connection.request
                items = await request(HANDLE_BUFFITER, self._iterator, self._chunk)
            except RemoteStopIteration:
                items = ()
        self._chunk = min(self._chunk * GROWTH, LARGEST_CHUNK)
        if not items:
            self._iterator = None  # the peer may drop its iterator
            raise StopAsyncIteration
        self._items.extend(items)


class OneByOne:
    """
    The items of an iterator of the peer's, each asked for when it is wanted: for ``anext`` of a
    reference. A step that is cancelled may have taken an item, so that the next step says so.
    """

    __slots__ = ("_given_up",)

    def __init__(self) -> None:
        self._given_up = False

    async def next_of(self, reference: Any) -> Any:
        """Return the next item."""
        if self._given_up:
            raise given_up()
        try:
            return await self._ask(reference)
        except GIVEN_UP:
            self._given_up = True
            raise
        except RemoteStopIteration:
            raise StopAsyncIteration from None

    async def _ask(self, reference: Any) -> Any:
        connection = reference._connection
        if not connection.is_txremote:  # from a list RPyC would give the first item for ever
            return await reference._call(("__next__",), (), {})
        items = await connection.request(HANDLE_BUFFITER, reference, 1)
        if not items:
            raise StopAsyncIteration
        return items[0]


def buffiter(
    obj: Any, chunk: int = FIRST_CHUNK, max_chunk: int = LARGEST_CHUNK, factor: int = GROWTH
) -> Iterator[Any]:
    """
    Iterate over a netref with one round trip for many items. Blocks.

    Args:
        obj: A netref of an iterable.
        chunk: The number of items that the first round trip fetches.
        max_chunk: The most that one fetches.
        factor: The growth of the chunk from one to the next.

    Raises:
        ValueError: the factor is below 1.
    """
    if factor < 1:
        raise ValueError(f"factor must be >= 1, got {factor!r}")
    iterator: Any = iter(obj)
    if type(iterator) is GeneratorType:  # of a stream, whose items come without being asked for
        yield from iterator
        return
    conn = iterator.____conn__
    count = chunk
    while True:
        items = conn.sync_request(HANDLE_BUFFITER, iterator, count)
        count = min(count * factor, max_chunk)
        if not items:
            return
        yield from items
