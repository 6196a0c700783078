"""
The blocking facet and real RPyC, each at either end, in processes of their own.

A script that uses ``txremote.blocking`` at servers of RPyC and of txremote
(``blocking_client.py``); the same classic program with txremote and with RPyC as its
library (``blocking_classic.py``), at twistd and at RPyC's own server; unmodified RPyC
programs at ``twistd txremote --threaded`` (``hosted_client.py``).
"""

from __future__ import annotations

import inspect
import sys
import time
from contextlib import ExitStack

import pytest
import pytest_twisted
import rpyc as stock
import rpyc.utils.classic
import rpyc.utils.factory

import txremote.blocking as facet
from tests.interop import blocking_classic, blocking_client, hosted_client
from tests.interop.peer_processes import TROUBLE, TWISTD, Program, outcomes, script
from txremote import connect
from txremote.blocking.utils.server import ThreadedServer

CLASSIC = [sys.executable, "-c", "from rpyc.cli.rpyc_classic import main; main()", "-p", "0"]

SERVERS = {
    "rpyc 6.0.2": "rpyc",
    "rpyc 5.3.1": "rpyc",
    "rpyc 6.0.2 TLS": "rpyc",
    "twistd": "txremote",
    "twistd TLS": "txremote",
    "twistd UNIX": "txremote",
}

CLASSICS = [
    ("txremote", "twistd --classic"),
    ("txremote", "rpyc_classic 6.0.2"),
    ("txremote", "rpyc_classic 5.3.1"),
    ("rpyc 6.0.2", "twistd --classic"),
    ("rpyc 5.3.1", "twistd --classic"),
    ("rpyc 6.0.2", "rpyc_classic 6.0.2"),
]

STOCK_CLIENTS = ["rpyc 6.0.2", "rpyc 5.3.1"]


class Stage:
    """All processes of this file; what each client said once all have ended."""

    def __init__(self, rpyc5, folder, certificate):
        self._all = ExitStack()
        self._certificate = certificate
        self._folder = folder
        self._old = {"PYTHONPATH": str(rpyc5)}
        self.hosted = {}
        self.ports = {}
        self.said = {}

    def start(self, program):
        """Keep a process, to be killed at the end."""
        self._all.callback(program.kill)
        return program

    def env(self, name):
        """The environment of a peer, by its name."""
        return self._old if name.endswith("5.3.1") else {}

    def servers(self):
        """Start all, then wait for all."""
        files = self._certificate
        shops = {
            name: self.start(
                script("stock_server", files["key"], files["certificate"], env=self.env(name))
            )
            for name in ("rpyc 6.0.2", "rpyc 5.3.1")
        }
        classics = {
            name: self.start(Program(CLASSIC, env=self.env(name)))
            for name in ("rpyc_classic 6.0.2", "rpyc_classic 5.3.1")
        }
        words = [*TWISTD, "-n", "--pidfile=", "txremote", "--listen=tcp:0:interface=127.0.0.1"]
        shop = [
            *(*words, "--service=tests.interop.shop_hosted.Shop"),
            "--listen=ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}".format(
                **files
            ),
            f"--listen=unix:{self._folder / 'socket'}",
        ]
        self.hosted = {
            "twistd": self.start(Program(shop)),
            "twistd --threaded": self.start(
                Program([*words, "--threaded", "--service=tests.interop.hosted_shop.Shop"])
            ),
            "twistd --classic": self.start(Program([*words, "--classic"])),
        }
        ports = {}
        for name, server in shops.items():
            ports[name] = server.wait_for(r"^ThreadedServer (\d+)")[0][1]
            ports[f"{name} TLS"] = server.wait_for(r"^TLS (\d+)")[0][1]
        for name, server in classics.items():
            ports[name] = server.wait_for(r"server started on \S+:(\d+)")[0][1]
        for name, server in self.hosted.items():
            ports[name] = server.wait_for(r"txremote serves on \S+:(\d+) \(tcp")[0][1]
        twistd = self.hosted["twistd"]
        ports["twistd TLS"] = twistd.wait_for(r"txremote serves on \S+:(\d+) \(ssl")[0][1]
        ports["twistd UNIX"] = twistd.wait_for(r"txremote serves on unix:(\S+) \(unix")[0][1]
        return ports

    def play(self):
        """Run all clients at once."""
        ports = self.ports = self.servers()
        running = {}
        for name, kind in SERVERS.items():
            authorities = [self._certificate["certificate"]] if name.endswith("TLS") else []
            running["script", name] = script("blocking_client", ports[name], kind, *authorities)
        for name in STOCK_CLIENTS:
            running["hosted", name] = script(
                "hosted_client", ports["twistd --threaded"], env=self.env(name)
            )
        for library, server in CLASSICS:
            folder = self._folder / f"{library} at {server}"
            folder.mkdir()
            running["classic", library, server] = script(
                *("blocking_classic", ports[server], library.split()[0], str(folder)),
                env=self.env(library),
            )
        for client in running.values():
            self.start(client)
        for what, client in running.items():
            client.wait_for("^done", timeout=90)
            client.wait()
            self.said[what] = client.output

    def close(self):
        """End all."""
        self._all.close()


