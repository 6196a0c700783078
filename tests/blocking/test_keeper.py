"""
How connections are made that come back: the login, ``on_connect``, the time between tries, and
a server that says that it stops.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from twisted.cred.error import UnauthorizedLogin

import txremote.blocking as rpyc
from tests.blocking.script_threads import Script, scripted, serving, wait_until
from tests.blocking.servers_that_go import going
from txremote.blocking.keeper import backoff
from txremote.errors import DeadReferenceError
from txremote.wire.consts import HANDLE_STOPPING


class Gate(rpyc.Service):
    """A root that can only log in."""

    answer: Any = None

    def exposed_login(self, user: str, password: str) -> Any:
        answer = type(self).answer
        if isinstance(answer, Exception):
            raise answer
        return answer

    def exposed_which(self) -> str:
        return "the gate"


class Mine(rpyc.Service):
    def exposed_which(self) -> str:
        return "mine"

    def exposed_subscribe(self, function: Callable[[str], object]) -> None:
        function("news")


@scripted
@pytest.mark.parametrize(("answer", "root"), [(None, "the gate"), (Mine(), "mine")])
def test_what_a_login_gives_is_the_root(answer: Any, root: str) -> None:
    Gate.answer = answer
    with going(Gate, login=("ann", "s3cret")) as (client, server, clock):
        for _ in range(2):
            assert client.root.which() == client.connected().root.which() == root
            server.die()
            server.up = True
            client._usable()
            clock.asleep(clock.now + 1)
            clock.advance(1)


@scripted
@pytest.mark.parametrize("answer", [False, PermissionError("wrong password")], ids=repr)
def test_a_login_that_is_refused_is_not_tried_again(answer: Any) -> None:
    Gate.answer = answer
    with going(Gate, login=("ann", "s3cret")) as (client, server, _clock):
        waiting = [Script(client.connected), Script(lambda: client.root.which())]
        for each in waiting:
            with pytest.raises(UnauthorizedLogin, match="the login of 'ann' was refused"):
                each.result()
        assert client.status.state == "refused" and server.dialled == 1


@scripted
def test_a_login_that_fails_otherwise_is_tried_again() -> None:
    Gate.answer = OSError("the disk is full")
    with going(Gate, login=("ann", "s3cret")) as (client, _server, clock):
        clock.asleep(1)
        assert "the disk is full" in str(client.status) and client.status.tries == 1
        Gate.answer = Mine()
        clock.advance(1)
        assert client.root.which() == "mine"


@scripted
def test_on_connect_comes_before_all_calls_and_again_with_each_connection() -> None:
    seen: list[str] = []

    def subscribe(conn: rpyc.BlockingConnection) -> None:
        seen.append("connected")
        conn.root.subscribe(seen.append)
        with pytest.raises(DeadReferenceError, match="call on the connection that it is given"):
            client.root.which()

    with going(Mine, on_connect=subscribe) as (client, server, clock):
        for times in (1, 2):
            assert client.root.which() == "mine"
            assert seen == ["connected", "news"] * times
            server.die()
            server.up = True
            client._usable()
            clock.asleep(clock.now + 1)
            clock.advance(1)


@scripted
def test_an_on_connect_that_fails_is_a_failed_try() -> None:
    errors: list[Exception] = [KeyError("a"), UnauthorizedLogin("not you")]

    def fail(_conn: rpyc.BlockingConnection) -> None:
        raise errors.pop(0)

    with going(Mine, on_connect=fail) as (client, server, clock):
        clock.asleep(1)
        assert client.status.happened == "connected, but: KeyError: 'a'"
        wait_until(lambda: server.remotes[0].closed)
        clock.advance(1)
        with pytest.raises(UnauthorizedLogin, match="not you"):
            client.root.which()


@scripted
def test_a_connection_that_has_ended_before_it_is_used_is_a_failed_try() -> None:
    """While on_connect ran, or just after it."""
    ends = [lambda conn: conn.close(), lambda _conn: None]

    def end(conn: rpyc.BlockingConnection) -> None:
        ends.pop(0)(conn)

    with going(Mine, on_connect=end) as (client, server, clock):
        clock.asleep(1)
        assert client.status.happened.startswith("connected, but: ConnectionLost")
        clock.advance(1)
        conn = client.connected()
        server.die()
        assert client._usable() is None
        with pytest.raises(EOFError):
            client._went_live(conn, False)
        assert client._live is None


@scripted
def test_the_time_between_tries_is_the_policys() -> None:
    """How many tries have failed in a row is what it is asked with."""
    asked: list[int] = []

    def policy(failures: int) -> float:
        asked.append(failures)
        return 10.0 * failures if failures != 2 else -1

    with going(Mine, retry_policy=policy) as (client, server, clock):
        client.connected()
        server.die()
        client._usable()
        wait_until(lambda: server.dialled == 2)  # at once
        clock.asleep(10)
        assert client.status.next_try == 10
        clock.advance(10)
        wait_until(lambda: asked == [0, 1, 2])
        wait_until(lambda: (client.status.next_try or 0) > 2)  # the usual: that was no time
        clock.advance(4)
        clock.asleep(44)
        server.up = True
        clock.advance(30)
        assert client.root.which() == "mine"


def test_the_usual_time_grows_to_a_minute() -> None:
    for failures, fewest in ((0, 1), (1, 1.5), (4, 5.0625), (1000, 60)):
        assert fewest <= backoff(failures) < fewest + 1


@scripted
def test_a_served_client_has_its_callbacks_without_a_call() -> None:
    seen: list[int] = []
    feeds: list[Feed] = []

    class Feed(rpyc.Service):
        def exposed_subscribe(self, function: Any) -> None:
            self.listener = rpyc.async_(function)
            feeds.append(self)

    def subscribe(conn: rpyc.BlockingConnection) -> None:
        conn.root.subscribe(seen.append)

    with serving(Feed) as server:
        where = f"{server.host}:{server.port}"
        with rpyc.reconnecting(where, on_connect=subscribe, serve=True) as client:
            client.connected()
            feeds[0].listener(7)
            wait_until(lambda: seen == [7])


@scripted
@pytest.mark.parametrize("serve", [False, True], ids=["looks", "serves"])
def test_a_server_that_says_it_stops_is_left_and_not_hung_up_on(serve: bool) -> None:
    with going(Mine, serve=serve) as (client, server, clock):
        client.root.which()
        old = client.connected()
        remote = server.remotes[0]
        remote._pump.submit(lambda: remote.protocol.outbound.send_oneway(HANDLE_STOPPING))
        wait_until(lambda: client._usable() is None)
        clock.asleep(1)
        assert "the server is stopping" in str(client.status) and not old.closed
        clock.advance(1)
        assert client.root.which() == "mine" and client.connected() is not old
        assert not old.closed
        old.close()
        assert client.root.which() == "mine"
