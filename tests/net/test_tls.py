"""
TLS from files: both sides are checked, renewed files are used, and nobody waits for ever.
"""

from __future__ import annotations

import os
import socket
import ssl
import sys
from pathlib import Path
from subprocess import run
from typing import Any, ClassVar

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

import txremote.blocking as rpyc
from tests.net.certificates import DAY, Authority
from tests.peer.pairs import logged
from txremote import (
    ConnectionLost,
    RemoteClient,
    Service,
    SlaveService,
    connect,
    current_call,
    exposed,
    listen,
)
from txremote.eventloop.certificates import subject_of
from txremote.net.tls import (
    Credentials,
    asks_for_certificates,
    tls_client,
    tls_server,
)

LOCAL = "tcp:0:interface=127.0.0.1"


class Who(Service):
    """Tells who calls, and notes who comes and goes."""

    seen: ClassVar[list[tuple[str, str | None]]] = []

    def on_connect(self, conn: Any) -> None:
        self.seen.append(("comes", self.caller()))

    def on_disconnect(self, conn: Any) -> None:
        self.seen.append(("goes", self.caller()))

    @exposed
    def caller(self) -> str | None:
        certificate = current_call().peer_x509
        assert (certificate is None) is (current_call().peer_certificate is None)
        return None if certificate is None else subject_of(certificate).removeprefix("CN=")


class Site:
    """A server with TLS, and the files that go with it."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.cert = self.authority.issue("server")
        self.port: Any = None

    async def serve(self, **options: Any) -> None:
        ca = options.pop("ca", None)
        endpoint = tls_server(LOCAL, self.cert, ca=ca)
        self.port = await listen(endpoint, Who, config=options or None)

    @property
    def number(self) -> int:
        return int(self.port.getHost().port)

    def client(self, cert: str | None = None, ca: str | None = None) -> Deferred[Any]:
        where = tls_client(f"tcp:127.0.0.1:{self.number}", ca or self.authority.path, cert)
        return connect(where, timeout=10)

    async def caller(self, cert: str | None = None, ca: str | None = None) -> str | None:
        conn = await self.client(cert, ca)
        try:
            found: str | None = await conn.root.caller()
            return found
        finally:
            await conn.close()


@pytest.fixture
def site(tmp_path: Path) -> Any:
    made = Site(tmp_path)
    Who.seen.clear()
    yield made
    if made.port is not None:
        pytest_twisted.blockon(Deferred.fromCoroutine(_stop(made.port)))


async def _stop(port: Any) -> None:
    await port.stopListening()


def until_closed(sock: socket.socket) -> None:
    """Wait until the other side closes, in whatever way."""
    try:
        while sock.recv(1000):
            continue
    except ConnectionError:
        return


@pytest_twisted.ensureDeferred
async def test_a_server_without_ca_takes_every_client(site: Site) -> None:
    """And shows its certificate to those that check it."""
    await site.serve()
    assert await site.caller() is None


@pytest_twisted.ensureDeferred
async def test_a_server_with_ca_knows_its_clients(site: Site) -> None:
    """current_call() carries the certificate, in on_connect already."""
    await site.serve(ca=site.authority.path)
    assert await site.caller(site.authority.issue("ann")) == "ann"
    assert Who.seen[:1] == [("comes", "ann")]
    while len(Who.seen) < 2:
        await deferLater(reactor, 0.01)
    assert Who.seen[1] == ("goes", "ann")


@pytest.mark.parametrize("which", ["none", "another's", "expired"])
@pytest_twisted.ensureDeferred
async def test_a_client_with_no_good_certificate_is_refused(
    site: Site, tmp_path: Path, which: str
) -> None:
    """None, one of another authority, an expired one: the server goes on."""
    await site.serve(ca=site.authority.path)
    (tmp_path / "other").mkdir()
    certs: dict[str, Any] = {
        "none": lambda: None,
        "another's": lambda: Authority(tmp_path / "other").issue("ann"),
        "expired": lambda: site.authority.issue("late", -DAY),
    }
    with pytest.raises(ConnectionLost, match=r"^the server refused this client's certificate: "):
        await site.caller(certs[which]())
    assert Who.seen == []  # the service has not heard of it
    assert await site.caller(site.authority.issue("bob")) == "bob"


@pytest_twisted.ensureDeferred
async def test_a_client_checks_the_server(site: Site, tmp_path: Path) -> None:
    """One that another authority has signed is not talked to."""
    await site.serve()
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    with pytest.raises(Exception):  # noqa: B017  # OpenSSL's own
        await site.caller(ca=other.path)


WITHOUT = """
import sys
sys.modules["OpenSSL"] = None
from twisted.internet import reactor
from txremote import RemoteClient, connect
from txremote.net.tls import tls_client
for make in (connect, RemoteClient):
    for kind in ("tls", "ssl"):
        try:
            make(kind + ":localhost:1")
        except ImportError as error:
            print(error)
try:
    tls_client("tcp:localhost:1")
except ImportError as error:
    print(error)
