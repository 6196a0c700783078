"""
Processes that die in the middle of something, or hang, and what the other side sees.
"""

from __future__ import annotations

import gc
import signal
import socket
import sys
import time

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure

from tests.interop.peer_processes import Hosted, Program, script
from tests.net.servers import logged
from tests.processes import Program as Command, Twistd
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
    """The same for a server of RPyC's."""
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
    """The server drops what it was doing for it, and serves others on."""
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


# -- those that hang: nothing of theirs is closed, and nothing comes from them

#: Seconds of silence after which a txremote is asked, and that it has to answer.
SILENCE, PATIENCE = 0.2, 0.4

#: Seconds in which a peer that hangs is surely found, on a busy machine.
SOON = SILENCE + PATIENCE + 4

_IDLE_TXREMOTE = """\
import sys
from twisted.internet import task
from twisted.internet.defer import Deferred
from txremote import connect

async def main(reactor):
    conn = await connect(sys.argv[1], config={"keepalive": None})
    assert await conn.root.add(1, 2) == 3
    print("idle", flush=True)
    await conn.when_disconnected()
    print("told", flush=True)

task.react(lambda reactor: Deferred.fromCoroutine(main(reactor)))
"""

_IDLE_STOCK = """\
import sys, rpyc
conn = rpyc.connect("127.0.0.1", int(sys.argv[1]))
assert conn.root.add(1, 2) == 3
print("idle", flush=True)
sys.stdin.readline()
print(conn.root.add(2, 3), "is the answer", flush=True)
"""


def _depot() -> Twistd:
    return Twistd(
        "tests.services.Depot",
        "--keepalive",
        str(SILENCE),
        "--keepalive-timeout",
        str(PATIENCE),
    )


@pytest_twisted.ensureDeferred
async def test_a_server_that_hangs_is_found():
    """
    Within keepalive and keepalive_timeout: each call fails, with a sentence. Until it
    hangs, an idle connection lasts.
    """
    from twisted.internet import reactor

    with await deferToThread(_depot) as server:
        switches = {"keepalive": SILENCE, "keepalive_timeout": PATIENCE}
        conn, patient = await gatherResults(
            [
                connect(server.endpoint, config=switches),
                connect(server.endpoint, config={"keepalive": None}),
            ]
        )
        call = conn.root.never()
        await deferLater(reactor, 2 * (SILENCE + PATIENCE))
        assert not conn.closed
        assert not patient.closed  # this side does not ask, but answers
        server.signal(signal.SIGSTOP)
        began = reactor.seconds()
        with pytest.raises(ConnectionLost, match=r"no sign of life .*keepalive_timeout"):
            await call
        assert reactor.seconds() - began < SOON
        server.signal(signal.SIGCONT)
        await patient.close()


@pytest_twisted.ensureDeferred
async def test_a_client_that_hangs_is_found_and_one_that_is_idle_is_left_alone():
    """A server asks txremotes only: an idle stock client would not answer, and is healthy."""
    with (
        await deferToThread(_depot) as server,
        Command(sys.executable, "-c", _IDLE_TXREMOTE, server.endpoint) as client,
        Command(sys.executable, "-c", _IDLE_STOCK, server.port) as stock,
    ):
        for program in (client, stock):
            await deferToThread(program.wait_for, "idle")
        client.signal(signal.SIGSTOP)
        began = time.monotonic()
        await deferToThread(server.wait_for, "left after .* no sign of life")
        assert time.monotonic() - began < SOON
        client.signal(signal.SIGCONT)
        await deferToThread(client.wait_for, "told")
        stock.say("")
        await deferToThread(stock.wait_for, "5 is the answer")
        assert server.output.count("no sign of life") == 1


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the option is Linux's")
@pytest_twisted.ensureDeferred
async def test_a_server_that_hangs_while_much_is_on_its_way_is_found_by_tcp():
    """
    It takes nothing any more, which a question behind that could not tell from a slow
    line: TCP_USER_TIMEOUT ends it, here after half a second instead of two minutes.
    """
    with await deferToThread(_depot) as server:
        conn = await connect(server.endpoint)
        handle = conn.transport.getHandle()
        handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 500)
        server.signal(signal.SIGSTOP)
        began = time.monotonic()
        with pytest.raises(ConnectionLost):
            await conn.root.add(bytes(16 << 20), b"")
        assert time.monotonic() - began < SOON
