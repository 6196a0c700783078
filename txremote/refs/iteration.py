"""
``async for`` over a remote iterable, in growing chunks.

A round trip for each item would make a loop as slow as the network, so items are fetched
with BUFFITER in chunks of 10, 20, 40, up to 1,000 (the figures of RPyC's `buffiter`). Leaving
the loop early drops the remote iterator and the items that it had left.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Any

from txremote.errors import RemoteStopIteration
from txremote.refs.ports import Answer
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

    def __aiter__(self) -> RemoteIterator:
        return self

    async def __anext__(self) -> Any:
        if not self._items:
            await self._fetch()
        return self._items.popleft()

    async def _fetch(self) -> None:
        if self._starting is not None:
            starting, self._starting = self._starting, None
            self._iterator = await starting
        if self._iterator is None:
            raise StopAsyncIteration
        if hasattr(type(self._iterator), "__next__"):  # of a plain value
            items = tuple(islice(self._iterator, self._chunk))
        else:
            items = await self._request_chunk()
        self._chunk = min(self._chunk * GROWTH, LARGEST_CHUNK)
        if not items:
            self._iterator = None  # the peer may drop its iterator
            raise StopAsyncIteration
        self._items.extend(items)

    async def _request_chunk(self) -> tuple[object, ...]:
        try:
            chunk: tuple[object, ...] = await self._iterator._connection.request(
                HANDLE_BUFFITER, self._iterator, self._chunk
            )
        except RemoteStopIteration:
            return ()
        return chunk
