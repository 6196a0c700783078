"""
``twistd txremote`` as an administrator meets it: real processes, their log, their
exit status.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import re
import signal
import socket
import ssl
import sys
import time
from pathlib import Path

import psutil
import pytest
import pytest_twisted
import rpyc
from twisted.application.service import IService
from twisted.internet.defer import gatherResults
from zope.interface.verify import verifyObject

from tests.interop.peer_processes import DEADLINE, ROOT, TWISTD, Hosted, Program
from tests.net.certificates import DAY, Authority
from tests.processes import run, script
from tests.work.child_processes import lives
from txremote import (
    ConnectionConfig,
    ConnectionLost,
    RemoteProtocolError,
    ServerService,
    connect,
)
from txremote.config import SECONDS_OR_NEVER
from txremote.daemon import tap
from txremote.daemon.plan import LIMITS, SWITCHES

LOOPBACK = "tcp:0:interface=127.0.0.1"

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

LAB = """\
import rpyc

class Device:
    def read(self):
        return 7

class Lab(rpyc.Service):
    def exposed_device(self):
        return Device()
    def exposed_data(self):
        return {"t": 1.5}
"""

# What was typed, and what its one line must say.
WRONG: dict[str, tuple[list[str], list[str]]] = {
    "no --service": (
        ["--listen", "tcp:0"],
        ["say what to serve", "--service package.module.Class"],
    ),
    "a console's option without one": (
        ["--service", "desk.Desk", "--tasks-db", "tasks.db"],
        ["say what a console's commands are", "--container"],
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
        ["--service", "desks.Desk"],
        ["no module 'desks'", "working directory", "package.module.Class"],
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
        ["cannot listen on unix:/nosuch/folder/desk.sock: there is no folder /nosuch/folder"],
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
    "a --drain that is no time": (
        ["--service", "desk.Desk", "--drain", "soon"],
        ["--drain takes a number of seconds, not 'soon'"],
    ),
    "an --idle-timeout before it begins": (
        ["--service", "desk.Desk", "--idle-timeout", "-1"],
        ["--idle-timeout takes a number of seconds, 0 for no limit, not '-1'"],
    ),
    "a --keepalive-timeout of nothing": (
        ["--service", "desk.Desk", "--keepalive-timeout", "0"],
        ["--keepalive-timeout takes a number of seconds, not '0': ", "positive"],
    ),
    "no connections": (
        ["--service", "desk.Desk", "--max-connections", "0"],
        ["--max-connections takes a whole number, not '0': ", "positive"],
    ),
    "the same endpoint twice": (
        ["--service", "desk.Desk", "--listen", "tcp:18861", "-l", "tcp:18861"],
        ["--listen tcp:18861: it is there twice"],
    ),
    "a port that is none": (
        ["--service", "desk.Desk", "--listen", "tcp:99999"],
        ["--listen tcp:99999: 99999 is no port: it is 0 to 65535"],
    ),
    "a console's folder that is not there": (
        ["--container", "tests.services.Importer", "--console", "unix:/nosuch/console.sock"],
        ["--console: ", "there is no folder /nosuch"],
    ),
    "--config and something else": (
        ["--config", "site.toml", "--drain", "3", "--classic"],
        ["--config says all there is to say", "--classic, --drain into the file"],
    ),
    "a file that is not there": (
        ["--config", "nosuch.toml"],
        ["cannot read nosuch.toml: No such file"],
    ),
    "a key without its certificate": (
        ["--service", "desk.Desk", "--tls-key", "key.pem"],
        ["--tls-key is of use with --tls-cert FILE only"],
    ),
    "an authority without a certificate": (
        ["--service", "desk.Desk", "--tls-ca", "ca.pem"],
        ["--tls-ca is of use with --tls-cert FILE only"],
    ),
    "a certificate that is not there": (
        ["--service", "desk.Desk", "--tls-cert", "/nosuch/cert.pem"],
        ["--tls-cert /nosuch/cert.pem: No such file"],
    ),
    "a certificate that is none": (
        ["--service", "desk.Desk", "--tls-cert", "desk.py"],
        ["--tls-cert: ", "desk.py holds no certificate"],
    ),
    "classic mode for everybody": (
        ["--classic", "--listen", "tcp:0"],
        ["--listen: a classic service gives whoever connects this whole account", "loopback"],
    ),
    "a way to log in that is none": (
        ["--service", "desk.Desk", "--auth", "fil:users"],
        ["--auth fil: ", "did you mean 'file'?"],
    ),
    "a way to log in like no other": (
        ["--service", "desk.Desk", "--auth", "xyzzy"],
        ["--auth xyzzy: ", "there is file, memory"],
    ),
    "a way to log in without a name": (
        ["--service", "desk.Desk", "--auth", "anonymous"],
        ["--auth anonymous: it takes no name and password"],
    ),
    "a file of passwords that is not there": (
        ["--service", "desk.Desk", "--auth", "file:/nosuch/users"],
        ["--auth file: there is no file /nosuch/users"],
    ),
    "no file of passwords": (
        ["--service", "desk.Desk", "--auth", "file:"],
        ["--auth file: 'file' requires a filename"],
    ),
    "a name without a password": (
        ["--service", "desk.Desk", "--auth", "memory:ann:secret:bob"],
        ["--auth memory: argstring must be"],
    ),
    "a pool that is none": (
        ["--service", "desk.Desk", "--pool", "stars:5"],
        ["--pool stars:5: 'stars'", "no kind of pool"],
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
    """A working directory with services in it, some of them not right."""
    folder = tmp_path_factory.mktemp("workplace")
    (folder / "desk.py").write_text(DESK)
    (folder / "broken.py").write_text("1 / 0\n")
    (folder / "garbled.py").write_text("class Desk(:\n")
    (folder / "needy.py").write_text("import nosuchthing\n")
    return folder


@pytest.fixture(scope="module")
def taken():
    """A port that is in use."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        yield str(holder.getsockname()[1])


