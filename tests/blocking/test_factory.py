"""
Making blocking connections: TCP, UNIX, TLS, pipes, child processes, threads.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import ssl
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.address import IPv4Address

import txremote.blocking as rpyc
from tests.blocking.hosted import Child
from tests.blocking.script_threads import (
    DEADLINE,
    Script,
    client,
    gather,
    linked,
    run_script,
    scripted,
    serving,
    wait_until,
)
from tests.net.servers import served
from txremote.blocking import factory
from txremote.blocking.channel import SocketChannel
from txremote.peer import dialling

MEBI = 1 << 20
STDIO = [sys.executable, "-m", "txremote.blocking.utils.stdio"]


class Told(rpyc.Service):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def on_connect(self, conn: Any) -> None:
        self.told.append(("connected", conn))

    def on_disconnect(self, conn: Any) -> None:
        self.told.append(("gone", conn))

    def exposed_add(self, a: Any, b: Any) -> Any:
        return a + b


# --- TCP --------------------------------------------------------------------------


@scripted
def test_connecting_tells_the_service_and_fetches_the_root() -> None:
    mine = Told()
    with serving(Told) as server:
        conn = rpyc.connect("127.0.0.1", server.port, service=mine)
        assert mine.told == [("connected", conn)]
        assert conn.root.add(1, 2) == 3
        assert conn.protocol.is_txremote
        conn.close()
        assert mine.told == [("connected", conn), ("gone", conn)]


@scripted
def test_a_service_class_is_made_an_instance_of() -> None:
    with serving(Told) as server, client(server, service=Told) as conn:
        assert isinstance(conn.protocol.service, Told)


@scripted
def test_small_requests_do_not_wait_for_others() -> None:
    """TCP_NODELAY is set; keepalive where it is asked for."""
    with serving(Told) as server:
        with client(server) as conn:
            sock = conn._pump.io.channel._socket
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert not sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        with client(server, keepalive=33) as conn:
            sock = conn._pump.io.channel._socket
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 33
        with client(server, keepalive=True) as conn:
            sock = conn._pump.io.channel._socket
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60


@scripted
def test_a_port_that_nobody_serves_is_an_oserror() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        rpyc.connect("127.0.0.1", port)


@scripted
def test_a_server_that_hangs_up_is_an_eoferror() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            listener.accept()[0].close()

        server = Script(hang_up)
        with pytest.raises((EOFError, ConnectionResetError)):
            rpyc.connect("127.0.0.1", listener.getsockname()[1])
        server.result()


@scripted
def test_a_server_of_another_protocol_is_an_eoferror_that_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            sock = listener.accept()[0]
            sock.sendall(b"220 mail.example.com ESMTP at your service\r\n" * 10)
            sock.recv(1 << 16)
            sock.close()

        server = Script(greet)
        with pytest.raises(EOFError):
            rpyc.connect("127.0.0.1", listener.getsockname()[1])
        server.result()


@scripted
def test_a_server_that_says_nothing_is_a_timeout(monkeypatch: Any) -> None:
    monkeypatch.setattr(factory, "CONNECT_TIMEOUT", 0.1)
    monkeypatch.setattr(dialling, "PATIENCE", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        began = time.monotonic()
        with pytest.raises(rpyc.AsyncResultTimeout):
            rpyc.connect("127.0.0.1", listener.getsockname()[1])
        assert time.monotonic() - began < DEADLINE


@scripted
def test_a_busy_server_is_waited_for_though_it_hangs_up_on_a_second_connection(
    monkeypatch: Any,
) -> None:
    monkeypatch.setattr(dialling, "PATIENCE", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            first = listener.accept()[0]
            listener.accept()[0].close()
            factory.accept(SocketChannel(first), Told).serve_all()

        server = Script(serve)
        with rpyc.connect("127.0.0.1", listener.getsockname()[1]) as conn:
            assert conn.root.add(1, 2) == 3
        server.result()


@scripted
def test_a_txremote_that_answers_the_second_connection_alone_is_used_over_that(
    monkeypatch: Any,
) -> None:
    monkeypatch.setattr(dialling, "PATIENCE", 0.05)
    monkeypatch.setattr(dialling, "PATIENCE_WITH_TXREMOTE", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            first = listener.accept()[0]
            factory.accept(SocketChannel(listener.accept()[0]), Told).serve_all()
            factory.accept(SocketChannel(first), Told).serve_all()

        server = Script(serve)
        with rpyc.connect("127.0.0.1", listener.getsockname()[1]) as conn:
            assert conn.protocol.is_txremote
            assert conn.root.add(1, 2) == 3
        server.result()


@scripted
def test_what_is_no_service_is_refused_before_dialling() -> None:
    with pytest.raises(TypeError, match="is no service"):
        rpyc.connect("127.0.0.1", 1, service=5)
    with pytest.raises(TypeError, match="config is a ConnectionConfig or a mapping"):
        rpyc.connect("127.0.0.1", 1, config=5)


@scripted
def test_what_on_connect_raises_is_what_connecting_raises() -> None:
    class Bad(Told):
        def on_connect(self, conn: Any) -> None:
            raise LookupError("not today")

    with serving(Told) as server, pytest.raises(LookupError, match="not today"):
        client(server, service=Bad)


@scripted
def test_on_connect_may_call_the_peer() -> None:
    class Eager(Told):
        def on_connect(self, conn: Any) -> None:
            self.told.append(conn.root.add(20, 1))

    mine = Eager()
    with serving(Told) as server, client(server, service=mine):
        assert mine.told == [21]


# --- UNIX and TLS -----------------------------------------------------------------


@scripted
def test_connecting_over_a_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with serving(Told, socket_path=path) as server:
        assert (server.host, server.port) == ("", path)
        with rpyc.unix_connect(path) as conn:
            assert conn.root.add("a", "b") == "ab"
    with pytest.raises(OSError):
        rpyc.unix_connect(path)


@pytest_twisted.ensureDeferred
async def test_connecting_over_tls(certificate: dict[str, str]) -> None:
    """To a stock Twisted endpoint: unverified, verified, and with 1 MiB both ways."""
    where = "ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}"

    async with served(Told, where.format(**certificate)) as port:
        number = port.getHost().port

        def unverified() -> Any:
            with rpyc.ssl_connect("127.0.0.1", number) as conn:
                return conn.root.add(1, 2), len(conn.root.add(b"x" * MEBI, b"y" * MEBI))

        def verified() -> Any:
            trusted = certificate["certificate"]
            with rpyc.ssl_connect("127.0.0.1", number, ca_certs=trusted) as conn:
                return conn._pump.io.channel._tls.getpeercert() != {}

        def distrusted() -> None:
            rpyc.ssl_connect("127.0.0.1", number, cert_reqs=ssl.CERT_REQUIRED)

        assert await run_script(unverified) == (3, 2 * MEBI)
        assert await run_script(verified) is True
        with pytest.raises(ssl.SSLCertVerificationError):
            await run_script(distrusted)


@pytest_twisted.ensureDeferred
async def test_threads_share_a_tls_connection(certificate: dict[str, str]) -> None:
    """Reading and writing at once, with callbacks, over one TLS state."""
    where = "ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}"

    class Caller(rpyc.Service):
        def exposed_call(self, function: Any, *args: Any) -> Any:
            return function(*args)

    async with served(Caller, where.format(**certificate)) as port:

        def script() -> bool:
            with rpyc.ssl_connect("127.0.0.1", port.getHost().port) as conn:
                call = conn.root.call

                def calls(thread: int) -> bool:
                    return all(call(str, thread + i) == str(thread + i) for i in range(40))

                done = gather(*[lambda n=n: calls(n * 1000) for n in range(6)])
                return done == [True] * 6

        assert await run_script(script)


@pytest_twisted.ensureDeferred
async def test_two_great_messages_may_cross_over_tls(certificate: dict[str, str]) -> None:
    """8 MiB each way at once; another thread's call goes on meanwhile."""
    where = "ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}"
    much = b"x" * (8 * MEBI)

    class Store(rpyc.Service):
        def exposed_swap(self, function: Any, data: bytes) -> Any:
            return len(data) + function(much)

        def exposed_add(self, a: int, b: int) -> int:
            return a + b

    async with served(Store, where.format(**certificate)) as port:

        def script() -> list[Any]:
            with rpyc.ssl_connect("127.0.0.1", port.getHost().port) as conn:
                swap = conn.root.swap
                return gather(
                    lambda: swap(lambda data: swap(len, much) + len(data), much),
                    lambda: conn.root.add(1, 2),
                )

        assert await run_script(script) == [32 * MEBI, 3]


