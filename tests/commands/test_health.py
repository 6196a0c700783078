"""
``txremote health``: the exit status says whether a server is ready, a sentence why not.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.threads import deferToThread
from twisted.web.resource import Resource
from twisted.web.server import Site

import txremote
from tests.net.certificates import Authority
from tests.processes import free_port, run, script
from txremote.cli import parser
from txremote.commands.health import NotReady, ask_health
from txremote.monitor.monitor import Monitor
from txremote.monitor.web.service import AdminService
from txremote.monitor.web.tokenfile import TokenFile
from txremote.net.login import portal_for
from txremote.net.tls import tls_server
from txremote.net.unixsockets import server_endpoint
from txremote.not_reached import NotReached

LOCAL = "tcp:0:interface=127.0.0.1"


class Page(Resource):
    """Answers ``/readyz`` and nothing else."""

    def __init__(self, code: int, body: bytes) -> None:
        super().__init__()
        self._answer = code, body

    def getChild(self, path: bytes, request: Any) -> Resource:
        return self if path == b"readyz" else super().getChild(path, request)

    def render_GET(self, request: Any) -> bytes:
        code, body = self._answer
        request.setResponseCode(code)
        return body


class Servers:
    """Servers of all kinds, and their places by a name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.places: dict[str, str] = {"nothing": f"127.0.0.1:{free_port()}"}
        self._ports: list[Any] = []

    async def start(self) -> None:
        authority = Authority(self.folder)
        checker = InMemoryUsernamePasswordDatabaseDontUse(ann=b"sesame")
        for name, endpoint, root, limits in [
            ("plain", LOCAL, txremote.Service, {}),
            ("socket", f"unix:{self.folder}/socket", txremote.Service, {}),
            ("login", LOCAL, portal_for(txremote.Service, [checker]), {}),
            ("tls", tls_server(LOCAL, authority.issue("server")), txremote.Service, {}),
            ("full", LOCAL, txremote.Service, {"max_connections": 1}),
        ]:
            self._keep(name, await txremote.listen(endpoint, root, config=limits))
        self._connection = await txremote.connect(self.places["full"])
        reasons = b'{"healthy": true, "ready": false, "reasons": ["it is stopping", "\\u001b[2J"]}'
        for name, code, body in [
            ("draining", 503, reasons),
            ("terse", 503, b"the \x1b[2Jloop is stuck\n"),
            ("silent", 503, b""),
            ("elsewhere", 404, b"no such page"),
        ]:
            for place in (LOCAL, f"unix:{self.folder}/{name}"):
                site = Site(Page(code, body))
                kind = "unix-" if place.startswith("unix:") else ""
                self._keep(f"{kind}{name}", await server_endpoint(reactor, place).listen(site))
        await self._start_admin()
        self._mute = socket.create_server(("127.0.0.1", 0))  # as one whose loop is stuck
        self.places["mute"] = f"127.0.0.1:{self._mute.getsockname()[1]}"

    async def _start_admin(self) -> None:
        """Serve the admin site of a monitor that watches nothing, and is ready."""
        self._services: list[Any] = [Monitor(reactor)]
        for name, place in (("admin", LOCAL), ("unix-admin", f"unix:{self.folder}/admin")):
            self._services.append(
                AdminService(
                    server_endpoint(reactor, place),
                    place,
                    self._services[0],
                    token=TokenFile(f"{self.folder}/token") if place == LOCAL else None,
                    secure=False,
                    exposition=lambda _monitor, _accept: ("", b""),
                    reactor=reactor,
                )
            )
            self._services[-1].startService()
            self._keep(name, self._services[-1].ports[0])
        self._services[0].startService()

    def _keep(self, name: str, port: Any) -> None:
        self._ports.append(port)
        where = port.getHost()
        is_path = hasattr(where, "name")
        self.places[name] = f"unix:{where.name.decode()}" if is_path else f"127.0.0.1:{where.port}"

    async def stop(self) -> None:
        await self._connection.close()
        self._mute.close()
        for service in reversed(self._services):
            await maybeDeferred(service.stopService)
        for port in self._ports:
            await maybeDeferred(port.stopListening)

    def words(self, text: str) -> list[str]:
        """Return a command line, with the places of ``@NAME`` put in."""
        text = text.replace("FOLDER", str(self.folder))
        return re.sub(r"@([a-z-]+)", lambda found: self.places[found[1]], text).split()


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """The servers of all tests here."""
    made = Servers(tmp_path_factory.mktemp("servers"))
    pytest_twisted.blockon(Deferred.fromCoroutine(made.start()))
    yield made
    pytest_twisted.blockon(Deferred.fromCoroutine(made.stop()))