@pytest.fixture(scope="module")
def refused(workplace, taken):
    """The twistd processes of all REAL command lines, started together."""
    running = {}
    try:
        for name in REAL:
            words = [word.replace("TAKEN", taken) for word in WRONG[name][0]]
            running[name] = Program(
                [*TWISTD, "-n", "--pidfile=", "txremote", *words], cwd=workplace, cold=True
            )
        yield running
    finally:
        for process in running.values():
            process.kill()


@pytest.mark.parametrize("name", REAL)
def test_twistd_stops_with_one_line_that_says_what_to_do(refused, taken, name):
    """The exit status is not 0, and there is nothing else: no traceback, no warning."""
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
    """SystemExit with one line, before the reactor runs."""
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
    assert "secret" not in sentence


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
    """As a module there, without any path being set."""
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
    """A client that sends more is told which option it met, and stays connected."""
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
async def test_sigterm_does_not_wait_for_ever_for_calls_that_never_end(workplace):
    """Their callers hear why, and the server ends; its log says what it has cut."""
    (workplace / "slow.py").write_text(
        "import txremote\n"
        "from twisted.internet.defer import Deferred\n"
        "class Slow(txremote.Service):\n"
        "    def exposed_wait(self):\n"
        "        print('waiting', flush=True)\n"
        "        return Deferred(lambda _: print('cancelled', flush=True))\n"
    )
    server = Hosted("slow.Slow", options=["--drain", "0.2"], cwd=workplace)
    try:
        conn = await connect(f"tcp:127.0.0.1:{server.port}")
        call = conn.root.wait()
        await conn.ping()
        server.signal(signal.SIGTERM)
        with pytest.raises(ConnectionLost):
            await call
        assert server.stop() in (0, -signal.SIGTERM)
        assert "cancelled" in server.output
        assert "Slow is stopping, and cuts 1 call (Slow.wait)" in server.output
    finally:
        server.kill()


# -- the parts, in this process


def _options(*words: str) -> tap.Options:
    options = tap.Options()
    options.parseOptions(list(words))
    return options


def _servers(*words: str) -> list:
    """Return the servers that twistd would host, among its other services."""
    return [each for each in tap.makeService(_options(*words)) if isinstance(each, ServerService)]


