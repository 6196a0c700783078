"""
Stopping, as an administrator does it: real twistd processes, real signals.
"""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import signal
import socket
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_twisted
import rpyc
from rpyc.core.vinegar import GenericException
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList, gatherResults
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.scripts.twistd import ServerOptions

import txremote.blocking
from tests.net.certificates import Authority
from tests.processes import PATIENCE, ROOT, Program, Twistd, run, script
from tests.services import LATER
from txremote import ConnectionLost, ServerStopping, connect
from txremote.daemon.configfile import read_plan
from txremote.daemon.hosting import Hosting
from txremote.daemon.resolve import resolve

LOOPBACK = "tcp:0:interface=127.0.0.1"


@pytest.fixture
def depot() -> Any:
    """Return what starts a twistd with the depot; it is gone after the test."""
    started = []

    def start(*words: str, service: str = "tests.services.Depot") -> Twistd:
        started.append(Twistd(service, *words))
        return started[-1]

    yield start
    for server in started:
        server.kill()


async def told(conn: Any) -> None:
    """Wait until the server has said that it stops."""
    deadline = time.monotonic() + PATIENCE
    while not conn.peer_stopping:
        assert time.monotonic() < deadline
        await deferLater(reactor, 0.005)


def ended_well(server: Program) -> None:
    """Check that a server has ended by SIGTERM with everything stopped, and calls cut at most."""
    status = server.finish()
    assert status in (0, -signal.SIGTERM), server.output
    assert "Server Shut Down." in server.output
    # that it cuts calls, some tests are about
    said = re.sub(r"#warn\] \w+ is stopping, and cuts \d+ calls? ", "", server.output)
    for word in ("Traceback", "Unhandled", "#warn", "#error", "#critical"):
        assert word not in said, server.output


async def failure_of(call: Deferred[Any]) -> BaseException:
    """Return what a call fails with."""
    try:
        result = await call
    except Exception as error:
        return error
    raise AssertionError(f"it gave {result!r}")


@pytest_twisted.ensureDeferred
async def test_calls_in_flight_are_answered_when_the_server_is_told_to_stop(depot: Any) -> None:
    """
    All of a hundred, on ten connections; a new one is refused with a sentence, a new
    client as well, and then the connections end in order.
    """
    server = depot("--drain", "20")
    conns = await gatherResults([connect(server.endpoint) for _ in range(10)])
    calls = [conn.root.outlast(number) for number in range(10) for conn in conns]
    await gatherResults([conn.ping() for conn in conns])
    server.signal(signal.SIGTERM)
    await told(conns[0])
    assert str(await failure_of(conns[0].root.add(1, 2))).startswith("the server is stopping")
    assert isinstance(await failure_of(conns[1].root.add(1, 2)), ServerStopping)
    with pytest.raises(Exception, match=r"refused|stopping"):
        await connect(server.endpoint, timeout=5)
    assert await gatherResults(calls) == [n for n in range(10) for _conn in conns]
    for conn in conns:
        await conn.when_disconnected()
        assert "peer closed" in conn.why_ended
    ended_well(server)


@pytest_twisted.ensureDeferred
async def test_calls_of_stock_clients_are_answered_when_the_server_is_told_to_stop(
    depot: Any,
) -> None:
    """
    All of a hundred, on ten connections; a new one is refused with a sentence, and
    then each connection ends in order.
    """
    server = depot("--drain", "20")

    def work() -> None:
        conns = [rpyc.connect("127.0.0.1", server.port) for _ in range(10)]
        calls = [rpyc.async_(conn.root.outlast)(n) for n in range(10) for conn in conns]
        for conn in conns:
            conn.ping()
        server.signal(signal.SIGTERM)
        server.wait_for("Received SIGTERM")
        with pytest.raises(GenericException, match="the server is stopping") as refused:
            conns[0].root.add(1, 2)
        assert "txremote.errors.ServerStopping" in repr(type(refused.value).__mro__)
        for call in calls:
            call.wait()
        assert [call.value for call in calls] == [n for n in range(10) for _conn in conns]
        for conn in conns:
            with pytest.raises(EOFError):
                conn.serve(PATIENCE)
            assert conn.closed

    await deferToThread(work)
    ended_well(server)


