"""The options of TCP sockets."""

from __future__ import annotations

import socket

import pytest
import pytest_twisted

from tests.net.servers import Desk, joined
from txremote.eventloop.tcp import (
    KEEPALIVE_COUNT,
    KEEPALIVE_IDLE,
    KEEPALIVE_INTERVAL,
    USER_TIMEOUT,
    acknowledge,
    tune_keepalive,
)

needs_linux = pytest.mark.skipif(
    not hasattr(socket, "TCP_USER_TIMEOUT"), reason="these options are Linux's"
)


@needs_linux
@pytest_twisted.ensureDeferred
async def test_a_peer_that_has_vanished_is_found_by_tcp():
    """
    Keepalive asks a silent peer, and what it does not acknowledge ends the
    connection: on both sides.
    """
    desk = Desk()
    async with joined(desk) as conn:
        for end in (conn, desk.conns[0]):
            handle = end.transport.getHandle()
            assert handle.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert {
                name: handle.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))
                for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
            } == {
                "TCP_KEEPIDLE": KEEPALIVE_IDLE,
                "TCP_KEEPINTVL": KEEPALIVE_INTERVAL,
                "TCP_KEEPCNT": KEEPALIVE_COUNT,
                "TCP_USER_TIMEOUT": USER_TIMEOUT,
            }


def test_options_that_a_system_or_a_closed_socket_refuses_are_left() -> None:
    def refuse(*_option: int) -> None:
        raise OSError

    tune_keepalive(refuse)
    acknowledge(refuse)
