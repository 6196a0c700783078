"""A registry in a real Redis, which is killed, stopped and started again."""

from __future__ import annotations

import json
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor

from tests.aio.loops import run_in
from tests.net.servers import until
from tests.registry.servers import Redis
from txremote.aio.loop import AsyncioLoop
from txremote.registry import redis_registry
from txremote.registry.choosing import registry_from
from txremote.registry.ports import Place
from txremote.registry.redis_registry import RedisRegistry
from txremote.registry.urls import registry_url


async def use(registry: Any) -> None:
    """Register, find, list and leave."""
    assert await registry.find("shop") == ()
    one = registry.register(("Shop", "007"), Place("10.0.0.1", 7, "tls", 0.25, "first"))
    two = registry.register(("shop",), Place("", 8))
    places: tuple[Place, ...] = ()
    while len(places) < 2:
        places = await registry.find("sHOP")
    assert set(places) == {
        Place("10.0.0.1", 7, "tls", 0.25, "first"),
        Place("127.0.0.1", 8, key="tcp:127.0.0.1:8"),
    }
    assert await registry.list() == ("007", "SHOP")
    await one.leave()
    assert [place.port for place in await registry.find("shop")] == [8]
    assert await registry.list() == ("SHOP",)
    await two.leave()
    assert await registry.list() == ()
    await registry.close()


@pytest_twisted.ensureDeferred
async def test_a_server_is_found_until_it_leaves(redis: Redis) -> None:
    """With all that is known of it; a name that looks like a number is a name."""
    await use(registry_from(f"{redis.url}/3", reactor))


def test_the_same_with_asyncio(redis: Redis) -> None:
    """By redis.asyncio."""

    async def program() -> None:
        await use(registry_from(f"{redis.url}/4", AsyncioLoop.current()))

    run_in("stock", program)


@pytest_twisted.ensureDeferred
async def test_a_server_that_was_killed_goes_by_its_lease(redis: Redis) -> None:
    """By Redis's own clock; and what nobody renews leaves no key behind."""
    registry = RedisRegistry(registry_url(f"{redis.url}/5"), reactor, lease=0.2)
    await registry._enter(("shop",), Place("10.0.0.1", 7))  # as one that is killed then
    assert len(await registry.find("shop")) == 1
    seen: list[int] = []
    registry.watch("shop", lambda places: seen.append(len(places)), every=0.05)
    await until(lambda: seen == [1, 0])
    assert await registry.list() == ()
    assert await registry._run("return redis.call('KEYS', '*')", [], []) == []
    await registry.close()


@pytest_twisted.ensureDeferred
async def test_what_others_write_there_is_no_place(redis: Redis) -> None:
    """It is left out, whatever it is, and the rest is found."""
    registry = registry_from(f"{redis.url}/6", reactor)
    good = {"host": "10.0.0.1", "port": 7, "scheme": "tcp", "key": "good"}
    wrong = [
        *("", "null", "[" * 1500, "x" * 3000, '{"host": "10.0.0.1"}', "123"),
        *(json.dumps({**good, "port": port}) for port in (70_000, "7", None, 1e400)),
        *(json.dumps({**good, "scheme": scheme}) for scheme in ("ssh", 1)),
        json.dumps({**good, "host": ""}),
    ]
    for number, written in enumerate([json.dumps({**good, "load": "much"}), *wrong]):
        script = redis_registry._ENTER
        keys = redis_registry._keys(("shop",))
        await registry._run(script, keys, [str(number), written, "60000", "SHOP"])  # type: ignore[attr-defined]
    assert await registry.find("shop") == (Place("10.0.0.1", 7, key="good"),)
    with pytest.raises(ValueError, match="a name in a registry has 1 to 200 letters"):
        await registry.find("x" * 201)
    await registry.close()
