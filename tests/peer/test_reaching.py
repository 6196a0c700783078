"""Tests of `txremote.peer.reaching`; what peers get by it, `tests.peer.test_handlers` asks for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import FunctionType
from typing import Any

import pytest
from twisted.internet.defer import ensureDeferred

from txremote import Service
from txremote.peer.reaching import reach_showing, reach_step
from txremote.testing import connected_pair


class Plain:
    pass


async def ticks() -> AsyncIterator[int]:
    yield 1


@pytest.fixture
def serving() -> Any:
    return connected_pair(server_root=Service()).server.inbound


@pytest.mark.parametrize("name", ["__repr__", "__str__"])
def test_what_shows_an_object_tells_no_address_and_is_a_function(serving: Any, name: str) -> None:
    """The gate lets functions be called without asking, and nothing else."""
    plain = Plain()
    for method, args in (
        (reach_showing(serving, plain, name), ()),
        (reach_showing(serving, Plain, name), (plain,)),
    ):
        assert type(method) is FunctionType
        text = method(*args)
        assert "Plain object" in text
        assert "0x" not in text


def test_a_generators_step_is_awaited(serving: Any) -> None:
    generator = ticks()
    assert reach_step(serving, generator, "__iter__")() is generator
    found: list[object] = []
    ensureDeferred(reach_step(serving, generator, "__anext__")()).addCallback(found.append)
    assert found == [1]
