"""
``twistd txremote`` as an administrator meets it: real processes, their log, their
exit status.
"""

from __future__ import annotations

import importlib
import os
import signal
import socket
import sys

import pytest
import pytest_twisted
from twisted.application.service import IService
from twisted.internet.defer import gatherResults
from zope.interface.verify import verifyObject

from tests.interop.support import TWISTD, Hosted, Program
from txremote import ConnectionLost, RemoteProtocolError, connect, tap

DESK = """\
import os
import txremote

class Desk(txremote.Service):
    def __init__(self):
        self.asked = 0
    def on_disconnect(self, conn):
        print("good-bye", self.asked, flush=True)
    def exposed_count(self):
        self.asked += 1
        return self.asked
    def exposed_size(self, value):
        return len(value)
    def exposed_where(self):
        return os.getcwd()
    class Inner(txremote.Service):
        exposed_name = "inner"

shared = Desk()
number = 42
"""

# What was typed, and what its one line must say.
WRONG: dict[str, tuple[list[str], list[str]]] = {
    "no --service": (
        ["--listen", "tcp:0"],
        ["say what to serve", "--service package.module.Class"],
    ),
    "a name with a typo": (
        ["--service", "desk.Dask"],
        ["'desk' has no 'Dask'", "did you mean 'Desk'"],
    ),
    "a nested name with a typo": (
        ["--service", "desk.Desk.Iner"],
        ["has no 'Iner'", "did you mean 'Inner'"],
    ),
    "something that is no service": (
        ["--service", "desk.os"],
        ["no service", "txremote.Service"],
    ),
    "a number": (
        ["--service", "desk.number"],
        ["int is no service"],
    ),
    "a module that is not there": (
        ["--service", "dask.Desk"],
        ["no module 'dask'", "working directory", "package.module.Class"],
    ),
    "a module without a class": (
        ["--service", "desk"],
        ["package.module.Class", "'desk'"],
    ),
    "a path": (
        ["--service", "./desk.py"],
        ["package.module.Class", "'./desk.py'"],
    ),
    "a module that raises": (
        ["--service", "broken.Desk"],
        ["importing 'broken' failed", "ZeroDivisionError", "division by zero"],
    ),
    "a module with a syntax error": (
        ["--service", "garbled.Desk"],
        ["importing 'garbled' failed", "SyntaxError"],
    ),
    "a module that needs another": (
        ["--service", "needy.Desk"],
        ["importing 'needy' failed", "it needs 'nosuchthing'"],
    ),
    "an endpoint that is none": (
        ["--service", "desk.Desk", "--listen", "nonsense:1"],
        ["--listen nonsense:1", "tcp:PORT:interface=ADDRESS"],
    ),
    "an endpoint with a wrong port": (
        ["--service", "desk.Desk", "--listen", "tcp:many"],
        ["--listen tcp:many", "tcp:PORT:interface=ADDRESS"],
    ),
    "a key that is not there": (
        ["--service", "desk.Desk", "--listen", "ssl:0:privateKey=/nosuch/key.pem"],
        ["--listen ssl:0", "/nosuch/key.pem"],
    ),
    "a taken port": (
        ["--service", "desk.Desk", "--listen", "tcp:TAKEN:interface=127.0.0.1"],
        ["cannot listen on tcp:TAKEN", "in use", "--listen"],
    ),
    "a socket in a folder that is not there": (
        ["--service", "desk.Desk", "--listen", "unix:/nosuch/folder/desk.sock"],
        ["cannot listen on unix:/nosuch/folder/desk.sock", "No such file"],
    ),
    "a --max-frame that is no number": (
        ["--service", "desk.Desk", "--max-frame", "lots"],
        ["--max-frame", "'lots'", "number of bytes"],
    ),
    "a --max-frame of nothing": (
        ["--service", "desk.Desk", "--max-frame", "0"],
        ["--max-frame", "'0'"],
    ),
    "a --max-frame beyond 32 bits": (
        ["--service", "desk.Desk", "--max-frame", "99999999999"],
        ["--max-frame", "4294967295"],
    ),
}