@pytest_twisted.ensureDeferred
async def test_stock_and_blocking_calls_in_flight_are_answered_too(depot: Any) -> None:
    """A call of a stock RPyC client that sleeps in a worker thread of the server."""
    server = depot(service="tests.services.Stock")

    def call() -> tuple[str, str]:
        conn = rpyc.connect("127.0.0.1", server.port)
        answer = rpyc.async_(conn.root.sleep)(LATER)
        server.wait_for("asleep")
        server.signal(signal.SIGTERM)
        server.wait_for("Received SIGTERM")
        try:
            conn.root.sleep(0)
        except Exception as error:
            refused = str(error)
        answer.wait()
        with pytest.raises(EOFError):  # else RPyC closes it when it is collected, and fails
            conn.serve(PATIENCE)
        assert conn.closed
        return answer.value, refused

    value, refused = await deferToThread(call)
    assert value == "awake"
    assert "the server is stopping" in refused
    ended_well(server)


@pytest_twisted.ensureDeferred
async def test_a_call_that_never_ends_is_cancelled_when_the_time_is_over(depot: Any) -> None:
    """After --drain seconds and not before; its caller gets ConnectionLost."""
    server = depot("--drain", "0.4")
    conn = await connect(server.endpoint)
    call = conn.root.never()
    await conn.ping()
    began = time.monotonic()
    server.signal(signal.SIGTERM)
    assert isinstance(await failure_of(call), ConnectionLost)
    assert 0.4 <= time.monotonic() - began < 5
    ended_well(server)
    assert "cancelled" in server.output


@pytest_twisted.ensureDeferred
async def test_a_stock_client_whose_call_never_ends_is_let_go(depot: Any) -> None:
    """After --drain seconds and not before; its call raises an error that says why."""
    server = depot("--drain", "0.4")

    def work() -> float:
        conn = rpyc.connect("127.0.0.1", server.port)
        call = rpyc.async_(conn.root.never)()
        conn.ping()
        began = time.monotonic()
        server.signal(signal.SIGTERM)
        with pytest.raises(EOFError, match="the server is stopping: it has cut this call"):
            call.value
        return time.monotonic() - began

    assert 0.4 <= await deferToThread(work) < 5
    ended_well(server)


@pytest_twisted.ensureDeferred
async def test_a_thread_that_never_ends_does_not_keep_the_server(depot: Any) -> None:
    """One of the reactor's own, which nothing can stop: it has a second, and is left behind."""
    server = depot("--drain", "0.2")
    conn = await connect(server.endpoint)
    call = conn.root.hold_a_thread()
    await conn.ping()
    began = time.monotonic()
    server.signal(signal.SIGTERM)
    assert isinstance(await failure_of(call), ConnectionLost)
    assert await deferToThread(server.finish) in (0, -signal.SIGTERM)
    assert time.monotonic() - began < 5
    assert "still at work, and are left behind" in server.output
    assert "Server Shut Down." in server.output


@pytest_twisted.ensureDeferred
async def test_no_time_to_end_in_may_be_given(depot: Any) -> None:
    """With --drain 0 calls are cancelled at once."""
    server = depot("--drain", "0")
    conn = await connect(server.endpoint)
    call = conn.root.outlast(1)
    await conn.ping()
    server.signal(signal.SIGTERM)
    assert isinstance(await failure_of(call), ConnectionLost)
    ended_well(server)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest_twisted.ensureDeferred
async def test_who_asks_twice_does_not_wait(depot: Any, number: int) -> None:
    """A second SIGTERM, or Ctrl-C, closes at once what would have had an hour."""
    server = depot("--drain", "3600")
    conn = await connect(server.endpoint)
    call = conn.root.never()
    await conn.ping()
    server.signal(signal.SIGTERM)
    await told(conn)
    server.signal(number)
    assert isinstance(await failure_of(call), ConnectionLost)
    server.wait_for("told again to stop")
    ended_well(server)


@pytest_twisted.ensureDeferred
async def test_who_asks_twice_does_not_wait_for_a_client_that_reads_nothing(depot: Any) -> None:
    """It has a second to take what is still unsent."""
    server = depot("--drain", "3600")
    stuck, other = await gatherResults([connect(server.endpoint) for _ in range(2)])
    await stuck.root.add(0, 0)  # its root is there, which it would have to read
    stuck.transport.pauseProducing()
    call = stuck.root.blob(32 << 20)  # more than the kernel keeps for it
    await other.root.add(1, 2)
    await other.root.add(3, 4)
    server.signal(signal.SIGTERM)
    await told(other)
    server.signal(signal.SIGTERM)
    began = time.monotonic()
    await deferToThread(ended_well, server)
    assert 0.9 < time.monotonic() - began < 5
    stuck.transport.resumeProducing()
    assert isinstance(await failure_of(call), ConnectionLost)


@pytest.mark.parametrize("name", ["stop", "stop_and_wait", "stop_from_thread"])
@pytest_twisted.ensureDeferred
async def test_a_call_may_stop_the_server(depot: Any, name: str) -> None:
    """And is answered: a plain method, a coroutine that goes on for a while, a thread."""
    server = depot()
    conn = await connect(server.endpoint)
    assert (await conn.root.callRemote(name)).startswith("stop")
    await conn.when_disconnected()
    ended_well(server)


