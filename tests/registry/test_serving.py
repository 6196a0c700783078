"""A registry by UDP and TCP, its client, and strangers that try what they can."""

from __future__ import annotations

import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_twisted
from rpyc.core import brine as stock
from twisted.internet import reactor
from twisted.internet.error import CannotListenError
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from tests.net.servers import until
from txremote.errors import RegistryRefused, RegistryUnreachable
from txremote.registry import serving
from txremote.registry.choosing import registry_from
from txremote.registry.entries import EntryLimits
from txremote.registry.messages import Query, encoded
from txremote.registry.ports import Place
from txremote.registry.serving import RegistryServer

WAYS = ["rpyc", "rpyc+tcp"]
QUESTION = encoded(Query("shop"))


@asynccontextmanager
async def registry(**options: Any) -> AsyncIterator[RegistryServer]:
    """Run one on a free port of loopback."""
    server = RegistryServer(port=0, **options)
    server.startService()
    try:
        yield server
    finally:
        await server.stopService()


@pytest.mark.parametrize("way", WAYS)
@pytest_twisted.ensureDeferred
async def test_a_server_is_found_until_it_leaves(way: str) -> None:
    """With TLS or without, whatever the capitals; the names are told if that is allowed."""
    async with registry(allow_listing=True) as server:
        client = registry_from(f"{way}://127.0.0.1:{server.port}", reactor)
        assert await client.find("shop") == ()
        plain = client.register(("Shop", "Till"), Place("127.0.0.1", 7))
        secure = client.register(("Shop",), Place("", 8, "tls"))
        await until(lambda: len(server.entries.find("shop")) == 2)
        assert set(await client.find("sHOP")) == {
            *(Place("127.0.0.1", 7), Place("127.0.0.1", 8, "tls"))
        }
        assert await client.find("till") == (Place("127.0.0.1", 7),)
        assert set(await client.list()) == {"SHOP", "TILL"}
        await plain.leave()
        await secure.leave()
        assert await client.list() == ()
        server.answering.allow_listing = False
        with pytest.raises(RegistryRefused, match="does not tell its names"):
            await client.list()


@pytest.mark.parametrize("way", WAYS)
@pytest_twisted.ensureDeferred
async def test_a_registry_that_is_not_there_is_said_at_once(way: str) -> None:
    """Without waiting for a time-out, and by the name of the registry."""
    with pytest.raises(RegistryUnreachable, match=re.escape(f"at {way}://127.0.0.1:1 cannot")):
        await registry_from(f"{way}://127.0.0.1:1", reactor).find("shop")
    with pytest.raises(RegistryUnreachable, match=r"no address is known of 'nowhere.invalid'|look"):
        await registry_from(f"{way}://nowhere.invalid", reactor).find("shop")


@pytest_twisted.ensureDeferred
async def test_what_answers_and_is_no_registry_is_named_so() -> None:
    """By UDP and TCP: an answer that is none, and none at all."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))

        def answer() -> None:
            for _ in range(2):
                other.sendto(b"\xffnonsense", other.recvfrom(2000)[1])

        answering = deferToThread(answer)
        client = registry_from(f"rpyc://127.0.0.1:{other.getsockname()[1]}", reactor)
        with pytest.raises(RegistryUnreachable, match="is no registry"):
            await client.find("shop")
        await answering
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def hang_up() -> None:
            for _ in range(2):
                listening.accept()[0].close()

        hanging_up = deferToThread(hang_up)
        client = registry_from(f"rpyc+tcp://127.0.0.1:{listening.getsockname()[1]}", reactor)
        with pytest.raises(RegistryUnreachable, match="cannot be reached"):
            await client.find("shop")
        await hanging_up


@pytest_twisted.ensureDeferred
async def test_a_watch_sees_a_server_come_and_go() -> None:
    """The registry is asked each so many seconds."""
    async with registry() as server:
        client = registry_from(f"rpyc://127.0.0.1:{server.port}", reactor)
        seen: list[tuple[Place, ...]] = []
        client.watch("shop", seen.append, every=0.02)
        await until(lambda: seen)
        server.entries.enter(("shop",), ("127.0.0.1", 7))
        await until(lambda: len(seen) == 2)
        server.entries.remove(("127.0.0.1", 7))
        await until(lambda: len(seen) == 3)
        assert seen == [(), (Place("127.0.0.1", 7),), ()]
        await client.close()


@pytest_twisted.ensureDeferred
async def test_a_registry_that_is_full_takes_no_more() -> None:
    """The server that was refused says so in its log, and tries again."""
    async with registry(limits=EntryLimits(max_entries=1)) as server:
        client = registry_from(f"rpyc+tcp://127.0.0.1:{server.port}", reactor)
        first = client.register(("a",), Place("127.0.0.1", 7))
        await until(lambda: server.entries.names())
        second = client.register(("b",), Place("127.0.0.1", 8))
        await deferLater(reactor, 0.1)
        assert server.entries.names() == ("A",)
        await first.leave()
        await until(lambda: server.entries.names() == ("B",))
        await second.leave()


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

    async with registry() as server:
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
    async with registry() as server:
        second = RegistryServer(port=server.port, by=("udp",))
        with pytest.raises(CannotListenError):
            second.startService()
    second.startService()
    await second.stopService()
