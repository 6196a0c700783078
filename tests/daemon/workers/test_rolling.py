"""
What workers promise, under load: nobody's call fails when they are replaced, one that is killed
costs its own calls alone, and what is not TCP on loopback works as well. Many processes, for long.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from tests.daemon.workers.real import Workers
from tests.interop.peer_processes import ROOT, TROUBLE
from tests.net.certificates import Authority
from txremote import CallCut, ConnectionLost, RemoteClient, connect
from txremote.net.tls import tls_client

CLIENTS = 50


async def pause(seconds: float) -> None:
    """Let the reactor run."""
    from twisted.internet import reactor

    await deferLater(reactor, seconds)  # type: ignore[arg-type]


async def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Let the reactor run until something is so."""
    for _turn in range(int(seconds / 0.05)):
        if condition():
            return
        await pause(0.05)
    raise AssertionError("it has not happened")


async def rolled(server: Workers) -> None:
    """Have all workers replaced."""
    before = server.rolls
    server.signal(signal.SIGHUP)
    await until(lambda: server.rolls > before)


class Callers:
    """Clients that call all the time, each one call after the other."""

    def __init__(self, place: str, count: int = CLIENTS) -> None:
        self.answered = 0
        self.failed: list[BaseException] = []
        self.pids: set[int] = set()
        self._go_on = True
        self._running = [Deferred.fromCoroutine(self._call(place, n)) for n in range(count)]

    async def _call(self, place: str, number: int) -> None:
        client = RemoteClient(place)
        client.startService()
        while self._go_on:
            try:
                asked: Any = client.root.wait(0.01) if number % 2 else client.root.pid()
                self.pids.add(await asked)
                self.answered += 1
            except Exception as problem:
                self.failed.append(problem)
                await pause(0.01)
        await client.stopService()

    async def end(self) -> None:
        """Have each end its last call."""
        self._go_on = False
        await gatherResults(self._running)


@pytest_twisted.ensureDeferred
async def test_no_call_fails_while_all_workers_are_replaced_three_times() -> None:
    """Fifty clients call all the time, and every worker's process is another in the end."""
    with Workers() as server:
        callers = Callers(server.place)
        await until(lambda: callers.answered > 1_000)
        seen = []
        for times in range(1, 4):
            seen.append(set(server.worker_pids()))
            before = callers.answered
            await rolled(server)
            assert server.rolls == times
            await until(lambda n=before: callers.answered > n + 1_000)
            # most of those calls were the old ones': clients come back only now
            await until(lambda: callers.pids.issuperset(server.worker_pids()))
        seen.append(set(server.worker_pids()))
        await callers.end()
        assert not callers.failed, callers.failed[:3]
        assert len(set.union(*seen)) == sum(map(len, seen)) == 8
        assert callers.pids == set.union(*seen)
        slow = "has not answered for"  # this machine is
        trouble = [line for line in server.lines if TROUBLE.search(line) and slow not in line]
        assert not trouble, trouble


@pytest_twisted.ensureDeferred
async def test_a_worker_that_is_killed_costs_its_own_calls_and_is_replaced() -> None:
    """The other's clients notice nothing."""
    with Workers() as server:
        conns = [await connect(server.place) for _ in range(20)]
        whose = [await each.root.pid() for each in conns]
        assert len(set(whose)) == 2
        killed = whose[0]
        calls = [each.root.wait(1.0) for each in conns]
        outcomes: list[Any] = [None] * len(calls)
        for place, call in enumerate(calls):
            call.addCallbacks(
                lambda pid, place=place: outcomes.__setitem__(place, pid),
                lambda failure, place=place: outcomes.__setitem__(place, failure.type),
            )
        await pause(0.2)
        os.kill(killed, signal.SIGKILL)
        await until(lambda: None not in outcomes)
        for pid, outcome in zip(whose, outcomes, strict=True):
            assert outcome == (ConnectionLost if pid == killed else pid)
        await until(lambda: server.count(r"\) serves$") >= 3)
        assert killed not in server.worker_pids() and len(server.worker_pids()) == 2
        for each in conns:
            await each.close()


@pytest_twisted.ensureDeferred
async def test_sigterm_lets_calls_end_and_cuts_the_rest() -> None:
    """Those that end within --drain have their answer, in every worker."""
    with Workers("--drain", "2") as server:
        conns = [await connect(server.place) for _ in range(10)]
        short = [each.root.wait(1.0) for each in conns[:5]]
        long = [each.root.wait(30.0) for each in conns[5:]]
        await pause(0.3)
        pids = server.worker_pids()
        server.signal(signal.SIGTERM)
        for each in short:
            assert await each in pids
        for each in long:
            with pytest.raises(CallCut):
                await each
        await until(lambda: "Server Shut Down." in server.output)
        assert not [pid for pid in pids if psutil.pid_exists(pid)]


@pytest_twisted.ensureDeferred
async def test_a_supervisor_that_is_killed_takes_its_workers_with_it() -> None:
    """They let their calls end, and give the port back at once."""
    with Workers("--drain", "5") as server:
        conn = await connect(server.place)
        call = conn.root.wait(1.0)
        await pause(0.2)
        pids = server.worker_pids()
        server.signal(signal.SIGKILL)
        assert await call in pids
        await until(lambda: not [pid for pid in pids if psutil.pid_exists(pid)])


