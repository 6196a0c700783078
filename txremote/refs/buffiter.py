"""`buffiter`: a remote iterable read in growing chunks (``rpyc.utils.helpers``)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from txremote.refs.iteration import FIRST_CHUNK, GROWTH, LARGEST_CHUNK
from txremote.wire.consts import HANDLE_BUFFITER


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
    iterator = iter(obj)
    conn = iterator.____conn__
    count = chunk
    while True:
        items = conn.sync_request(HANDLE_BUFFITER, iterator, count)
        count = min(count * factor, max_chunk)
        if not items:
            return
        yield from items