"""


def test_without_tls_it_is_said_what_to_install() -> None:
    """Wherever a client is to speak it."""
    told = run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, timeout=30)
    lines = told.stdout.splitlines()
    assert len(lines) == 5, told
    assert all("pip install 'txremote[tls]'" in line for line in lines)


def test_an_endpoint_says_what_it_is(site: Site) -> None:
    """Where a client tells whom it tries to reach; no address of memory stands there."""
    endpoint = tls_client("tcp:127.0.0.1:1", site.authority.path)
    assert repr(endpoint) == "<TLS over tcp:127.0.0.1:1>"
    assert repr(RemoteClient(endpoint)) == "<RemoteClient of <TLS over tcp:127.0.0.1:1> (stopped)>"


@pytest_twisted.ensureDeferred
async def test_a_renewed_certificate_is_used_without_a_restart(site: Site) -> None:
    """For connections from then on; those that are open stay."""
    await site.serve()
    old = await site.client()

    def serial() -> str:
        return ssl.get_server_certificate(("127.0.0.1", site.number))

    before = await deferToThread(serial)
    site.authority.issue("server")
    assert await deferToThread(serial) != before
    assert await old.root.caller() is None
    Path(site.cert).write_bytes(b"half of a fi")
    with logged() as log:
        assert await site.caller() is None
        assert await site.caller() is None
    assert log.text().count("the old one still is") == 1
    await old.close()


@pytest_twisted.ensureDeferred
async def test_tls_1_1_is_refused(site: Site) -> None:
    """TLS 1.2 at least."""
    await site.serve()

    def old_client() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        with socket.create_connection(("127.0.0.1", site.number), timeout=10) as plain:
            context.wrap_socket(plain)

    with pytest.raises(OSError):
        await deferToThread(old_client)
    assert await site.caller() is None


@pytest_twisted.ensureDeferred
async def test_a_handshake_that_never_ends_is_ended(site: Site) -> None:
    """A client that connects and says nothing is dropped; who has shaken hands may be silent."""
    await site.serve(frame_timeout=0.5)
    silent = socket.create_connection(("127.0.0.1", site.number))
    silent.settimeout(10)
    quiet = await site.client()
    await deferToThread(until_closed, silent)
    silent.close()
    assert await quiet.root.caller() is None
    await quiet.close()


@pytest_twisted.ensureDeferred
async def test_garbage_in_place_of_tls_costs_its_sender_only(site: Site) -> None:
    """Random bytes end that connection."""
    await site.serve()
    rude = socket.create_connection(("127.0.0.1", site.number))
    rude.settimeout(10)
    rude.sendall(os.urandom(1000))
    await deferToThread(until_closed, rude)
    rude.close()
    assert await site.caller() is None


@pytest_twisted.ensureDeferred
async def test_a_script_s_ssl_connect(site: Site) -> None:
    """The blocking facet's, with its own certificate."""
    await site.serve(ca=site.authority.path)
    ann = site.authority.issue("ann")

    def script() -> Any:
        with rpyc.ssl_connect(
            "127.0.0.1",
            site.number,
            keyfile=ann,
            certfile=ann,
            ca_certs=site.authority.path,
        ) as conn:
            assert subject_of(conn.peer_x509) == "CN=server"
            return conn.root.caller()

    assert await deferToThread(script) == "ann"


def test_files_that_will_not_do_are_named(tmp_path: Path) -> None:
    """Each error says which file, and what it lacks."""
    authority = Authority(tmp_path)
    cert, other = authority.issue("one"), authority.issue("two")
    empty = tmp_path / "empty.pem"
    empty.write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=r"nothing\.pem"):
        Credentials(str(tmp_path / "nothing.pem"))
    with pytest.raises(ValueError, match=r"empty\.pem holds no certificate"):
        Credentials(str(empty))
    with pytest.raises(ValueError, match=r"empty\.pem holds no private key"):
        Credentials(cert, str(empty))
    with pytest.raises(ValueError, match=r"two\.pem is not the key of .*one\.pem"):
        Credentials(cert, other)
    with pytest.raises(ValueError, match=r"empty\.pem holds no certificate"):
        Credentials(cert, ca=str(empty))


def test_a_client_needs_a_name_to_check() -> None:
    """Where the description has none it has to be said."""
    with pytest.raises(ValueError, match="hostname="):
        tls_client("unix:/nowhere", reactor=reactor)


def test_which_endpoints_ask_for_certificates(site: Site) -> None:
    """Ours with a ca, and Twisted's own by what their contexts are."""
    assert asks_for_certificates(tls_server(LOCAL, site.cert, ca=site.authority.path))
    assert not asks_for_certificates(tls_server(LOCAL, site.cert))
    assert not asks_for_certificates(serverFromString(reactor, LOCAL))
    plain: Any = serverFromString(reactor, f"ssl:0:privateKey={site.cert}")
    assert not asks_for_certificates(plain)


@pytest_twisted.ensureDeferred
async def test_classic_mode_is_served_to_strangers_with_a_certificate(site: Site) -> None:
    """On an address that others can reach; without a ca it is refused."""
    endpoint = tls_server("tcp:0", site.cert, ca=site.authority.path)
    site.port = await listen(endpoint, SlaveService)
    conn = await site.client(site.authority.issue("ann"))
    assert await conn.root.eval("2 + 3") == 5
    await conn.close()
    with pytest.raises(ValueError, match="requires client certificates"):
        await listen(tls_server("tcp:0", site.cert), SlaveService)
