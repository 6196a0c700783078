"""
The floor of "records": ``pickle.dumps`` and ``pickle.loads`` of the list, in one process, with
nothing between them.
"""

from __future__ import annotations

import pickle
from time import perf_counter

from benchmarks.peers.entries import entries, worth
from benchmarks.peers.work import check


class Client:
    """Both ends."""

    def records(self, count: int, size: int) -> float:
        """See `benchmarks.rows.values`."""
        given = entries(size)
        expected = worth(given)
        start = perf_counter()
        for _ in range(count):
            found = worth(pickle.loads(pickle.dumps(given)))
        seconds = perf_counter() - start
        check(found, expected)
        return seconds


def connect() -> Client:
    """Return both ends."""
    return Client()
