"""A service is told of a connection's beginning and end."""

from __future__ import annotations

from typing import Any

from tests.peer.hosted import Hosted
from tests.peer.pairs import Outcome, logged
from txremote import DeadReferenceError, Service
from txremote.testing import connected_pair


class Told(Service):
    def __init__(self) -> None:
        self.log: list[Any] = []

    def on_connect(self, conn: Any) -> Any:
        self.log.append(("connect", conn))

    def on_disconnect(self, conn: Any) -> Any:
        self.log.append(("disconnect", conn))


def test_a_service_is_told_of_the_beginning_and_the_end() -> None:
    service = Told()
    pair = connected_pair(client_root=Told, server_root=service)
    assert service.log == [("connect", pair.server)]
    pair.lose()
    assert service.log == [("connect", pair.server), ("disconnect", pair.server)]
    assert [name for name, _conn in pair.client.service.log] == ["connect", "disconnect"]


def test_it_may_call_the_peer_from_the_first_moment_on() -> None:
    class Greeter(Told):
        async def on_connect(self, conn: Any) -> None:
            self.log.append(await conn.root.add(1, 2))

    pair = connected_pair(client_root=Hosted, server_root=Greeter)
    assert pair.server.service.log == [3]


def test_on_disconnect_may_be_a_coroutine_and_can_send_nothing() -> None:
    class Late(Told):
        async def on_disconnect(self, conn: Any) -> None:
            try:
                await conn.root.add(1, 2)
            except EOFError as error:
                self.log.append(type(error))

    pair = connected_pair(client_root=Hosted, server_root=Late)
    pair.lose()
    assert pair.server.service.log[-1] is DeadReferenceError


def test_an_on_connect_that_raises_ends_the_connection() -> None:
    class Sync(Told):
        def on_connect(self, conn: Any) -> None:
            raise RuntimeError("in on_connect")

    class Async(Told):
        async def on_connect(self, conn: Any) -> None:
            raise RuntimeError("in on_connect")

    class AsyncLater(Told):
        async def on_connect(self, conn: Any) -> None:
            await conn.root.no_such_name()

    for kind in (Sync, Async):
        with logged() as log:
            pair = connected_pair(server_root=kind, introduce=False)
            pair.pump()
        assert pair.server.closed
        assert "in on_connect" in log.text()
        assert [entry[0] for entry in pair.server.service.log] == ["disconnect"]
    with logged() as log:
        pair = connected_pair(server_root=AsyncLater)
        pair.pump()
    assert pair.server.closed
    assert "no_such_name" in log.text()


def test_an_on_connect_whose_peer_has_left_has_not_failed() -> None:
    """A probe of a port comes and goes."""

    class Asking(Told):
        async def on_connect(self, conn: Any) -> None:
            await conn.root.add(1, 2)

    with logged() as log:
        pair = connected_pair(server_root=Asking, introduce=False)
        pair.lose()
    assert pair.server.service.log[-1] == ("disconnect", pair.server)
    assert "Traceback" not in log.text() and "ended with its connection" in log.text()


def test_an_on_disconnect_that_raises_is_logged_and_keeps_nothing_from_ending() -> None:
    class Sync(Told):
        def on_disconnect(self, conn: Any) -> None:
            raise RuntimeError("in on_disconnect")

    class Async(Told):
        async def on_disconnect(self, conn: Any) -> None:
            raise RuntimeError("in on_disconnect")

    for kind in (Sync, Async):
        pair = connected_pair(server_root=kind)
        ended = Outcome(pair.server.when_disconnected())
        with logged() as log:
            pair.lose()
        assert ended.fired
        assert "in on_disconnect" in log.text()