def test_the_plugin_is_found_under_its_name():
    """``twistd --help`` lists it."""
    from twisted.application.service import IServiceMaker
    from twisted.plugin import getPlugins

    [maker] = [plugin for plugin in getPlugins(IServiceMaker) if plugin.tapname == "txremote"]
    assert maker.module == "txremote.daemon.tap"
    assert maker.options is tap.Options


def test_a_service_is_made_for_every_endpoint():
    """Each is an IService below one parent; nothing listens before it is started."""
    words = ["--service", "tests.net.servers.Desk", "--listen", "tcp:0", "-l", "unix:/nosuch"]
    whole = tap.makeService(_options(*words))
    assert verifyObject(IService, whole)
    assert sum(isinstance(one, ServerService) for one in whole) == 2
    for one in whole:
        assert verifyObject(IService, one)
        assert not one.running


def test_without_listen_it_is_loopback_alone():
    """The default endpoint is RPyC's port, on 127.0.0.1."""
    [one] = _servers("--service", "tests.net.servers.Desk")
    assert one.description == "tcp:18861:interface=127.0.0.1"


def _plan(*words: str):
    return tap.plan_of(_options(*words))


def test_the_help_has_each_option_in_one_group():
    """With its letter. The last group has what is in no other: what is about the help itself."""
    groups = {}
    for part in tap.Options().getUsage(width=200).split("\n\n"):
        title, *lines = part.strip().split(":\n")
        options = re.findall(r"^ +(?:(-\w), | )--([\w-]+)", "".join(lines), re.MULTILINE)
        groups[title] = {name: short for short, name in options}
    shown = [name for names in groups.values() for name in names]
    assert sorted(shown) == sorted(name.rstrip("=") for name in tap.Options().longOpt)
    assert groups["What is served"]["listen"] == "-l"
    assert groups["Help"].keys() == {"help", "version"}


def test_every_limit_is_an_option():
    """Each switch of a connection that is a number can be set, and has its default in the help."""
    numbers = {
        field.name
        for field in dataclasses.fields(ConnectionConfig)
        if type(field.default) in (int, float) or field.name.endswith(("timeout", "keepalive"))
    }
    assert {limit.field for limit in LIMITS} == numbers
    help_text = " ".join(tap.Options().getUsage(width=10_000).split())
    for limit in LIMITS:
        assert f"--{limit.name}=" in help_text
        assert f"default: {limit.shown_default}]" in help_text


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.name)
def test_a_limit_that_is_typed_is_the_server_s(limit):
    """As the switch of its connections; 0 is no limit where there may be none."""
    [server] = _servers("--service", "tests.net.servers.Desk", f"--{limit.name}=77")
    assert getattr(server._factory.config, limit.field) == 77
    if limit.kind == SECONDS_OR_NEVER:
        [planned] = _plan("--service", "x.y", f"--{limit.name}=0").servers
        assert planned.switches == {limit.field: None}


def test_every_switch_of_a_connection_can_be_set():
    """As an option and as a key, but for those that only a program can give."""
    settable = {each.field for each in (*LIMITS, *SWITCHES)} - {"access"}
    of_programs = {"logger", "before_closed", "bind_threads", "include_local_version"}
    assert settable | of_programs == {each.name for each in dataclasses.fields(ConnectionConfig)}
    assert not settable & of_programs
    known = {name.rstrip("=") for name in tap.Options().longOpt}
    for each in SWITCHES:
        assert {each.name, f"no-{each.name}"} & known, each.name


