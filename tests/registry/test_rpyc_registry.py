"""RPyC's registry as a `Registry`, against ours."""

from __future__ import annotations

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.net.servers import until
from tests.registry.servers import running_registry
from txremote.errors import RegistryRefused
from txremote.registry.choosing import registry_from
from txremote.registry.entries import EntryLimits
from txremote.registry.ports import Place

WAYS = ["rpyc", "rpyc+tcp"]


@pytest.mark.parametrize("way", WAYS)
@pytest_twisted.ensureDeferred
async def test_a_server_is_found_until_it_leaves(way: str) -> None:
    """With TLS or without, whatever the capitals; the names are told if that is allowed."""
    async with running_registry(allow_listing=True) as server:
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


@pytest_twisted.ensureDeferred
async def test_a_watch_sees_a_server_come_and_go() -> None:
    """The registry is asked each so many seconds."""
    async with running_registry() as server:
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
    async with running_registry(limits=EntryLimits(max_entries=1)) as server:
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
async def test_what_it_cannot_hold_is_refused_when_it_is_registered() -> None:
    """A UNIX socket, and more names than a message has room for."""
    registry = registry_from("rpyc://127.0.0.1", reactor)
    with pytest.raises(ValueError, match="knows TCP ports only, and no UNIX sockets"):
        registry.register(("shop",), Place("/run/shop", 0, "unix"))
    with pytest.raises(ValueError, match="use fewer names, or shorter ones"):
        registry.register(("x" * 200,) * 10, Place("127.0.0.1", 7))
