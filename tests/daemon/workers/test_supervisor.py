"""
A server with workers, as an operator meets it: real processes.

What takes long is in ``test_rolling.py``.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest
import pytest_twisted

from tests.daemon.workers.real import SHOP, Workers
from tests.interop.peer_processes import TROUBLE, TWISTD, Program
from txremote import connect


@pytest_twisted.ensureDeferred
async def test_two_workers_serve_one_port_are_replaced_and_end() -> None:
    """All by itself: a worker that is killed, SIGHUP, SIGTERM."""
    with Workers("--drain", "5") as server:
        first = set(server.worker_pids())
        killed = first.pop()
        os.kill(killed, signal.SIGKILL)
        server.wait_for(rf"process {killed}\) was killed by signal 9 \(SIGKILL\)$")
        server.wait_for(r"worker \d \(process \d+\) serves$", count=3)
        with_new = set(server.worker_pids())
        assert len(with_new) == 2 and with_new & first == first and killed not in with_new
        server.roll()
        now = set(server.worker_pids())
        assert len(now) == 2 and not now & with_new
        conn = await connect(server.place)
        assert await conn.root.pid() in now
        assert await conn.root.number() in ("1", "2")
        await conn.close()
        assert server.stop() in (0, -15)
        assert "Server Shut Down." in server.output
        assert not [pid for pid in now if psutil.pid_exists(pid)]
        trouble = [line for line in server.lines if TROUBLE.search(line)]
        assert len(trouble) == 1 and "SIGKILL" in trouble[0], server.output


def test_a_server_whose_workers_cannot_start_says_why_and_ends_with_status_1(
    tmp_path: Path,
) -> None:
    """What is wrong with one is wrong with all: it does not try for ever."""
    (tmp_path / "picky.py").write_text(
        "import os, txremote\n"
        "if 'TXREMOTE_WORKER' in os.environ: raise RuntimeError('not here')\n"
        "class Picky(txremote.Service): pass\n"
    )
    words = ["-n", "--pidfile=", "txremote", "--service", "picky.Picky", "--workers", "2"]
    program = Program([*TWISTD, *words, "--listen", "tcp:0:interface=127.0.0.1"], cwd=tmp_path)
    try:
        assert program.wait() == 1
        assert "not here" in program.output
        assert "ended with exit status 1 before it served" in program.output
    finally:
        program.kill()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--workers", "0"], "--workers takes a whole number"),
        (["--workers", "2", "--listen", "tcp:99999"], "is no port"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_starts(
    options: list[str], says: str
) -> None:
    """In a sentence."""
    program = Program([*TWISTD, "-n", "--pidfile=", "txremote", "--service", SHOP, *options])
    try:
        assert program.wait() != 0
        assert says in program.output
    finally:
        program.kill()
