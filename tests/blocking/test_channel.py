"""
Channels: nothing blocks but `wait`, and that ends when it has to.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.address import IPv4Address, UNIXAddress

from tests.blocking.script_threads import DEADLINE, Script, wait_until
from txremote.blocking.channel import PipeChannel, SocketChannel, TLSChannel
from txremote.peer.connection import is_local

MEBI = 1 << 20


@contextlib.contextmanager
def sockets() -> Iterator[tuple[SocketChannel, Any]]:
    here, there = socket.socketpair()
    channel = SocketChannel(here)
    try:
        yield channel, _Socket(there)
    finally:
        channel.shutdown()
        channel.close()
        there.close()


@contextlib.contextmanager
def pipes() -> Iterator[tuple[PipeChannel, Any]]:
    theirs, outgoing = os.pipe()
    incoming, ours = os.pipe()
    channel = PipeChannel(incoming, outgoing)
    peer = _Pipes(theirs, ours)
    try:
        yield channel, peer
    finally:
        channel.shutdown()
        channel.close()
        peer.close()


class _Socket:
    """The other end of a socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        sock.settimeout(DEADLINE)

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def receive(self) -> bytes:
        return self._socket.recv(65536)

    def close(self) -> None:
        self._socket.close()


class _Pipes:
    """The other ends of two pipes."""

    def __init__(self, incoming: int, outgoing: int) -> None:
        self._ends = [incoming, outgoing]

    def send(self, data: bytes) -> None:
        os.write(self._ends[1], data)

    def receive(self) -> bytes:
        return os.read(self._ends[0], 65536)

    def close(self) -> None:
        while self._ends:
            os.close(self._ends.pop())


both = pytest.mark.parametrize("ends", [sockets, pipes])


@both
def test_bytes_go_both_ways(ends: Any) -> None:
    with ends() as (channel, peer):
        assert channel.receive_now() is None
        peer.send(b"to me")
        assert channel.wait(DEADLINE) is True
        assert channel.receive_now() == b"to me"
        assert channel.send(b"to you") == 6
        assert peer.receive() == b"to you"


@both
def test_the_end_is_no_bytes(ends: Any) -> None:
    with ends() as (channel, peer):
        peer.send(b"last words")
        peer.close()
        assert channel.wait(DEADLINE) is True
        assert channel.receive_now() == b"last words"
        assert channel.wait(DEADLINE) is True
        assert channel.receive_now() == b""


@both
def test_waiting_takes_no_longer_than_said(ends: Any) -> None:
    with ends() as (channel, _peer):
        began = time.monotonic()
        assert channel.wait(0.05) is False
        assert channel.wait(0) is False
        assert channel.wait(-1) is False  # a deadline that has passed
        assert 0.05 <= time.monotonic() - began < DEADLINE


@both
def test_sending_to_a_full_pipe_gives_up_at_once(ends: Any) -> None:
    """What could not be sent is the caller's to keep."""
    with ends() as (channel, peer):
        sent = 0
        while count := channel.send(memoryview(bytes(MEBI))):
            sent += count
        assert sent > 0
        channel.wait_writable(0.01)
        taken = 0
        while taken < sent:
            taken += len(peer.receive())
        channel.wait_writable(DEADLINE)
        assert channel.send(b"again") == 5


@both
def test_one_can_wait_for_room_to_send_as_well(ends: Any) -> None:
    with ends() as (channel, peer):
        assert channel.wait(DEADLINE, writable=True) is False  # there is room
        peer.send(b"x")
        wait_until(lambda: channel.wait(0))
        assert channel.wait(DEADLINE, writable=True) is True


@both
@pytest.mark.parametrize("seconds", [3e6, 1e300])
def test_one_can_wait_for_longer_than_poll_takes(ends: Any, seconds: float) -> None:
    """As calls do whose program gives them a month, or as good as for ever."""
    with ends() as (channel, peer):
        peer.send(b"x")
        assert channel.wait(seconds) is True
        channel.wait_writable(seconds)


@both
@pytest.mark.parametrize("writable", [False, True])
def test_an_interrupt_ends_a_wait(ends: Any, writable: bool) -> None:
    """In another thread, or the next one: also while the socket is full."""
    with ends() as (channel, _peer):
        channel.interruptible()
        channel.interruptible()
        while channel.send(bytes(MEBI)):
            continue
        waiting = Script(lambda: channel.wait(None, writable=writable))
        channel.interrupt()
        assert waiting.result() is False
        channel.interrupt()
        channel.interrupt()
        assert channel.wait(None, writable=writable) is False
        assert channel.wait(0, writable=writable) is False


@both
def test_interrupts_never_pile_up_until_they_block(ends: Any) -> None:
    with ends() as (channel, _peer):
        channel.interruptible()
        for _ in range(70_000):
            channel.interrupt()
        wait_until(lambda: channel.wait(0.01) is False and not channel._reading.poll(0))


def test_without_being_made_interruptible_a_socket_has_no_more_descriptors() -> None:
    with sockets() as (channel, _peer):
        channel.interrupt()
        assert channel.wait(0) is False
        assert channel._interrupter is None