@pytest.mark.parametrize(
    ("words", "changed"),
    [
        (["--access", "public"], {"allow_public_attrs": True}),
        (["--allow-setattr", "--allow-pickle"], {"allow_setattr": True, "allow_pickle": True}),
        (["--no-allow-safe-attrs"], {"allow_safe_attrs": False}),
        (["--include-local-traceback"], {"include_local_traceback": True}),
        (["--no-include-local-traceback"], {"include_local_traceback": False}),
        (["--compress", "false", "--exposed-prefix", "pub_"], {"compress": False}),
        (["--values"], {"values": True}),
        (["--safe-attrs", "__len__"], {"safe_attrs": frozenset({"__len__"})}),
    ],
    ids=lambda each: each[0] if isinstance(each, list) else "",
)
def test_a_switch_that_is_typed_is_the_server_s(words, changed):
    """And those that are not typed have their defaults."""
    [server] = _servers("--service", "tests.net.servers.Desk", *words)
    expected = {**dataclasses.asdict(ConnectionConfig()), **changed}
    if "--exposed-prefix" in words:
        expected["exposed_prefix"] = "pub_"
    assert dataclasses.asdict(server._factory.config) == expected


def test_a_switch_that_is_typed_wrong_is_a_sentence():
    """For each of them, at once."""
    words = ["--access", "all", "--compress", "yes", "--include-local-traceback"]
    plan = _plan("--service", "a.B", *words, "--no-include-local-traceback")
    assert sorted(map(str, plan.problems)) == [
        "--access takes one of exposed, public, classic, not 'all'",
        "--compress takes true, false or auto, not 'yes'",
        "--include-local-traceback and --no-include-local-traceback: leave one out",
    ]


def test_what_is_typed_is_a_plan():
    """One server, one console, and what holds for the process."""
    plan = _plan(
        *("--service", "a.B", "--listen", "tcp:1", "-l", "tcp:2", "--threaded"),
        *("--auth", "file:x", "--auth", "unix", "--tls-cert", "c", "--tls-key", "k"),
        *("--tls-ca", "a", "--pool", "threads:1", "--drain", "2.5", "--verbose"),
        *("--console", "unix:s", "--container", "d.E", "--max-line", "100"),
    )
    [server] = plan.servers
    assert (server.service, server.listen, server.threaded) == ("a.B", ("tcp:1", "tcp:2"), True)
    assert server.auth == ("file:x", "unix")
    assert "file:x" not in repr(plan)
    assert (server.tls_cert, server.tls_key, server.tls_ca) == ("c", "k", "a")
    assert (plan.pool, plan.drain, plan.verbose) == (("threads:1",), 2.5, True)
    [console] = plan.consoles
    assert (console.listen, console.container) == (("unix:s",), ("d.E",))
    assert (console.tls_ca, console.max_line) == ("a", 100)


@pytest.mark.parametrize(
    ("words", "tasks"),
    [([], []), (["-l", "tcp:0"], ["console"]), (["--service", "a.B"], [None])],
)
def test_a_console_s_tasks_are_served_where_it_says_listen(words, tasks):
    """
    A container alone is a console, with --listen its tasks are served as well, with
    --service that is.
    """
    plan = _plan("--container", "d.E", *words)
    assert [server.tasks for server in plan.servers] == tasks
    assert len(plan.consoles) == 1


def test_the_ways_to_log_in_are_listed(capsys):
    """
    ``--help-auth``, as other servers of Twisted's have it, without those that clients
    cannot use.
    """
    options = tap.Options()
    options.authOutput = sys.stdout
    with pytest.raises(SystemExit) as ended:
        options.parseOptions(["--help-auth"])
    assert not ended.value.code
    listed = capsys.readouterr().out
    assert "memory" in listed
    assert "file" in listed
    assert "anonymous" not in listed


# -- with TLS, with logins, from a file: real servers, stock clients


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """An authority that signs the certificates."""
    return Authority(tmp_path_factory.mktemp("authority"))


def _port(program, place="txremote serves on"):
    [found] = program.wait_for(rf"{place} \S+:(\d+) ", count=1)[:1]
    return int(found[1])


def _twistd(*words, own=(), cwd=None):
    return Program([*TWISTD, "-n", "--pidfile=", *own, "txremote", *map(str, words)], cwd=cwd)


@pytest.fixture
def twistd(monkeypatch):
    """Return what starts ``twistd -n txremote``; it is gone after the test."""
    started = []

    def start(*words, own=(), cwd=None):
        started.append(_twistd(*words, own=own, cwd=cwd))
        return started[-1]

    yield start
    for program in started:
        program.kill()


