"""TLS of asyncio's, by an `ssl.SSLContext`, at either end or at both."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path
from ssl import SSLCertVerificationError
from typing import Any

import pytest

from tests.aio.loops import LOOPS, Counter, run_in
from tests.net.certificates import Authority
from txremote import ConnectionLost, Service, current_call, exposed
from txremote.aio import RemoteClient, connect, listen
from txremote.aio.loop import AsyncioLoop
from txremote.eventloop.certificates import subject_of
from txremote.net.tls import tls_server


class Contexts:
    """Those of a server and its clients, from one authority."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        own = self.authority.issue("own")
        self.own = own
        self.server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.server.load_cert_chain(own)
        self.client = ssl.create_default_context(cafile=self.authority.path)
        self.asking = ssl.create_default_context(
            ssl.Purpose.CLIENT_AUTH, cafile=self.authority.path
        )
        self.asking.load_cert_chain(own)
        self.asking.verify_mode = ssl.CERT_REQUIRED
        self.known = ssl.create_default_context(cafile=self.authority.path)
        self.known.load_cert_chain(own)
        self.strange = ssl.create_default_context()


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> Contexts:
    return Contexts(tmp_path_factory.mktemp("contexts"))


class WhoAmI(Service):
    """Tells a client what it has shown."""

    @exposed
    def name(self) -> str:
        certificate = current_call().peer_certificate
        assert bool(certificate) is (current_call().peer_x509 is not None)
        return dict(pair for [pair] in certificate["subject"])["commonName"] if certificate else ""


@pytest.mark.parametrize("kind", LOOPS)
def test_a_context_at_both_ends(kind: str, contexts: Contexts, tmp_path: Path) -> None:
    async def main() -> None:
        client: dict[str, Any] = {"ssl": contexts.client}
        async with listen("localhost:0", WhoAmI, ssl=contexts.server) as server:
            assert server.port is not None
            async with connect("localhost", server.port, **client) as conn:
                assert await conn.root.name() == ""
                assert conn.peer_certificate["subject"][0][0] == ("commonName", "own")
                assert subject_of(conn.peer_x509) == "CN=own"
            with pytest.raises(SSLCertVerificationError):
                await connect(server.address, ssl=contexts.strange)
            with pytest.raises(ConnectionLost):  # without TLS
                await connect(server.address)
            tls = f"tls:localhost:{server.port}:ca={contexts.authority.path}"
            async with connect(tls) as conn:  # Twisted's, at this end
                assert await conn.root.name() == ""
            async with connect(f"ssl:localhost:{server.port}") as conn:  # its older way
                assert await conn.root.name() == ""
            async with RemoteClient(f"localhost:{server.port}", **client) as again:
                assert await again.root.name() == ""
        ssl = f"ssl:0:interface=127.0.0.1:privateKey={contexts.own}:certKey={contexts.own}"
        async with (
            listen(ssl, Counter) as server,
            connect("localhost", server.port, **client) as conn,
        ):
            assert await conn.root.add(1, 2) == 3
        async with (
            listen(f"unix:{tmp_path / 'socket'}", Counter, ssl=contexts.server) as server,
            connect(server.address, server_hostname="localhost", **client) as conn,
        ):
            assert await conn.root.add("x" * 3_000_000, "y") == "x" * 3_000_000 + "y"

    run_in(kind, main)


@pytest.mark.parametrize("kind", LOOPS)
def test_certificates_of_clients(kind: str, contexts: Contexts) -> None:
    async def main() -> None:
        async with listen("localhost:0", WhoAmI, ssl=contexts.asking) as server:
            async with connect("localhost", server.port, ssl=contexts.known) as conn:
                assert await conn.root.name() == "own"
            with pytest.raises(ConnectionLost):  # asyncio hangs up without a word
                await connect("localhost", server.port, ssl=contexts.client)
        where = tls_server(
            "tcp:0:interface=127.0.0.1",
            contexts.own,
            ca=contexts.authority.path,
            reactor=AsyncioLoop.current(),
        )
        async with listen(where, Counter) as server:
            async with connect("localhost", server.port, ssl=contexts.known) as conn:
                assert await conn.root.add(1, 2) == 3
            with pytest.raises(ConnectionLost, match="it wants one"):
                await connect("localhost", server.port, ssl=contexts.client)

    run_in(kind, main)


@pytest.mark.parametrize("kind", LOOPS)
def test_who_does_not_shake_hands_counts_and_is_dropped(kind: str, contexts: Contexts) -> None:
    async def main() -> None:
        config = {"frame_timeout": 0.3, "max_per_address": 2}
        async with listen("localhost:0", Counter, ssl=contexts.server, config=config) as server:
            loop = asyncio.get_running_loop()
            silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(3)]
            for each in silent:
                each.setblocking(False)
            while len(server.connections) < 2:
                await asyncio.sleep(0.01)
            for each in silent:
                with pytest.raises(ConnectionResetError):
                    await asyncio.wait_for(loop.sock_recv(each, 1), 10)
                assert len(server.connections) <= 2
            assert not server.connections
            for each in silent:
                each.close()
            bad = socket.create_connection(("127.0.0.1", server.port))
            bad.sendall(b"GET / HTTP/1.0\r\n\r\n")
            bad.setblocking(False)
            while await asyncio.wait_for(loop.sock_recv(bad, 100), 10):
                pass
            bad.close()
            async with connect("localhost", server.port, ssl=contexts.client) as conn:
                assert await conn.root.add(1, 2) == 3

    run_in(kind, main)
