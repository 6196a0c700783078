"""What is asked of something that keeps events."""

from __future__ import annotations

import inspect

import pytest

from tests.buses.local import LocalOpener, LocalStore
from txremote.buses.host_store import HostOpener, HostStore
from txremote.buses.ports import Opener, Store
from txremote.buses.redis_asyncio import AsyncioRedisOpener
from txremote.buses.redis_reactor import TxRedisOpener
from txremote.buses.redis_store import RedisStore


@pytest.mark.parametrize(
    ("port", "kind"),
    [
        *((Store, kind) for kind in (HostStore, RedisStore, LocalStore)),
        *((Opener, kind) for kind in (HostOpener, TxRedisOpener, AsyncioRedisOpener, LocalOpener)),
    ],
)
def test_each_kind_of_bus_has_all_that_is_asked_of_it(port: type, kind: type) -> None:
    """With arguments of the same names."""
    asked = {name: each for name, each in vars(port).items() if inspect.isfunction(each)}
    for name, function in asked.items():
        if name.startswith("_"):
            continue
        assert inspect.signature(getattr(kind, name)).parameters.keys() == (
            inspect.signature(function).parameters.keys()
        ), name
