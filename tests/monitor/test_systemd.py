"""
Telling systemd: real datagrams of a real twistd, and a clock of the tests' for what is rare.
"""

from __future__ import annotations

import os
import signal
import socket
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from tests.processes import PATIENCE, Program, free_port, script
from txremote.monitor.monitor import Monitor
from txremote.monitor.rows import Health, Overview
from txremote.monitor.systemd import SystemdNotifier

WELL = Health(healthy=True, ready=True, reasons=())
STARTS = Health(healthy=True, ready=False, reasons=("it does not listen yet: shop",))
STUCK = Health(healthy=False, ready=False, reasons=("the event loop has not turned for 9 s",))

SERVICE = textwrap.dedent(
    """
    import os
    import socket
    import time

    from txremote import Service, exposed


    class Shop(Service):
        @exposed
        def hold(self):
            # longer than the watchdog, in the event loop; says when, where the notes go too
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notes:
                notes.connect(os.environ["NOTIFY_SOCKET"])
                notes.send(b"begins")
                time.sleep(0.5)
                notes.send(b"ends")
    """
)


class Systemd:
    """The socket that systemd listens on."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)

    def next(self) -> list[str]:
        """Return the lines of the next datagram."""
        self.socket.settimeout(PATIENCE)
        return self.socket.recv(4096).decode().split("\n")

    def news(self) -> list[list[str]]:
        """Return the datagrams that are there."""
        found = []
        self.socket.settimeout(0)
        try:
            while True:
                found.append(self.socket.recv(4096).decode().split("\n"))
        except BlockingIOError:
            return found


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    made = Systemd(str(tmp_path / "notify"))
    yield made
    made.socket.close()


class Server:
    """A monitor of which the tests say how it is."""

    def __init__(self, health: Health = WELL) -> None:
        self.is_so = health
        self._overview = Monitor(Clock()).overview()

    def overview(self) -> Overview:
        return self._overview

    def health(self) -> Health:
        return self.is_so


class Told:
    """A notifier by a clock of the tests'."""

    def __init__(self, systemd: Systemd, health: Health = WELL, watchdog: str = "") -> None:
        self.server, self.clock = Server(health), Clock()
        environ = {"NOTIFY_SOCKET": systemd.address, "WATCHDOG_USEC": watchdog}
        self.notifier = SystemdNotifier(self.server, self.clock, environ)
        self.notifier.startService()


def test_ready_is_told_when_the_server_is(systemd: Systemd) -> None:
    """Once, with the process that is to be watched; the status where it has changed."""
    told = Told(systemd, STARTS)
    assert systemd.news() == [["STATUS=Not ready: it does not listen yet: shop"]]
    told.clock.advance(0.1)
    assert systemd.news() == []
    told.server.is_so = WELL
    told.clock.advance(0.1)
    status = "STATUS=Serving: 0 connections, 0 calls under way"
    assert systemd.news() == [["READY=1", f"MAINPID={os.getpid()}", status]]
    told.clock.pump([10.0] * 3)
    assert systemd.news() == []
    told.notifier.stopping()
    assert systemd.news() == [["STOPPING=1", "STATUS=Stopping: 0 calls under way"]]
    told.notifier.stopService()
    assert told.clock.getDelayedCalls() == []


def test_the_watchdog_is_kept_quiet_twice_in_its_time_while_all_is_well(systemd: Systemd) -> None:
    told = Told(systemd, watchdog="4000000")
    assert systemd.news()[0][-1] == "WATCHDOG=1"
    told.clock.advance(2.0)
    told.server.is_so = STUCK
    assert systemd.news() == [["WATCHDOG=1"]]
    told.clock.pump([2.0] * 2)
    assert systemd.news() == [["STATUS=Not healthy: the event loop has not turned for 9 s"]]
    told.server.is_so = WELL
    told.clock.advance(2.0)
    assert systemd.news()[0][-1] == "WATCHDOG=1"
    told.notifier.stopping()  # may take longer than the watchdog
    told.clock.advance(2.0)
    assert [lines[-1] for lines in systemd.news()] == ["WATCHDOG=1"] * 2
    told.notifier.stopService()