@pytest_twisted.ensureDeferred
async def test_a_new_version_that_does_not_start_leaves_the_old_one_serving(tmp_path: Path) -> None:
    """SIGHUP reads the program anew; where it is broken, those that serve go on, and accept."""
    module = tmp_path / "version.py"
    text = "import txremote\nclass V(txremote.Service):\n    def exposed_number(self): return {}\n"
    module.write_text(text.format(1))
    service = ("--service", "version.V")
    with Workers(cwd=tmp_path, service=service, env={"PYTHONDONTWRITEBYTECODE": "1"}) as server:
        module.write_text("import does_not_exist\n")
        server.signal(signal.SIGHUP)
        await until(lambda: "those that serve go on" in server.output)
        conn = await connect(server.place)
        assert await conn.root.number() == 1
        await conn.close()
        module.write_text(text.format(2))
        await rolled(server)
        conn = await connect(server.place)
        assert await conn.root.number() == 2
        await conn.close()


@pytest_twisted.ensureDeferred
async def test_unix_sockets_tls_and_two_addresses(tmp_path: Path) -> None:
    """The socket's file is the supervisor's: it outlives workers, and goes with the server."""
    authority = Authority(tmp_path)
    cert = authority.issue("localhost")
    path = tmp_path / "s"
    places = (f"unix:{path}:mode=600", "tcp:0:interface=127.0.0.1")
    with Workers("--tls-cert", str(cert), listen=places) as server:
        ca = authority.path
        tcp = server.places[1].replace("127.0.0.1", "localhost")
        for _round in range(2):
            for where in (f"unix:{path}", f"tcp:{tcp}"):
                conn = await connect(tls_client(where, ca=ca, hostname="localhost"))
                assert await conn.root.pid() in server.worker_pids()
                await conn.close()
            assert path.stat().st_mode & 0o777 == 0o600
            await rolled(server)
        server.stop()
    assert not path.exists() and not Path(f"{path}.lock").is_symlink()


@pytest.mark.skipif(shutil.which("systemd-socket-activate") is None, reason="no systemd here")
@pytest_twisted.ensureDeferred
async def test_sockets_that_systemd_has_opened_are_shared(tmp_path: Path) -> None:
    """They go from systemd to the supervisor to its workers."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    activate = ("systemd-socket-activate", "-l", f"127.0.0.1:{port}", "--fdname=shop")
    passed = [f"-E{name}" for name in ("PATH", "PYTHONPATH", "HOME") if name in os.environ]

    class Activated(Workers):
        def wait_for(self, pattern: str, *args: Any, **kwargs: Any) -> list[Any]:
            super().wait_for("Listening on")
            with socket.create_connection(("127.0.0.1", port)):  # the first one starts it
                return super().wait_for(pattern, *args, **kwargs)

    where = ("systemd:domain=INET:name=shop",)
    with Activated(before=(*activate, *passed), listen=where) as server:
        for _round in range(2):
            conn = await connect(f"127.0.0.1:{port}")
            assert await conn.root.pid() in server.worker_pids()
            await conn.close()
            await rolled(server)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give up privileges")
@pytest_twisted.ensureDeferred
async def test_workers_run_as_the_user_that_twistd_becomes() -> None:
    """The sockets are opened before, by root."""
    nobody = pwd.getpwnam("nobody")
    ids = ("--uid", str(nobody.pw_uid), "--gid", str(nobody.pw_gid))
    here = [each for each in sys.path if each == str(ROOT) or each.endswith("site-packages")]
    env = {"PYTHONPATH": os.pathsep.join([*here, str(ROOT)]), "HOME": "/"}

    def can_run(python: str) -> bool:
        """Tell whether that user can: this Python may be in somebody's home."""
        words = [python, "-c", "import msgspec, txremote"]
        try:
            who = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            return not subprocess.run(
                words, env=env, capture_output=True, check=False, **who
            ).returncode
        except OSError:
            return False

    python = next(filter(can_run, (sys.executable, "/usr/bin/python3")), None)
    if python is None:
        pytest.skip("that user can run no Python that has txremote")
    with Workers(twistd=ids, python=python, env=env) as server:
        conn = await connect(server.place)
        assert await conn.root.user() == (nobody.pw_uid, nobody.pw_gid)
        await conn.close()


@pytest_twisted.ensureDeferred
async def test_consoles_live_in_one_worker_and_move_when_it_is_replaced(tmp_path: Path) -> None:
    """Whoever connects reaches the same tasks; a console that is nowhere for a moment waits."""
    commands = ("--container", "tests.daemon.workers.shop.Commands")
    tasks = ("--console", "tcp:0:interface=127.0.0.1", "--tasks-db", str(tmp_path / "tasks.db"))
    service = (*commands, *tasks)
    with Workers(service=service) as server:
        wire = server.places[1]
        await until(lambda: server.count("txremote console on"))
        for done in range(2):
            numbers = []
            for _connection in range(4):
                conn = await connect(wire)
                task = await conn.root.submit("whose")
                await task.wait()
                numbers.append(await task.no)
                await conn.close()
            assert numbers == list(range(numbers[0], numbers[0] + 4))
            await rolled(server)
            # nobody listens for a moment: who connects then waits in the queue
            conn = await connect(wire)
            assert len(await conn.root.list()) == len(numbers) * (done + 1)
            await conn.close()
        assert server.count(r"worker \d: txremote console on") == 3
