"""
A process that serves a topic on a bus. Not a test file::

    python -m tests.buses.topic_process LOOP BUS SOCKET

``LOOP`` is ``reactor`` or ``aio``, ``BUS`` the URL of a Redis or ``host``. It prints ``serving``.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from txremote import Service, Topic, exposed
from txremote.aio import listen as listen_here
from txremote.net.listen import listen


def service_on(bus: str) -> type[Service]:
    """Return a service whose topic is on a bus."""
    words: Any = {"bus": bus} if bus == "host" else {"redis": bus}

    class Prices(Service):
        """Publishes what it is told to."""

        exposed_topic = Topic("prices", buffer=5000, retain=True, **words)

        @exposed
        def publish(self, first: int, count: int, name: str) -> None:
            """Publish events of a name, of two keys in turn."""
            for number in range(first, first + count):
                self.exposed_topic.publish({"name": name, "number": number}, key=f"k{number % 2}")

        @exposed
        def state(self) -> str:
            """Tell whether the bus is there."""
            return self.exposed_topic.stats().bus

    return Prices


def main() -> None:
    """Serve until it is killed."""
    kind, bus, path = sys.argv[1:]
    endpoint = f"unix:{path}"
    if kind == "reactor":
        from twisted.internet import reactor

        serving: Any = listen(endpoint, service_on(bus))
        serving.addCallback(lambda _: print("serving", flush=True))
        reactor.run()  # type: ignore[attr-defined]
        return

    async def serve() -> None:
        async with listen_here(endpoint, service_on(bus)):
            print("serving", flush=True)
            await asyncio.Event().wait()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