# Those that are typed into a real twistd; the others differ in nothing but words.
REAL = [
    "no --service",
    "a name with a typo",
    "something that is no service",
    "a module that is not there",
    "a module that raises",
    "an endpoint that is none",
    "a taken port",
    "a --max-frame that is no number",
]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """
    A working directory with services in it, some of them not right.
    """
    folder = tmp_path_factory.mktemp("workplace")
    (folder / "desk.py").write_text(DESK)
    (folder / "broken.py").write_text("1 / 0\n")
    (folder / "garbled.py").write_text("class Desk(:\n")
    (folder / "needy.py").write_text("import nosuchthing\n")
    return folder


@pytest.fixture(scope="module")
def taken():
    """
    A port that is in use.
    """
    with socket.create_server(("127.0.0.1", 0)) as holder:
        yield str(holder.getsockname()[1])


@pytest.fixture(scope="module")
def refused(workplace, taken):
    """
    The twistd processes of all REAL command lines, started together.
    """
    running = {}
    try:
        for name in REAL:
            words = [word.replace("TAKEN", taken) for word in WRONG[name][0]]
            running[name] = Program(
                [*TWISTD, "-n", "--pidfile=", "txremote", *words], cwd=workplace
            )
        yield running
    finally:
        for process in running.values():
            process.kill()


@pytest.mark.parametrize("name", REAL)
def test_twistd_stops_with_one_line_that_says_what_to_do(refused, taken, name):
    """
    The exit status is not 0, and there is nothing else: no traceback, no warning.
    """
    process = refused[name]
    status = process.wait()
    output = process.output.replace(taken, "TAKEN")
    assert status > 0, (status, output)
    lines = [line for line in output.splitlines() if "UnixAppLogger#info]" not in line]
    assert len(lines) == 1, output
    # a port is taken when the log is open already, and then it stands in there
    sentence = lines[0].partition("[stderr#error] ")[2] or lines[0]
    assert sentence.startswith("txremote: "), output
    for words in WRONG[name][1]:
        assert words in sentence, output


