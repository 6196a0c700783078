"""
What pools need of a reactor.
"""

from __future__ import annotations

from twisted.internet.base import ReactorBase
from twisted.internet.interfaces import IReactorCore

from txremote.work.ports import IPoolReactor


def test_the_reactor_has_all_that_pools_use() -> None:
    """Each interface that the type is made of is one of the running reactor's."""
    from twisted.internet import reactor

    assert all(
        interface.providedBy(reactor)
        for interface in IPoolReactor.__bases__
        # of which txremote.aio's loop has what pools use
        if interface is not IReactorCore or isinstance(reactor, ReactorBase)
    )