@both
def test_shutdown_wakes_whoever_waits(ends: Any) -> None:
    """The thread that waits finds the end, as if the peer had gone."""
    with ends() as (channel, _peer):
        waiting = Script(channel.wait, None)
        channel.shutdown()
        assert waiting.result() is True
        assert channel.receive_now() == b""
        assert channel.wait(None) is True


@both
def test_closing_gives_the_descriptors_back_once(ends: Any) -> None:
    """Closed again, it closes nothing, whatever has the numbers by then."""
    with ends() as (channel, _peer):
        numbers = {channel._incoming, channel._outgoing}
        channel.shutdown()
        channel.close()
        for number in numbers:
            with pytest.raises(OSError):
                os.fstat(number)
        others = [os.open(os.devnull, os.O_RDONLY) for _ in range(8)]
        channel.close()
        channel.interrupt()
        for other in others:
            os.fstat(other)
            os.close(other)


def test_addresses_are_twisteds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sock = socket.create_connection(listener.getsockname())
        channel = SocketChannel(sock)
        assert channel.peer == IPv4Address("TCP", *listener.getsockname())
        assert channel.host == IPv4Address("TCP", *sock.getsockname())
        assert channel.fileno() == sock.fileno()
        channel.close()
        assert channel.fileno() == -1
    with sockets() as (channel, _peer):
        assert isinstance(channel.peer, UNIXAddress)
    with pipes() as (pipe, _ends):
        assert pipe.peer == UNIXAddress("pipe")
        assert pipe.fileno() == pipe._incoming


# --- TLS --------------------------------------------------------------------------


@contextlib.contextmanager
def secured(certificate: dict[str, str]) -> Iterator[tuple[TLSChannel, ssl.SSLSocket]]:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate["certificate"], certificate["key"])
    client = ssl.create_default_context(cafile=certificate["certificate"])
    here, there = socket.socketpair()
    accepting = Script(lambda: server.wrap_socket(there, server_side=True))
    channel = TLSChannel(client.wrap_socket(here, server_hostname="localhost"))
    peer = accepting.result()
    peer.settimeout(DEADLINE)
    try:
        yield channel, peer
    finally:
        channel.shutdown()
        channel.close()
        peer.close()


def received(channel: TLSChannel, count: int) -> bytes:
    """Return so many bytes, however they come."""
    data = b""
    while len(data) < count:
        assert channel.wait(DEADLINE), "nothing comes"
        data += channel.receive_now() or b""
    return data


def test_tls_carries_bytes_both_ways(certificate: dict[str, str]) -> None:
    with secured(certificate) as (channel, peer):
        assert channel.receive_now() is None
        peer.sendall(b"hello")
        assert received(channel, 5) == b"hello"
        assert channel.send(b"back") == 4
        assert peer.recv(100) == b"back"


def test_bytes_in_the_tls_layer_count_as_come(certificate: dict[str, str]) -> None:
    """A record that was read and only half taken needs no more from the socket."""
    with secured(certificate) as (channel, peer):
        peer.sendall(bytes(16000))
        assert channel.wait(DEADLINE)
        received(channel, 0)
        wait_until(lambda: channel._tls.recv(10))
        assert channel._tls.pending()
        assert channel.wait(0) is True
        assert channel.wait(None) is True


def test_tls_keeps_a_great_message_whole(certificate: dict[str, str]) -> None:
    """What TLS could not send is sent again from where it stopped."""
    data = os.urandom(2 * MEBI)
    with secured(certificate) as (channel, peer):

        def take() -> bytes:
            whole = b""
            while len(whole) < len(data):
                whole += peer.recv(65536)
            return whole

        left = memoryview(data)
        while sent := channel.send(left):  # until it is full
            left = left[sent:]
        taking = Script(take)
        while left:
            channel.wait_writable(DEADLINE)
            left = left[channel.send(left) :]
        assert taking.result() == data


def test_a_tls_peer_that_just_hangs_up_is_lost(certificate: dict[str, str]) -> None:
    """Anybody on the way could have cut it off; a reactor tells that as lost, too."""
    with secured(certificate) as (channel, peer):
        peer.sendall(b"x")
        assert received(channel, 1) == b"x"
        peer.close()
        assert channel.wait(DEADLINE)
        with pytest.raises((ConnectionResetError, BrokenPipeError)):  # as OpenSSL has it
            wait_until(channel.receive_now)


def test_a_key_and_its_certificate_are_files(certificate: dict[str, str]) -> None:
    """The fixture is what these tests take it to be."""
    assert Path(certificate["key"]).is_file()
    assert Path(certificate["certificate"]).is_file()


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_socket_whose_peer_has_gone_is_a_channel_that_has_ended(family: int) -> None:
    """The system does not tell the peer's address any more, and reading tells why."""
    with socket.socket(family) as sock:
        channel = SocketChannel(sock)  # as after a reset: not connected
        assert channel.peer.port == 0
        assert not is_local(channel.peer)
