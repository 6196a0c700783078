"""
Streams and channels that a program makes, and connections over them.
"""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import threading
from typing import Any

import pytest
import rpyc as stock

import txremote.blocking as rpyc
from tests.blocking.script_threads import DEADLINE, scripted, serving
from txremote.blocking.factory import connect_channel, connect_stream
from txremote.blocking.streams import Channel, PipeStream, SocketStream, byte_channel_of
from txremote.errors import RemoteProtocolError


class Adder(rpyc.Service):
    """Adds, and notes what it hears of its connections."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def on_connect(self, conn: Any) -> None:
        self.told.append("connected")

    def exposed_add(self, a: Any, b: Any) -> Any:
        return a + b

    def exposed_call(self, function: Any) -> Any:
        return function()


def pair() -> tuple[SocketStream, SocketStream]:
    """Return two streams that are connected."""
    here, there = socket.socketpair()
    return SocketStream(here), SocketStream(there)


def in_thread(function: Any, *args: Any) -> threading.Thread:
    """Start a thread."""
    thread = threading.Thread(target=function, args=args, daemon=True)
    thread.start()
    return thread


# --- streams and channels ------------------------------------------------------------


@pytest.mark.parametrize("make", [pair, PipeStream.create_pair])
def test_a_stream_reads_what_was_written(make: Any) -> None:
    here, there = make()
    with here, there:
        assert not there.poll(0)
        here.write(b"hello world")
        assert there.poll(DEADLINE)
        assert there.read(5) == b"hello"
        assert there.read(6) == b" world"
        big = bytes(500_000)
        writer = in_thread(here.write, big)
        assert there.read(len(big)) == big
        writer.join(DEADLINE)
    assert here.closed
    assert there.closed


@pytest.mark.parametrize("make", [pair, PipeStream.create_pair])
def test_the_end_of_a_stream_is_eof(make: Any) -> None:
    here, there = make()
    here.close()
    with pytest.raises(EOFError):
        there.read(1)
    assert there.closed


@pytest.mark.parametrize("packet", [b"", b"x", b"y" * 4000, bytes(range(256)) * 300])
@pytest.mark.parametrize("compress", [True, False])
def test_packets_are_rpyc_s(packet: bytes, compress: bool) -> None:
    """To and from its own Channel, on either side of what it compresses."""
    here, there = pair()
    ours, theirs = Channel(here, compress), stock.Channel(stock.SocketStream(there.sock))
    writer = in_thread(ours.send, packet)
    assert theirs.recv() == packet
    writer.join(DEADLINE)
    writer = in_thread(theirs.send, packet)
    assert ours.poll(DEADLINE)
    assert ours.recv() == packet
    writer.join(DEADLINE)
    ours.close()
    theirs.close()
    assert ours.closed


def test_a_packet_over_the_limit_is_refused() -> None:
    here, there = pair()
    with here, there:
        here.write(b"\xff\xff\xff\xff\x00")
        with pytest.raises(RemoteProtocolError, match="option max_frame"):
            Channel(there).recv()


@scripted
def test_what_is_no_stream_carries_no_connection() -> None:
    with pytest.raises(TypeError, match="hand in a SocketStream or a PipeStream"):
        byte_channel_of(Channel(object()))  # type: ignore[arg-type]
    here, there = pair()
    there.close()
    here.close()
    with pytest.raises(EOFError, match="closed"):
        connect_stream(here)


# --- connections over them -------------------------------------------------------------


@scripted
def test_a_socket_that_the_program_has_connected() -> None:
    """Of TCP, with the service's on_connect called before there is a result."""
    mine = Adder()
    with serving(Adder) as server:
        conn = connect_stream(SocketStream.connect("127.0.0.1", server.port), mine)
        assert mine.told == ["connected"]
        assert conn.root.add(1, 2) == 3
        assert conn.root.call(lambda: 7) == 7
        conn.close()


@pytest.mark.parametrize("client", [stock, rpyc], ids=["rpyc", "txremote"])
@scripted
def test_a_socket_that_the_program_has_accepted(client: Any) -> None:
    """The client speaks first, in its own time."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connect_stream(SocketStream(listener.accept()[0]), Adder).serve_all()

        server = in_thread(serve)
        conn = client.connect("127.0.0.1", listener.getsockname()[1])
        assert conn.root.add(1, 2) == 3
        assert conn.root.call(lambda: 7) == 7
        conn.close()
        server.join(DEADLINE)
        assert not server.is_alive()


@scripted
def test_two_ends_that_are_made_by_hand() -> None:
    """Either may be the first to speak; no on_connect is called, as in RPyC."""
    here, there = pair()
    mine, theirs = Adder(), Adder()
    server = rpyc.Connection(theirs, Channel(there))
    serving_thread = in_thread(server.serve_all)
    with rpyc.Connection(mine, Channel(here), {"sync_request_timeout": DEADLINE}) as conn:
        assert isinstance(conn, rpyc.Connection)
        assert conn.root.add(1, 2) == 3
        assert rpyc.async_(conn.root.add)(2, 3).value == 5
    serving_thread.join(DEADLINE)
    assert mine.told == theirs.told == []


@scripted
def test_an_end_made_by_hand_and_a_stock_one() -> None:
    here, there = pair()
    theirs = stock.Connection(stock.VoidService(), stock.Channel(stock.SocketStream(there.sock)))
    thread = in_thread(theirs.serve_all)
    conn = connect_channel(Channel(here))
    conn.ping()
    conn.close()
    thread.join(DEADLINE)


@scripted
def test_what_on_connect_raises_closes_it() -> None:
    class Bad(rpyc.Service):
        def on_connect(self, conn: Any) -> None:
            raise LookupError("not today")

    here, there = pair()
    with pytest.raises(LookupError, match="not today"):
        connect_stream(here, Bad)
    with pytest.raises(EOFError):
        there.read(1)
        there.read(10_000)


@scripted
def test_tls_that_the_program_has_made(certificate: dict[str, str]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate["certificate"], certificate["key"])
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            sock = context.wrap_socket(listener.accept()[0], server_side=True)
            connect_stream(SocketStream(sock), Adder).serve_all()

        server = in_thread(serve)
        options = {"ca_certs": certificate["certificate"], "check_hostname": False}
        stream = SocketStream.ssl_connect("127.0.0.1", listener.getsockname()[1], options)
        with connect_stream(stream) as conn:
            assert conn.root.add(1, 2) == 3
        server.join(DEADLINE)


@scripted
def test_the_standard_streams() -> None:
    """Of a child process; what it prints does not get in between."""
    program = (
        "import txremote.blocking as rpyc\n"
        "class Adder(rpyc.Service):\n"
        "    def exposed_add(self, a, b):\n"
        "        print('adding')\n"
        "        return a + b\n"
        "rpyc.connect_stdpipes(Adder).serve_all()\n"
    )
    conn = rpyc.connect_subproc([sys.executable, "-c", program])
    try:
        assert conn.root.add(1, 2) == 3
    finally:
        conn.close()
        process: subprocess.Popen[bytes] = conn.proc  # type: ignore[attr-defined]
        assert process.wait(DEADLINE) == 0
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
