"""`stream_into` for scripts: the items of a stream, written to a file."""

from __future__ import annotations

from collections.abc import Iterable
from types import GeneratorType
from typing import Any

from txremote.streams.sinks import check_items, check_sink, is_consumer, is_writer, write_all


def stream_into(source: Iterable[Any], sink: Any) -> int:
    """
    Write the items of a peer's stream, which are bytes, to a binary file. Blocks.

    Args:
        source: A netref of a stream, such as the result of a call that gives one.
        sink: The file, or another object with its ``write``. It is not closed.

    Returns:
        The number of bytes.

    Raises:
        TypeError: the sink cannot be written to, is a consumer of Twisted's or a writer of
            asyncio's; or an item is not bytes.
    """
    check_sink(sink)
    if is_consumer(sink) or is_writer(sink):
        raise TypeError("a consumer or a writer is for a reactor or a loop: txremote.stream_into")
    if isinstance(source, (bytes, str)):
        raise TypeError(f"{type(source).__name__} is no stream")
    items = iter(source)
    size = 0
    try:
        for item in items:
            size += check_items((item,))
            write_all(sink, item)
    finally:
        if type(items) is GeneratorType:  # of a stream, which is left now
            items.close()
    return size
