"""
As much of WAMP as "fan-out" needs: its messages as JSON in frames of four bytes of length and the
message (RawSocket), and a subscriber that counts events and decodes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol

from benchmarks.peers.work import check

#: The realm, and the topic.
REALM, TOPIC = "bench", "bench.ticks"

#: What a client sends first: messages of up to 16 MiB, in JSON. The answer is the same.
HANDSHAKE = b"\x7f\xf1\x00\x00"

_HELLO, _SUBSCRIBE, _PUBLISH = 1, 32, 16
_SUBSCRIBED, _EVENT = b"[33,", b"[36,"

#: How the answers to `hello` and `publication` begin.
WELCOME, PUBLISHED = b"[2,", b"[17,"


def frame(*message: object) -> bytes:
    """Return a message with its length."""
    data = json.dumps(message).encode()
    return len(data).to_bytes(4, "big") + data


def hello() -> bytes:
    """Return what begins a session."""
    return frame(_HELLO, REALM, {"roles": {"subscriber": {}, "publisher": {}}})


def publication(number: int, event: str) -> bytes:
    """Return the message that publishes an event, and asks for an answer."""
    return frame(_PUBLISH, number, {"acknowledge": True}, TOPIC, [event])


class Subscriber(Protocol):
    """
    A subscriber.

    Args:
        arrived: Told how many more events have come.
        event: The text of each.
    """

    def __init__(self, arrived: Callable[[int], None], event: str) -> None:
        self._arrived = arrived
        self._ending = json.dumps([event]).encode() + b"]"
        self._held = b""
        self._steps = [HANDSHAKE, WELCOME, _SUBSCRIBED]  # what comes until it is ready
        self.ready: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        self.transport.write(HANDSHAKE)

    def dataReceived(self, data: bytes) -> None:
        data = self._held + data
        at = 0
        if self._steps and self._steps[0] is HANDSHAKE and len(data) >= len(HANDSHAKE):
            check(data[: len(HANDSHAKE)], self._steps.pop(0))
            at = len(HANDSHAKE)
            self.transport.write(hello())
        events = 0
        while len(data) - at >= 4:
            end = at + 4 + int.from_bytes(data[at : at + 4], "big")
            if end > len(data):
                break
            if self._steps:
                self._next_step(data[at + 4 : end])
            else:
                check(data[at + 4 : at + 8], _EVENT)
                check(data.endswith(self._ending, at, end), True)
                events += 1
            at = end
        self._held = data[at:]
        if events:
            self._arrived(events)

    def _next_step(self, message: bytes) -> None:
        step = self._steps.pop(0)
        check(message[: len(step)], step)
        if step is WELCOME:
            self.transport.write(frame(_SUBSCRIBE, 1, {}, TOPIC))
        else:
            self.ready.callback(None)
