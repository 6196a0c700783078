"""
Arrays through real sockets, in both facets: what arrives is what was sent when it was sent,
whatever becomes of the array while its bytes are on their way.
"""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted

import txremote
import txremote.blocking as rpyc
from tests.blocking.script_threads import run_script
from tests.net.servers import LOOPBACK, endpoint_of, joined, served
from txremote import Service, connect, exposed

np = pytest.importorskip("numpy", reason="numpy is not installed (extra numpy)")

#: Elements of arrays whose frames are written in one piece with others, and by themselves.
SIZES = [3, 400_000]


class Echo(Service, values=True):
    def __init__(self) -> None:
        self.kept: Any = None

    @exposed
    def echo(self, array: np.ndarray) -> np.ndarray:
        return array

    @exposed
    def spoil(self, array: np.ndarray) -> np.ndarray:
        """Change what is returned before the reactor has had a turn to send it."""
        from twisted.internet import reactor

        reactor.callLater(0, array.fill, 9)
        return array

    @exposed
    def anything(self, value):
        """Not declared."""
        return type(value).__name__

    @exposed
    def zeros(self, count: int) -> np.ndarray:
        return np.zeros(count)


@pytest.mark.parametrize("kind", ["tcp", "unix"])
@pytest.mark.parametrize("size", SIZES)
@pytest_twisted.ensureDeferred
async def test_an_array_that_changes_on_its_way_arrives_as_it_was(kind, size, tmp_path):
    where = LOOPBACK if kind == "tcp" else f"unix:{tmp_path / 'echo.sock'}"
    async with joined(Echo, where) as conn:
        array = np.ones(size)
        calls = [conn.root.echo(array), conn.root.spoil(array), conn.root.echo(array[::2])]
        array.fill(5)
        for call in calls:
            assert (await call == 1).all()
        array = np.asfortranarray(np.arange(6, dtype=">i2").reshape(2, 3))
        arrived = await conn.root.echo(array)
        assert arrived.dtype == array.dtype
        assert arrived.flags.f_contiguous
        arrived[0, 0] = 7
        assert arrived.tolist() == [[7, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("size", SIZES)
@pytest_twisted.ensureDeferred
async def test_a_script_sends_what_an_array_was(size):
    def script(port: int) -> None:
        conn = rpyc.connect("127.0.0.1", port)
        array = np.ones(size)
        assert (conn.root.echo(array) == 1).all()
        call = rpyc.async_(conn.root.anything)(txremote.value(array))
        array.fill(5)
        assert call.value == "ndarray"
        assert (conn.root.spoil(array) == 5).all()
        conn.close()

    async with served(Echo) as port:
        await run_script(script, port.getHost().port)


@pytest_twisted.ensureDeferred
async def test_arrays_that_compress_arrive_as_they_were():
    async with served(Echo, config={"compress": True}) as port:
        conn = await connect(endpoint_of(port), config={"compress": True})
        for size in (2_000, 400_000):
            assert (await conn.root.echo(np.zeros(size)) == 0).all()
        await conn.close()


@pytest_twisted.ensureDeferred
async def test_an_array_past_the_limit_costs_its_call_alone():
    async with served(Echo) as port:
        conn = await connect(endpoint_of(port), config={"max_frame": 3_000_000})
        with pytest.raises(txremote.RemoteProtocolError, match="max_frame"):
            await conn.root.zeros(400_000)
        assert len(await conn.root.zeros(300_000)) == 300_000
        await conn.close()


@pytest_twisted.ensureDeferred
async def test_an_array_of_objects_is_refused_and_nothing_else_is_lost():
    async with joined(Echo) as conn:
        with pytest.raises(txremote.NotSendable, match="tolist"):
            await conn.root.echo(np.array([object()]))
        assert await conn.root.anything(np.ones(3)) == "RemoteReference"
        assert await conn.root.anything(txremote.value(np.float32(3))) == "float"