def test_a_full_socket_is_not_waited_for_and_told_later(systemd: Systemd) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other, pytest.raises(BlockingIOError):
        other.setblocking(False)
        while True:
            other.sendto(b"", systemd.address)
    told = Told(systemd)
    assert all(lines == [""] for lines in systemd.news())
    told.clock.advance(0.1)
    assert "READY=1" in systemd.news()[0]
    told.notifier.stopService()


def test_a_socket_that_is_gone_is_logged_once(systemd: Systemd, tmp_path: Path) -> None:
    (tmp_path / "notify").unlink()
    with capturedLogs() as events:
        told = Told(systemd)
        told.clock.pump([0.1] * 3)
        told.notifier.stopService()
    (event,) = events
    assert "No such file" in str(event["why"])


def test_a_socket_in_the_abstract_namespace() -> None:
    systemd = Systemd(f"@txremote-test-{os.getpid()}-{free_port()}")
    told = Told(systemd)
    assert "READY=1" in systemd.next()
    told.notifier.stopService()
    systemd.socket.close()


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({}, ("", 0.0)),
        ({"NOTIFY_SOCKET": "", "WATCHDOG_USEC": "3000000"}, ("", 3.0)),
        ({"NOTIFY_SOCKET": "vsock:2:1"}, ("", 0.0)),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "3000000"}, ("/n", 3.0)),
        ({"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, ("@n", 0.0)),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "soon"}, ("/n", 0.0)),
    ],
)
def test_the_environment_says_what_is_told(
    environ: dict[str, str], found: tuple[str, float]
) -> None:
    """Nothing without a socket; the watchdog may be another process's."""
    clock = Clock()
    made = SystemdNotifier(Server(), clock, environ)
    assert (made.address, made.watchdog) == found
    if not made.address:
        made.startService()
        made.stopping()
        made.stopService()
    assert clock.getDelayedCalls() == []


def test_twistd_tells_systemd(systemd: Systemd, tmp_path: Path) -> None:
    """
    As a daemon, which is a child of the process that was started. While the loop is held the
    watchdog hears nothing.
    """
    (tmp_path / "shop.py").write_text(SERVICE)
    port = free_port()
    words = (
        "WATCHDOG_PID=$$; export WATCHDOG_PID; exec "
        f"{script('twistd')} --pidfile=twistd.pid --logfile=twistd.log txremote "
        f"--service shop.Shop --listen tcp:{port}:interface=127.0.0.1"
    )
    env = {**os.environ, "NOTIFY_SOCKET": systemd.address, "WATCHDOG_USEC": "400000"}
    with Program("sh", "-c", words, cwd=tmp_path, env=env) as started:
        assert started.finish() == 0, started.output
    pid = int((tmp_path / "twistd.pid").read_text())
    try:
        lines = systemd.next()
        while "READY=1" not in lines:
            lines = systemd.next()
        assert f"MAINPID={pid}" in lines
        assert "WATCHDOG=1" in lines
        assert "WATCHDOG=1" in systemd.next()
        with Program(script("txremote"), "call", f"127.0.0.1:{port}", "hold") as call:
            heard = [systemd.next()]  # all the time: nobody waits for a full socket
            while heard[-1] != ["ends"]:
                heard.append(systemd.next())
            assert call.finish() == 0
        assert heard[-2] == ["begins"]
        assert "WATCHDOG=1" in systemd.next()
        os.kill(pid, signal.SIGTERM)
        while "STOPPING=1" not in systemd.next():
            pass
        with suppress(psutil.NoSuchProcess):
            psutil.Process(pid).wait(PATIENCE)
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
