"""
Processes that die in the middle of something, and what the other side sees.
"""

from __future__ import annotations

import gc
import signal
import sys

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure

from tests.interop.support import Hosted, Program, script
from tests.net.serving import logged
from txremote import ConnectionLost, DeadReferenceError, connect

_ACCEPTS = """\
import socket
with socket.create_server(("127.0.0.1", 0)) as server:
    print("port", server.getsockname()[1], flush=True)
    conn, _address = server.accept()
    conn.recv(1)
    print("asked", flush=True)
    conn.recv(1 << 20)
    conn.recv(1)
"""


@pytest_twisted.ensureDeferred
async def test_a_server_killed_in_the_middle_of_1000_calls():
    """
    What was answered keeps its answer; every other Deferred fails, exactly once,
    with ConnectionLost. Nothing is retried, nothing is left unhandled.
    """
    outcomes: dict[int, list[object]] = {number: [] for number in range(1000)}
    answered: Deferred[None] = Deferred()

    def note(result: object, number: int) -> None:
        outcomes[number].append(result)
        if sum(map(len, outcomes.values())) == 500:
            answered.callback(None)

    server = Hosted()
    try:
        async with logged() as events:
            conn = await connect(f"tcp:127.0.0.1:{server.port}")
            for number in range(1000):
                wait = 0 if number % 2 == 0 else 3600
                conn.root.later(wait, number).addBoth(note, number)
            await answered
            server.signal(signal.SIGKILL)
            how = await conn.when_disconnected()
            gc.collect()
    finally:
        server.kill()
    assert conn.closed
    assert isinstance(how, Exception)
    assert [len(results) for results in outcomes.values()] == [1] * 1000
    for number, [result] in outcomes.items():
        if number % 2 == 0:
            assert result == number
        else:
            assert isinstance(result, Failure)
            assert type(result.value) is ConnectionLost
            assert isinstance(result.value, EOFError)
    assert len({id(outcomes[number][0].value) for number in range(1, 1000, 2)}) == 500
    with pytest.raises(DeadReferenceError):
        await conn.root.add(1, 2)
    assert not [event for event in events if event.get("log_failure")]


@pytest_twisted.ensureDeferred
async def test_a_server_killed_while_we_connect():
    """
    It had accepted and been asked, and died before it answered: ConnectionLost
    at once, not a time-out.
    """
    server = Program([sys.executable, "-c", _ACCEPTS])
    try:
        [port] = server.wait_for(r"^port (\d+)")
        connecting = connect(f"tcp:127.0.0.1:{port[1]}", timeout=20)
        await deferToThread(server.wait_for, "^asked")
        server.signal(signal.SIGKILL)
        with pytest.raises(ConnectionLost):
            await connecting
    finally:
        server.kill()


@pytest_twisted.ensureDeferred
async def test_a_stock_server_killed_in_mid_call():
    """
    The same for a server of RPyC's.
    """
    server = script("stock_server")
    try:
        [port] = server.wait_for(r"^ThreadedServer (\d+)")
        conn = await connect(f"tcp:127.0.0.1:{port[1]}")
        assert await conn.root.add(1, 2) == 3
        calls = [conn.root.later(3600, number) for number in range(10)]
        server.signal(signal.SIGKILL)
        for call in calls:
            with pytest.raises(ConnectionLost):
                await call
    finally:
        server.kill()


@pytest_twisted.ensureDeferred
async def test_a_client_killed_in_mid_call_costs_the_server_nothing(hosted):
    """
    The server drops what it was doing for it, and serves others on.
    """
    conn = await connect(f"tcp:127.0.0.1:{hosted.port}")
    before = await conn.root.goodbyes()
    client = Program(
        [
            *(sys.executable, "-c"),
            "import rpyc, sys\n"
            f"conn = rpyc.connect('127.0.0.1', {hosted.port})\n"
            "print('calling', flush=True)\n"
            "conn.root.later(3600, 'never')\n",
        ]
    )
    try:
        await deferToThread(client.wait_for, "^calling")
        client.signal(signal.SIGKILL)
        client.wait()
        while await conn.root.goodbyes() == before:
            assert await gatherResults([conn.root.add(n, 1) for n in range(3)]) == [1, 2, 3]
    finally:
        client.kill()
    await conn.close()
