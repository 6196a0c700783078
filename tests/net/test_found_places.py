"""`connect` to a name of a registry: one place after the other, and why none was reached."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_twisted

from tests.net.servers import Desk, served
from tests.processes import free_port
from tests.registry.fake import FakeRegistry
from txremote import NotServed, RegistryUnreachable, connect
from txremote.registry.ports import Place


@pytest_twisted.ensureDeferred
async def test_the_first_place_that_can_be_reached_is_taken() -> None:
    """The least busy before the others; what is not there, or is no server, is passed over."""
    async with AsyncExitStack() as stack:
        desks = [Desk(), Desk()]
        ports: list[Any] = [await stack.enter_async_context(served(desk)) for desk in desks]
        busy, free = (
            Place("127.0.0.1", port.getHost().port, load=load)
            for port, load in zip(ports, (0.9, 0.1), strict=True)
        )
        gone = Place("127.0.0.1", free_port(), load=0.0)
        registry = FakeRegistry(busy, gone, Place("", 1), free)
        conn = await connect("registry:desk", registry=registry)
        assert await conn.root.count() == 1
        await conn.close()
        registry.set(busy, gone)
        conn = await connect("registry:desk", registry=registry, dialect="6")
        assert await conn.root.count() == 1
        await conn.close()
        assert [desk.asked for desk in desks] == [1, 1]


@pytest_twisted.ensureDeferred
async def test_why_no_place_was_reached_is_said_of_each() -> None:
    """And whether the registry named none, or does not answer."""
    one, other = (Place("127.0.0.1", free_port()) for _ in range(2))
    registry = FakeRegistry(one, other)
    with pytest.raises(NotServed, match=r"^no place of desk was reached: ") as found:
        await connect("registry:desk", registry=registry)
    for place in (one, other):
        assert f"{place.name}: ConnectionRefusedError" in str(found.value)
    registry.set()
    with pytest.raises(NotServed, match=r"^the registry names no place of desk$"):
        await connect("registry:desk", registry=registry)
    registry.down = True
    with pytest.raises(RegistryUnreachable):
        await connect("registry:desk", registry=registry)
    # one that does not exist, by its URL
    with pytest.raises(RegistryUnreachable):
        await connect("registry:desk", registry=f"rpyc+tcp://127.0.0.1:{free_port()}", timeout=5)


def test_a_registry_goes_with_a_registrys_name() -> None:
    """Else it would be left out in silence."""
    with pytest.raises(ValueError, match="registry= goes with registry:NAME"):
        connect("tcp:127.0.0.1:1", registry="rpyc://127.0.0.1")
