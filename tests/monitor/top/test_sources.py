"""
Rows over the wire, on asyncio: a server that goes away and comes back, and one that says no.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import rpyc

from tests.monitor.top.conftest import Operated
from tests.processes import SERVES, Program, free_port, script
from txremote import aio
from txremote.monitor.top.sources import Refused, SourceGone, WireSource, sentence_of
from txremote.net.client_login import log_in
from txremote.peer.connection import Connection
from txremote.wire.consts import HANDLE_OPERATIONS

WORDS = ("--service", "tests.services.Depot", "--auth", "memory:ann:sesame", "--operators", "ann")


def source(port: int, timeout: float = 20) -> WireSource:
    """Return the rows of a server, for ann."""

    async def reach() -> Connection:
        connection = await aio.connect("127.0.0.1", port)
        await log_in(connection, "ann", "sesame")
        return connection

    return WireSource("there", reach, timeout)


def twistd(port: int, *words: str) -> Program:
    """Start a server on a port, and wait until it listens."""
    listen = f"tcp:{port}:interface=127.0.0.1"
    program = Program(script("twistd"), "--pidfile=", "-n", "txremote", "--listen", listen, *words)
    program.wait_for(SERVES)
    return program


def test_a_server_may_go_and_come_back() -> None:
    """In between there is a sentence, as often as one asks; nothing is asked twice for that."""
    port = free_port()

    async def watch() -> None:
        rows = source(port)
        with pytest.raises(SourceGone):
            await rows.overview()
        for _ in range(2):
            with twistd(port, *WORDS) as server:
                assert (await rows.overview()).state == "serving"
                assert [row.user for row in await rows.rows("connections")] == ["ann"]
                server.kill()
                for _ in range(2):
                    with pytest.raises(SourceGone):
                        await rows.rows("connections")
        await rows.close()

    asyncio.run(watch())


def test_what_a_server_does_not_do_is_refused(operated: Operated) -> None:
    """And the connection goes on."""

    async def ask() -> None:
        rows = source(operated.port)
        with pytest.raises(Refused, match="no task 77"):
            await rows.task_output("console", 77, 0)
        assert not await rows.close_connection(10**9)
        assert (await rows.series()).step == 5.0
        assert await rows.log_level(None) == "info"
        await rows.close()

    asyncio.run(ask())


def test_an_answer_that_does_not_come_is_waited_for_no_longer(operated: Operated) -> None:
    """A server that is stuck is told from one that is slow by the time-out alone."""

    async def ask() -> None:
        rows = source(operated.port)
        await rows.overview()
        assert rows._connection is not None
        rows._connection.stream.pauseProducing()
        rows._timeout = 0.2
        with pytest.raises(SourceGone, match=r"no answer within 0\.2 s"):
            await rows.overview()
        rows._timeout = 20
        assert (await rows.overview()).state == "serving"
        await rows.close()

    asyncio.run(ask())


def test_a_stock_client_reads_the_rows(operated: Operated) -> None:
    """By the request's number; a row is pairs, of which it makes a dict."""
    conn = rpyc.connect("127.0.0.1", operated.port)
    with pytest.raises(PermissionError, match="operators log in first"):
        conn.sync_request(HANDLE_OPERATIONS)
    conn.root.login("ann", "sesame")
    there = conn.sync_request(HANDLE_OPERATIONS)
    assert dict(there.overview())["state"] == "serving"
    [mine] = [dict(row) for row in there.connections() if dict(row)["user"] == "ann"]
    assert mine["dialect"].startswith("RPyC")
    assert there.log_level() == "info"
    conn.close()


@pytest.mark.parametrize(
    "error, text",
    [
        (KeyError("no task 7"), "no task 7"),
        (ValueError("bad\n\n========= Remote Traceback (1) =====\nFile"), "bad"),
        (EOFError(), "EOFError"),
    ],
)
def test_an_error_is_a_sentence(error: Any, text: str) -> None:
    """Without what is for programmers."""
    assert sentence_of(error) == text