def test_public_names_of_a_service_written_for_rpyc(twistd, tmp_path):
    """Are reached where --allow-public-attrs says so, as its own ThreadedServer has them."""
    (tmp_path / "lab.py").write_text(LAB)
    words = ("--service", "lab.Lab", "--listen", "tcp:0:interface=127.0.0.1")
    port = _port(twistd(*words, "--allow-public-attrs", cwd=tmp_path))
    conn = rpyc.connect("127.0.0.1", port)
    assert conn.root.device().read() == 7
    conn.close()


def test_what_a_module_sets_in_rpyc_s_default_config(twistd, tmp_path):
    """Holds for its services, and the log says so."""
    (tmp_path / "lab.py").write_text(
        f"{LAB}\nrpyc.core.protocol.DEFAULT_CONFIG['allow_pickle'] = True\n"
    )
    program = twistd("--service", "lab.Lab", "--listen", "tcp:0:interface=127.0.0.1", cwd=tmp_path)
    program.wait_for(r"the module of lab\.Lab sets allow_pickle in RPyC's DEFAULT_CONFIG")
    conn = rpyc.connect("127.0.0.1", _port(program))
    assert rpyc.utils.classic.obtain(conn.root.data()) == {"t": 1.5}
    conn.close()


def _ssl(port, cert=None, ca=None, connect=rpyc.ssl_connect):
    return connect(
        "localhost", port, certfile=cert, keyfile=cert, ca_certs=ca, cert_reqs=ssl.CERT_REQUIRED
    )


def test_a_stock_client_over_tls(twistd, authority):
    """It checks the server's certificate; the key may be in a file of its own."""
    whole = Path(authority.issue("server")).read_text()
    at = whole.index("-----BEGIN CERTIFICATE")
    folder = Path(authority.path).parent
    (folder / "key.pem").write_text(whole[:at])
    (folder / "cert.pem").write_text(whole[at:])
    words = ["--tls-cert", folder / "cert.pem", "--tls-key", folder / "key.pem"]
    server = twistd("--service", "tests.services.Depot", "--listen", LOOPBACK, *words)
    conn = _ssl(_port(server), ca=authority.path)
    assert conn.root.add(2, 3) == 5
    assert conn.root.who() == (None, None)
    conn.close()
    server.wait_for(r"127\.0\.0\.1:\d+ left after \S+ s, 4 requests$")


def test_stock_clients_with_certificates(twistd, authority, tmp_path):
    """
    With --tls-ca only those come in that have one of the right authority, and the
    service sees whose; everybody else is refused, and nobody else notices.
    """
    other = Authority(tmp_path, "other")
    words = ["--tls-cert", authority.issue("server"), "--tls-ca", authority.path]
    server = twistd("--service", "tests.services.Depot", "--listen", LOOPBACK, *words)
    port = _port(server)
    ann = _ssl(port, authority.issue("ann"), authority.path)
    assert ann.root.who() == (None, "ann")
    for cert in (None, other.issue("mallory"), authority.issue("late", -DAY)):
        with pytest.raises((EOFError, OSError)):
            _ssl(port, cert, authority.path).root.add(1, 2)
    assert ann.root.add(1, 2) == 3
    ann.close()


def test_classic_mode_for_those_with_a_certificate(twistd, authority):
    """On every address, then, for a stock classic client."""
    words = ["--tls-cert", authority.issue("server"), "--tls-ca", authority.path]
    server = twistd("--classic", "--listen", "tcp:0", *words)
    port = _port(server)
    conn = _ssl(port, authority.issue("ann"), authority.path, rpyc.classic.ssl_connect)
    assert conn.modules.sys.version_info[:2] == sys.version_info[:2]
    conn.close()
    with pytest.raises((EOFError, OSError)):
        _ssl(port, None, authority.path, rpyc.classic.ssl_connect).ping()


