"""
`StopOrder`: what waits for the servers of a program, and what does not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, succeed

from txremote.eventloop.stop_order import StopOrder


def outcome(deferred: Deferred[Any]) -> list[Any]:
    """Return the list that a Deferred's result goes into."""
    found: list[Any] = []
    deferred.addCallback(found.append)
    return found


class Server(Service):  # type: ignore[misc]
    """A server whose calls end when `last_call` is fired."""

    def __init__(self, order: StopOrder) -> None:
        self.last_call: Deferred[None] = Deferred()
        self._order = order

    def startService(self) -> None:
        super().startService()
        self._order.enter(self)

    def stopService(self) -> None:
        super().stopService()
        self._order.leave(self)
        self._order.keep_for(self.last_call)


class Pool(Service):  # type: ignore[misc]
    """Something that servers use."""

    def __init__(self, order: StopOrder) -> None:
        self._order = order

    def _stop(self) -> Deferred[None]:
        super().stopService()
        return succeed(None)

    def stopService(self) -> Deferred[None]:
        return self._order.of_service(self, self._stop)


def test_a_user_is_waited_for() -> None:
    """Something that would stop stops when the last user is done, and gives its result."""
    order, stopped = StopOrder(), []

    def stop() -> Deferred[None]:
        stopped.append("stopped")
        return succeed(None)

    assert outcome(order.after_use(stop)) == [None]
    users: list[Deferred[None]] = [Deferred(), Deferred()]
    for user in users:
        order.keep_for(user)
    result = outcome(order.after_use(stop))
    users[0].callback(None)
    assert (stopped, result) == (["stopped"], [])
    users[1].callback(None)
    assert (stopped, result) == (["stopped"] * 2, [None])


@pytest.mark.parametrize("server_first", [True, False])
@pytest.mark.parametrize("nested", [True, False])
def test_in_one_application_servers_stop_first(server_first: bool, nested: bool) -> None:
    """In whatever order its parts were added, and however deep they are."""
    order, whole = StopOrder(), MultiService()
    server, pool = Server(order), Pool(order)
    inner: Any = whole
    if nested:
        inner = MultiService()
        inner.setServiceParent(whole)
    parts = [(server, inner), (pool, whole)]
    for part, parent in parts if server_first else parts[::-1]:
        part.setServiceParent(parent)
    whole.startService()
    ended = outcome(whole.stopService())
    assert (server.running, pool.running, ended) == (0, 1, [])
    server.last_call.callback(None)
    assert not pool.running
    assert ended


@pytest.mark.parametrize("how", ["by hand", "with the reactor"])
def test_what_stops_alone_leaves_servers_be_and_what_stops_with_the_reactor_does_not(
    how: str,
) -> None:
    """The application runs on when a part of it is stopped by hand, which waits for nobody."""
    order, whole = StopOrder(), MultiService()
    server, pool = Server(order), Pool(order)
    server.setServiceParent(whole)
    pool.setServiceParent(whole)
    whole.startService()
    stop: Callable[[], Deferred[None]] = pool.stopService
    if how == "with the reactor":
        order.with_reactor(pool._stop)
    else:
        busy: Deferred[None] = Deferred()
        order.keep_for(busy)
        stop()
    assert bool(pool.running) is (how == "with the reactor")
    assert bool(server.running) is (how == "by hand")
    server.last_call.callback(None)
    assert not pool.running


def test_an_application_that_is_started_again_meanwhile_keeps_its_parts() -> None:
    """The stop that waits comes to nothing then."""
    order, whole = StopOrder(), MultiService()
    server, pool = Server(order), Pool(order)
    server.setServiceParent(whole)
    pool.setServiceParent(whole)
    whole.startService()
    whole.stopService()
    whole.startService()
    server.last_call.callback(None)
    assert pool.running
