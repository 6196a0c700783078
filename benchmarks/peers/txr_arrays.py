"""
txremote with a numpy array that a method takes and gives: under the default limits.
"""

from __future__ import annotations

from time import perf_counter

import numpy as np
import numpy.typing as npt

from benchmarks.peers.txr_ends import port_of, root_at
from benchmarks.peers.work import check
from txremote import RemoteReference, Service, exposed

REACTOR = True


class Bench(Service, values=True):
    """The service."""

    @exposed
    def echo(self, array: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """For "array"."""
        return array


class Client:
    """The client."""

    def __init__(self, root: RemoteReference) -> None:
        self._root = root

    async def bulk(self, size: int) -> float:
        """See `benchmarks.rows.array`."""
        array = np.random.default_rng(1).random(size // 8)
        start = perf_counter()
        answer = await self._root.echo(array)
        seconds = perf_counter() - start
        check(bool((answer == array).all()), True)
        return seconds


async def listen(reactor: object) -> int:
    """Serve; return the port."""
    return await port_of(Bench, reactor)


async def connect(reactor: object, port: int) -> Client:
    """Return a connected client."""
    return Client(await root_at(port, reactor))
