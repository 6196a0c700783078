"""The interfaces of pools, which are shown by the module of all."""

from __future__ import annotations

from twisted.application.service import IService

from txremote import interfaces, pool_interfaces


def test_they_are_found_where_all_interfaces_are() -> None:
    """A plugin of a user's names them there; a pool is a service of Twisted's."""
    assert interfaces.IPool is pool_interfaces.IPool
    assert interfaces.IPoolKind is pool_interfaces.IPoolKind
    assert interfaces.IPool.extends(IService)
    assert set(interfaces.__all__) <= set(dir(interfaces))
