"""
How a command reaches its server: the same servers fail in the same sentence, whichever way a
command connects, and let the same users in.
"""

from __future__ import annotations

import datetime
import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

import txremote
from tests.console.clients import OnTerminal
from tests.net.certificates import Authority
from tests.processes import Program, Twistd, run, script
from txremote.cli import parser
from txremote.commands.scripts import reach_in_script
from txremote.net.login import portal_for
from txremote.net.tls import tls_server
from txremote.not_reached import NotReached
from txremote.reaching import PASSWORD, Server, server_of
from txremote.running import reach

LOCAL = "tcp:0:interface=127.0.0.1"
SECRET = "a secret"


class Desk(txremote.Service):
    """What is served."""

    @txremote.exposed
    def whoami(self) -> str | None:
        """The user that has logged in."""
        return txremote.current_call().user


class Failing(txremote.Service):
    """A login of the program's own, which does not work."""

    @txremote.exposed
    def login(self, user: str, password: str) -> Any:
        """Does what the user's name says."""
        if user == "slow":
            return Deferred()
        if user == "denied":
            return False
        raise LookupError("no such table")


class Servers:
    """
    Servers of all kinds, in this process.

    Attributes:
        folder: Where their certificates are.
        ports: The port of each, by a name.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority, self.other = Authority(folder), Authority(folder, "other")
        self.ports: dict[str, int] = {}
        self.closing = ExitStack()
        self._listening: list[Any] = []

    async def start(self) -> None:
        issue, ca = self.authority.issue, self.authority.path
        day = datetime.timedelta(1)
        checker = InMemoryUsernamePasswordDatabaseDontUse(ann=SECRET.encode())
        issue("ann")
        self.other.issue("eve")
        for name, endpoint, root in [
            ("plain", LOCAL, Desk),
            ("tls", tls_server(LOCAL, issue("server")), Desk),
            ("expired", tls_server(LOCAL, issue("expired", -day)), Desk),
            ("asking", tls_server(LOCAL, issue("asking"), ca=ca), Desk),
            ("login", LOCAL, portal_for(Desk, [checker])),
            ("failing", LOCAL, Failing),
        ]:
            port = await txremote.listen(endpoint, root)
            self._listening.append(port)
            self.ports[name] = port.getHost().port
        for name, greeting in [("mute", None), ("hangs-up", b""), ("mail", b"220 mail ESMTP\n")]:
            listener = self.closing.enter_context(socket.create_server(("127.0.0.1", 0)))
            self.ports[name] = listener.getsockname()[1]
            if greeting is not None:
                answer = (listener, greeting)
                threading.Thread(target=_answer, args=answer, daemon=True).start()

    async def stop(self) -> None:
        for port in self._listening:
            await port.stopListening()
        self.closing.close()

    def words(self, text: str) -> list[str]:
        """Return words of a command line, with ports and files put in."""
        text = text.replace("FOLDER", str(self.folder))
        for name, port in self.ports.items():
            text = text.replace(f"@{name}", f"127.0.0.1:{port}")
        return text.split()


def _answer(listener: socket.socket, greeting: bytes) -> None:
    while True:
        try:
            sock, _address = listener.accept()
        except OSError:  # it is closed: the tests are over
            return
        with sock:
            sock.sendall(greeting * 10)
            if greeting:
                sock.recv(4096)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """The servers of all tests here."""
    made = Servers(tmp_path_factory.mktemp("servers"))
    pytest_twisted.blockon(Deferred.fromCoroutine(made.start()))
    yield made
    pytest_twisted.blockon(Deferred.fromCoroutine(made.stop()))


def named(words: list[str]) -> Server:
    """Return the server that a command line names."""
    return server_of(parser().parse_args(["call", *words, "whoami"]))


async def by_reactor(server: Server) -> str | None:
    """Connect as ``tasks`` does, and ask who we are."""
    conn = await reach(server, reactor)
    found: str | None = await conn.root.whoami()
    await conn.close()
    return found


async def by_script(server: Server) -> str | None:
    """Connect as ``call`` and ``shell`` do."""

    def ask() -> str | None:
        with reach_in_script(server) as conn:
            found: str | None = conn.root.whoami()
            return found

    found: str | None = await deferToThread(ask)
    return found


WAYS = [by_reactor, by_script]
HUNG_UP = "it hung up before it answered: is it a server of RPyC's, {} TLS?"
UNTRUSTED = (
    "the server's certificate (CN=server) is not trusted: no authority that is known here has "
    "signed it (its issuer is CN=authority); --ca FILE names an authority"
)
CA = "--ca FOLDER/authority.pem"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("127.0.0.1:1", "the connection was refused: no server listens there"),
        ("unix:FOLDER/none", "No such file or directory"),
        ("no.such.host.invalid:1", "there is no such host"),
        ("@mute -t 0.3", "no answer within 0.3 s"),
        ("tls:@mute -t 0.3", "no answer within 0.3 s"),
        ("@hangs-up", HUNG_UP.format("without")),
        ("@tls", "the server speaks TLS: tls:127.0.0.1:"),
        ("tls:@hangs-up", HUNG_UP.format("with")),
        ("tls:@plain", HUNG_UP.format("with")),
        ("@mail", "the peer broke the protocol: a frame with compression flag 109: "),
        ("tls:@mail", "there is no TLS at this server: leave out tls:"),
        ("tls:@tls", UNTRUSTED),
        ("tls:@tls --ca FOLDER/other.pem", UNTRUSTED),
        (f"tls:@expired {CA}", "the server's certificate (CN=expired) expired on 20"),
        (
            f"tls:@tls:hostname=example.org {CA}",
            "the server's certificate (CN=server) is for localhost, 127.0.0.1, not example.org; "
            "tls:...:hostname=NAME says for whom",
        ),
        (f"tls:@asking {CA}", "the server wants a certificate of its clients: --cert FILE"),
        (
            f"tls:@asking {CA} --cert FOLDER/eve.pem",
            "the server refused this client's certificate: no authority that is known there has ",
        ),
        ("@login", "it wants a login: --login USER"),
        ("@plain --login ann", "it takes no login: leave out --login"),
        ("@login --login bob", "the login of 'bob' was refused: UnauthorizedLogin: wrong user or "),
        ("@failing --login denied", "the login of 'denied' was refused: it returned False"),
        ("@failing --login eve", "the login of 'eve' failed: LookupError: no such table"),
        ("@failing --login slow -t 0.3", "no answer to the login within 0.3 s"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_the_same_failure_is_the_same_sentence(
    words: str, why: str, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the server as it was written, and says why in words that are no library's."""
    monkeypatch.setenv(PASSWORD, "wrong")
    server = named(servers.words(words))
    told = []
    for way in WAYS:
        with pytest.raises(NotReached) as failed:
            await way(server)
        told.append(str(failed.value))
    assert why in told[0]
    assert told == told[:1] * len(WAYS)
    assert servers.words(words)[0] in told[0]


