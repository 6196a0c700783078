"""
Rows from a server's admin site: by HTTP, with its token, and by its UNIX socket without.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.monitor.top.conftest import Operated, twistd
from tests.processes import run, script
from txremote.monitor.address import AdminAddress, admin_address
from txremote.monitor.rows import ROWS
from txremote.monitor.top.http import HttpSource
from txremote.monitor.top.sources import Refused, SourceGone


def test_all_rows_come_from_the_site(operated: Operated) -> None:
    """As over the wire."""

    async def ask() -> None:
        address = admin_address(operated.site)
        assert address is not None
        rows = HttpSource("site", address, operated.token.read_text().strip(), 20)
        assert (await rows.overview()).can_write
        for kind in ROWS:
            assert all(type(row) is ROWS[kind] for row in await rows.rows(kind))
        assert (await rows.series()).step == 5.0
        for asked in (
            rows.task_output("con sole/?", 7, 0),
            rows.kill_task("console", 77),
            rows.close_connection(10**9),
        ):
            with pytest.raises(Refused, match="no such"):
                await asked
        wrong = HttpSource("site", address, "x" * 40, 20)
        with pytest.raises(Refused, match="not the token"):
            await wrong.overview()

    asyncio.run(ask())


def test_a_site_on_a_unix_socket_wants_no_token(tmp_path: Path) -> None:
    """Its mode keeps others out. Without --admin-write nothing is changed by it."""
    words = [f"unix:{tmp_path / name}" for name in ("a.sock", "c.sock", "s.sock")]
    with twistd("--admin", words[0], "--console", words[1], "--listen", words[2]) as server:
        server.wait_for(r"txremote serves on")
        server.wait_for(r"admin site is on")
        status, out, errors = run(script("txremote"), "top", words[0], "--once")
        assert (status, errors) == (0, "")
        assert out.startswith("serving, 0 connections, ")

        async def ask() -> None:
            address = admin_address(words[0])
            assert address is not None
            with pytest.raises(Refused, match="--admin-write"):
                await HttpSource("site", address, None, 20).close_connection(1)

        asyncio.run(ask())


ANSWERS: list[tuple[bytes, type[Exception], str]] = [
    (b"SSH-2.0-OpenSSH_9.2\r\n", SourceGone, "it does not speak HTTP"),
    (b"", SourceGone, "does not speak HTTP|reset|closed"),
    (b"HTTP/1.0 503 Busy\r\n\r\n", SourceGone, "answers 503 Busy"),
    (b"HTTP/1.0 404 Not Found\r\n\r\nno such page\n", Refused, "no such page"),
    (b"HTTP/1.0 200 OK\r\n\r\n<html>", Refused, "no admin site of this version"),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 9999\r\n\r\n{}", SourceGone, "does not speak HTTP"),
]


@pytest.mark.parametrize(("answer", "kind", "why"), ANSWERS)
def test_what_is_no_admin_site_is_told_so(answer: bytes, kind: type[Exception], why: str) -> None:
    """In a sentence."""

    def serve(client: socket.socket) -> None:
        client.recv(4096)
        client.sendall(answer)

    with pytest.raises(kind, match=why):
        _ask_of(serve, 20)


def test_a_silent_site_is_given_up() -> None:
    """After its time."""
    over = threading.Event()
    with pytest.raises(SourceGone, match=r"no answer within 0\.2 s"):
        _ask_of(lambda _client: over.wait(20) and None, 0.2, over.set)


def _ask_of(
    serve: Callable[[socket.socket], object], timeout: float, then: Callable[[], object] = bool
) -> None:
    """Ask a server that does something with its one client."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run_server() -> None:
            client, _address = listener.accept()
            with client:
                serve(client)

        thread = threading.Thread(target=run_server)
        thread.start()
        address = AdminAddress(host="127.0.0.1", port=listener.getsockname()[1])
        try:
            asyncio.run(HttpSource("site", address, None, timeout).overview())
        finally:
            then()
            thread.join()