@pytest.fixture(scope="module")
def stage(rpyc5, tmp_path_factory, certificate):
    """The stage, with the play over and the servers still running."""
    made = Stage(rpyc5, tmp_path_factory.mktemp("classic"), certificate)
    try:
        made.play()
        yield made
    finally:
        made.close()


def went_well(said, name):
    """Check one outcome of a program of checks."""
    found = outcomes(said)
    assert name in found, said
    assert not found[name], found[name]


class TestScript:
    """A script with ``import txremote.blocking as rpyc``."""

    @pytest.mark.parametrize("name", blocking_client.checks("rpyc"))
    @pytest.mark.parametrize("server", [name for name in SERVERS if SERVERS[name] == "rpyc"])
    def test_at_stock_servers(self, stage, server, name):
        """Each check of blocking_client.py, at RPyC's ThreadedServer."""
        went_well(stage.said["script", server], name)

    @pytest.mark.parametrize("name", blocking_client.checks("txremote"))
    @pytest.mark.parametrize("server", [name for name in SERVERS if SERVERS[name] == "txremote"])
    def test_at_twistd(self, stage, server, name):
        """The same, and what a stock server cannot do."""
        went_well(stage.said["script", server], name)


@pytest.mark.parametrize("name", hosted_client.checks())
@pytest.mark.parametrize("client", STOCK_CLIENTS)
def test_stock_clients_at_twistd_threaded(stage, client, name):
    """Unmodified RPyC programs, and a service written for RPyC, with txremote between."""
    went_well(stage.said["hosted", client], name)


class TestClassic:
    """Classic mode."""

    @pytest.mark.parametrize("name", blocking_classic.check)
    @pytest.mark.parametrize(("library", "server"), CLASSICS)
    def test_what_is_done_with_it(self, stage, library, server, name):
        """Each check of blocking_classic.py, with either library at either server."""
        went_well(stage.said["classic", library, server], name)

    @pytest.mark.parametrize("name", blocking_classic.ours)
    @pytest.mark.parametrize("server", [s for library, s in CLASSICS if library == "txremote"])
    def test_what_is_safer_here(self, stage, server, name):
        """What txremote's client does not let a server do."""
        went_well(stage.said["classic", "txremote", server], name)


def test_twistd_has_nothing_to_complain_about(stage):
    """All those clients came and went, and no log has a warning."""
    for server in stage.hosted.values():
        lines = server.output.splitlines()
        assert not [line for line in lines if TROUBLE.search(line)]


def test_a_stock_server_s_second_answer_is_not_waited_for(stage):
    """
    Reading an attribute, calling it and dropping it is two answers at once. RPyC's
    servers leave Nagle's algorithm on, so the second would come 40 ms late.
    """
    program = (
        "import sys, time, txremote.blocking as rpyc\n"
        "conn = rpyc.classic.connect('127.0.0.1', int(sys.argv[1]))\n"
        "os = conn.modules.os\n"
        "times = []\n"
        "for _ in range(21):\n"
        "    started = time.perf_counter()\n"
        "    os.getpid()\n"
        "    times.append(time.perf_counter() - started)\n"
        "print(sorted(times)[10] * 1000)\n"
        "conn.close()\n"
    )
    port = stage.ports["rpyc_classic 6.0.2"]
    client = stage.start(Program([sys.executable, "-c", program, port]))
    client.wait()
    assert float(client.output) < 20, client.output


@pytest_twisted.ensureDeferred
async def test_nor_is_it_in_a_reactor(stage):
    """The same for the reactor's facet, where a reference is dropped at each call."""
    conn = await connect(f"tcp:127.0.0.1:{stage.ports['rpyc 6.0.2']}")
    times = []
    for _ in range(21):
        started = time.perf_counter()
        await conn.root.plain()
        times.append(time.perf_counter() - started)
    assert sorted(times)[10] < 0.02
    await conn.close()


def test_child_processes_of_either_kind(tmp_path):
    """RPyC's classic server as a child of a script of ours, and ours as a child of RPyC's."""
    server = tmp_path / "classic_server.py"
    server.write_text("from rpyc.cli.rpyc_classic import main\nmain()\n")
    program = (
        "import sys, rpyc, txremote.blocking\n"
        "ours = txremote.blocking.classic.connect_subproc(sys.argv[1])\n"
        "stdio = [sys.executable, '-m', 'txremote.blocking.utils.stdio', '--classic']\n"
        "theirs = rpyc.connect_subproc(stdio, rpyc.ClassicService)\n"
        "for conn in (ours, theirs):\n"
        "    print(conn.modules.os.getpid() == conn.proc.pid, conn.eval('20 + 3'))\n"
        "    conn.close()\n"
        "    print(conn.proc.wait(20))\n"
    )
    parent = Program([sys.executable, "-c", program, str(server)])
    try:
        assert parent.wait() == 0
        assert parent.lines == ["True 23", "0", "True 23", "0"]
    finally:
        parent.kill()


