"""
A process with one topic on a bus. Not a test file::

    python -m tests.buses.node LOOP BUS

``LOOP`` is ``reactor`` or ``aio``, ``BUS`` the URL of a Redis or ``host``. It prints ``ready`` when
it has joined. On a line ``publish RATE`` it publishes so many events a second until the next line,
``stop`` or ``report``; the latter has it print one line of JSON: how many it has published, and of
what it received

* ``numbers``: by publisher, the first number, the last, how many, and whether they went up by one;
* ``twice``: how many came twice, or after a later one of the same publisher;
* ``missed``: how many it was told it missed, None's left out;
* ``last``: the last event of each key, its own among them;
* ``longest``: the longest time without an event, in seconds.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from time import monotonic
from typing import Any

from twisted.internet.task import LoopingCall

from txremote.buses.joining import join_by
from txremote.refs.clock import steady

#: Events are published this many times a second.
TICKS = 50


class Node:
    """The process's topic."""

    def __init__(self, loop: Any, bus: str) -> None:
        words = {"bus": bus} if bus == "host" else {"redis": bus}
        self.loop = loop
        self.published = 0
        self.received_: dict[str, list[Any]] = {}
        self.last_of: dict[str | None, str] = {}
        self.missing = 0
        self.twice = 0
        self.last = 0.0
        self.longest = 0.0
        self.call = LoopingCall(self.tick)
        self.call.clock = steady(loop)
        self.rate = 0
        self.link = join_by(loop, retain=True, **words)("prices", self)

    def received(self, key: str | None, payload: bytes, origin: str, number: int) -> None:
        self.last_of[key] = payload.decode()
        self.overtaken(key, payload, origin, number)

    def overtaken(self, key: str | None, payload: bytes, origin: str, number: int) -> None:
        now = monotonic()
        if self.last:
            self.longest = max(self.longest, now - self.last)
        self.last = now
        found = self.received_.setdefault(origin, [number, number - 1, 0, True])
        found[3] = found[3] and number == found[1] + 1
        self.twice += number <= found[1]
        found[1] = max(number, found[1])
        found[2] += 1

    def retained(self, key: str | None, payload: bytes, origin: str, number: int) -> None:
        self.last_of.setdefault(key, payload.decode())

    def missed(self, count: int | None, why: str) -> None:
        self.missing += count or 0

    def state(self, connected: bool, why: str) -> None:
        print("ready" if connected else f"down: {why}", flush=True)

    def tick(self) -> None:
        for _ in range(self.rate // TICKS):
            self.published += 1
            key, payload = f"k{self.published % 10}", f"{self.published} of {os.getpid()}"
            self.last_of[key] = payload
            self.link.publish(key, payload.encode())

    def said(self, line: str) -> None:
        word, _, number = line.strip().partition(" ")
        if self.call.running:
            self.call.stop()
        if word == "publish":
            self.rate = int(number)
            self.call.start(1 / TICKS).addErrback(print)
        elif word == "report":
            report = {
                "published": self.published,
                "numbers": self.received_,
                "missed": self.missing,
                "twice": self.twice,
                "last": self.last_of,
                "longest": round(self.longest, 3),
            }
            print("REPORT", json.dumps(report), flush=True)


def listen(node: Node) -> None:
    """Read standard input in a thread of its own."""

    def read() -> None:
        for line in sys.stdin:
            node.loop.callFromThread(node.said, line)

    threading.Thread(target=read, daemon=True).start()


def main() -> None:
    kind, bus = sys.argv[1:]
    if kind == "reactor":
        from twisted.internet import reactor

        node = Node(reactor, bus)
        listen(node)
        reactor.run()  # type: ignore[attr-defined]
        return
    import asyncio

    from txremote.aio.loop import AsyncioLoop

    async def run() -> None:
        listen(Node(AsyncioLoop.current(), bus))
        await asyncio.Event().wait()

    asyncio.run(run())


if __name__ == "__main__":
    main()
