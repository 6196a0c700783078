"""
UNIX sockets: who may connect, and that nothing is left of a server that is gone.
"""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.endpoints import (
    AdoptedStreamServerEndpoint,
    UNIXServerEndpoint,
)
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory

from tests.net.servers import served
from tests.processes import run, script
from txremote import ClassicService, Service, connect, exposed
from txremote.blocking.utils.server import ThreadedServer
from txremote.config import make_config
from txremote.console.server import ConsoleService
from txremote.net.listen import ServingFactory, listen_guarded, refusal_of_hosted
from txremote.net.unixsockets import clear_stale, forget, left_by_umask, server_endpoint, take_port


class Desk(Service):
    """A harmless service."""

    @exposed
    def add(self, a: int, b: int) -> int:
        return a + b


class Commands:
    """A container."""

    commands = ("hello",)

    def hello(self) -> str:
        return "hello"


UMASKS = [0o000, 0o022, 0o027, 0o077]


@pytest.fixture(params=UMASKS, ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "socket"


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- who may connect --------------------------------------------------------------


@pytest.mark.parametrize("written", ["string", "object", "haproxy"])
@pytest_twisted.ensureDeferred
async def test_a_service_has_what_the_umask_leaves(written: str, umask: int, path: Path) -> None:
    where: Any = {
        "string": f"unix:{path}",
        "object": UNIXServerEndpoint(reactor, str(path)),
        "haproxy": f"haproxy:unix:{path}",
    }[written]
    async with served(Desk, where):
        assert mode_of(path) == 0o777 & ~umask
    assert left_by_umask() == 0o777 & ~umask


@pytest.mark.parametrize(
    ("service", "config"), [(ClassicService, {}), (Desk, {"allow_all_attrs": True})]
)
@pytest_twisted.ensureDeferred
async def test_one_that_gives_everything_is_for_its_own_account(
    service: Any, config: Any, umask: int, path: Path
) -> None:
    for where in (f"unix:{path}", UNIXServerEndpoint(reactor, str(path)), f"haproxy:unix:{path}"):
        async with served(service, where, config=config):
            assert mode_of(path) == 0o600


@pytest_twisted.ensureDeferred
async def test_what_an_operator_opens_further_is_for_its_own_account_too(
    umask: int, path: Path
) -> None:
    config = make_config({"allow_public_attrs": True})
    factory = ServingFactory(reactor, Desk, config)
    why_not = refusal_of_hosted(Desk, factory.config)
    assert why_not is not None
    port = await listen_guarded(server_endpoint(reactor, f"unix:{path}"), factory, why_not)
    assert mode_of(path) == 0o600
    await port.stopListening()


@pytest_twisted.ensureDeferred
async def test_a_console_is_for_its_own_account(umask: int, path: Path) -> None:
    for told, mode in (("", 0o600), (":mode=660", 0o660)):
        console = ConsoleService(Commands, endpoints=[f"unix:{path}{told}"], reactor=reactor)
        console.startService()
        assert mode_of(path) == mode
        await console.stopService()


@pytest.mark.parametrize("service", [Desk, ClassicService])
@pytest.mark.parametrize(
    ("told", "mode"),
    [
        ("unix:{}:mode=660", 0o660),
        ("unix:{}:mode=666", 0o666),
        ("unix:{}:666", 0o666),
        ("unix:{}:640:5", 0o640),
        ("unix:{}:lockfile=0:mode=600", 0o600),
        ("haproxy:unix:{}:mode=666", 0o666),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_mode_that_is_written_holds(
    service: Any, told: str, mode: int, umask: int, path: Path
) -> None:
    async with served(service, told.format(path)):
        assert mode_of(path) == mode


@pytest_twisted.ensureDeferred
async def test_an_endpoint_may_be_used_again(path: Path) -> None:
    endpoint = UNIXServerEndpoint(reactor, str(path))
    before = os.umask(0o022)
    try:
        for private, mode in ((True, 0o600), (False, 0o755)):
            port = await take_port(endpoint, Factory(), private)
            assert mode_of(path) == mode
            await port.stopListening()
    finally:
        os.umask(before)


@pytest.mark.parametrize(
    ("had", "private", "has"),
    [(0o660, True, 0o660), (0o666, True, 0o600), (0o666, False, 0o666), (0o600, False, 0o600)],
)
@pytest_twisted.ensureDeferred
async def test_a_socket_from_outside_keeps_its_rights(
    had: int, private: bool, has: int, path: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(had)
        listener.listen()
        endpoint = AdoptedStreamServerEndpoint(reactor, os.dup(listener.fileno()), socket.AF_UNIX)
        port = await take_port(endpoint, ServingFactory(reactor, Desk), private)
        assert mode_of(path) == has
        conn = await connect(f"unix:{path}")
        assert await conn.root.add(1, 2) == 3
        await conn.close()
        await port.stopListening()


@pytest.mark.parametrize("service", [Desk, ClassicService])
def test_a_threaded_server_has_them_from_the_start(service: Any, umask: int, path: Path) -> None:
    server = ThreadedServer(service, socket_path=str(path))
    mode = 0o777 & ~umask if service is Desk else 0o600
    assert mode_of(path) == mode
    running = threading.Thread(target=server.start)
    running.start()
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))  # it is served
            assert mode_of(path) == mode
    finally:
        server.close()
        running.join(10)
    assert not path.exists()


# --- what is left -----------------------------------------------------------------


def leftovers(path: Path) -> list[str]:
    return sorted(os.listdir(path.parent))


@pytest_twisted.ensureDeferred
async def test_a_start_that_fails_leaves_nothing(path: Path) -> None:
    path.write_text("a file that is no socket")
    for _ in range(2):
        with pytest.raises(CannotListenError):
            await take_port(server_endpoint(reactor, f"unix:{path}"), Factory(), False)
        assert leftovers(path) == ["socket"]
    assert path.read_text() == "a file that is no socket"
    with pytest.raises(OSError, match="in use"):
        ThreadedServer(Desk, socket_path=str(path))
    assert path.read_text() == "a file that is no socket"
    long = path.parent / ("x" * 150)
    with pytest.raises(CannotListenError):
        await take_port(server_endpoint(reactor, f"unix:{long}"), Factory(), False)
    with pytest.raises(OSError, match="too long"):
        ThreadedServer(Desk, socket_path=str(long))
    assert leftovers(path) == ["socket"]


@pytest.mark.parametrize("by", ["listen", "ThreadedServer"])
@pytest_twisted.ensureDeferred
async def test_one_that_is_taken_is_left_to_its_server(by: str, path: Path) -> None:
    async with served(Desk, f"unix:{path}"):
        before = leftovers(path)
        if by == "listen":
            with pytest.raises(CannotListenError):
                await take_port(server_endpoint(reactor, f"unix:{path}"), Factory(), False)
        else:
            with pytest.raises(OSError, match="in use"):
                ThreadedServer(Desk, socket_path=str(path))
        assert leftovers(path) == before == ["socket", "socket.lock"]
        conn = await connect(f"unix:{path}")
        assert await conn.root.add(1, 2) == 3
        await conn.close()
    assert leftovers(path) == []


def killed(path: Path, lock: int | None) -> None:
    """Leave what a server leaves that was killed."""
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(path))
        gone.listen()
    if lock is not None:
        os.symlink(str(lock), f"{path}.lock")


@pytest.fixture(scope="module")
def dead() -> int:
    """The number of a process that is no more."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


@pytest.mark.parametrize("locked", ["not", "by a dead process", "by this number"])
@pytest_twisted.ensureDeferred
async def test_what_a_killed_server_left_is_no_hindrance(
    locked: str, dead: int, path: Path
) -> None:
    # in a container each run has the same number
    lock = {"not": None, "by a dead process": dead, "by this number": os.getpid()}[locked]
    killed(path, lock)
    async with served(Desk, f"unix:{path}"):
        conn = await connect(f"unix:{path}")
        assert await conn.root.add(1, 2) == 3
        await conn.close()
    assert leftovers(path) == []
    killed(path, lock)
    server = ThreadedServer(Desk, socket_path=str(path))
    server.close()
    assert leftovers(path) == []


def test_what_a_living_process_has_locked_is_left_alone(path: Path) -> None:
    killed(path, os.getppid())
    clear_stale(os.fsencode(path))
    assert leftovers(path) == ["socket", "socket.lock"]


def test_an_abstract_socket_has_no_files() -> None:
    clear_stale(b"\0txremote")
    clear_stale(b"")


@pytest_twisted.ensureDeferred
async def test_a_process_that_ends_takes_its_files_along(path: Path) -> None:
    port: Any = await take_port(server_endpoint(reactor, f"unix:{path}"), Factory(), False)
    forget(port)
    assert leftovers(path) == []
    path.touch()  # for Twisted, which takes it away again
    os.symlink(str(os.getpid()), f"{path}.lock")
    await port.stopListening()
    tcp: Any = await server_endpoint(reactor, "tcp:0:interface=127.0.0.1").listen(Factory())
    forget(tcp)
    await tcp.stopListening()


def test_twistd_that_cannot_take_all_its_ports_leaves_nothing(path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        number = other.getsockname()[1]
        words = ["--service", "tests.services.Depot", "--listen", f"unix:{path}"]
        words += ["--listen", f"tcp:{number}:interface=127.0.0.1"]
        status, output, problems = run(script("twistd"), "--pidfile=", "-n", "txremote", *words)
    assert status == 1
    assert "Address already in use" in output + problems
    assert leftovers(path) == []


def test_a_server_that_was_never_started_takes_its_file_along(path: Path) -> None:
    server = ThreadedServer(Desk, socket_path=str(path))
    assert path.exists()
    server.close()
    server.close()
    assert leftovers(path) == []


def test_a_crowd_that_comes_at_once_is_let_in(tmp_path: Path) -> None:
    """All of it may wait to be accepted, unless the description says how many."""
    for option, waiting in (("", 100), (":backlog=10", 11)):
        path = str(tmp_path / f"of-{waiting}")
        listening: Any = server_endpoint(reactor, f"unix:{path}{option}").listen(Factory())
        crowd = [socket.socket(socket.AF_UNIX) for _ in range(100)]
        let_in = 0
        for one in crowd:
            one.setblocking(False)
            let_in += one.connect_ex(path) == 0
        for one in crowd:
            one.close()
        listening.result.stopListening()
        assert let_in == waiting