def test_a_console_over_tls(twistd, authority):
    """It has the same certificates."""
    words = ["--tls-cert", authority.issue("server"), "--tls-ca", authority.path]
    words += ["--console", "tcp:0", "--container", "tests.services.Importer"]
    port = _port(twistd(*words), "txremote console on")
    context = ssl.create_default_context(cafile=authority.path)
    context.load_cert_chain(authority.issue("ann"))
    with (
        socket.create_connection(("localhost", port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as client,
    ):
        client.sendall(b"hello\n")
        seen = b""
        while b"hello\r\n" not in seen:
            more = client.recv(4096)
            assert more, seen
            seen += more


def test_a_certificate_that_is_renewed(twistd, authority, tmp_path):
    """
    It is used without a restart, by a twistd that has left the folder that the path
    was relative to.
    """
    folder = Path(authority.path).parent
    cert = folder / "renewed.pem"
    cert.write_text(Path(authority.issue("first")).read_text())
    words = [
        "--service",
        "tests.services.Depot",
        "--listen",
        LOOPBACK,
        "--tls-cert",
        "renewed.pem",
    ]
    (folder / "tests").symlink_to(ROOT / "tests")
    port = _port(twistd(*words, own=["--rundir", tmp_path], cwd=folder))
    before = ssl.get_server_certificate(("127.0.0.1", port))
    renewed = folder / "renewed.pem.new"
    renewed.write_text(Path(authority.issue("second")).read_text())
    renewed.rename(cert)
    after = ssl.get_server_certificate(("127.0.0.1", port))
    assert after != before
    assert after in cert.read_text()


@pytest.fixture(scope="module")
def members(workplace):
    """A server whose clients log in, with a file of passwords."""
    (workplace / "users").write_text("ann:sesame\nbob:mellon\n")
    words = [
        "--service",
        "tests.services.Depot",
        "--listen",
        LOOPBACK,
        "--auth",
        "file:users",
    ]
    (workplace / "tests").symlink_to(ROOT / "tests")
    server = _twistd(*words, "--verbose", cwd=workplace)
    try:
        _port(server)
        yield server
    finally:
        server.kill()


def test_a_stock_client_logs_in(members):
    """
    By conn.root.login(user, password), which gives the service; there is nothing else
    to be had before.
    """
    conn = rpyc.connect("127.0.0.1", _port(members))
    with pytest.raises(AttributeError):
        conn.root.add(1, 2)
    depot = conn.root.login("ann", "sesame")
    assert depot.add(1, 2) == 3
    assert depot.who() == ("ann", None)
    conn.close()


@pytest.mark.parametrize(("user", "password"), [("ann", "swordfish"), ("eve", "sesame")])
def test_a_wrong_password_is_refused(members, user, password):
    """
    Whether there is such a user or not, in the same words; nothing of it is logged but
    the name.
    """
    conn = rpyc.connect("127.0.0.1", _port(members))
    with pytest.raises(Exception, match="wrong user or password"):
        conn.root.login(user, password)
    with pytest.raises(AttributeError):
        conn.root.add(1, 2)
    conn.close()
    members.wait_for(f"failed to log in as '{user}'")
    for secret in ("sesame", "mellon", "swordfish"):
        assert secret not in members.output


@pytest_twisted.ensureDeferred
async def test_a_client_of_ours_logs_in(twistd):
    """To an instance that all share, with passwords from the command line."""
    words = ["--service", "tests.services.shared", "--auth", "memory:ann:sesame"]
    server = twistd(*words, "--listen", LOOPBACK)
    conn = await connect(f"tcp:127.0.0.1:{_port(server)}")
    depot = await conn.root.login("ann", "sesame")
    assert await depot.who() == ("ann", None)
    await conn.close()
    assert "sesame" not in server.output


def test_an_operator_is_warned_at_the_start(twistd, authority):
    """Of passwords that others can hear, and of a certificate that has expired."""
    words = ["--service", "tests.services.Depot", "--auth", "memory:ann:sesame"]
    words += ["--listen", f"ssl:0:privateKey={authority.issue('late', -DAY)}"]
    server = twistd(*words, "--listen", "tcp:0")
    server.wait_for("#warn.*passwords travel in the clear on tcp:0: --tls-cert protects them")
    server.wait_for(r"#warn.*/late.pem: the certificate of CN=late expired on 20\d\d-")


def test_a_daemon_that_does_not_start_tells_the_whole_reason(tmp_path):
    """To who has started it, in words, for each place that cannot be had."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        words = ["--pidfile", tmp_path / "pid", "--logfile", tmp_path / "log", "txremote"]
        words += ["--service", "tests.services.Depot", "--listen", "unix:/nosuch/x.sock"]
        words += ["--listen", f"tcp:{port}:interface=127.0.0.1"]
        status, out, err = run(script("twistd"), *words)
    assert (status, out) == (1, "")
    assert err.splitlines() == [
        "txremote: --listen: cannot listen on unix:/nosuch/x.sock: there is no folder /nosuch",
        f"txremote: --listen: cannot listen on tcp:{port}:interface=127.0.0.1: Address already in "
        "use. Choose another port, or stop what uses it",
    ]
    assert not (tmp_path / "pid").exists()


SITE = """\
pool = ["processes:1"]
drain = 0.5

[[server]]
service = "tests.services.Depot"
listen = ["tcp:0:interface=127.0.0.1", "unix:depot.sock"]
max-connections = 1

[[server]]
service = "tests.services.Stock"
listen = "tcp:0:interface=127.0.0.1"

[[console]]
name = "imports"
listen = "unix:console.sock"
container = "tests.services.Importer"

[[server]]
tasks = "imports"
listen = "unix:tasks.sock"
"""


@pytest_twisted.ensureDeferred
async def test_several_services_from_one_file(twistd, tmp_path):
    """
    Two services, the tasks of a console and a pool in one process, each with its own
    limits.
    """
    (tmp_path / "site.toml").write_text(SITE)
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    server = twistd("--config", "site.toml", cwd=tmp_path)
    server.wait_for("txremote serves on", count=4)
    ports = [int(m[1]) for m in server.wait_for(r"serves on 127.0.0.1:(\d+) ", count=2)]
    conn, stock, tasks = await gatherResults(
        [
            connect(f"tcp:127.0.0.1:{ports[0]}"),
            connect(f"tcp:127.0.0.1:{ports[1]}"),
            connect(f"unix:{tmp_path}/tasks.sock"),
        ]
    )
    assert await conn.root.work(0) != server.pid  # in the pool
    assert await stock.root.sleep(0) == "awake"
    task = await tasks.root.submit("hello")
    assert await task.wait() == "FINISHED"
    with pytest.raises(Exception, match="max_connections"):
        await connect(f"tcp:127.0.0.1:{ports[0]}")
    await gatherResults([each.close() for each in (conn, stock, tasks)])
    assert server.stop() in (0, -15)
    assert not list(tmp_path.glob("*.sock"))


def test_a_file_that_is_wrong_ends_twistd_with_its_places(twistd, tmp_path):
    """One sentence for each thing, with file and table."""
    (tmp_path / "site.toml").write_text(
        '[[server]]\nlisen = "tcp:0"\nmax-frame = true\n[[server]]\nservice = "nosuch.Thing"\n'
    )
    server = twistd("--config", "site.toml", cwd=tmp_path)
    assert server.wait() == 1
    assert server.output.splitlines() == [
        "txremote: site.toml: [[server]] 1: unknown key 'lisen': did you mean 'listen'?",
        "txremote: site.toml: [[server]] 1: max-frame takes a number of bytes, not True",
        "txremote: site.toml: [[server]] 2: service nosuch.Thing: no module 'nosuch', installed "
        "or in the working directory: a service is named package.module.Class",
    ]


def test_a_port_of_a_file_that_is_taken(twistd, tmp_path, taken):
    """The sentence names the table and the key, and what to change there."""
    listen = f'"tcp:{taken}:interface=127.0.0.1"'
    text = f'[[server]]\nservice = "tests.services.Depot"\nlisten = {listen}\n'
    (tmp_path / "site.toml").write_text(text)
    server = twistd("--config", tmp_path / "site.toml")
    assert server.wait() == 1
    server.wait_for(
        r"site\.toml: \[\[server\]\] 1: listen: cannot listen on tcp:.* in use\. Choose another"
    )


def test_the_first_exception_of_a_method_is_an_event_and_each_one_if_somebody_wants_that(twistd):
    """Their callers have them. --verbose logs each, and each client that comes."""
    for words, seen in (([], False), (["--verbose"], True)):
        server = twistd("--service", "tests.services.Depot", "--listen", LOOPBACK, *words)
        conn = rpyc.connect("127.0.0.1", _port(server))
        for text in ("no good", "no better"):
            with pytest.raises(ValueError, match=text):
                conn.root.fail(text)
        conn.close()
        server.wait_for(
            r"txremote\.connection#info\] 127\.0\.0\.1:\d+ left after \S+ s, \d requests$"
        )
        told = r"127\.0\.0\.1:\d+, failed: ValueError: no good \(services.py:\d+\)\n"
        assert re.search(rf"#warn\] Depot\.fail, called by {told}", server.output)
        assert ("raised ValueError: no better" in server.output) is seen
        assert ("has come" in server.output) is seen


def test_the_log_s_level_is_chosen_and_a_signal_shows_everything_for_a_while(twistd):
    """By namespace: here calls, and not that clients come and go. SIGUSR2 says what it does."""
    levels = ["--log-level", "txremote.connection=warn", "--log-level", "txremote.call=debug"]
    server = twistd("--service", "tests.services.Depot", "--listen", LOOPBACK, *levels)
    port = _port(server)
    for said in ("events of all levels are logged", "the log's level is as before: info, txremote"):
        conn = rpyc.connect("127.0.0.1", port)
        with pytest.raises(ValueError, match="no good"):
            conn.root.fail("no good")
        server.signal(signal.SIGUSR2)
        server.wait_for(f"SIGUSR2: {said}")
        conn.close()
    assert server.output.count("Depot.fail, called by") == 2
    assert server.output.count("has come") == 1


def test_the_log_as_json(twistd):
    """An object a line, with what the event is about in fields of its own."""
    own = ["--logger", "txremote.jsonlog.observer"]
    server = twistd("--service", "tests.services.Depot", "--listen", LOOPBACK, own=own)
    [serves] = server.wait_for('"text": "txremote serves on')
    conn = rpyc.connect("127.0.0.1", int(json.loads(serves.string)["where"].rpartition(":")[2]))
    mine = "{}:{}".format(*conn._channel.stream.sock.getsockname())
    conn.root.add(1, 2)
    conn.close()
    [gone] = server.wait_for(" left after ")
    event = json.loads(gone.string)
    assert (event["namespace"], event["level"]) == ("txremote.connection", "info")
    assert (event["peer"], event["user"], event["requests"]) == (mine, None, 2)
    assert event["why"] == "the peer closed the connection"
    assert 0 < event["seconds"] < 60
    assert server.stop() in (0, -15)
    for line in server.lines:
        assert set(json.loads(line)) >= {"time", "level", "namespace", "text"}


def test_as_a_daemon(tmp_path):
    """Without -n it goes into the background, when it serves; its files tell the rest."""
    (tmp_path / "site.toml").write_text(SITE)
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    words = [*TWISTD, "--pidfile=run.pid", "--logfile=run.log", "txremote", "-c", "site.toml"]
    starting = Program(words, cwd=tmp_path)
    assert starting.wait() == 0, starting.output
    pid = int((tmp_path / "run.pid").read_text())
    try:
        ports = re.findall(r"serves on 127.0.0.1:(\d+) ", (tmp_path / "run.log").read_text())
        conn = rpyc.connect("127.0.0.1", int(ports[0]))
        assert conn.root.add(2, 3) == 5
        os.kill(pid, signal.SIGTERM)
        with pytest.raises(EOFError):
            conn.serve(DEADLINE)
            conn.serve(DEADLINE)
        deadline = time.monotonic() + DEADLINE
        while lives(pid):  # it is nobody's child: some take their time to bury those
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        if psutil.pid_exists(pid):
            os.kill(pid, signal.SIGKILL)
    assert not (tmp_path / "run.pid").exists()
    assert "Server Shut Down." in (tmp_path / "run.log").read_text()
