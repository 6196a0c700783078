"""
txremote for a plain script: `txremote.blocking`, against the server of `txr`.

There is no reactor in this process.
"""

from __future__ import annotations

from typing import Any

import txremote.blocking as rpyc
from benchmarks.peers import work


class Client:
    """The client."""

    def __init__(self, port: int) -> None:
        self._conn: Any = rpyc.connect("127.0.0.1", port)

    def blocking(self, count: int) -> float:
        """See `benchmarks.rows.blocking`."""
        return work.blocking(self._conn, count)

    def background(self, count: int) -> float:
        """See `benchmarks.rows.background`."""
        with work.background(self._conn, rpyc.BgServingThread) as (arrivals, fire_later):
            return arrivals.burst(fire_later, count)

    def event(self, count: int) -> float:
        """See `benchmarks.rows.background`."""
        with work.background(self._conn, rpyc.BgServingThread) as (arrivals, fire_later):
            return arrivals.one_by_one(fire_later, count)


def connect(port: int) -> Client:
    """Return a connected client."""
    return Client(port)
