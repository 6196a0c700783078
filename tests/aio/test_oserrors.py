"""Errors of connecting and listening, as asyncio's programs expect them."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

import pytest
from twisted.internet.error import CannotListenError, ConnectError, TimeoutError as TookTooLong

from tests.aio.running import each_loop, run
from txremote import Service
from txremote.aio import connect, listen
from txremote.aio.oserrors import as_os_errors


@each_loop
def test_where_nobody_listens_the_error_is_that_of_asyncio(new_loop, tmp_path: Path) -> None:
    async def main() -> None:
        with socket.socket() as closed:  # it is bound and does not listen
            closed.bind(("127.0.0.1", 0))
            port = closed.getsockname()[1]
            with pytest.raises(ConnectionRefusedError, match=str(port)) as refused:
                await connect("127.0.0.1", port)
            assert refused.value.errno == errno.ECONNREFUSED
            with pytest.raises(ConnectionRefusedError):
                await connect(f"tls:127.0.0.1:{port}")
        with pytest.raises(FileNotFoundError):
            await connect(f"unix:{tmp_path}/nobody")

    run(main, new_loop)


@each_loop
def test_an_address_in_use_is_told_with_its_number(new_loop, tmp_path: Path) -> None:
    async def main() -> None:
        for place in ("localhost:0", f"unix:{tmp_path}/here"):
            async with listen(place, Service) as server:
                with pytest.raises(OSError, match="cannot listen on") as used:
                    await listen(server.address, Service)
                assert used.value.errno == errno.EADDRINUSE
                assert "b'" not in str(used.value)

    run(main, new_loop)


@pytest.mark.parametrize(
    ("problem", "kind", "text"),
    [
        (ConnectError(errno.ENETUNREACH, ""), OSError, "Network is unreachable"),
        (ConnectError(string="the streams are closed"), ConnectionError, "streams are closed"),
        (TookTooLong(), TimeoutError, "timeout"),
        (CannotListenError(None, b"/a", "Cannot acquire lock"), OSError, "cannot listen on /a"),
        (CannotListenError("::1", 80, PermissionError(13, "no")), PermissionError, "on ::1:80"),
    ],
)
def test_each_error_of_twisteds_has_its_class(problem, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text) as found, as_os_errors():
        raise problem
    assert isinstance(found.value, OSError)
