"""
Tests of a reactor's, over the driver of asyncio: each loop in a process of its own. All that
there are run in the session ``drivers`` of ``noxfile.py``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import pytest

from tests.interop.peer_processes import Program

#: What is run over each: connecting, serving and logging in, and what goes wrong in a network.
RUNS = {
    "aio": [
        *("net/test_connect.py", "net/test_listen.py", "net/test_login.py", "net/test_tls.py"),
        *("eventloop/test_connection_limits.py", "hostile/test_faults.py"),
    ],
    "aio-uvloop": [
        *("net/test_client.py", "net/test_unixsockets.py", "hostile/test_garbage.py"),
    ],
}

#: Seconds that a run may take on a busy machine.
DEADLINE = 240.0


@pytest.fixture(scope="module")
def running() -> Iterator[dict[str, Program]]:
    """The runs, all at the same time."""
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "tests.drivers"]
    programs = {
        name: Program([*words, f"--reactor={name}", *(f"tests/{path}" for path in paths)])
        for name, paths in RUNS.items()
    }
    try:
        yield programs
    finally:
        for program in programs.values():
            program.kill()


@pytest.mark.parametrize("name", RUNS)
def test_the_driver_does_what_a_reactor_does(running: dict[str, Program], name: str) -> None:
    """No test of that run has failed, and it was the driver that was tried."""
    program = running[name]
    assert program.wait(DEADLINE) == 0, program.output
    found = re.search(r"(\d+) connections over txremote\.aio", program.output)
    assert found, program.output
    assert int(found[1]) > 50