@pytest_twisted.ensureDeferred
async def test_a_call_of_a_stock_client_may_stop_the_server(depot: Any) -> None:
    """It is answered, and then told that this is the end."""
    server = depot()

    def work() -> Any:
        conn = rpyc.connect("127.0.0.1", server.port)
        answer = conn.root.stop_and_wait()
        with pytest.raises(EOFError):
            conn.serve(PATIENCE)
        return answer

    assert await deferToThread(work) == "stopped, nearly"
    ended_well(server)


@pytest_twisted.ensureDeferred
async def test_pools_are_there_for_the_calls_that_use_them(depot: Any) -> None:
    """A call whose work is in another process is answered; no process is left."""
    server = depot("--pool", "processes:2", "--drain", "20")
    conn = await connect(server.endpoint)
    workers = await gatherResults([conn.root.work(0.1) for _ in range(2)])
    calls = [conn.root.work(1.0) for _ in range(2)]
    await conn.ping()
    server.signal(signal.SIGTERM)
    workers += await gatherResults(calls)
    ended_well(server)
    assert not any(psutil.pid_exists(pid) for pid in workers)


def test_tasks_of_a_console_end_with_the_server(tmp_path: Any) -> None:
    """Their finally runs, the socket is gone; nobody has to be connected."""
    path = tmp_path / "console.sock"
    words = ["--console", f"unix:{path}", "--container", "tests.services.Importer"]
    words = [script("twistd"), "--pidfile=", "-n", "txremote", *words, "--drain", "20"]
    with Program(*words) as server, socket.socket(socket.AF_UNIX) as client:
        server.wait_for("txremote console on")
        client.connect(str(path))
        client.sendall(b"forever\n.list\n")
        while b"RUNNING" not in client.recv(4096):
            pass
        server.signal(signal.SIGTERM)
        ended_well(server)
    assert "the task has ended" in server.output
    assert not path.exists()


@pytest_twisted.ensureDeferred
async def test_clients_are_told_at_once_when_the_server_is_killed(depot: Any) -> None:
    """By the connection's end: ConnectionLost for each call, within a second."""
    server = depot()
    conns = await gatherResults([connect(server.endpoint) for _ in range(10)])
    calls = [conn.root.never() for conn in conns for _ in range(10)]
    await gatherResults([conn.ping() for conn in conns])
    began = time.monotonic()
    server.signal(signal.SIGKILL)
    results = await DeferredList(calls, consumeErrors=True)
    assert time.monotonic() - began < 1
    assert {result.type for _success, result in results} == {ConnectionLost}
    for conn in conns:
        with pytest.raises(EOFError):
            await conn.root.add(1, 2)


@pytest.mark.parametrize("library", [rpyc, txremote.blocking])
@pytest_twisted.ensureDeferred
async def test_scripts_are_told_at_once_when_the_server_is_killed(depot: Any, library: Any) -> None:
    """Stock RPyC or the blocking facet: EOFError in whoever waits, within a second."""
    server = depot()

    def work() -> float:
        conn = library.connect("127.0.0.1", server.port)
        call = library.async_(conn.root.never)()
        conn.ping()
        began = time.monotonic()
        server.signal(signal.SIGKILL)
        with pytest.raises(EOFError):
            _ = call.value
        with pytest.raises(EOFError):
            conn.root.add(1, 2)
        return time.monotonic() - began

    assert await deferToThread(work) < 1


def units() -> dict[str, str]:
    """Return the unit files of the documentation, by their endings."""
    page = (ROOT / "docs" / "operating.rst").read_text()
    pattern = r"``/etc/systemd/system/shop\.(\w+)``:\n\n.. code-block:: ini\n\n((?:   .*\n|\n)+)"
    return {ending: textwrap.dedent(text) for ending, text in re.findall(pattern, page)}


def test_the_unit_files_of_the_documentation_are_right(tmp_path: Path) -> None:
    """
    systemd has nothing to say about them, the socket is the one that the service asks for
    by its name, and the command line is one that twistd takes.
    """
    parsed = {}
    for ending, text in units().items():
        parsed[ending] = configparser.ConfigParser(interpolation=None)
        parsed[ending].read_string(text)
        here = text.replace("/srv/shop/venv/bin", str(Path(sys.executable).parent))
        (tmp_path / f"shop.{ending}").write_text(here)
    service, listener = parsed["service"]["Service"], parsed["socket"]["Socket"]
    assert (listener["ListenStream"], listener["FileDescriptorName"]) == ("18861", "shop")
    assert (service["KillMode"], parsed["service"]["Unit"]["Requires"]) == ("mixed", "shop.socket")
    options = ServerOptions()
    options.parseOptions(shlex.split(service["ExecStart"])[1:])
    assert options["nodaemon"]  # the socket is for the process that systemd starts
    assert (options.subCommand, options.subOptions["config"]) == ("txremote", "site.toml")
    page = (ROOT / "docs" / "operating.rst").read_text()
    assert 'listen = "systemd:domain=INET6:name=shop"' in page
    if shutil.which("systemd-analyze"):
        paths = [str(path) for path in tmp_path.iterdir()]
        _status, output, problems = run("systemd-analyze", "verify", *paths)
        assert "shop" not in output + problems


