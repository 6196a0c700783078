"""
txremote's ``async for`` over an iterator that is no stream: its items are asked for.
"""

from __future__ import annotations

from benchmarks.peers import txr_streams
from benchmarks.peers.txr_streams import listen
from txremote import connect as dial

REACTOR = True


class Client(txr_streams.Client):
    """The client."""

    numbers = "asked_for"


async def connect(reactor: object, port: int) -> Client:
    """Return a connected client."""
    connection = await dial(f"tcp:127.0.0.1:{port}", reactor=reactor)
    return Client(connection.root)


__all__ = ["connect", "listen"]