# --- threads ----------------------------------------------------------------------


@scripted
def test_connecting_to_a_service_in_a_thread() -> None:
    here, there = Told(), Told()
    conn = rpyc.connect_thread(here, None, there, {"allow_public_attrs": True})
    assert len(conn.root.told) == 1  # what is in it is a connection, and not given out
    assert conn.protocol.config.allow_public_attrs is False
    conn.close()
    wait_until(lambda: len(there.told) == 2)
    assert here.told == [("connected", conn), ("gone", conn)]


@scripted
def test_each_side_may_call_the_other() -> None:
    class Back(Told):
        def exposed_back(self) -> Any:
            return self.told[0][1].root.add(1, 2)

    with linked(Back, Told) as conn:
        assert conn.root.back() == 3


# --- pipes and processes ----------------------------------------------------------


def child(name: str = "tests.blocking.hosted.Child", **options: Any) -> Any:
    """Start a child process that serves on its standard streams."""
    return rpyc.connect_subproc([*STDIO, name], **options)


@scripted
def test_a_child_process_serves_on_its_standard_streams() -> None:
    with child() as conn:
        assert conn.root.pid() == conn.proc.pid
        assert conn.root.add(1, 2) == 3
        assert conn.root.call(lambda a: a * 2, 4) == 8
        assert len(conn.root.add(b"x" * MEBI, b"")) == MEBI
        assert conn.root.print("not for the protocol") == ""
    assert conn.proc.wait(DEADLINE) == 0


