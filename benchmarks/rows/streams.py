"""
Streams: what a server sends before it is asked for, item by item and as bytes.
"""

from __future__ import annotations

from benchmarks.rows.base import Bar, CallRow

#: The length of a chunk, in bytes: what Twisted reads at once.
CHUNK = 1 << 16


class StreamItems(CallRow):
    """
    ``stream_items(count)``: read so many ints of the server's in one loop.

    "async for" is the same loop over an iterator that is no stream, which is asked for items: what
    txremote does without ``stream``, and RPyC always.
    """

    name = "stream items"
    work = "read n ints of a server's iterator, one loop"
    unit = "/s"
    more_is_better = True
    method = "stream_items"
    contestants = ("rpyc", "iterated", "streams")
    mine = "streams"
    needs = "stream"
    goal = (Bar(5.0, "iterated", "async for"),)
    warm_up = 1000
    most = 500_000


class StreamBytes(CallRow):
    """
    ``stream_bytes(count)``: read so many chunks of 64 KiB of the server's. The floor is a push
    producer of Twisted's that writes them, and a protocol that counts.
    """

    name = "stream bytes"
    work = "read chunks of 64 KiB of a server's iterator"
    unit = " MB/s"
    more_is_better = True
    method = "stream_bytes"
    contestants = ("producer", "streams")
    floor = "producer"
    mine = "streams"
    needs = "stream"
    goal = (Bar(0.85, "producer"),)
    warm_up = 100
    most = 20_000

    def figure(self, seconds: float, count: int) -> float:
        """Return megabytes in a second."""
        return count * CHUNK / seconds / 1e6


ITEMS = StreamItems()
BYTES = StreamBytes()
