"""
How the end of a connection is told: the same for each kind of end, on either facet
and every transport, however often it is tried.

What a client has sent and nobody has read when its server closes makes the system
reset the connection, so each client here has just sent a lot.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost as Lost
from twisted.internet.threads import deferToThread

import txremote
import txremote.blocking as rpyc
from tests.net.servers import DEADLINE, LOOPBACK, Desk, served, until
from txremote import ConnectionLost, connect

#: How often each end is tried.
TIMES = 15

#: How many requests nobody reads: more than one turn of the reactor takes in.
UNREAD = 300

TRANSPORTS = ["tcp", "unix", "tls"]

PEER_CLOSED = "the peer closed the connection"
THIS_SIDE = "this side closed the connection"


class Place:
    """A server on one transport, and how either facet gets there."""

    def __init__(self, kind: str, folder: Path, certificate: dict[str, str]) -> None:
        self.kind = kind
        self.path = str(folder / "s")
        self.desk = Desk()
        self.certificate = certificate
        self.number = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        where = {
            "tcp": LOOPBACK,
            "unix": f"unix:{self.path}",
            "tls": "ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}".format(
                **self.certificate
            ),
        }[self.kind]
        async with served(self.desk, where) as port:
            self.number = getattr(port.getHost(), "port", 0)
            yield

    def reach(self) -> Deferred[Any]:
        where = {
            "tcp": f"tcp:127.0.0.1:{self.number}",
            "unix": f"unix:{self.path}",
            "tls": f"tls:127.0.0.1:{self.number}:trustRoots={self.certificate['folder']}",
        }[self.kind]
        return connect(where, timeout=DEADLINE)

    def script(self) -> rpyc.BlockingConnection:
        if self.kind == "unix":
            return rpyc.unix_connect(self.path)
        if self.kind == "tls":
            return rpyc.ssl_connect("127.0.0.1", self.number)
        return rpyc.connect("127.0.0.1", self.number)

    async def newest(self) -> Any:
        """The server's end of the newest connection."""
        await until(lambda: self.desk.conns)
        return self.desk.conns.pop()


@pytest.fixture(params=TRANSPORTS)
def place(request: Any, tmp_path: Path, certificate: dict[str, str]) -> Place:
    return Place(request.param, tmp_path, certificate)


def told(conn: Any, how: BaseException) -> tuple[type, str]:
    """How an end was told."""
    return type(how), conn.why_ended


async def end_of(call: Any) -> tuple[type, str]:
    """How a call's end was told."""
    try:
        await call
    except Exception as error:
        return type(error), str(error)
    return type(None), ""


@pytest.mark.parametrize("way", ["close", "finish"])
@pytest_twisted.ensureDeferred
async def test_a_server_that_closes_in_order_is_told_alike_in_a_reactor(
    place: Place, way: str
) -> None:
    """Whatever is unread; the server's own side likewise."""
    async with place.serving():
        seen = set()
        for _ in range(TIMES):
            conn = await place.reach()
            theirs = await place.newest()
            waiting = end_of(conn.root.wait())
            calls = [conn.root.wait() for _ in range(UNREAD)]
            both = conn.when_disconnected(), theirs.when_disconnected()
            if way == "close":
                theirs.close()
            else:
                theirs.closing.drain("the server is stopping")
                theirs.closing.hang_up("the server is stopping")  # the patience is over
            seen.add(told(conn, await both[0]))
            seen.add((type(await both[1]), "the other side"))
            seen.update([await end_of(call) for call in calls])
            seen.add(await waiting)
        assert seen == {
            (ConnectionDone, PEER_CLOSED),
            (ConnectionDone, "the other side"),
            (ConnectionLost, PEER_CLOSED),
        }


@pytest_twisted.ensureDeferred
async def test_a_server_that_closes_in_order_is_told_alike_in_a_script(place: Place) -> None:
    def calls(conn: Any) -> list[Any]:
        wait = rpyc.async_(conn.root.wait)
        return [wait() for _ in range(UNREAD)]

    def ends(conn: Any, results: list[Any]) -> set[tuple[type, str]]:
        found = set()
        for result in results:
            with pytest.raises(EOFError) as caught:
                result.wait()
                result.value
            found.add((type(caught.value), str(caught.value)))
        return found | {told(conn.protocol, conn.protocol.closing.reason)}

    async with place.serving():
        seen = set()
        for _ in range(TIMES):
            conn = await deferToThread(place.script)
            theirs = await place.newest()
            results = await deferToThread(calls, conn)
            theirs.close()
            seen |= await deferToThread(ends, conn, results)
            await theirs.when_disconnected()
        assert seen == {(ConnectionDone, PEER_CLOSED), (ConnectionLost, PEER_CLOSED)}


@pytest_twisted.ensureDeferred
async def test_closing_oneself_is_told_alike(place: Place) -> None:
    """Though the peer has sent what nobody reads any more."""
    async with place.serving():
        seen = set()
        for _ in range(TIMES):
            conn = await place.reach()
            theirs = await place.newest()
            calls = [conn.root.blob(5000) for _ in range(50)]
            await calls[0]
            how = conn.close()
            seen.add(told(conn, await how))
            seen.add((type(await theirs.when_disconnected()), "the other side"))
            for call in calls:
                call.addErrback(lambda _failure: None)
        assert seen == {(ConnectionDone, THIS_SIDE), (ConnectionDone, "the other side")}


@pytest_twisted.ensureDeferred
async def test_giving_up_is_told_alike_and_so_is_what_was_lost(place: Place) -> None:
    """Nothing was said, so the transport's word holds; its wording is ours."""
    async with place.serving():
        seen = set()
        for _ in range(TIMES):
            conn = await place.reach()
            theirs = await place.newest()
            calls = [end_of(conn.root.wait()) for _ in range(UNREAD)]
            theirs.closing.abort("enough")
            seen.add((*told(theirs, await theirs.when_disconnected()), "theirs"))
            await conn.when_disconnected()
            for call in calls:
                seen.add((*await call, "call"))
        assert (ConnectionAborted, "enough", "theirs") in seen
        assert seen - {(ConnectionAborted, "enough", "theirs")} == {
            (ConnectionLost, "the connection was lost", "call")
        }
        assert issubclass(ConnectionLost, Lost)
        assert txremote.ConnectionLost is ConnectionLost