@pytest.mark.parametrize(
    ("words", "user"),
    [
        ("@plain", None),
        (f"tls:@tls {CA}", None),
        ("tls:@tls --insecure", None),
        ("ssl:@tls --insecure", None),
        ("tls:@asking --insecure --cert FOLDER/ann.pem", None),
        ("@login --login ann", "ann"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_the_same_users_are_let_in(
    words: str, user: str | None, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With each kind of TLS, and with a login, whose root is the command's."""
    monkeypatch.setenv(PASSWORD, SECRET)
    server = named(servers.words(words))
    assert [await way(server) for way in WAYS] == [user] * len(WAYS)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("nonsense", "'nonsense' names no server: it is HOST:PORT, "),
        ("ssl:@tls", "ssl: checks no certificate: say tls:HOST:PORT"),
        ("@plain --insecure", "--insecure is for tls:HOST:PORT"),
        ("@plain --ca FOLDER/authority.pem", "--ca is for tls:HOST:PORT"),
        ("@plain --registry rpyc://h", "--registry is for registry:NAME"),
        ("tls:@tls --ca FOLDER/none.pem", "No such file or directory: "),
        ("tls:@tls --ca setup.cfg", "setup.cfg holds no certificate in PEM"),
        (
            "tls:@tls --cert FOLDER/authority.pem",
            "authority.pem holds no private key in PEM: --key FILE names it",
        ),
        ("@login --login ann --password-file FOLDER/none", "No such file or directory: "),
    ],
)
def test_options_that_do_not_go_together(words: str, why: str, servers: Servers) -> None:
    """They are refused before anything is sent."""
    with pytest.raises(NotReached, match=r"^cannot connect to ") as failed:
        named(servers.words(words))
    assert why in str(failed.value)


def test_insecure_is_loud(servers: Servers, capsys: pytest.CaptureFixture[str]) -> None:
    """A line on standard error says what it means."""
    named(servers.words("tls:@tls --insecure"))
    told = capsys.readouterr().err
    assert told.startswith("txremote: WARNING: --insecure: nobody has checked that tls:127.0.0.1:")
    assert told.count("\n") == 1


def test_a_password_comes_from_a_file_before_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first line, whatever is in it; and it is in no repr of the options."""
    file = tmp_path / "password"
    file.write_text(" a: b \nmore\n")
    monkeypatch.setenv(PASSWORD, "other")
    words = ["host:1", "--login", "ann"]
    assert named(words).login == ("ann", "other")
    assert named([*words, "--password-file", str(file)]).login == ("ann", " a: b ")


SERVICE = """\
from txremote import Service, exposed


class Desk(Service):
    @exposed
    def list(self, status=None):
        return ()


class Door(Service):
    @exposed
    def login(self, user, password):
        return password == "a secret" and Desk()
"""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A twistd that wants a login."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "desk.py").write_text(SERVICE)
    with Twistd("desk.Door", cwd=folder) as server:
        yield server.endpoint


COMMANDS = {
    "call": ["call", "list"],
    "tasks": ["tasks", "list"],
    "shell": ["shell", "--plain"],
    "shell --await": ["shell", "--await"],
}


def run_with(command: str, *words: str, password: str) -> tuple[int, str, str]:
    """Run a command, its own words behind the server's; return (status, output, errors)."""
    name, *more = COMMANDS[command]
    env = {**os.environ, PASSWORD: password}
    return run(script("txremote"), name, *words, *more, env=env)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_logs_in_and_tells_of_a_refusal(command: str, guarded: str) -> None:
    """Status 0 with the right password, else one line and status 2."""
    status, _out, err = run_with(command, guarded, "--login", "ann", password=SECRET)
    assert status == 0, err
    assert run_with(command, guarded, "--login", "ann", password="wrong") == (
        2,
        "",
        f"txremote: cannot log in at {guarded}: the login of 'ann' was refused: "
        "it returned False\n",
    )


def test_a_password_is_asked_for_without_echo(guarded: str) -> None:
    """On a terminal; and where there is none, a sentence says what else there is."""
    words = ["call", guarded, "--login", "ann", "list"]
    with OnTerminal(sys.executable, "-m", "txremote", *words, echo=True) as user:
        user.wait_for("Password of ann: ")
        user.type(SECRET)
        assert user.finish() == 0
        assert SECRET not in user.text
        assert "()" in user.text
    with Program("setsid", "-w", script("txremote"), *words) as piped:
        piped.end_input()
        assert piped.finish() == 2
        assert "no terminal to ask for a password on: $TXREMOTE_PASSWORD or " in piped.output
