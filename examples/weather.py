"""
A service of asyncio: no reactor, at neither end.

Serve it, from the folder above this one, until Ctrl-C::

    python examples/weather.py serve localhost:18861

and use it::

    python examples/weather.py watch localhost:18861

The same class could be served by ``twistd``, and called by a script, or by a program of RPyC's.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass

from txremote import Service, Topic, aio, exposed


@dataclass
class Reading:
    """A measurement. It travels as a value, and its fields are checked."""

    station: str
    celsius: float


class Weather(Service, values=True):
    """The service."""

    exposed_warnings = Topic("warnings")

    def __init__(self):
        self._last = {"hill": 4.5, "lake": 9.0, "town": 11.5}

    @exposed
    async def measure(self, station: str) -> Reading:
        """Measure, which takes a moment. Others are served meanwhile."""
        await asyncio.sleep(0.1)
        return Reading(station, self._last[station])

    @exposed
    async def follow(self, station: str) -> AsyncIterator[Reading]:
        """Measure again and again: a stream, which ends when its reader leaves the loop."""
        while True:
            yield await self.measure(station)

    @exposed
    def report(self, reading: Reading) -> None:
        """Take a reading from a station, and warn all who listen of frost."""
        self._last[reading.station] = reading.celsius
        if reading.celsius < 0:
            self.exposed_warnings.publish(f"frost: {reading.station}")


async def serve(address):
    """The server: one object for all clients."""
    async with await aio.listen(address, Weather()) as server:
        print(f"serving on {server.address}", flush=True)
        await server.serve_forever()


async def watch(address):
    """The client."""
    async with aio.connect(address) as conn, asyncio.timeout(30):
        weather = aio.typed(conn.root, Weather)  # gives Readings
        stations = "hill", "lake", "town"
        for reading in await asyncio.gather(*[weather.measure(name) for name in stations]):
            print(f"{reading.station}: {reading.celsius} degrees")  # in 0.1 s, not 0.3

        await conn.root.warnings.subscribe(lambda warning: print("warned of", warning))
        await weather.report(Reading("hill", -2.0))

        left = 3
        async for reading in weather.follow("hill"):
            print("again:", reading)
            left -= 1
            if not left:
                break

        try:
            async with asyncio.timeout(0.01):
                await weather.measure("lake")  # cancelled, at the server too
        except TimeoutError:
            print("the lake takes too long")
        try:
            await weather.report(Reading("lake", "mild"))
        except TypeError as error:
            print("refused:", error.args[0])


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("serve", "watch"):
        raise SystemExit("usage: python examples/weather.py serve|watch HOST:PORT")
    try:
        asyncio.run({"serve": serve, "watch": watch}[sys.argv[1]](sys.argv[2]))
    except KeyboardInterrupt:
        pass
