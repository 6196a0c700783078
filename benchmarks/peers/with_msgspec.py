"""
msgspec: MessagePack of the list and back, checked against the dataclass, in one process.
"""

from __future__ import annotations

from time import perf_counter

import msgspec

from benchmarks.peers.entries import Entry, entries, worth
from benchmarks.peers.work import check


class Client:
    """Both ends."""

    def __init__(self) -> None:
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(list[Entry]).decode

    def records(self, count: int, size: int) -> float:
        """See `benchmarks.rows.values`."""
        given = entries(size)
        expected = worth(given)
        start = perf_counter()
        for _ in range(count):
            found = worth(self._decode(self._encode(given)))
        seconds = perf_counter() - start
        check(found, expected)
        return seconds


def connect() -> Client:
    """Return both ends."""
    return Client()