@pytest.mark.parametrize("name", WRONG)
def test_what_is_typed_wrong_is_a_sentence(name, workplace, taken, monkeypatch):
    """
    SystemExit with one line, before the reactor runs.
    """
    monkeypatch.chdir(workplace)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for module in ("desk", "broken", "garbled", "needy"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    importlib.invalidate_caches()
    with pytest.raises(SystemExit) as caught:
        whole = tap.makeService(_options(*(x.replace("TAKEN", taken) for x in WRONG[name][0])))
        whole.privilegedStartService()
    sentence = str(caught.value).replace(taken, "TAKEN")
    assert sentence.startswith("txremote: ")
    assert "\n" not in sentence
    for words in WRONG[name][1]:
        assert words in sentence


@pytest.fixture(scope="module")
def desk(workplace):
    """
    One server for the tests below: three endpoints, a shared instance, found from
    the working directory, with a limit on frames.
    """
    server = Hosted(
        "desk.shared",
        "tcp:0:interface=127.0.0.1",
        "tcp:0:interface=127.0.0.1",
        f"unix:{workplace / 'desk.sock'}",
        options=["--max-frame", "100000"],
        cwd=workplace,
    )
    try:
        yield server
        server.stop_cleanly()
    finally:
        server.kill()


def _tcp_ports(server: Hosted) -> list[int]:
    return [int(m[1]) for m in server.wait_for(r"txremote serves on 127.0.0.1:(\d+) ")]


@pytest_twisted.ensureDeferred
async def test_a_service_is_found_from_the_working_directory(desk, workplace):
    """
    As a module there, without any path being set.
    """
    conn = await connect(f"tcp:127.0.0.1:{desk.port}")
    assert await conn.root.where() == str(workplace)
    await conn.close()


@pytest_twisted.ensureDeferred
async def test_several_endpoints_serve_one_shared_instance(desk, workplace):
    """
    An instance, where a class would be one for each connection; on TCP twice and
    on a UNIX socket.
    """
    first, second = _tcp_ports(desk)
    assert first != second
    where = [f"tcp:127.0.0.1:{first}", f"tcp:127.0.0.1:{second}", f"unix:{workplace}/desk.sock"]
    conns = await gatherResults([connect(endpoint) for endpoint in where])
    start = await conns[0].root.count()
    assert [await conn.root.count() for conn in conns] == [start + 1, start + 2, start + 3]
    await gatherResults([conn.close() for conn in conns])


@pytest_twisted.ensureDeferred
async def test_max_frame_is_enforced_and_named(desk):
    """
    A client that sends more is told which option it met, and stays connected.
    """
    conn = await connect(f"tcp:127.0.0.1:{desk.port}")
    assert await conn.root.size(bytes(99_000)) == 99_000
    with pytest.raises(RemoteProtocolError, match=r"more than 100000 .*max_frame"):
        await conn.root.size(bytes(101_000))
    assert await conn.root.size(b"123") == 3
    await conn.close()


@pytest_twisted.ensureDeferred
async def test_a_class_is_made_anew_for_each_client(workplace):
    """
    And SIGTERM ends the server clean: clients are told, on_disconnect is called,
    the port is free again, its UNIX socket is gone.
    """
    path = workplace / "leaving.sock"
    server = Hosted("desk.Desk", "tcp:0:interface=127.0.0.1", f"unix:{path}", cwd=workplace)
    try:
        conns = await gatherResults(
            [connect(where) for where in (f"tcp:127.0.0.1:{server.port}", f"unix:{path}")]
        )
        assert [await conn.root.count() for conn in conns] == [1, 1]
        server.signal(signal.SIGTERM)
        for conn in conns:
            await conn.when_disconnected()
            with pytest.raises(EOFError):
                await conn.root.count()
        server.stop_cleanly()
        assert len(server.wait_for("good-bye 1", count=2)) == 2
        assert not os.path.exists(path)
        socket.create_server(("127.0.0.1", server.port), reuse_port=False).close()
    finally:
        server.kill()


@pytest_twisted.ensureDeferred
async def test_sigterm_does_not_wait_for_calls_that_never_end(workplace):
    """
    Their callers get ConnectionLost, and the server ends.
    """
    (workplace / "slow.py").write_text(
        "import txremote\n"
        "from twisted.internet.defer import Deferred\n"
        "class Slow(txremote.Service):\n"
        "    def exposed_wait(self):\n"
        "        print('waiting', flush=True)\n"
        "        return Deferred(lambda _: print('cancelled', flush=True))\n"
    )
    server = Hosted("slow.Slow", cwd=workplace)
    try:
        conn = await connect(f"tcp:127.0.0.1:{server.port}")
        call = conn.root.wait()
        await conn.ping()
        server.signal(signal.SIGTERM)
        with pytest.raises(ConnectionLost):
            await call
        server.stop_cleanly()
        assert "cancelled" in server.output
    finally:
        server.kill()


# -- the parts, in this process


def _options(*words: str) -> tap.Options:
    options = tap.Options()
    options.parseOptions(list(words))
    return options


def test_the_plugin_is_found_under_its_name():
    """
    ``twistd --help`` lists it.
    """
    from twisted.application.service import IServiceMaker
    from twisted.plugin import getPlugins

    [maker] = [plugin for plugin in getPlugins(IServiceMaker) if plugin.tapname == "txremote"]
    assert maker.module == "txremote.tap"
    assert maker.options is tap.Options


def test_a_service_is_made_for_every_endpoint():
    """
    Each is an IService below one parent; nothing listens before it is started.
    """
    words = ["--service", "tests.net.serving.Desk", "--listen", "tcp:0", "-l", "unix:/nosuch"]
    whole = tap.makeService(_options(*words))
    assert verifyObject(IService, whole)
    assert len(list(whole)) == 2
    for one in whole:
        assert verifyObject(IService, one)
        assert not one.running


def test_without_listen_it_is_loopback_alone():
    """
    The default endpoint is RPyC's port, on 127.0.0.1.
    """
    whole = tap.makeService(_options("--service", "tests.net.serving.Desk"))
    [one] = list(whole)
    assert one._description == tap.DEFAULT_ENDPOINT == "tcp:18861:interface=127.0.0.1"


@pytest.mark.parametrize("name", ["tests.net.serving.Desk", "txremote.demo.DemoService"])
def test_a_dotted_name_is_imported(name):
    """
    What stands behind it is returned as it is.
    """
    found = tap.find_service(name)
    assert found.__module__ + "." + found.__qualname__ == name