# -- what api.md's "Blocking facet" names

#: name -> RPyC's, whose parameters ours has in the same order, with the same defaults.
FUNCTIONS = {
    "connect": stock.connect,
    "ssl_connect": stock.ssl_connect,
    "unix_connect": rpyc.utils.factory.unix_connect,
    "connect_thread": stock.connect_thread,
    "connect_subproc": stock.connect_subproc,
    "classic.connect": stock.classic.connect,
    "classic.connect_thread": stock.classic.connect_thread,
    "classic.connect_subproc": stock.classic.connect_subproc,
    "classic.unix_connect": stock.classic.unix_connect,
    "classic.obtain": stock.classic.obtain,
    "classic.deliver": stock.classic.deliver,
    "classic.upload": stock.classic.upload,
    "classic.download": stock.classic.download,
    "classic.redirected_stdio": stock.classic.redirected_stdio,
    "async_": stock.async_,
    "timed": stock.timed,
    "BgServingThread": stock.BgServingThread,
    "buffiter": stock.buffiter,
    "restricted": stock.restricted,
    "service": stock.service,
    "ThreadedServer": stock.ThreadedServer,
    "BlockingConnection.serve": stock.Connection.serve,
    "BlockingConnection.poll": stock.Connection.poll,
    "BlockingConnection.poll_all": stock.Connection.poll_all,
    "BlockingConnection.serve_all": stock.Connection.serve_all,
    "BlockingConnection.ping": stock.Connection.ping,
    "BlockingConnection.close": stock.Connection.close,
    "BlockingConnection.fileno": stock.Connection.fileno,
    "BlockingConnection.sync_request": stock.Connection.sync_request,
    "AsyncResult.wait": stock.AsyncResult.wait,
    "AsyncResult.add_callback": stock.AsyncResult.add_callback,
    "AsyncResult.set_expiry": stock.AsyncResult.set_expiry,
}

OTHERS = """
    classic exposed Service VoidService SlaveService MasterService ClassicService BaseNetref
    AsyncResult AsyncResultTimeout GenericException ThreadedServer BlockingConnection
    classic.ssl_connect
    BlockingConnection.root BlockingConnection.closed BlockingConnection.async_request
    AsyncResult.ready AsyncResult.error AsyncResult.expired AsyncResult.value
""".split()

# Where ours says None or a constant of its own for the same, or has no use for it.
SAME_DEFAULT = {"config", "protocol_config", "chunk_size", "remote_config", "sleep_interval"}

# RPyC's own, for its own use: not a word of its documents.
INTERNAL = {"waiting"}


def found(name, place=facet):
    """Return what a dotted name of the facet stands for."""
    for part in name.split("."):
        place = getattr(place, part)
    return place


def parameters(function):
    """Return the parameters of a function or a class, by name."""
    return {
        parameter.name: parameter
        for parameter in inspect.signature(function).parameters.values()
        if parameter.name not in INTERNAL
    }


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_name_has_the_parameters_that_rpyc_gives_it(name):
    """Called by position or by name as in RPyC, it means the same; it may take more."""
    ours, theirs = parameters(found(name)), parameters(FUNCTIONS[name])
    assert list(ours)[: len(theirs)] == list(theirs)
    for parameter, its in theirs.items():
        assert ours[parameter].kind == its.kind
        may_be_left_out = its.default is its.empty  # it may have a default here
        if parameter not in SAME_DEFAULT and not may_be_left_out:
            assert (
                repr(ours[parameter].default).rpartition(".")[2]
                == repr(its.default).rpartition(".")[2]
            )


@pytest.mark.parametrize("name", OTHERS)
def test_a_name_is_there(name):
    """Classes, properties and decorators of the contract."""
    assert found(name) is not None


def test_all_that_is_public_can_be_imported_with_a_star():
    """``__all__`` names what is there."""
    for name in facet.__all__:
        assert hasattr(facet, name)


def test_names_that_are_spelled_otherwise():
    """The spelling of Python 2, and the places that RPyC's programs import from."""
    assert getattr(facet, "async") is facet.async_
    assert ThreadedServer is facet.ThreadedServer
    assert facet.classic.DEFAULT_SERVER_PORT == stock.classic.DEFAULT_SERVER_PORT
    assert facet.classic.DEFAULT_SERVER_SSL_PORT == stock.classic.DEFAULT_SERVER_SSL_PORT
    assert issubclass(facet.AsyncResultTimeout, TimeoutError)