@scripted
def test_a_child_may_host_a_service_of_the_reactor_facet() -> None:
    """Without any reactor: what its coroutines await must not need one."""
    with child("tests.blocking.hosted.Reactive") as conn:
        assert conn.root.add(1, 2) == 3
    assert conn.proc.wait(DEADLINE) == 0


@scripted
def test_a_child_that_dies_in_mid_call_is_an_eoferror_in_every_thread() -> None:
    with child() as conn:
        root = conn.root
        waiting = [Script(lambda: root.sleep()) for _ in range(5)]
        wait_until(lambda: len(conn.protocol.outbound.pending) == 5)
        began = time.monotonic()
        conn.proc.send_signal(signal.SIGKILL)
        for script in waiting:
            with pytest.raises(EOFError):
                script.result()
        assert time.monotonic() - began < 5
        with pytest.raises(EOFError):
            root.add(1, 2)
    assert conn.proc.wait(DEADLINE) == -signal.SIGKILL


@scripted
def test_a_child_that_ends_by_itself_is_an_eoferror() -> None:
    with child() as conn:
        with pytest.raises(EOFError):
            conn.root.exit()
        assert conn.closed
    assert conn.proc.wait(DEADLINE) == 7


@scripted
def test_closing_a_pipe_in_one_thread_ends_the_wait_of_another() -> None:
    with child() as conn:
        waiting = Script(conn.root.sleep)
        wait_until(
            lambda: conn._pump.io.reading.locked() and len(conn.protocol.outbound.pending) == 1
        )
        conn.proc.send_signal(signal.SIGSTOP)  # it does nothing to help
        began = time.monotonic()
        conn.close()
        with pytest.raises(EOFError):
            waiting.result()
        assert time.monotonic() - began < 5
        conn.proc.kill()
        conn.proc.wait(DEADLINE)


@scripted
def test_a_background_thread_serves_a_child() -> None:
    seen = threading.Event()
    with child() as conn:
        thread = rpyc.BgServingThread(conn)
        rpyc.async_(conn.root.call)(seen.set)
        assert seen.wait(DEADLINE)
        thread.stop()
    conn.proc.wait(DEADLINE)


@scripted
def test_closed_pipes_stay_closed() -> None:
    """
    Their numbers may be another file's right afterwards: collecting what belonged
    to a closed connection closes nothing again.
    """
    conn = child()
    process = conn.proc
    conn.close()
    others = [os.open(os.devnull, os.O_RDONLY) for _ in range(8)]
    process.wait(DEADLINE)
    del conn, process
    gc.collect()
    for other in others:
        os.close(other)


@scripted
def test_a_command_that_serves_nothing_is_an_eoferror_and_is_ended() -> None:
    with pytest.raises(EOFError):
        rpyc.connect_subproc([sys.executable, "-c", "pass"])
    with pytest.raises(FileNotFoundError):
        rpyc.connect_subproc(["/nowhere/at/all"])


@scripted
def test_any_two_files_can_be_a_connection() -> None:
    """Descriptors or file objects; they are the connection's from then on."""
    for wrap in (lambda fd, mode: fd, os.fdopen):
        (theirs_in, out), (into, theirs_out) = os.pipe(), os.pipe()
        remote = factory.accept(factory.PipeChannel(theirs_in, theirs_out), Child)
        server = Script(remote.serve_all)
        files = wrap(into, "rb"), wrap(out, "wb")
        conn = rpyc.connect_pipes(*files)
        assert conn.root.add(1, 2) == 3
        conn.close()
        server.result()
        for descriptor in (into, out):
            with pytest.raises(OSError):
                os.fstat(descriptor)


@scripted
def test_accepting_knows_whom_it_talks_to() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        dialling = Script(lambda: rpyc.connect(*listener.getsockname()))
        sock, address = listener.accept()
        remote = factory.accept(factory.SocketChannel(sock), Told)
        server = Script(remote.serve_all)
        with dialling.result():
            assert remote._pump.io.transport.getPeer() == IPv4Address("TCP", *address)
        server.result()
