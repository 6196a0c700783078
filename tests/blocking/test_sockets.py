"""
A script's sockets: connected to the first address that answers, with their options.
"""

from __future__ import annotations

import asyncio
import socket
import ssl

import pytest

from txremote import VoidService, aio
from txremote.blocking import ThreadedServer
from txremote.blocking.sockets import open_socket, tls_context


def test_a_socket_is_connected_without_nagles_algorithm_and_keeps_its_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        with open_socket("127.0.0.1", server.getsockname()[1], timeout=7, keepalive=90) as sock:
            assert sock.getpeername() == server.getsockname()
            assert sock.gettimeout() == 7
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) != 0
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 90


def test_the_error_of_the_last_address_is_raised_where_none_answers() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        with pytest.raises(ConnectionRefusedError):
            open_socket("127.0.0.1", taken.getsockname()[1])


@pytest.mark.parametrize("port", [65536 + 18861, -1])
def test_a_number_that_is_no_port_reaches_nobody(port: int) -> None:
    """The system would take its last 16 bits, and so the port of another server."""
    asyncio_s = aio.connect("127.0.0.1", port)
    for opened in (
        lambda: open_socket("127.0.0.1", port),
        lambda: ThreadedServer(VoidService, port=port),
        lambda: asyncio.run(asyncio.wait_for(asyncio_s, 10)),
    ):
        with pytest.raises(ValueError, match=f"a port is a number from 0 to 65535, not {port}"):
            opened()


def test_rpycs_tls_arguments_become_a_context_and_the_others_are_left() -> None:
    context, rest = tls_context({"check_hostname": False, "cert_reqs": ssl.CERT_OPTIONAL, "x": 1})
    assert context.check_hostname is False
    assert context.verify_mode is ssl.CERT_OPTIONAL
    assert rest == {"x": 1}
