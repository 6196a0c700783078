"""RPyC's registry as a `Registry`, against ours."""

from __future__ import annotations

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.net.servers import until
from tests.registry.servers import Redis, running_registry
from txremote.errors import RegistryRefused
from txremote.registry.asking import resolved
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


@pytest.mark.parametrize("kind", [*WAYS, "redis"])
@pytest.mark.parametrize("scheme", ["tcp", "tls"])
@pytest_twisted.ensureDeferred
async def test_every_name_that_may_be_registered_is_found_whatever_stands_behind_it(
    kind: str, scheme: str, redis: Redis
) -> None:
    """The longest, and as many as there may be, with TLS and without, in all registries."""
    sharp = "\N{LATIN SMALL LETTER SHARP S}"  # two letters as a capital
    names = ("x", *("y" * length for length in range(195, 201)), sharp * 100)
    many = tuple(f"n{number}" for number in range(64))
    async with running_registry(allow_listing=True) as server:
        url = f"{redis.url}/7" if kind == "redis" else f"{kind}://127.0.0.1:{server.port}"
        client = registry_from(url, reactor)
        kept = [
            client.register((name,), Place("127.0.0.1", port, scheme))
            for port, name in enumerate(names, 10)
        ]
        kept.append(client.register(many, Place("127.0.0.1", 9, scheme)))
        for port, name in (*enumerate(names, 10), (9, many[0]), (9, many[-1])):
            places: tuple[Place, ...] = ()
            while not places:
                places = await client.find(name)
            assert places == (Place("127.0.0.1", port, scheme),)
        listed = set(await client.list())
        assert listed <= {name.upper() for name in (*names, *many)}
        # of a list by TCP, RPyC's clients read 1,500 bytes
        assert len(listed) == len(names) + len(many) or kind == "rpyc+tcp"
        for each in kept:
            await each.leave()
        assert await client.list() == ()
        for wrong in ((), ("",), ("y" * 201,), (sharp * 101,), ("x+Tls",), ("x",) * 65):
            with pytest.raises(ValueError, match=r"in a registry"):
                client.register(wrong, Place("127.0.0.1", 9, scheme))
            if len(wrong) == 1:
                with pytest.raises(ValueError, match="a name in a registry has 1 to 200 letters"):
                    await client.find(wrong[0])
        await client.close()


@pytest.mark.parametrize("way", WAYS)
@pytest_twisted.ensureDeferred
async def test_a_server_on_all_addresses_of_ipv4_is_seen_by_ipv4(way: str) -> None:
    """Else the registry would name an address of IPv6, where nobody listens."""
    async with running_registry() as server:
        client = registry_from(f"{way}://localhost:{server.port}", reactor)
        entry = client.register(("shop",), Place("0.0.0.0", 7))
        await until(lambda: server.entries.find("shop"))
        assert server.entries.find("shop") == (("127.0.0.1", 7),)
        await entry.leave()
    with pytest.raises(OSError, match="the server listens on IPv4 alone"):
        await resolved(reactor, "::1", only_ipv4=True)