#: A socket in descriptor 3, with LISTEN_FDS and the like, as systemd does it.
AS_SYSTEMD = """\
import os, sys
os.dup2(int(sys.argv[1]), 3, inheritable=True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="shop")
os.execv(sys.argv[2], sys.argv[2:])
"""


def started_by_systemd(listener: socket.socket, name: str = "name=shop") -> Program:
    """Start a twistd whose port is a socket that it is handed."""
    number = listener.fileno()
    words = [sys.executable, "-c", AS_SYSTEMD, number, script("twistd"), "--pidfile=", "-n"]
    words += ["txremote", "--service", "tests.services.Depot"]
    return Program(*words, "--listen", f"systemd:domain=INET:{name}", pass_fds=[number])


@pytest.mark.parametrize("name", ["name=shop", "index=0"])
def test_a_port_that_systemd_hands_over_is_served(name: str) -> None:
    """In descriptor 3; clients that come before it runs wait."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        started_by_systemd(listener, name) as server,
    ):
        # connected before it runs: systemd's socket queues clients meanwhile
        conn = rpyc.connect(*listener.getsockname())
        assert conn.root.add(2, 3) == 5
        conn.close()
        server.signal(signal.SIGTERM)
        ended_well(server)


def test_a_new_server_takes_over_the_socket_of_an_old_one() -> None:
    """Nobody is refused: a client loses the connection that it has, and the next one is good."""
    served, failures, over = [0], [], threading.Event()

    def come_and_go(host: str, port: int) -> None:
        while not over.is_set():
            try:
                conn = rpyc.connect(host, port)
                assert conn.root.add(2, 3) == 5
                conn.close()
                served[0] += 1
            except Exception as problem:
                failures.append(str(problem))

    def wait_for_more() -> None:
        enough, deadline = served[0] + 50, time.monotonic() + PATIENCE
        while served[0] < enough:
            assert time.monotonic() < deadline, failures[-3:]
            time.sleep(0.01)

    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        where = listener.getsockname()
        clients = [threading.Thread(target=come_and_go, args=where) for _ in range(4)]
        with started_by_systemd(listener) as old, started_by_systemd(listener) as new:
            try:
                old.wait_for("txremote serves on")  # both start at once: the new one may be first
                for client in clients:
                    client.start()
                wait_for_more()
                new.wait_for("txremote serves on")
                wait_for_more()
                old.signal(signal.SIGTERM)
                ended_well(old)
                wait_for_more()
            finally:
                over.set()
                for client in clients:
                    client.join(PATIENCE)
            new.signal(signal.SIGTERM)
            ended_well(new)
    assert len(failures) <= len(clients), failures
    assert not [each for each in failures if "refused" in each or "reset" in each]


def test_without_systemd_its_endpoint_is_refused_with_a_sentence() -> None:
    """It says what is missing."""
    words = ["-n", "txremote", "--service", "tests.services.Depot"]
    env = {k: v for k, v in os.environ.items() if not k.startswith("LISTEN_")}
    with Program(
        script("twistd"), "--pidfile=", *words, "--listen", "systemd:domain=INET:index=0", env=env
    ) as server:
        assert server.finish() == 1
    assert server.output == (
        "txremote: --listen systemd:domain=INET:index=0: systemd has not handed over that "
        "socket: start this by its .service, with a .socket beside it\n"
    )


def test_the_certificates_of_consoles_are_told_apart(tmp_path: Path) -> None:
    """By their names, in the rows of the monitor and so in its metrics."""
    cert = Authority(tmp_path).issue("server")
    text = "".join(
        f"""[[console]]
        name = "{name}"
        listen = "{LOOPBACK}"
        container = "tests.console.importers.Desk"
        tls-cert = "{cert}"
        """
        for name in ("desk", "stock")
    )
    path = tmp_path / "site.toml"
    path.write_text(text)
    hosting = Hosting(resolve(read_plan(str(path)), reactor), reactor)
    assert [row.server for row in hosting.monitor.certificates()] == ["desk", "stock"]
