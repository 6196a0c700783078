"""
Stands between a client and a server of RPyC's wire, and counts requests.

It knows no more of the wire than it needs for that, and has it from neither
side's code: a frame is a length, a flag, a payload and a newline; a payload of
RPyC 6 starts with its kind, 1 for a request.
"""

from __future__ import annotations

import zlib
from typing import Any

from benchmarks.peers.proxying import listen_between

REACTOR = True

_counted = 0


class Counter:
    """Counts the requests that go by in one direction."""

    def __init__(self) -> None:
        self._data = bytearray()

    def look(self, data: bytes) -> None:
        """Take note of what goes by."""
        global _counted  # noqa: PLW0603
        self._data += data
        while len(self._data) >= 5:
            end = 5 + int.from_bytes(self._data[:4], "big") + 1
            if len(self._data) < end:
                break
            payload = bytes(self._data[5 : end - 1])
            if self._data[4]:
                payload = zlib.decompress(payload)
            _counted += payload[0] == 1
            del self._data[:end]


class _Watching:
    """Lets all bytes pass, and looks at them."""

    _counter: Counter | None = None
    transport: Any

    def dataReceived(self, data: bytes) -> None:
        """Called by the transport."""
        if self._counter is None:
            self.transport.setTcpNoDelay(True)
            self._counter = Counter()
        self._counter.look(data)
        super().dataReceived(data)  # type: ignore[misc]


def counted() -> int:
    """Return how many requests have gone by, both ways, since this was last asked."""
    global _counted
    count, _counted = _counted, 0
    return count


async def listen(reactor: Any, port: int) -> int:
    """Relay to a port; return our own."""
    return await listen_between(reactor, port, _Watching)
