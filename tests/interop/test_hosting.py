"""
RPyC's code hosted as it is, and what twistd says of classic services.

``hosted_library.py`` is a service that knows RPyC only, and uses much of it; twistd
hosts it, and clients of both libraries (``hosted_reader.py``) use it. RPyC's own server
and client are the control.
"""

from __future__ import annotations

import sys

import pytest

from tests.interop import hosted_library, hosted_reader
from tests.interop.peer_processes import TROUBLE, TWISTD, Program, outcomes, script
from txremote import ServerService
from txremote.daemon import tap
from txremote.service import check_service, instantiate, is_threaded

# (library of the client, whose server)
PAIRS = [
    ("txremote", "txremote"),
    ("rpyc 6.0.2", "txremote"),
    ("rpyc 5.3.1", "txremote"),
    ("txremote", "rpyc"),
    ("rpyc 6.0.2", "rpyc"),
]

LISTEN = "--listen=tcp:0:interface=127.0.0.1"
PORT = r"txremote serves on \S+:(\d+) "


def twistd(*words):
    """Start ``twistd -n txremote`` with some words."""
    return Program([*TWISTD, "-n", "--pidfile=", "txremote", *words])


class Hosting:
    """What was said on both sides, once all clients have ended."""

    def __init__(self, rpyc5):
        self.said = {}
        old = {"PYTHONPATH": str(rpyc5)}
        self.server = twistd("--service=tests.interop.hosted_library.LibraryService", LISTEN)
        running = [self.server, script("hosted_library")]
        try:
            ports = {
                "txremote": self.server.wait_for(PORT)[0][1],
                "rpyc": running[1].wait_for(r"^ThreadedServer (\d+)")[0][1],
            }
            for library, server in PAIRS:
                client = script(
                    *("hosted_reader", ports[server], library.split()[0], server),
                    env=old if library.endswith("5.3.1") else {},
                )
                running.append(client)
            for pair, client in zip(PAIRS, running[2:], strict=True):
                client.wait_for("^done", timeout=90)
                client.wait()
                self.said[pair] = client.output
            self.server.stop()
        finally:
            for program in running:
                program.kill()


@pytest.fixture(scope="module")
def hosting(rpyc5):
    """The service was hosted, and used by all clients at once."""
    return Hosting(rpyc5)


@pytest.mark.parametrize(
    ("library", "server", "name"),
    [(*pair, name) for pair in PAIRS for name in hosted_reader.checks(pair[1])],
)
def test_a_service_written_for_rpyc(hosting, library, server, name):
    """Each check of hosted_reader.py, by each client."""
    said = hosting.said[library, server]
    found = outcomes(said)
    assert name in found, said
    assert not found[name], found[name]


def test_the_log_has_nothing_to_complain_about(hosting):
    """Hosting RPyC's code is nothing to be warned of."""
    output = hosting.server.output
    assert not [line for line in output.splitlines() if TROUBLE.search(line)], output
    assert "Server Shut Down." in output


def test_a_service_that_rpyc_s_classpartial_makes():
    """``classpartial(Service, arguments)`` is a service class with these arguments."""
    service = check_service(hosted_library.Elsewhere)
    assert is_threaded(service)
    made = instantiate(service)
    assert type(made) is hosted_library.LibraryService
    assert made.town() == "Paris"


def test_a_service_that_opens_its_connection_is_told_why_it_cannot():
    """
    RPyC's own SlaveService changes a live configuration. The client is dropped, and the
    log says what to use.
    """
    server = twistd("--service=rpyc.SlaveService", LISTEN)
    try:
        port = server.wait_for(PORT)[0][1]
        attempt = "import rpyc, sys; rpyc.classic.connect('127.0.0.1', int(sys.argv[1])).eval('1')"
        client = Program([sys.executable, "-c", attempt, port])
        try:
            assert client.wait() == 1
            assert "EOFError" in client.output
        finally:
            client.kill()
        server.wait_for("the configuration of a live connection does not change")
        server.wait_for("use txremote's ClassicService")
    finally:
        server.kill()


class TestClassicOption:
    """``twistd txremote --classic``."""

    def endpoints(self, *words):
        """Return where ``twistd txremote`` would listen."""
        options = tap.Options()
        options.parseOptions(words)
        whole = tap.makeService(options)
        return [each.description for each in whole if isinstance(each, ServerService)]

    def test_default_port_is_rpyc_s(self):
        """Where RPyC's classic clients look for a server; without --classic it is another."""
        assert self.endpoints("--classic") == ["tcp:18812:interface=127.0.0.1"]
        assert self.endpoints("--classic", "--listen=tcp:0:interface=127.0.0.1") == [
            "tcp:0:interface=127.0.0.1"
        ]
        assert self.endpoints("--service=tests.interop.shop_hosted.Shop") == [
            "tcp:18861:interface=127.0.0.1"
        ]

    @pytest.mark.parametrize(
        "name", ["txremote.classic.SlaveService", "txremote.blocking.ClassicService"]
    )
    def test_a_classic_service_without_it_is_refused(self, name):
        """In one sentence, before anything is served."""
        with pytest.raises(
            SystemExit, match=r"^txremote: .*: it is a classic service, .*--classic"
        ):
            self.endpoints("--service", name)

    def test_any_other_service_with_it_is_refused(self):
        """It would open nothing, and somebody thinks it does."""
        with pytest.raises(SystemExit, match=r"^txremote: .*: --classic opens everything"):
            self.endpoints("--classic", "--service", "tests.interop.shop_hosted.Shop")

    def test_off_loopback_it_is_refused(self):
        """By a running twistd: one line, and a status that is not 0."""
        server = twistd("--classic", "--listen=tcp:0")
        try:
            assert server.wait() == 1
        finally:
            server.kill()
        (line,) = [line for line in server.lines if "classic service" in line]
        assert "it is served on loopback (interface=127.0.0.1), on a UNIX socket" in line
        assert "Traceback" not in server.output
        assert "txremote serves on" not in server.output

    def test_a_refused_service_ends_twistd_with_one_line(self):
        """Nothing else is printed than what to do."""
        server = twistd("--service=txremote.classic.SlaveService", LISTEN)
        try:
            assert server.wait() == 1
        finally:
            server.kill()
        assert server.output == (
            "txremote: --service txremote.classic.SlaveService: it is a classic service, which "
            "lets clients do anything here: say --classic if that is meant"
        )