def asked(words: list[str]) -> Deferred[None]:
    """Ask as the command with these words does."""
    return Deferred.fromCoroutine(ask_health(reactor, parser().parse_args(["health", *words])))


@pytest.mark.parametrize(
    "words",
    [
        "@plain",
        "@socket",
        "@login",
        "tls:@tls --ca FOLDER/authority.pem",
        "http://@admin",
        "http://@admin/",
        "@unix-admin",
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_server_is_ready(servers: Servers, words: str) -> None:
    """It answers, on the wire or to /readyz, and needs no login for it."""
    await asked(servers.words(words))


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("@full", "1 connections are open (option max_connections)"),
        ("http://@draining", "it is stopping; [2J"),
        ("@unix-draining", "it is stopping; [2J"),
        ("http://@terse", "the [2Jloop is stuck"),
        ("http://@silent", "it does not say why"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_server_that_is_not_ready_says_why(servers: Servers, words: str, why: str) -> None:
    """Its own reason is shown, without what a terminal would obey."""
    where, *_options = servers.words(words)
    with pytest.raises(NotReady) as told:
        await asked(servers.words(words))
    assert str(told.value) == f"{where} is not ready: {why}"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("@nothing", "cannot connect to WHERE: the connection was refused: no server listens"),
        ("http://@nothing", "cannot connect to WHERE: the connection was refused: no server"),
        ("unix:FOLDER/none", "cannot connect to WHERE: No such file or directory"),
        ("@mute -t 0.1", "cannot connect to WHERE: no answer within 0.1 s"),
        ("http://@mute -t 0.1", "cannot connect to WHERE: no answer within 0.1 s"),
        ("http://@plain", "cannot connect to WHERE: it does not answer as an admin address does"),
        ("http://@elsewhere", "cannot connect to WHERE: it answers '404 Not Found' to /readyz"),
        ("tls:@tls", "cannot connect to WHERE: the server's certificate (CN=server) is"),
        ("http://@admin/healthz", "'WHERE' is no admin address: it is http://HOST:PORT"),
        ("http://localhost:65536", "'WHERE' is no admin address: it is http://HOST:PORT"),
        ("here", "cannot connect to WHERE: 'here' names no server: it is HOST:PORT"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_server_that_cannot_be_asked(servers: Servers, words: str, why: str) -> None:
    """One sentence tells where, and why."""
    where, *_options = servers.words(words)
    with pytest.raises(NotReached) as told:
        await asked(servers.words(words))
    assert str(told.value).startswith(why.replace("WHERE", where))


@pytest.mark.parametrize(
    ("words", "expected"),
    [("@plain", (0, "")), ("@full", (1, "is not ready")), ("@nothing", (2, "no server listens"))],
)
@pytest_twisted.ensureDeferred
async def test_the_exit_status_tells_it(
    servers: Servers, words: str, expected: tuple[int, str]
) -> None:
    """Nothing is printed if all is well, else one line."""
    command = script("txremote"), "health", *servers.words(words)
    status, output, errors = await deferToThread(run, *command)
    assert (status, output) == (expected[0], "")
    assert expected[1] in errors
    assert errors.count("\n") == (status != 0)
