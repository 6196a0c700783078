"""
Whom a server with an authenticator lets in.
"""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rpyc as stock

import txremote.blocking as rpyc
from tests.blocking.script_threads import DEADLINE, gather, scripted, serving, wait_until
from tests.net.certificates import Authority
from txremote.blocking import authentication
from txremote.blocking.authentication import AuthenticationError, SSLAuthenticator
from txremote.blocking.factory import connect_stream
from txremote.blocking.streams import SocketStream

WORD = b"Ma6ik"


class Desk(rpyc.Service):
    """Knows its client's credentials."""

    def on_connect(self, conn: Any) -> None:
        self.conn = conn

    def exposed_credentials(self) -> Any:
        return self.conn._config["credentials"]

    def exposed_call(self, function: Any) -> Any:
        return function()


def magic_word(sock: socket.socket) -> tuple[socket.socket, Any]:
    """Let in clients that know the word; RPyC's own example."""
    if sock.recv(len(WORD)) != WORD:
        raise AuthenticationError("wrong magic word")
    return sock, "ann"


def with_word(port: int, word: bytes = WORD, client: Any = rpyc) -> Any:
    """Return a connection of a client that says a word first."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
    sock.sendall(word)
    sock.settimeout(None)
    return client.connect_stream(client.SocketStream(sock))


def waiting(server: Any) -> int:
    """Return how many clients are being authenticated."""
    return len(server._gate._waiting) if server._gate is not None else 0


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Authority]:
    """Return what signs certificates."""
    yield Authority(tmp_path)


@pytest.mark.parametrize("client", [rpyc, stock], ids=["txremote", "rpyc"])
@scripted
def test_a_client_that_is_let_in(client: Any) -> None:
    """Its service sees the credentials; calls go both ways."""
    with serving(Desk, authenticator=magic_word) as server:
        conn = with_word(server.port, client=client)
        assert conn.root.credentials() == "ann"
        assert conn.root.call(lambda: 7) == 7
        assert len(server.clients) == 1
        conn.close()
        wait_until(lambda: not server.clients)


@scripted
def test_a_client_that_is_not_let_in(caplog: pytest.LogCaptureFixture) -> None:
    """It sees the end of its connection, and the server goes on; the logger has why."""
    log = logging.getLogger("tests.authentication")
    caplog.set_level(logging.INFO, log.name)
    with serving(Desk, authenticator=magic_word, logger=log) as server:
        with pytest.raises(EOFError):
            with_word(server.port, b"hello").root.credentials()
        assert with_word(server.port).root.credentials() == "ann"
    assert "was not let in: wrong magic word" in caplog.text


@scripted
def test_an_authenticator_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    """Lets nobody in, and ends nothing else."""
    with serving(Desk, authenticator=lambda sock: 1 / 0) as server:
        for _ in range(2):
            with pytest.raises((EOFError, OSError)):
                with_word(server.port).root.credentials()
    assert "ZeroDivisionError" in caplog.text


@scripted
def test_a_client_that_says_nothing_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """And has so many seconds."""
    monkeypatch.setattr(authentication, "AUTHENTICATION_TIMEOUT", 0.2)
    with serving(Desk, authenticator=magic_word) as server:
        silent = socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE)
        assert with_word(server.port).root.credentials() == "ann"
        assert silent.recv(1) == b""
        silent.close()


@scripted
def test_too_many_at_once_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that silent clients are not a thread each without end."""
    monkeypatch.setattr(authentication, "MOST_AT_ONCE", 2)
    with serving(Desk, authenticator=magic_word) as server:
        silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(2)]
        wait_until(lambda: waiting(server) == 2)
        third = socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE)
        assert third.recv(1) == b""
        for sock in (*silent, third):
            sock.close()
        wait_until(lambda: not waiting(server))
        assert with_word(server.port).root.credentials() == "ann"


@scripted
def test_certificates(authority: Authority) -> None:
    """A client with one is let in, and its certificate is its credentials; one without is not."""
    server_pem, client_pem = authority.issue("server"), authority.issue("ann")
    gate = SSLAuthenticator(server_pem, server_pem, ca_certs=authority.path)
    with serving(Desk, authenticator=gate) as server:
        for client in (rpyc, stock):
            conn = client.ssl_connect(
                "127.0.0.1",
                server.port,
                keyfile=client_pem,
                certfile=client_pem,
                ca_certs=authority.path,
            )
            subject = dict(pair for (pair,) in conn.root.credentials()["subject"])
            assert subject["commonName"] == "ann"
            conn.close()
        with pytest.raises((EOFError, OSError)):
            rpyc.ssl_connect("127.0.0.1", server.port).root.credentials()
        with pytest.raises((EOFError, OSError)):
            rpyc.connect("127.0.0.1", server.port)


@scripted
def test_a_unix_socket_s_file_goes_with_its_server(tmp_path: Path) -> None:
    """A gate's, too."""
    path = tmp_path / "socket"
    server = rpyc.ThreadedServer(Desk, socket_path=str(path), authenticator=magic_word)
    thread = server._start_in_thread()
    stream = SocketStream.unix_connect(str(path))
    stream.write(WORD)
    assert connect_stream(stream).root.credentials() == "ann"
    server.close()
    thread.join(DEADLINE)
    assert not path.exists()


def test_certificates_are_required_where_an_authority_is_given() -> None:
    """As with RPyC, unless it is said."""
    assert SSLAuthenticator("k", "c").cert_reqs == ssl.CERT_NONE
    assert SSLAuthenticator("k", "c", "ca").cert_reqs == ssl.CERT_REQUIRED
    assert SSLAuthenticator("k", "c", "ca", ssl.CERT_OPTIONAL).cert_reqs == ssl.CERT_OPTIONAL


@scripted
def test_the_end_of_a_server_closes_who_was_let_in_and_who_waits() -> None:
    """Soon, in their threads."""
    with serving(Desk, authenticator=magic_word) as server:
        inside = with_word(server.port)
        assert inside.root.credentials() == "ann"
        silent = socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE)
        wait_until(lambda: waiting(server) == 1)
    assert silent.recv(1) == b""
    silent.close()
    inside.serve_all()
    assert inside.closed


@scripted
def test_many_clients_at_the_same_time() -> None:
    """Each with its own answers."""

    def ask(number: int) -> int:
        conn = with_word(server.port)
        try:
            found: int = conn.root.call(lambda: number)
            return found
        finally:
            conn.close()

    with serving(Desk, authenticator=magic_word) as server:
        functions = [lambda number=number: ask(number) for number in range(20)]
        assert gather(*functions) == list(range(20))


@scripted
def test_a_stream_is_what_a_client_hands_in() -> None:
    """A socket is none."""
    here, there = socket.socketpair()
    with here, there, pytest.raises(TypeError, match="hand in a SocketStream"):
        connect_stream(here)  # type: ignore[arg-type]
    assert isinstance(SocketStream(here), rpyc.SocketStream)
