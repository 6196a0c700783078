"""A registry by UDP and TCP, and strangers that try what they can."""

from __future__ import annotations

import socket

import pytest
import pytest_twisted
from rpyc.core import brine as stock
from twisted.internet import reactor
from twisted.internet.error import CannotListenError
from twisted.internet.threads import deferToThread

from tests.registry.servers import running_registry
from txremote.registry import serving
from txremote.registry.choosing import registry_from
from txremote.registry.messages import Query, encoded
from txremote.registry.serving import RegistryServer

QUESTION = encoded(Query("shop"))


@pytest_twisted.ensureDeferred
async def test_strangers_are_bounded_and_others_are_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nonsense, silence, too many of them, a message in pieces, two in one."""
    monkeypatch.setattr(serving, "CLIENT_SECONDS", 0.5)
    monkeypatch.setattr(serving, "MOST_OF_A_HOST", 3)

    def attack(port: int) -> bytes:
        address = ("127.0.0.1", port)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
            for each in (b"", b"\xff" * 1500, b"x" * 60_000, stock.dump(("RPYC", "QUERY", (1,)))):
                datagrams.sendto(each, address)
        silent = [socket.create_connection(address, 5) for _ in range(3)]
        with socket.create_connection(address, 5) as dropped:  # one too many
            assert dropped.recv(1) == b""
        for each in silent:  # their time is up
            assert _read(each) == b""
        with socket.create_connection(address, 5) as long:
            long.sendall(b"x" * 1501)
            assert _read(long) == b""
        with socket.create_connection(address, 5) as two:
            two.sendall(QUESTION * 2)
            assert _read(two) == b""
        with socket.create_connection(address, 5) as pieces:
            for number in QUESTION:
                pieces.send(bytes([number]))
            return _read(pieces)

    async with running_registry() as server:
        assert stock.load(await deferToThread(attack, server.port)) == ()
        assert not server._factory._open
        client = registry_from(f"rpyc://127.0.0.1:{server.port}", reactor)
        assert await client.find("shop") == ()


def _read(from_: socket.socket) -> bytes:
    """Return all that comes until the end, which may be a reset."""
    found = b""
    try:
        while data := from_.recv(2000):
            found += data
    except ConnectionResetError:
        pass
    from_.close()
    return found


@pytest_twisted.ensureDeferred
async def test_a_port_that_is_taken_is_told_when_it_starts() -> None:
    """It is free again when the Deferred of a stop fires, and the one after has it."""
    async with running_registry() as server:
        second = RegistryServer(port=server.port, by=("udp",))
        with pytest.raises(CannotListenError):
            second.startService()
    second.startService()
    await second.stopService()
