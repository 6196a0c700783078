"""A command that needs a server, with a server that says nothing."""

from __future__ import annotations

import signal
import socket

import pytest

from tests.processes import Program, script


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_command_that_waits(number: int) -> None:
    """With the status of Ctrl-C, and without a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        mute.settimeout(60)
        where = f"127.0.0.1:{mute.getsockname()[1]}"
        with Program(script("txremote"), "call", where, "add") as program:
            peer, _address = mute.accept()
            peer.recv(1)  # it asks: so its reactor runs
            program.signal(number)
            assert program.finish() == 130
            assert "Traceback" not in program.output
            peer.close()
